/* link: a stream, perhaps with TLS on it: the bytes that both a client's and an origin's connection are made
 * of.
 *
 * Plain bytes in, plain bytes out. What the owner did not use of the bytes it was given is kept and given
 * again, with what came after, at link_deliver: so a codec may stop in the middle (a pipelined request waits
 * for its turn). While bytes are kept, reading goes on until LINK_HELD_BYTES, so that the other side's end is
 * noticed, then stops.
 *
 * After link_close*, link_cut or on_error there are no more callbacks. */
#ifndef WEIR_LIVE_LINK_H
#define WEIR_LIVE_LINK_H

#include <event2/buffer.h>

#include "proxy/base/strbuf.h"
#include "proxy/exchange/side.h"
#include "proxy/net/loop.h"
#include "proxy/net/stream.h"
#include "proxy/tls/tls.h"

/* As much as one read may give: a pipeline of small requests, or the first part of a body whose origin is
 * being dialled. */
#define LINK_HELD_BYTES LOOP_READ_BYTES

struct link_events {
    size_t (*on_bytes)(void *self, struct span bytes); /* plain; answers how many it used */
    void (*on_batch)(void *self); /* all of what was read at once has been given: time to flush */
    void (*on_eof)(void *self);   /* the other side has ended: see link_ended_cleanly */
    void (*on_drained)(void *self);
    void (*on_error)(void *self, const struct err *err); /* reset, TLS failure: close or cut the link */
    /* TLS only; may be NULL otherwise. */
    enum tls_answer (*on_hello)(void *self, const struct hello *hello);
    void (*on_open)(void *self);
};

struct link {
    struct loop *loop;
    struct stream *stream;      /* NULL: closed */
    struct tls *tls;            /* NULL: plain */
    struct evbuffer *plain_out; /* with TLS: what is still to be encrypted */
    struct strbuf held;
    const struct link_events *events;
    void *self;
    bool is_wanted;     /* the owner wants bytes */
    bool is_delivering; /* on_bytes is being called */
    bool is_fed;        /* on_bytes has been called since the last on_batch */
    bool has_eof, eof_told;
    struct err write_error; /* code ERR_NONE: none */
};

void link_init(struct link *link, struct loop *loop, int fd, const struct link_events *events, void *self);
void link_clear(
    struct link *link); /* closes at once if still open, and frees; not from inside its callbacks */
bool link_is_open(const struct link *link);
void link_set_owner(struct link *link, const struct link_events *events, void *self);

/* TLS from here on. The bytes that came before and are held are fed to it. False: the handshake has failed at
 * once. */
bool link_accept_tls(struct link *link, struct tls_server *server, struct span first, struct err *err);
bool link_connect_tls(struct link *link, struct tls_client *client, struct tls_sessions *sessions,
                      const struct tls_target *target, struct err *err);
void link_go_tls(struct link *link); /* after TLS_WAIT from on_hello */

struct evbuffer *link_out(struct link *link); /* append, then link_flush */
void link_flush(struct link *link);
size_t link_unsent(const struct link *link);

void link_deliver(struct link *link); /* gives what is held again; not from inside on_bytes */
void link_set_reading(struct link *link, bool is_on);
bool link_ended_cleanly(const struct link *link); /* after on_eof: FIN, and with TLS close_notify before it */

void link_shutdown(struct link *link);     /* our half ends, cleanly: close_notify, FIN */
void link_shutdown_raw(struct link *link); /* FIN without close_notify */
void link_close(
    struct link *link); /* once everything is written: close_notify, FIN, and a moment for the other side */
void link_close_raw(struct link *link); /* the same without close_notify */
void link_cut(struct link *link,
              enum cut how); /* what is queued goes (CUT_CLOSE) or not (CUT_RESET); no clean end */

#endif

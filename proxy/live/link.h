/* link: a stream, perhaps with TLS on it, perhaps with TLS in that: the bytes that both a client's and an
 * origin's connection are made of.
 *
 * Plain bytes in, plain bytes out. What the owner did not use of the bytes it was given is kept and given
 * again, with what came after, at link_deliver: so a codec may stop in the middle (a pipelined request waits
 * for its turn). While bytes are kept, reading goes on until LINK_HELD_BYTES, so that the other side's end is
 * noticed, then stops.
 *
 * TLS goes on in the middle of the stream, and once more within it: a proxy is spoken to in TLS, and then an
 * origin behind it. The layer put on last is link->tls, and whatever is told or asked of TLS is about it
 * alone; the one below, once it is open, is only a way for bytes. Bytes that came before a layer belong to it
 * from then on: those that are held, and those that on_bytes leaves when it put the layer on. None of them is
 * ever given as if it had come through it.
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
    /* Reset, or a failure of either layer of TLS, which the text tells apart: close or cut the link. */
    void (*on_error)(void *self, const struct err *err);
    /* TLS only; may be NULL otherwise. Of link->tls, the layer put on last. */
    enum tls_answer (*on_hello)(void *self, const struct hello *hello);
    void (*on_open)(void *self);
};

struct link {
    struct loop *loop;
    struct stream *stream;      /* NULL: closed */
    struct tls *tls;            /* the innermost layer; NULL: plain */
    struct evbuffer *plain_out; /* with TLS: what is still to be encrypted */
    struct tls *outer;          /* the layer below tls; NULL: there is none */
    struct evbuffer *outer_out; /* with two: what tls has for outer to encrypt */
    struct strbuf held;
    const struct link_events *events;
    void *self;
    size_t ticket_bytes; /* of what the stream has not sent: nobody waits for them, nor do they count */
    bool is_wanted;      /* the owner wants bytes */
    bool is_delivering;  /* on_bytes is being called */
    bool is_fed;         /* on_bytes has been called since the last on_batch */
    bool has_eof, eof_told;
    bool has_failed;        /* on_error was told */
    bool is_shut;           /* our half has ended */
    struct err write_error; /* code ERR_NONE: none */
};

void link_init(struct link *link, struct loop *loop, int fd, const struct link_events *events, void *self);
void link_clear(
    struct link *link); /* closes at once if still open, and frees; not from inside its callbacks */
bool link_is_open(const struct link *link);
void link_set_owner(struct link *link, const struct link_events *events, void *self);

/* TLS from here on. On a link that has TLS, which must be open: a second layer, within it; there is no third.
 * first (used, when it is on_bytes' answer that counts), and then the bytes that are held, are fed to it.
 * False: the handshake has failed at once; on_error is not told. */
bool link_accept_tls(struct link *link, struct tls_server *server, struct span first, struct err *err);
bool link_connect_tls(struct link *link, struct tls_client *client, struct tls_sessions *sessions,
                      const struct tls_target *target, struct err *err);
void link_go_tls(struct link *link); /* after TLS_WAIT from on_hello */

struct evbuffer *link_out(struct link *link); /* append, then link_flush */
void link_flush(struct link *link);
size_t link_unsent(const struct link *link); /* of all layers, in bytes */

void link_deliver(struct link *link); /* gives what is held again; not from inside on_bytes */
void link_set_reading(struct link *link, bool is_on);
/* After on_eof: FIN, and with TLS close_notify before it. With two layers the inner one's counts: what the
 * other side had to say is whole when it came. */
bool link_ended_cleanly(const struct link *link);

/* close_notify is sent in every layer that is open, the inner one's first. */
void link_shutdown(struct link *link);     /* our half ends, cleanly: close_notify, FIN */
void link_shutdown_raw(struct link *link); /* FIN without close_notify, in both layers */
void link_close(
    struct link *link); /* once everything is written: close_notify, FIN, and a moment for the other side */
void link_close_raw(struct link *link); /* the same without close_notify */
void link_cut(struct link *link,
              enum cut how); /* what is queued goes (CUT_CLOSE) or not (CUT_RESET); no clean end */

#endif

/* tls: one TLS connection, sans-I/O, in either role: ciphertext in, plaintext out, and the other way.
 *
 * OpenSSL over a BIO of our own. Ciphertext to send is appended to the evbuffer given at the start (a
 * stream's out), so nothing is copied twice; ciphertext that came is fed as it was read. The owner flushes
 * the stream after every call. Callbacks come from inside tls_start, tls_go, tls_feed and tls_unpause only;
 * in none of them may the tls be freed (defer it) or be fed, but it may be written to, paused and closed.
 * Everything on the owner's thread. */
#ifndef WEIR_TLS_TLS_H
#define WEIR_TLS_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "certs/leaf.h"
#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/tls/hello.h"
#include "proxy/tls/tls_mirror.h"
#include "proxy/tls/tls_policy.h"

struct evbuffer;
struct tls;

enum tls_answer { TLS_GO, TLS_WAIT };

struct tls_events { /* all but on_hello may be NULL, and that too in the client role */
    /* Server role: the ClientHello is there. Before TLS_GO, or before tls_go() after TLS_WAIT, tls_set_leaf
     * must have been called, or the handshake is refused; tls_set_alpn may have been. hello is borrowed
     * until it returns. What is fed while waiting is kept: stop reading the client. */
    enum tls_answer (*on_hello)(void *self, const struct hello *hello);
    void (*on_open)(void *self);                     /* the handshake is done */
    void (*on_plain)(void *self, struct span bytes); /* borrowed until it returns */
    void (*on_close_notify)(void *self);             /* the other side has ended its half cleanly */
};

/* server, client, sessions, out and events are borrowed and must outlive the tls. */
struct tls *tls_accept(struct tls_server *server, struct evbuffer *out, const struct tls_events *events,
                       void *self);

struct tls_target {
    const char *host; /* verified, and sent as SNI when it is a name */
    uint16_t port;
    struct span alpn;                /* wire format; empty: none offered */
    const struct tls_mirror *mirror; /* NULL: weir's defaults; tls_connect takes its own reference */
};
/* sessions NULL: every handshake is a full one. */
struct tls *tls_connect(struct tls_client *client, struct tls_sessions *sessions,
                        const struct tls_target *target, struct evbuffer *out,
                        const struct tls_events *events, void *self);
void tls_free(struct tls *tls); /* NULL is fine */

void tls_set_leaf(struct tls *tls, struct leaf *leaf);    /* takes its own reference */
void tls_set_alpn(struct tls *tls, struct span protocol); /* the one to choose, if the client offered it */

/* Client role: sends the ClientHello. Server role: nothing to do, may be left out. */
bool tls_start(struct tls *tls, struct err *err);
bool tls_go(struct tls *tls, struct err *err); /* after TLS_WAIT */

/* All of bytes is taken, always. False: ERR_TLS (an alert or a broken record; an alert of ours is in out,
 * flush it), ERR_CERT (the origin is not trusted: says why). */
bool tls_feed(struct tls *tls, struct span ciphertext, struct err *err);
/* Encrypts and drains all of plain: records as large as the bytes at hand allow, 16 KiB at most. Before the
 * handshake is done it is kept by the caller: ERR_TLS. */
bool tls_write(struct tls *tls, struct evbuffer *plain, struct err *err);
void tls_close_notify(struct tls *tls); /* our half has ended */

/* Pausing: from inside on_plain, and then stop feeding, as what is fed is kept; bytes already decrypted or
 * buffered come with tls_unpause (which calls on_plain). */
void tls_pause(struct tls *tls);
bool tls_unpause(struct tls *tls, struct err *err);

bool tls_is_open(const struct tls *tls);
/* Right after on_open: all that is written and unsent are tickets for later connections, which nobody waits
 * for. */
bool tls_gave_tickets(const struct tls *tls);
bool tls_was_closed(const struct tls *tls);  /* close_notify has come */
struct span tls_alpn(const struct tls *tls); /* what was agreed; empty: none */
/* Did the other side refuse our certificate? The alert's number (RFC 8446 §6) that ended it, 0: none came. */
unsigned tls_alert_received(const struct tls *tls);
bool tls_cert_requested(const struct tls *tls); /* client role: the origin asked for a client certificate */
bool tls_cert_shown(const struct tls *tls);     /* client role: and was given one (see client_cert.h) */
bool tls_is_verified(const struct tls *tls);    /* client role */
/* The facts as one JSON object, see tap.h; the caller's, to mem_free. */
char *tls_facts(const struct tls *tls);

#endif

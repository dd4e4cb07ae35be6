/* upstream: a connection to an origin: dialled, perhaps with TLS, then one exchange after another.
 *
 * Lives on one worker. Its user is either waiting for it to open, or an exchange runs on it, or it is idle in
 * the pool. It frees itself at the end of the turn in which it is closed. */
#ifndef WEIR_LIVE_UPSTREAM_H
#define WEIR_LIVE_UPSTREAM_H

#include <stdbool.h>
#include <sys/queue.h>

#include "proxy/exchange/exchange.h"
#include "proxy/http/h1.h"
#include "proxy/http/h1_write.h"
#include "proxy/live/link.h"
#include "proxy/live/live.h"
#include "proxy/mode/target.h"
#include "proxy/net/address.h"
#include "proxy/net/dial.h"

struct upstream;

/* What a connection was made for: only what is equal in all of it may share one. */
struct upstream_key {
    struct target target;      /* dialled */
    char name[URL_HOST_BYTES]; /* SNI, and verified; "" without TLS */
    char alpn[64];             /* what is offered, wire format */
    uint8_t alpn_len;
    unsigned hash; /* of the rest, made once: keys are looked up for every request */
};
void upstream_key_make(struct upstream_key *key, const struct target *target, const char *name,
                       struct span alpn);
bool upstream_key_eq(const struct upstream_key *a, const struct upstream_key *b);

struct upstream_user {
    void (*on_open)(void *self, struct upstream *upstream);
    /* Gone, but for upstream_tell_failed() until this returns; status is what a client is told: 502, 504, or
     * 0 when it is an own address (is_own). */
    void (*on_failed)(void *self, int status, bool is_own, const char *error);
    /* Before on_open's TLS: the TCP connection stands, and the origin has spoken first (only after
     * upstream_open with tcp_only). */
    void (*on_spoke)(void *self, struct upstream *upstream);
};

enum upstream_phase { UPSTREAM_DIALLING, UPSTREAM_TCP, UPSTREAM_TLS, UPSTREAM_OPEN, UPSTREAM_CLOSED };

struct upstream {
    struct live *live;
    struct upstream_key key;
    enum upstream_phase phase;
    struct dial *dial;
    struct link link;
    struct h1 *h1;
    struct h1_writer writer;
    struct exchange *exchange;        /* running on it; NULL: none */
    const struct upstream_user *user; /* waiting for it to open; NULL: nobody */
    void *user_self;
    struct tap_tls *tls_facts;
    struct dial_times dial_times;
    uint64_t tls_start_us, tls_end_us; /* monotonic */
    unsigned dial_attempts;
    char address[ADDRESS_TEXT_BYTES];
    bool stops_at_tcp;   /* TLS is not started by itself: see upstream_adopt */
    bool is_told_times;  /* the first exchange has got the times of its making */
    bool is_broken;      /* good for no other exchange */
    bool is_login;       /* NTLM, Negotiate: it is a client's for good, whatever the later requests say */
    bool is_out_of_step; /* malformed, or nobody asked for what came: it ends with the batch */
    bool cert_requested;
    struct loop_timer timer; /* handshake, idle */
    TAILQ_ENTRY(upstream) in_pool;
    bool is_pooled;
    struct err err;
};

/* Never calls back from inside. stops_at_tcp: on_open comes when TCP is connected; see upstream_adopt. */
struct upstream *upstream_open(struct live *live, const struct upstream_key *key, bool stops_at_tcp,
                               const struct upstream_user *user, void *user_self);
void upstream_set_user(struct upstream *upstream, const struct upstream_user *user, void *user_self);
/* One that stops, or has stopped, at TCP becomes what key says (same host and port): on_open comes when it
 * is. */
void upstream_adopt(struct upstream *upstream, const struct upstream_key *key,
                    const struct upstream_user *user, void *user_self);
void upstream_close(struct upstream *upstream); /* at once; tells nobody. NULL is fine */

/* The exchange runs on it from now on; sends what there is of its request. */
void upstream_run(struct upstream *upstream, struct exchange *exchange, bool is_reused);
/* Its bytes are those of a tunnel, which takes over its link; no request is sent, only its making is told to
 * the tunnel's exchange. */
void upstream_carry(struct upstream *upstream, struct exchange *exchange);
/* From inside on_failed: the exchange is told how far the making of the connection came. */
void upstream_tell_failed(struct upstream *upstream, struct exchange *exchange);
/* The exchange is over: back into the pool when both say so and nothing is left over, else closed.
 * owner_bound: not shared, stays with the caller; false: closed. */
bool upstream_release(struct upstream *upstream, bool may_be_reused, bool owner_bound);

#endif

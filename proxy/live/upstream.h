/* upstream: a connection to an origin: dialled, perhaps with TLS, then one exchange after another, or many at
 * once when it speaks HTTP/2.
 *
 * Lives on one worker. Its user is waiting for it to open, or an exchange runs on it, or it is idle in the
 * pool. One that speaks HTTP/2, or is likely to, is in the pool from the start, for others to wait for it and
 * ride on it (ride.h). It frees itself at the end of the turn in which it is closed. */
#ifndef WEIR_LIVE_UPSTREAM_H
#define WEIR_LIVE_UPSTREAM_H

#include <stdbool.h>
#include <sys/queue.h>

#include "proxy/exchange/exchange.h"
#include "proxy/http/h1.h"
#include "proxy/http/h1_write.h"
#include "proxy/http/h2.h"
#include "proxy/live/link.h"
#include "proxy/live/live.h"
#include "proxy/live/upstream_key.h"
#include "proxy/net/address.h"
#include "proxy/net/dial.h"

struct upstream;
struct upstream_via;

struct upstream_user {
    void (*on_open)(void *self, struct upstream *upstream);
    /* Gone, but for upstream_tell_failed() until this returns; status is what a client is told: 502, 504, or
     * 0 when it is an own address (is_own). The upstream proxy is named in error. */
    void (*on_failed)(void *self, int status, bool is_own, const char *error);
    /* Before on_open's TLS: the TCP connection stands, and the origin has spoken first (only after
     * upstream_open with tcp_only). */
    void (*on_spoke)(void *self, struct upstream *upstream);
};

/* A place in the queue for a connection that somebody else is opening. */
struct upstream_wait {
    struct upstream *upstream; /* NULL: not waiting */
    const struct upstream_user *user;
    void *self;
    TAILQ_ENTRY(upstream_wait) in_upstream;
};

enum upstream_phase {
    UPSTREAM_DIALLING,
    UPSTREAM_VIA, /* an upstream proxy is asked for the way */
    UPSTREAM_TCP, /* bytes get to the origin */
    UPSTREAM_TLS,
    UPSTREAM_OPEN,
    UPSTREAM_CLOSED
};

struct upstream {
    struct live *live;
    struct upstream_key key;
    enum upstream_phase phase;
    struct dial *dial;
    struct upstream_via *via; /* NULL: no proxy */
    struct link link;
    struct h1 *h1;
    struct h1_writer writer;
    struct exchange *exchange;    /* running on it; NULL: none */
    struct h2 *h2;                /* made with the first ride */
    struct h2_profile h2_profile; /* what it was made to look like */
    TAILQ_HEAD(, ride) rides, dirty_rides;
    TAILQ_HEAD(, upstream_wait) waiting;
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
    bool is_forbidden;       /* its address is not for clients from there */
    bool is_kept;            /* see upstream_keep */
    bool is_done;            /* closed, and kept only for that */
    struct loop_timer timer; /* handshake, idle */
    uint64_t idle_us;        /* HTTP/1: how long it may be idle, from its last answer */
    TAILQ_ENTRY(upstream) in_pool;
    bool is_pooled; /* in the pool: idle, or shared */
    bool is_shared;
    bool has_answered; /* an exchange: the origin has nothing against our certificate, or that we have none */
    bool speaks_h2;    /* once it is open */
    bool is_carrying;  /* has had a ride: its next one is on a connection that may be dead */
    bool is_settling;  /* settling its rides, or about to */
    bool is_writing;   /* about to write their frames */
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
/* Its user wants it no more: closed, unless others wait for it. NULL is fine */
void upstream_leave(struct upstream *upstream);

/* Many may wait for a connection that is shared, and being opened: on_open comes to each when it is there,
 * also when it turns out not to speak HTTP/2 and so is somebody else's. */
void upstream_join(struct upstream *upstream, struct upstream_wait *wait, const struct upstream_user *user,
                   void *user_self);
void upstream_unjoin(struct upstream_wait *wait); /* also when it waits for nothing */
/* Open for rides; made with this profile (NULL: weir's own), or not made yet. */
bool upstream_takes_ride(const struct upstream *upstream, const struct h2_profile *profile);
/* Nobody rides on it: closed after a while, or at once when it is good for nothing more. */
void upstream_is_idle(struct upstream *upstream);

/* HTTP/1: the exchange runs on it from now on; sends what there is of its request. */
void upstream_run(struct upstream *upstream, struct exchange *exchange, bool is_reused);
/* Its bytes are those of a tunnel, which takes over its link; no request is sent, only its making is told to
 * the tunnel's exchange. */
void upstream_carry(struct upstream *upstream, struct exchange *exchange);
/* The exchange is told when the connection was made, unless an earlier one was, and of its TLS. */
void upstream_tell_times(struct upstream *upstream, struct exchange *exchange);
/* From inside on_failed: what is known of it stays until upstream_forget. */
void upstream_keep(struct upstream *upstream);
void upstream_forget(struct upstream *upstream); /* NULL is fine */
/* From inside on_failed, or while it is kept: the exchange is told how far the making of the connection came.
 */
void upstream_tell_failed(struct upstream *upstream, struct exchange *exchange);
/* The exchange is over: back into the pool when both say so and nothing is left over, else closed.
 * owner_bound: not shared, stays with the caller; false: closed. */
bool upstream_release(struct upstream *upstream, bool may_be_reused, bool owner_bound);

/* --- among the files that make up an upstream ---------------------------------------------------------- */

/* upstream_h1.c */
extern const struct http_events upstream_h1_events;
extern const struct side_ops upstream_h1_side;

#endif

/* proxy: the whole of the live path: start, stop accepting, drain, report.
 *
 * Owns the workers, the leaf cache, the TLS policies. Knows no recorder: every worker's tap gets the
 * listeners that on_worker adds. */
#ifndef WEIR_LIVE_PROXY_H
#define WEIR_LIVE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certs/ca.h"
#include "proxy/base/err.h"
#include "proxy/exchange/tap.h"

struct proxy;
struct worker;

/* Values of an option that may be given several times. */
struct texts {
    const char *const *items;
    size_t count;
};

struct proxy_options {
    const char *const *listen; /* "127.0.0.1:8080", "socks5@127.0.0.1:1080", ...: see mode.h */
    size_t listen_count;
    const char *mode;       /* of listeners that name none, see mode.h; NULL: forward */
    const char *allow;      /* "192.168.0.0/16,10.0.0.0/8"; NULL: none */
    const char *proxy_auth; /* "user:password" that clients must give; NULL: none */
    bool allow_private; /* clients from elsewhere may reach private and loopback addresses: see access.h */
    struct texts via;   /* "[HOSTS=]URL", "env": see via.h */
    struct texts client_cert;     /* "[HOSTS[:PORT]=]FILE[,KEY]": see client_cert.h */
    const char *client_cert_pass; /* "file:PATH", "env:NAME"; NULL: none */
    struct texts seal, open;      /* host patterns: see scope.h */
    bool no_auto_seal;
    bool no_mirror;          /* towards origins: weir's own TLS and HTTP/2 defaults instead of the client's */
    const char *keylog;      /* file for Wireshark, made 0600, appended to; NULL: none */
    const char *upstream_ca; /* PEM file; NULL: the system's roots only */
    bool insecure;
    size_t max_header_bytes; /* 0: 64 KiB */
    unsigned workers;        /* 0: the usable cores */
    struct ca *ca;           /* borrowed until proxy_free */
    /* On each worker's thread before its first client: adds listeners to tap. What it returns is given to
     * on_worker_tick (every 50 ms) and on_worker_stop, on the same thread. May be NULL, as may the others. */
    void *(*on_worker)(void *self, struct worker *worker, struct tap *tap);
    void (*on_worker_tick)(void *worker_self);
    void (*on_worker_stop)(void *worker_self);
    void *self;
};

struct proxy_totals {
    uint64_t clients, exchanges, tunnels; /* since the start */
    uint64_t open_clients;
};

/* Binds, starts the workers, accepts. ERR_USAGE for a listener that is not on loopback without allow, or
 * proxy_auth where its clients can be asked (mode_can_ask); ERR_SYS for a port in use. */
bool proxy_start(const struct proxy_options *options, struct proxy **out_proxy, struct err *err);
size_t proxy_listener_count(const struct proxy *proxy);
/* "127.0.0.1:41233": what listener i is bound to. Borrowed. */
const char *proxy_listener_name(const struct proxy *proxy, size_t i);
void proxy_totals(struct proxy *proxy, struct proxy_totals *out_totals); /* any thread */

/* Stops accepting and lets exchanges under way finish for grace_us at most; the rest is aborted and recorded
 * as that. Blocks its caller. hurry, polled every 20 ms, may be NULL: once *hurry is not 0 the grace is over.
 * Frees everything. */
void proxy_stop(struct proxy *proxy, uint64_t grace_us, const volatile int *hurry);

#endif

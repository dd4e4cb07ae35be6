/* live: what one worker owns of the proxy, and what all workers share. Internal to proxy/live. */
#ifndef WEIR_LIVE_LIVE_H
#define WEIR_LIVE_LIVE_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "certs/leaf_cache.h"
#include "proxy/exchange/tap.h"
#include "proxy/http/h1.h"
#include "proxy/live/access.h"
#include "proxy/live/devices.h"
#include "proxy/live/origins.h"
#include "proxy/mode/mode.h"
#include "proxy/mode/scope.h"
#include "proxy/net/worker.h"
#include "proxy/tls/tls_policy.h"

/* How long each state may last (µs). What is not here has no limit of ours: waiting for an answer, a quiet
 * stream. */
#define CLIENT_HEAD_US   (60 * 1000000ull)  /* from a request's first byte to its last header */
#define CLIENT_IDLE_US   (300 * 1000000ull) /* between requests */
#define HANDSHAKE_US     (15 * 1000000ull)
#define UPSTREAM_IDLE_US (60 * 1000000ull)
#define SILENCE_US                                                                                           \
    (100 * 1000ull) /* once the origin is known: then the origin is asked whether it speaks first */

/* The name under which weir itself can be reached through the proxy (".test" is nobody's: RFC 6761 §6.2). */
#define SELF_HOST "weir.test"

struct auth;
struct client;
struct pool;
struct proxy;
struct tls_sessions;
struct via;

struct live_listener {
    struct mode mode;
    struct address bound;
};

/* Made by proxy_start and unchanged while workers run, but for what has its own lock. */
struct live_shared {
    struct ca *ca;
    struct tls_server *tls_server;
    struct tls_client *tls_client;
    struct leaf_cache *leaf_cache;
    struct devices *devices;
    struct origins *origins;
    struct scope *scope;
    struct via *via; /* the upstream proxies */
    struct access access;
    struct live_listener *listeners; /* in the order in which they were asked for */
    struct auth *auth;               /* whom clients must say they are; NULL: nobody */
    struct h1_limits limits;
    bool no_mirror; /* weir's own TLS and HTTP/2 towards origins, not the client's */
    atomic_ullong clients, exchanges, tunnels, open_clients;
};

struct live {
    struct live_shared *shared;
    struct proxy *proxy;
    struct worker *worker;
    struct loop *loop;
    struct resolver *resolver;
    struct tap tap;
    struct tap no_tap; /* for requests that are meant for weir itself */
    struct pool *pool;
    struct tls_sessions *tls_sessions;
    TAILQ_HEAD(client_list, client) clients;
    bool is_draining;           /* no new exchange begins */
    bool is_drained;            /* the proxy was told so */
    struct loop_timer flushing; /* while draining: looks whether the last bytes are on their way */
    void *owner_self;           /* what on_worker returned */
    struct loop_timer tick;
};

#endif

#include "proxy/live/proxy.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "proxy/live/client.h"
#include "proxy/live/pool.h"
#include "proxy/live/proxy_impl.h"
#include "proxy/mode/auth.h"
#include "proxy/mode/via.h"
#include "proxy/net/origdst.h"
#include "proxy/net/worker.h"
#include "proxy/tls/tls_keylog.h"

/* How often a worker's listeners are called for what they hold back: a quarter of what may be lost in a
 * crash. */
#define TICK_US (50 * 1000ull)

/* How often a worker that is being stopped looks whether its last bytes are sent. */
#define FLUSH_LOOK_US (10 * 1000ull)

/* Some 35 MB when full: more hosts than a day of browsing meets. */
#define MAX_LEAVES 10000

struct proxy {
    struct live_shared shared;
    struct proxy_options options;
    struct tls_keylog *keylog; /* NULL: none */
    struct workers *workers;
    char (*names)[ADDRESS_TEXT_BYTES];
    size_t name_count;
    pthread_mutex_t lock; /* over what follows: draining */
    pthread_cond_t drained;
    unsigned undrained;   /* workers that still have clients */
    atomic_int rsa;       /* enum rsa_key */
    pthread_t rsa_thread; /* from RSA_MAKING on */
};

enum rsa_key { RSA_NONE, RSA_MAKING, RSA_READY };

/* --- one worker ----------------------------------------------------------------------------------------- */

static void tell_drained(struct live *live)
{
    if (live->is_drained)
        return;
    live->is_drained = true;
    pthread_mutex_lock(&live->proxy->lock);
    live->proxy->undrained--;
    pthread_cond_signal(&live->proxy->drained);
    pthread_mutex_unlock(&live->proxy->lock);
}

/* Clients that are gone may have bytes on their way that the socket had no room for. */
static void wait_flushed(void *self)
{
    struct live *live = self;

    if (loop_has_busy_orphans(live->loop))
        loop_timer_set(&live->flushing, FLUSH_LOOK_US);
    else
        tell_drained(live);
}

static void on_tick(void *self)
{
    struct live *live = self;

    live->proxy->options.on_worker_tick(live->owner_self);
    loop_timer_set(&live->tick, TICK_US);
}

static void *on_start(void *arg, struct worker *worker)
{
    struct proxy *proxy = arg;
    struct live *live = mem_new(struct live);

    live->shared = &proxy->shared;
    live->proxy = proxy;
    live->worker = worker;
    live->loop = worker_loop(worker);
    live->resolver = worker_resolver(worker);
    live->pool = pool_new();
    live->tls_sessions = tls_sessions_new();
    TAILQ_INIT(&live->clients);
    if (proxy->options.on_worker != NULL)
        live->owner_self = proxy->options.on_worker(proxy->options.self, worker, &live->tap);
    loop_timer_init(&live->tick, live->loop, on_tick, live);
    loop_timer_init(&live->flushing, live->loop, wait_flushed, live);
    if (proxy->options.on_worker_tick != NULL)
        loop_timer_set(&live->tick, TICK_US);
    return live;
}

static void on_client(void *self, int fd, const struct address *address, uint64_t accepted_us,
                      unsigned listener)
{
    client_new(self, fd, address, accepted_us, listener);
}

static void on_stop(void *self)
{
    struct live *live = self;

    loop_timer_clear(&live->tick);
    loop_timer_clear(&live->flushing);
    if (live->proxy->options.on_worker_stop != NULL)
        live->proxy->options.on_worker_stop(live->owner_self);
    pool_free(live->pool);
    tls_sessions_free(live->tls_sessions);
    mem_free(live);
}

static const struct worker_events worker_events = { on_start, on_client, on_stop };

/* --- the key of RSA leaves ------------------------------------------------------------------------------ */

static void tell_rsa_ready(void *self)
{
    struct live *live = self;
    struct client *client, *next;

    for (client = TAILQ_FIRST(&live->clients); client != NULL; client = next) {
        next = client_next(client);
        client_rsa_ready(client);
    }
}

static void *make_rsa(void *arg)
{
    struct proxy *proxy = arg;
    struct err err;

    if (!leaf_prepare(KEY_RSA, &err))
        log_warn("proxy", "no key for RSA leaves",
                 LOG_S("why", err.text)); /* each handshake fails with its own word */
    atomic_store(&proxy->rsa, RSA_READY);
    workers_post(proxy->workers, tell_rsa_ready);
    return NULL;
}

bool live_has_rsa(struct live *live)
{
    int expected = RSA_NONE;

    if (atomic_load(&live->proxy->rsa) == RSA_READY)
        return true;
    if (atomic_compare_exchange_strong(&live->proxy->rsa, &expected, RSA_MAKING) &&
        pthread_create(&live->proxy->rsa_thread, NULL, make_rsa, live->proxy) != 0)
        atomic_store(&live->proxy->rsa,
                     RSA_NONE); /* the next handshake tries again; this one runs into its time */
    return false;
}

/* --- draining ------------------------------------------------------------------------------------------- */

void live_client_gone(struct live *live)
{
    if (live->is_draining && TAILQ_EMPTY(&live->clients))
        wait_flushed(live);
}

static void drain_worker(void *self)
{
    struct live *live = self;
    struct client *client, *next;

    live->is_draining = true;
    if (TAILQ_EMPTY(&live->clients)) {
        wait_flushed(live);
        return;
    }
    for (client = TAILQ_FIRST(&live->clients); client != NULL; client = next) {
        next = client_next(client);
        client_drain(client);
    }
}

static void abort_worker(void *self)
{
    struct live *live = self;

    while (!TAILQ_EMPTY(&live->clients))
        client_abort(TAILQ_FIRST(&live->clients), "weir was stopped");
    tell_drained(live);
}

static bool wait_drained(struct proxy *proxy, uint64_t grace_us, const volatile int *hurry)
{
    uint64_t until = clock_mono_us() + grace_us;
    bool is_drained;

    pthread_mutex_lock(&proxy->lock);
    while (proxy->undrained != 0 && clock_mono_us() < until && (hurry == NULL || *hurry == 0)) {
        struct timespec wake;
        clock_gettime(CLOCK_MONOTONIC, &wake);
        wake.tv_nsec += 20 * 1000 * 1000;
        if (wake.tv_nsec >= 1000000000) {
            wake.tv_sec++;
            wake.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&proxy->drained, &proxy->lock, &wake);
    }
    is_drained = proxy->undrained == 0;
    pthread_mutex_unlock(&proxy->lock);
    return is_drained;
}

/* --- starting ------------------------------------------------------------------------------------------- */

static void proxy_free(struct proxy *proxy)
{
    leaf_cache_free(proxy->shared.leaf_cache);
    tls_server_free(proxy->shared.tls_server);
    tls_client_free(proxy->shared.tls_client);
    origins_free(proxy->shared.origins);
    tls_keylog_close(proxy->keylog);
    devices_free(proxy->shared.devices);
    scope_free(proxy->shared.scope);
    via_free(proxy->shared.via);
    access_clear(&proxy->shared.access);
    auth_free(proxy->shared.auth);
    mem_free(proxy->shared.listeners);
    pthread_mutex_destroy(&proxy->lock);
    pthread_cond_destroy(&proxy->drained);
    mem_free(proxy->names);
    mem_free(proxy);
}

static bool check_exposure(const struct proxy_options *options, const char *text, const struct mode *mode,
                           const struct address *address, struct err *err)
{
    bool can_ask = mode_can_ask(mode);

    if (options->allow != NULL || (options->proxy_auth != NULL && can_ask) || address_is_loopback(address))
        return true;
    return err_set(err, ERR_USAGE,
                   "'%s' can be reached from other machines: say who may use it, for example "
                   "--allow 192.168.0.0/16%s",
                   text,
                   can_ask                       ? " or --proxy-auth USER:PASS"
                   : options->proxy_auth != NULL ? " (its clients know of no proxy, and can't be asked)"
                                                 : "");
}

/* TPROXY needs it; where it is not allowed REDIRECT works all the same. */
static void allow_tproxy(const int *fds, unsigned count, const char *text)
{
    struct err err;

    for (unsigned i = 0; i < count; i++) {
        if (!origdst_allow_tproxy(fds[i], &err)) {
            log_warn("proxy", err.text, LOG_S("listener", text));
            return;
        }
    }
}

static bool bind_one(struct proxy *proxy, size_t i, unsigned count, int *fds, struct err *err)
{
    const struct proxy_options *options = &proxy->options;
    struct live_listener *listener = &proxy->shared.listeners[i];
    const char *text = options->listen[i], *where;
    struct address wanted;

    if (!mode_parse(text, options->mode, &listener->mode, &where, err) ||
        !listen_parse(where, &wanted, err) || !check_exposure(options, text, &listener->mode, &wanted, err) ||
        !listen_bind(&wanted, count, fds, &listener->bound, err))
        return false;
    if (listener->mode.kind == MODE_TRANSPARENT)
        allow_tproxy(fds, count, text);
    address_format(&listener->bound, proxy->names[i], sizeof proxy->names[i]);
    access_add_own(&proxy->shared.access, &listener->bound);
    return true;
}

static bool bind_all(struct proxy *proxy, unsigned count, int *fds, struct err *err)
{
    for (size_t i = 0; i < proxy->name_count; i++) {
        if (!bind_one(proxy, i, count, fds + i * count, err)) {
            for (size_t k = 0; k < i * count; k++)
                close(fds[k]);
            return false;
        }
    }
    return true;
}

bool proxy_start(const struct proxy_options *options, struct proxy **out_proxy, struct err *err)
{
    struct proxy *proxy = mem_new(struct proxy);
    struct tls_client_options tls_options = { .upstream_ca = options->upstream_ca,
                                              .insecure = options->insecure,
                                              .client_cert = options->client_cert.items,
                                              .client_cert_count = options->client_cert.count,
                                              .client_cert_pass = options->client_cert_pass };
    struct scope_options scope_options = { options->seal.items, options->open.items, options->seal.count,
                                           options->open.count, options->no_auto_seal };
    struct origins_options origins_options = { 0 };
    unsigned count = options->workers != 0 ? options->workers : worker_default_count();
    int *fds = mem_array(int, options->listen_count *count);
    pthread_condattr_t attr;
    bool ok = false;

    proxy->options = *options;
    pthread_mutex_init(&proxy->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&proxy->drained, &attr);
    pthread_condattr_destroy(&attr);
    proxy->names = mem_calloc(options->listen_count, sizeof *proxy->names);
    proxy->name_count = options->listen_count;
    proxy->shared.listeners = mem_calloc(options->listen_count, sizeof *proxy->shared.listeners);
    proxy->shared.ca = options->ca;
    proxy->shared.limits = H1_LIMITS_DEFAULT;
    if (options->max_header_bytes != 0)
        proxy->shared.limits.max_header_bytes = options->max_header_bytes;
    proxy->shared.no_mirror = options->no_mirror;
    proxy->shared.devices = devices_new();
    proxy->shared.origins = origins_new(&origins_options, proxy->shared.devices);
    if (options->keylog != NULL && !tls_keylog_open(options->keylog, &proxy->keylog, err))
        goto out;
    tls_options.keylog = proxy->keylog;
    if (!scope_new(&scope_options, &proxy->shared.scope, err) ||
        !via_new(options->via.items, options->via.count, &proxy->shared.via, err) ||
        !access_init(&proxy->shared.access, options->allow, err) ||
        (options->proxy_auth != NULL && !auth_new(options->proxy_auth, &proxy->shared.auth, err)) ||
        !tls_client_new(&tls_options, &proxy->shared.tls_client, err) || !bind_all(proxy, count, fds, err))
        goto out;
    proxy->shared.access.allow_private = options->allow_private;
    proxy->shared.tls_server = tls_server_new(options->ca, proxy->keylog);
    proxy->shared.leaf_cache = leaf_cache_new(options->ca, MAX_LEAVES);
    if (!workers_start(count, fds, (unsigned)options->listen_count, &worker_events, proxy, &proxy->workers,
                       err))
        goto out;
    *out_proxy = proxy;
    proxy = NULL;
    ok = true;
out:
    if (proxy != NULL)
        proxy_free(proxy);
    mem_free(fds);
    return ok;
}

void proxy_stop(struct proxy *proxy, uint64_t grace_us, const volatile int *hurry)
{
    if (proxy == NULL)
        return;
    workers_stop_accepting(proxy->workers);
    proxy->undrained = workers_count(proxy->workers);
    workers_post(proxy->workers, drain_worker);
    if (!wait_drained(proxy, grace_us, hurry)) {
        workers_post(proxy->workers, abort_worker);
        wait_drained(proxy, 5 * 1000000ull, NULL); /* aborting waits for nobody */
    }
    if (atomic_load(&proxy->rsa) != RSA_NONE)
        pthread_join(proxy->rsa_thread, NULL);
    workers_join(proxy->workers);
    proxy_free(proxy);
}

size_t proxy_listener_count(const struct proxy *proxy)
{
    return proxy->name_count;
}

const char *proxy_listener_name(const struct proxy *proxy, size_t i)
{
    return proxy->names[i];
}

void proxy_totals(struct proxy *proxy, struct proxy_totals *out_totals)
{
    out_totals->clients = atomic_load(&proxy->shared.clients);
    out_totals->exchanges = atomic_load(&proxy->shared.exchanges);
    out_totals->tunnels = atomic_load(&proxy->shared.tunnels);
    out_totals->open_clients = atomic_load(&proxy->shared.open_clients);
}

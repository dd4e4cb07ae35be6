#include "tests/bench/load/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/bench/load/connection.h"

#define EVENTS_PER_TURN 256
#define CHECK_EVERY_US  100000
#define TURN_MS         50
/* How long answers that are still due when the time is over are waited for. */
#define DRAIN_US 5000000

const char *const load_error_texts[LOAD_ERRORS] = {
    "connect", "connect_status", "handshake", "verify", "closed", "io",     "parse",
    "status",  "length",         "crc",       "early",  "upload", "timeout"
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct worker *worker = SSL_get_app_data(ssl);

    SSL_SESSION_free(worker->session);
    worker->session = session;
    return 1;
}

static SSL_CTX *make_tls(const struct load_options *options)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL)
        abort();
    SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_alpn_protos(tls, (const unsigned char *)"\x08http/1.1", 9);
    SSL_CTX_set_session_cache_mode(tls, options->resumes ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                         : SSL_SESS_CACHE_OFF);
    if (options->resumes)
        SSL_CTX_sess_set_new_cb(tls, keep_session);
    if (options->is_insecure)
        return tls;
    if (SSL_CTX_load_verify_locations(tls, options->ca_file, NULL) != 1) {
        fprintf(stderr, "bench_load: cannot read '%s'\n", options->ca_file);
        exit(2);
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    return tls;
}

static void fill_body(struct worker *worker)
{
    uint64_t x = 0x2545f4914f6cdd1d;

    for (size_t i = 0; i < BODY_BYTES; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        worker->body[i] = worker->run->options->varies ? (char)x : "0123456789abcdef\n"[i % 17];
    }
}

void worker_init(struct worker *worker, struct run *run, int connections)
{
    enum load_mode mode = run->options->mode;

    *worker = (struct worker){ .run = run, .epoll = epoll_create1(EPOLL_CLOEXEC), .count = connections };
    worker->connections = mem_array(struct connection, (size_t)connections);
    /* One that is run from the list may be put on it again, behind. */
    worker->ready = mem_array(struct connection *, 2 * (size_t)connections);
    worker->buffer = mem_alloc(READ_BYTES);
    worker->body = mem_alloc(BODY_BYTES);
    fill_body(worker);
    for (int i = 0; i < connections; i++) {
        worker->connections[i].worker = worker;
        worker->connections[i].fd = -1;
    }
    if (mode == LOAD_TLS || mode == LOAD_CONNECT)
        worker->tls = make_tls(run->options);
}

static void begin_some(struct worker *worker)
{
    while (worker->begun < worker->count && worker->opening < worker->run->options->ramp)
        connection_begin(&worker->connections[worker->begun++]);
}

static void run_ready(struct worker *worker)
{
    int count = worker->ready_count;

    for (int i = 0; i < count; i++) {
        worker->ready[i]->is_ready = false;
        connection_run(worker->ready[i], 0);
    }
    worker->ready_count -= count;
    memmove(worker->ready, worker->ready + count, (size_t)worker->ready_count * sizeof *worker->ready);
}

/* True when the thread is to end, whatever its connections do. */
static bool is_over(struct worker *worker, uint64_t now_us)
{
    struct run *run = worker->run;

    if (atomic_load(&run->is_stopping) &&
        (run->options->hold_s > 0 || atomic_load(&run->errors) >= run->options->max_errors))
        return true;
    return run->options->hold_s == 0 && now_us > run->ends_us + DRAIN_US;
}

static void check_timeouts(struct worker *worker, uint64_t now_us)
{
    for (int i = 0; i < worker->begun; i++)
        connection_check_timeout(&worker->connections[i], now_us);
}

/* Those that are wanted in a burst join it as others begin: a few at once. */
static void join_burst(struct worker *worker)
{
    struct run *run = worker->run;

    if (worker->parked == 0 || atomic_load(&run->burst_left) <= 0)
        return;
    for (int i = 0; i < worker->begun && worker->meeting < run->options->ramp; i++)
        if (connection_is_parked(&worker->connections[i])) {
            if (atomic_fetch_sub(&run->burst_left, 1) <= 0)
                break;
            connection_leave_park(&worker->connections[i]);
        }
}

static void *run_thread(void *self)
{
    struct worker *worker = self;
    struct epoll_event events[EVENTS_PER_TURN];
    uint64_t checked_us = clock_mono_us();

    worker->live = worker->count;
    while (worker->live > 0) {
        begin_some(worker);
        join_burst(worker);
        int count =
            epoll_wait(worker->epoll, events, EVENTS_PER_TURN, worker->ready_count != 0 ? 0 : TURN_MS);
        for (int i = 0; i < count; i++)
            connection_run(events[i].data.ptr, events[i].events);
        run_ready(worker);

        uint64_t now_us = clock_mono_us();
        if (now_us - checked_us < CHECK_EVERY_US)
            continue;
        checked_us = now_us;
        check_timeouts(worker, now_us);
        if (is_over(worker, now_us))
            break;
    }
    return NULL;
}

bool worker_start(struct worker *worker)
{
    return pthread_create(&worker->thread, NULL, run_thread, worker) == 0;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

void worker_clear(struct worker *worker)
{
    for (int i = 0; i < worker->count; i++)
        connection_close(&worker->connections[i]);
    SSL_SESSION_free(worker->session);
    SSL_CTX_free(worker->tls);
    close(worker->epoll);
    mem_free(worker->connections);
    mem_free(worker->ready);
    mem_free(worker->buffer);
    mem_free(worker->body);
    samples_clear(&worker->latency);
    samples_clear(&worker->setup);
}

/* worker: a thread of bench_load: its connections, its epoll, what it counted.
 *
 * Nothing of a worker is seen by others until its thread has ended; what they share is the run. */
#ifndef WEIR_BENCH_LOAD_WORKER_H
#define WEIR_BENCH_LOAD_WORKER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/load/options.h"
#include "tests/bench/load/samples.h"

#define READ_BYTES ((size_t)256 * 1024)
#define BODY_BYTES ((size_t)64 * 1024)

enum load_error {
    LOAD_ERROR_CONNECT,        /* no TCP connection */
    LOAD_ERROR_CONNECT_STATUS, /* CONNECT was not answered with 200 */
    LOAD_ERROR_HANDSHAKE,
    LOAD_ERROR_VERIFY, /* the certificate is not good for this host and CA */
    LOAD_ERROR_CLOSED, /* before the whole response was there */
    LOAD_ERROR_IO,
    LOAD_ERROR_PARSE,
    LOAD_ERROR_STATUS,
    LOAD_ERROR_LENGTH,
    LOAD_ERROR_CRC,
    LOAD_ERROR_EARLY,  /* answered before the whole request was sent */
    LOAD_ERROR_UPLOAD, /* the origin got less than was sent */
    LOAD_ERROR_TIMEOUT,
    LOAD_ERRORS
};

extern const char *const load_error_texts[LOAD_ERRORS];

struct run {
    const struct load_options *options;
    uint64_t started_us, ends_us;
    atomic_long issued, hosts_used, errors;
    atomic_int parked;
    /* With --burst, of the last one: how many connections may still join it, how many have had an answer in
     * it, when it ends, and how many answers there were. */
    atomic_int burst_left, burst_met;
    _Atomic uint64_t burst_ends_us;
    atomic_long burst_requests;
    atomic_bool is_stopping;
    pthread_mutex_t notes; /* locked for the two texts */
    char first_error[256];
    char tls[128]; /* what the proxy shows to clients: it explains what handshakes cost */
};

struct connection;

struct worker {
    struct run *run;
    pthread_t thread;
    int epoll;
    struct connection *connections;
    int count, begun, live, opening;
    int parked, meeting;       /* meeting: have no answer in the burst yet */
    struct connection **ready; /* had their turn, but may have more to read */
    int ready_count;
    char *buffer; /* READ_BYTES */
    char *body;   /* BODY_BYTES, of which requests' bodies are made */
    uint64_t stamp;
    SSL_CTX *tls;
    SSL_SESSION *session;
    struct samples latency, setup;
    long done, drained, opened, resumed, dropped; /* drained: answered after the time was over */
    uint64_t bytes_in, bytes_out, last_done_us;
    long errors[LOAD_ERRORS];
};

void worker_init(struct worker *worker, struct run *run, int connections);
bool worker_start(struct worker *worker);
void worker_join(struct worker *worker);
void worker_clear(struct worker *worker);

#endif

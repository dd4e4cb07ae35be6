/* connection: one client of bench_load: connects, shakes hands, sends a request, checks the answer, sends the
 * next.
 *
 *     CLOSED -> CONNECTING [-> TUNNEL] [-> HANDSHAKE] -> EXCHANGE -> EXCHANGE ... -> DEAD
 *                                                            '-> PARKED (--hold) -> EXCHANGE (--burst)
 *
 * A connection that failed, was closed or has sent what it may is opened anew while there is more to send. */
#ifndef WEIR_BENCH_LOAD_CONNECTION_H
#define WEIR_BENCH_LOAD_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/load/response.h"
#include "tests/bench/load/worker.h"

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_TUNNEL, /* waits for the answer to CONNECT */
    CONNECTION_HANDSHAKE,
    CONNECTION_EXCHANGE,
    CONNECTION_PARKED,
    CONNECTION_DEAD
};

struct connection {
    struct worker *worker;
    enum connection_state state;
    int fd;
    uint32_t events; /* what epoll watches for */
    SSL *ssl;
    bool is_opening; /* counted in worker->opening until its first response */
    bool is_ready;   /* in worker->ready */
    bool is_in_burst;
    bool is_meeting; /* counted in worker->meeting until its first response of a burst */
    int served;
    char host[256];
    uint64_t opened_us, asked_us;
    char head[1024];
    size_t head_len, head_sent;
    uint64_t body_left;
    struct response response;
};

/* Opens it if a request may still be sent. */
void connection_begin(struct connection *connection);
void connection_run(struct connection *connection, uint32_t events);
/* Parked ones send requests again until the burst ends. */
bool connection_is_parked(const struct connection *connection);
void connection_leave_park(struct connection *connection);
void connection_check_timeout(struct connection *connection, uint64_t now_us);
void connection_close(struct connection *connection);

#endif

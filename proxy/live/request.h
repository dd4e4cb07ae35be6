/* request: one request of a client, from its head to the end of its exchange: who the origin is, the way
 * there, and who answers.
 *
 * HTTP/1 clients have one, over and over; an HTTP/2 client one a stream. It owns its claim on an upstream
 * connection and its exchange's lifetime; the client's connection is told how it ended. Internal to the
 * client. */
#ifndef WEIR_LIVE_REQUEST_H
#define WEIR_LIVE_REQUEST_H

#include <sys/queue.h>

#include "proxy/exchange/exchange.h"
#include "proxy/live/ride.h"
#include "proxy/live/upstream.h"

struct client;
struct h2_stream;

/* What weir will answer by itself, once the request is there. */
enum request_answer {
    ANSWER_NONE,
    ANSWER_SELF,
    ANSWER_LAST_HOP,
    ANSWER_FORBIDDEN,
    ANSWER_WHO, /* says nobody, or the wrong one, where --proxy-auth demands it */
    ANSWER_NO_TUNNEL,
    ANSWER_UNREACHABLE
};

struct request {
    struct client *client;
    struct exchange *exchange; /* NULL: none, or over */
    struct side side;          /* the client's, for the exchange */
    struct upstream *upstream; /* being opened for it alone, or running it (HTTP/1) */
    struct upstream_wait wait; /* for a connection that somebody else opens */
    struct ride *ride;         /* its stream on a shared connection (HTTP/2) */
    enum request_answer answer;
    uint64_t started_us, wire_bytes; /* of its head */
    struct strbuf user;              /* who a request to the proxy says its client is */

    /* HTTP/2 clients: see client_h2.c. */
    struct h2_stream *stream;   /* NULL: closed */
    struct http_head *new_head; /* its exchange is not begun */
    struct evbuffer *early;     /* body that came before there was an origin */
    struct headers early_trailers;
    bool early_ended, has_early_trailers;
    bool is_dirty, is_closed;
    uint32_t closed_code;
    TAILQ_ENTRY(request) in_client, in_dirty;
};

/* Takes head. started_us: the request's first byte; wire_bytes of its head. The exchange may be over, and the
 * client closed, when it returns. */
void request_begin(struct request *request, struct http_head *head, uint64_t started_us, uint64_t wire_bytes);
/* The exchange ends with 400, 431 ... told to the client if it can be. */
void request_refuse(struct request *request, int status, const char *error);
/* All that came at once has been told to the exchange: flushes, answers, ends what is over. */
void request_settle(struct request *request);
/* Bytes of its body have somewhere to go. */
bool request_takes_body(const struct request *request);
/* The client sends no more, but may still read (HTTP/1). */
void request_half_closed(struct request *request);
/* The client has gone; see exchange_client_gone. */
void request_gone(struct request *request, enum cut how, const char *error);
/* What it holds of connections to origins is let go: closed, or left. The exchange must be over. */
void request_leave(struct request *request);

#endif

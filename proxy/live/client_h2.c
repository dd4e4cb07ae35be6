/* A client that speaks HTTP/2: each of its streams is a request.
 *
 * What the codec tells comes from inside its feeding, where no stream may be ended: events only queue and
 * mark the request, and settling, once the feeding is over, begins exchanges, passes on and ends. A request's
 * body that comes before its origin is there waits here, bounded by the stream's window, which is not given
 * back meanwhile. */
#include <event2/buffer.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/client_impl.h"
#include "proxy/live/h2_pump.h"

static void settle_all(struct client *c);

/* --- when the turn is over ------------------------------------------------------------------------------ */

/* While draining: once the last request is over and all is on its way, so is the connection. */
static void close_if_idle(struct client *c)
{
    if (c->phase == CLIENT_H2 && c->live->is_draining && TAILQ_EMPTY(&c->requests) && h2_is_idle(c->h2))
        client_close(c, true);
}

static void write_now(void *self)
{
    struct client *c = self;

    c->is_writing = false;
    if (c->phase != CLIENT_H2)
        return;
    h2_pump(c->h2, &c->link);
    close_if_idle(c);
}

static void write_soon(struct client *c)
{
    if (c->is_writing || c->phase != CLIENT_H2)
        return;
    c->is_writing = true;
    loop_defer(c->live->loop, write_now, c);
}

static void settle_now(void *self)
{
    struct client *c = self;

    c->is_settling = false;
    if (c->phase == CLIENT_H2)
        settle_all(c);
}

static void mark(struct request *r)
{
    struct client *c = r->client;

    if (!r->is_dirty) {
        r->is_dirty = true;
        TAILQ_INSERT_TAIL(&c->dirty_requests, r, in_dirty);
    }
    if (!c->is_settling) {
        c->is_settling = true;
        loop_defer(c->live->loop, settle_now, c);
    }
}

/* --- exchange to wire ----------------------------------------------------------------------------------- */

/* On the first connection to an origin it turns out late that it takes WebSockets in HTTP/2 (RFC 8441 §3). */
static void learn_connect(struct request *r)
{
    struct client *c = r->client;

    if (c->offers_connect || r->ride == NULL || !ride_takes_connect(r->ride))
        return;
    c->offers_connect = true;
    h2_offer_connect(c->h2);
}

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct request *r = self;

    (void)target; /* a response has none */
    learn_connect(r);
    if (r->stream != NULL)
        h2_send_response(r->stream, head, extra);
}

static void send_chunk(void *self, uint64_t size, struct span line)
{
    (void)self; /* HTTP/2 has no such borders */
    (void)size;
    (void)line;
}

static void send_body(void *self, struct span bytes)
{
    struct request *r = self;

    if (r->stream != NULL)
        h2_send_body(r->stream, bytes);
}

static void send_end(void *self, const struct headers *trailers)
{
    struct request *r = self;

    if (r->stream != NULL)
        h2_send_end(r->stream, trailers);
}

static void side_flush(void *self)
{
    struct request *r = self;

    write_soon(r->client);
}

static size_t side_unsent(void *self)
{
    struct request *r = self;

    return r->stream != NULL ? h2_unsent(r->stream) : 0;
}

static void side_set_reading(void *self, bool is_on)
{
    struct request *r = self;

    if (r->stream == NULL)
        return;
    h2_set_reading(r->stream, is_on);
    write_soon(r->client); /* a window may have been given back */
}

static void leave_stream(struct request *r, uint32_t code)
{
    if (r->stream != NULL)
        h2_leave(r->stream, code);
    r->stream = NULL;
    write_soon(r->client);
}

static void side_cut(void *self, enum cut how, uint32_t code)
{
    (void)how; /* a stream has one way to be cut */
    leave_stream(self, code);
}

static const struct side_ops side_ops = { send_head,   send_chunk,       send_body, send_end, side_flush,
                                          side_unsent, side_set_reading, side_cut,  false };

/* --- codec to exchange ---------------------------------------------------------------------------------- */

static void *on_request(void *self, struct h2_stream *stream, struct http_head *head)
{
    struct client *c = self;
    struct request *r = mem_new(struct request);

    r->client = c;
    r->side = (struct side){ &side_ops, r };
    r->stream = stream;
    r->new_head = head;
    r->started_us = clock_mono_us();
    TAILQ_INSERT_TAIL(&c->requests, r, in_client);
    loop_timer_off(&c->timer);
    mark(r);
    return r;
}

static bool is_early(const struct request *r)
{
    return r->exchange == NULL || r->early != NULL || !request_takes_body(r);
}

static struct evbuffer *early_of(struct request *r)
{
    if (r->early == NULL) {
        r->early = evbuffer_new();
        h2_set_reading(r->stream, false);
    }
    return r->early;
}

static void count_bytes(struct request *r)
{
    if (r->exchange != NULL && r->stream != NULL)
        r->exchange->facts.request_wire_bytes = h2_wire_bytes(r->stream);
}

static void on_body(void *self, struct span bytes)
{
    struct request *r = self;

    if (is_early(r)) {
        evbuffer_add(early_of(r), bytes.ptr, bytes.len);
        return;
    }
    count_bytes(r);
    exchange_request_body(r->exchange, bytes);
    mark(r);
}

static void keep_trailers(struct request *r, const struct headers *trailers)
{
    struct err err; /* without limits: what came was within them */

    r->has_early_trailers = trailers != NULL;
    for (size_t i = 0; trailers != NULL && i < trailers->count; i++)
        headers_add(&r->early_trailers, headers_name(trailers, i), headers_value(trailers, i), &err);
}

static void on_end(void *self, const struct headers *trailers)
{
    struct request *r = self;

    if (is_early(r)) {
        r->early_ended = true;
        keep_trailers(r, trailers);
        return;
    }
    count_bytes(r);
    exchange_request_end(r->exchange, trailers);
    mark(r);
}

static void on_drained(void *self)
{
    struct request *r = self;

    if (r->exchange != NULL)
        exchange_drained(r->exchange);
}

static void on_closed(void *self, uint32_t code, bool was_refused)
{
    struct request *r = self;

    (void)was_refused; /* a client refuses no answers */
    count_bytes(r);
    r->stream = NULL;
    r->is_closed = true;
    r->closed_code = code;
    mark(r);
}

static const struct h2_events h2_events = { on_request, NULL, on_body, on_end, on_drained, on_closed, NULL };

static void feed_chain(struct exchange *x, struct evbuffer *bytes)
{
    struct evbuffer_iovec chunk;

    while (evbuffer_peek(bytes, -1, NULL, &chunk, 1) > 0) {
        exchange_request_body(x, span_make(chunk.iov_base, chunk.iov_len));
        evbuffer_drain(bytes, chunk.iov_len);
    }
}

void client_h2_feed_early(struct request *r)
{
    struct exchange *x = r->exchange;
    struct evbuffer *early = r->early;
    bool has_ended = r->early_ended;

    if (early == NULL && !has_ended)
        return;
    r->early = NULL;
    r->early_ended = false;
    if (early != NULL) {
        feed_chain(x, early);
        evbuffer_free(early);
    }
    count_bytes(r);
    if (has_ended)
        exchange_request_end(x, r->has_early_trailers ? &r->early_trailers : NULL);
    headers_clear(&r->early_trailers);
    if (early != NULL && r->stream != NULL && x->client_reading)
        side_set_reading(r, true);
    mark(r);
}

/* --- settling ------------------------------------------------------------------------------------------- */

static void free_request(void *self)
{
    struct request *r = self;

    if (r->early != NULL)
        evbuffer_free(r->early);
    headers_clear(&r->early_trailers);
    http_head_free(r->new_head);
    strbuf_clear(&r->user);
    mem_free(r);
}

/* It may be what is calling us: it is freed when the turn is over. */
static void drop_request(struct request *r)
{
    struct client *c = r->client;

    if (r->is_dirty)
        TAILQ_REMOVE(&c->dirty_requests, r, in_dirty);
    r->is_dirty = false;
    TAILQ_REMOVE(&c->requests, r, in_client);
    loop_defer(c->live->loop, free_request, r);
}

void client_h2_over(struct request *r, uint32_t code)
{
    struct client *c = r->client;

    leave_stream(r, code);
    drop_request(r);
    if (TAILQ_EMPTY(&c->requests) && c->phase == CLIENT_H2)
        client_wait_for_request(c);
}

static bool is_whole(const struct exchange *x)
{
    return x->request == HALF_DONE && x->response == HALF_DONE;
}

static void settle(struct request *r)
{
    struct http_head *head = r->new_head;

    if (head != NULL) {
        r->new_head = NULL;
        request_begin(r, head, r->started_us, head->wire_bytes);
    }
    if (r->exchange == NULL)
        return; /* over with it */
    if (request_takes_body(r))
        client_h2_feed_early(r);
    if (r->is_closed && !is_whole(r->exchange)) {
        struct strbuf why = STRBUF_EMPTY;
        strbuf_printf(&why, "the client reset the stream: %s", h2_error_name(r->closed_code));
        exchange_why_cut(r->exchange, r->closed_code);
        request_gone(r, CUT_RESET, strbuf_text(&why));
        strbuf_clear(&why);
        return;
    }
    request_settle(r);
}

static void settle_all(struct client *c)
{
    struct request *r;

    while (c->phase == CLIENT_H2 && (r = TAILQ_FIRST(&c->dirty_requests)) != NULL) {
        TAILQ_REMOVE(&c->dirty_requests, r, in_dirty);
        r->is_dirty = false;
        settle(r);
    }
}

/* --- the connection ------------------------------------------------------------------------------------- */

void client_h2_start(struct client *c)
{
    struct h2_options options = { .limits = c->live->shared->limits, .offers_connect = c->offers_connect };

    c->phase = CLIENT_H2;
    TAILQ_INIT(&c->requests);
    TAILQ_INIT(&c->dirty_requests);
    c->h2 = h2_new(H2_TO_CLIENT, &options, &h2_events, c);
    client_wait_for_request(c);
    write_soon(c);
}

size_t client_h2_bytes(struct client *c, struct span bytes)
{
    if (c->h2_error.code == ERR_NONE && h2_feed(c->h2, bytes, &c->h2_error))
        c->h2_error.code = ERR_NONE;
    write_soon(c);
    return bytes.len;
}

void client_h2_gone(struct client *c, enum cut how, const char *why)
{
    struct request *r;

    while ((r = TAILQ_FIRST(&c->requests)) != NULL) {
        if (r->new_head == NULL && r->exchange != NULL)
            request_gone(r, how, why);
        else
            drop_request(r);
    }
}

void client_h2_batch(struct client *c)
{
    settle_all(c);
    if (c->phase != CLIENT_H2 || c->h2_error.code == ERR_NONE)
        return;
    h2_pump(c->h2, &c->link); /* GOAWAY says why */
    client_notify(c, "bad-request", c->is_inner ? c->target.host : NULL, c->h2_error.text);
    client_h2_gone(c, CUT_RESET, c->h2_error.text);
    client_close(c, true);
}

void client_h2_drained(struct client *c)
{
    h2_pump(c->h2, &c->link);
    close_if_idle(c);
}

void client_h2_drain(struct client *c)
{
    h2_shutdown(c->h2);
    write_soon(c);
}

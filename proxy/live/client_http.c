/* The hard part: an exchange may end inside almost any call made to it, and with it the client. So the codec
 * only notes events, and after every call into the exchange c->one.exchange and c->phase are looked at anew.
 */
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/exchange/error_page.h"
#include "proxy/live/client_impl.h"

/* --- codec to exchange ---------------------------------------------------------------------------------- */

static void on_head(void *self, struct http_head *head)
{
    struct client *c = self;

    c->new_head = head;
    h1_pause(c->h1); /* the exchange is begun outside of the codec */
}

static void on_chunk(void *self, uint64_t size, struct span line)
{
    struct client *c = self;

    if (c->one.exchange != NULL)
        exchange_request_chunk(c->one.exchange, size, line);
}

static void on_body(void *self, struct span bytes)
{
    struct client *c = self;

    if (c->one.exchange != NULL)
        exchange_request_body(c->one.exchange, bytes);
}

static void on_end(void *self, const struct headers *trailers)
{
    struct client *c = self;

    if (c->one.exchange != NULL)
        exchange_request_end(c->one.exchange, trailers);
}

static const struct http_events h1_events = { on_head, on_chunk, on_body, on_end };

/* --- exchange to wire ----------------------------------------------------------------------------------- */

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct client *c = self;

    (void)target; /* a response has none */
    c->writer.peer = c->one.exchange->request_head->version;
    if (link_is_open(&c->link))
        h1_write_response(&c->writer, link_out(&c->link), head, extra);
}

static void send_chunk(void *self, uint64_t size, struct span line)
{
    struct client *c = self;

    if (link_is_open(&c->link))
        h1_write_chunk(&c->writer, link_out(&c->link), size, line);
}

static void send_body(void *self, struct span bytes)
{
    struct client *c = self;

    if (link_is_open(&c->link))
        h1_write_body(&c->writer, link_out(&c->link), bytes);
}

static void send_end(void *self, const struct headers *trailers)
{
    struct client *c = self;

    if (link_is_open(&c->link))
        h1_write_end(&c->writer, link_out(&c->link), trailers);
}

static void side_flush(void *self)
{
    struct client *c = self;

    link_flush(&c->link);
}

static size_t side_unsent(void *self)
{
    struct client *c = self;

    return link_unsent(&c->link);
}

static void side_set_reading(void *self, bool is_on)
{
    struct client *c = self;

    link_set_reading(&c->link, is_on);
}

/* A body that lasts until the close must not look as if it had ended: without TLS, which has close_notify for
 * that, the connection is reset. */
void client_cut_response(struct client *c, enum cut how)
{
    if (c->link.tls == NULL && c->writer.kind == BODY_UNTIL_CLOSE)
        how = CUT_RESET;
    link_cut(&c->link, how);
}

static void side_cut(void *self, enum cut how, uint32_t code)
{
    (void)code;
    client_cut_response(self, how);
}

static const struct side_ops side_ops = { send_head,   send_chunk,       send_body, send_end, side_flush,
                                          side_unsent, side_set_reading, side_cut,  false };

/* --- after an exchange ------------------------------------------------------------------------------------
 */

static void next_request(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_HTTP && c->one.exchange == NULL)
        link_deliver(&c->link);
}

void client_http_over(struct client *c, const struct exchange *x, enum exchange_end end)
{
    bool is_clean = !(x->facts.flags & TAP_NO_CLOSE_NOTIFY);

    if (end == EXCHANGE_CUT) {
        client_cut(c, CUT_CLOSE);
    } else if (end == EXCHANGE_ANSWERED || !x->client_keeps_alive || c->live->is_draining ||
               c->writer.kind == BODY_UNTIL_CLOSE) {
        client_close(c, is_clean);
    } else {
        client_wait_for_request(c);
        if (c->link.held.len != 0 || c->link.has_eof)
            loop_defer(c->live->loop, next_request, c);
    }
}

/* --- bytes ---------------------------------------------------------------------------------------------- */

static void begin(struct client *c)
{
    struct http_head *head = c->new_head;

    c->new_head = NULL;
    loop_timer_off(&c->timer);
    request_begin(&c->one, head, c->head_started_us, c->head_wire_bytes);
}

void client_http_start(struct client *c)
{
    c->phase = CLIENT_HTTP;
    c->one.client = c;
    c->one.side = (struct side){ &side_ops, c };
    h1_free(c->h1);
    c->h1 = h1_new(HTTP_REQUEST, c->live->shared->limits, &h1_events, c);
    client_wait_for_request(c);
}

void client_write_error(struct client *c, int status, const char *why)
{
    struct http_head *head = http_head_response(status);
    struct strbuf page = STRBUF_EMPTY;

    error_page(head, &page, NULL, status, why);
    h1_write_response(&c->writer, link_out(&c->link), head, SPAN_NONE);
    h1_write_body(&c->writer, link_out(&c->link), strbuf_span(&page));
    link_flush(&c->link);
    strbuf_clear(&page);
    http_head_free(head);
}

/* What is not HTTP, or is refused as such. The client is told when that is still possible. */
static void bad_request(struct client *c, const struct err *err)
{
    int status = err->code == ERR_LIMIT ? 431 : 400;

    if (c->one.exchange != NULL) {
        request_refuse(&c->one, status, err->text);
        return;
    }
    client_notify(c, "bad-request", c->is_inner ? c->target.host : NULL, err->text);
    client_write_error(c, status, err->text);
    client_close(c, true);
}

static void note_start(struct client *c)
{
    if (c->one.exchange == NULL && h1_is_idle(c->h1)) {
        c->head_started_us = clock_mono_us();
        c->head_wire_bytes = 0;
        loop_timer_set(&c->timer, CLIENT_HEAD_US);
    }
}

/* Whether the codec may go on: not into the next request, nor into a body that has nowhere to go yet. */
static bool may_feed(const struct client *c, bool has_bytes)
{
    const struct exchange *x = c->one.exchange;

    if (c->phase != CLIENT_HTTP)
        return false;
    if (x == NULL)
        return has_bytes && !c->live->is_draining;
    if (x->request != HALF_BODY)
        return false;
    if (x->request_head->framing.kind == BODY_NONE)
        return true; /* only its end is to come */
    return has_bytes && request_takes_body(&c->one);
}

size_t client_http_bytes(struct client *c, struct span bytes)
{
    size_t all = 0, used;
    struct err err;

    while (may_feed(c, all < bytes.len)) {
        note_start(c);
        if (!h1_feed(c->h1, span_from(bytes, all), &used, &err)) {
            bad_request(c, &err);
            return bytes.len;
        }
        all += used;
        if (c->one.exchange != NULL)
            c->one.exchange->facts.request_wire_bytes += used;
        else
            c->head_wire_bytes += used;
        if (c->new_head != NULL)
            begin(c);
    }
    return all;
}

void client_http_batch(struct client *c)
{
    if (c->one.exchange != NULL)
        request_settle(&c->one);
}

void client_http_eof(struct client *c)
{
    struct exchange *x = c->one.exchange;

    if (x == NULL) {
        client_close(c, true);
    } else if (x->request != HALF_DONE) {
        link_cut(&c->link, CUT_CLOSE);
        request_gone(&c->one, CUT_CLOSE, "the client closed the connection in the middle of its request");
    } else {
        request_half_closed(&c->one);
    }
}

void client_http_error(struct client *c, const char *why, enum cut how)
{
    link_cut(&c->link, CUT_RESET);
    if (c->one.exchange != NULL)
        request_gone(&c->one, how, why);
    else
        client_cut(c, CUT_RESET);
}

/* HTTP/1 on a connection to an origin: what its codec tells goes to the one exchange that runs, what the
 * exchange sends goes out as it is told. */
#include "proxy/live/upstream.h"
#include "proxy/live/upstream_via.h"

/* --- codec to exchange ---------------------------------------------------------------------------------- */

static bool check_head(const struct upstream *u, const struct http_head *head, struct err *err)
{
    if (u->exchange != NULL && head->framing.kind == BODY_TUNNEL && head->status == 101 &&
        !u->exchange->request_hop.asks_upgrade)
        return err_set(err, ERR_PROTO, "the origin's answer is malformed: 101 to a request without Upgrade");
    return upstream_via_check_head(u, head, err);
}

/* An origin that closes when it has waited long enough is not waited for: a request that is on its way then
 * would be lost, and not all can be sent again. */
static uint64_t idle_us(const struct http_head *head)
{
    uint64_t said_s = framing_idle_s(head);

    if (said_s == 0 || said_s > UPSTREAM_IDLE_US / 1000000)
        return UPSTREAM_IDLE_US;
    return said_s == 1 ? 500 * 1000 : (said_s - 1) * 1000000;
}

static void on_head(void *self, struct http_head *head)
{
    struct upstream *u = self;

    if (!check_head(u, head, &u->err)) {
        u->is_out_of_step = true;
        http_head_free(head);
        return;
    }
    u->has_answered = true;
    u->idle_us = idle_us(head);
    if (u->exchange != NULL)
        exchange_response_head(u->exchange, head);
    else
        http_head_free(head);
}

static void on_chunk(void *self, uint64_t size, struct span line)
{
    struct upstream *u = self;

    if (u->exchange != NULL)
        exchange_response_chunk(u->exchange, size, line);
}

static void on_body(void *self, struct span bytes)
{
    struct upstream *u = self;

    if (u->exchange != NULL)
        exchange_response_body(u->exchange, bytes);
}

static void on_end(void *self, const struct headers *trailers)
{
    struct upstream *u = self;

    if (u->exchange != NULL)
        exchange_response_end(u->exchange, trailers);
}

const struct http_events upstream_h1_events = { on_head, on_chunk, on_body, on_end };

/* --- exchange to wire ----------------------------------------------------------------------------------- */

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct upstream *u = self;

    h1_set_request_method(u->h1, head->method);
    if (u->key.is_absolute)
        upstream_via_send_head(u, head, target, extra);
    else
        h1_write_request(&u->writer, link_out(&u->link), head, target, extra);
}

static void send_chunk(void *self, uint64_t size, struct span line)
{
    struct upstream *u = self;

    if (link_is_open(&u->link))
        h1_write_chunk(&u->writer, link_out(&u->link), size, line);
}

static void send_body(void *self, struct span bytes)
{
    struct upstream *u = self;

    if (link_is_open(&u->link))
        h1_write_body(&u->writer, link_out(&u->link), bytes);
}

static void send_end(void *self, const struct headers *trailers)
{
    struct upstream *u = self;

    if (link_is_open(&u->link))
        h1_write_end(&u->writer, link_out(&u->link), trailers);
}

static void side_flush(void *self)
{
    struct upstream *u = self;

    link_flush(&u->link);
}

static size_t side_unsent(void *self)
{
    struct upstream *u = self;

    return link_unsent(&u->link);
}

static void side_set_reading(void *self, bool is_on)
{
    struct upstream *u = self;

    link_set_reading(&u->link, is_on);
}

static void side_cut(void *self, enum cut how, uint32_t code)
{
    struct upstream *u = self;

    (void)code;
    u->is_broken = true;
    link_cut(&u->link, how);
}

const struct side_ops upstream_h1_side = { send_head,   send_chunk,       send_body, send_end, side_flush,
                                           side_unsent, side_set_reading, side_cut,  false };

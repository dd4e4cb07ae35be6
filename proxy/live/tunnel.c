#include "proxy/live/tunnel.h"

#include "proxy/base/mem.h"

struct tunnel {
    struct link *client, *origin;
    struct exchange *exchange;
    void (*over)(void *self, const char *error);
    void *self;
    bool client_ended, origin_ended, is_over;
};

static void end(struct tunnel *t, const char *error)
{
    if (t->is_over)
        return;
    t->is_over = true;
    t->over(t->self, error);
}

static void balance(struct tunnel *t, struct link *from, struct link *to)
{
    if (!t->is_over) /* after that the exchange is gone */
        link_set_reading(from, !t->exchange->is_slowed && link_unsent(to) <= EXCHANGE_HIGH_WATER_BYTES);
}

static void resume(void *self)
{
    struct tunnel *t = self;

    balance(t, t->client, t->origin);
    balance(t, t->origin, t->client);
}

/* Bytes have come from one side: the tap's answer to them is for both. */
static void balance_after(struct tunnel *t, struct link *from, struct link *to)
{
    balance(t, from, to);
    if (!t->is_over && t->exchange->is_slowed)
        balance(t, to, from);
}

static void half_ended(struct tunnel *t, struct link *from, struct link *to)
{
    if (link_ended_cleanly(from))
        link_shutdown(to);
    else
        link_shutdown_raw(to);
    if (t->client_ended && t->origin_ended)
        end(t, NULL);
}

static void cut(struct tunnel *t, struct link *other, const char *who, const struct err *err)
{
    struct err text = *err;

    link_cut(other, CUT_RESET);
    err_add(&text, "%s", who);
    end(t, text.text);
}

static size_t client_bytes(void *self, struct span bytes)
{
    struct tunnel *t = self;

    exchange_tunnel_bytes(t->exchange, HTTP_REQUEST, bytes);
    if (link_is_open(t->origin))
        evbuffer_add(link_out(t->origin), bytes.ptr, bytes.len);
    return bytes.len;
}

static void client_batch(void *self)
{
    struct tunnel *t = self;

    link_flush(t->origin);
    balance_after(t, t->client, t->origin);
}

static void client_eof(void *self)
{
    struct tunnel *t = self;

    t->client_ended = true;
    half_ended(t, t->client, t->origin);
}

static void client_drained(void *self)
{
    struct tunnel *t = self;

    balance(t, t->origin, t->client);
}

static void client_error(void *self, const struct err *err)
{
    struct tunnel *t = self;

    cut(t, t->origin, "the client cut the tunnel", err);
}

static size_t origin_bytes(void *self, struct span bytes)
{
    struct tunnel *t = self;

    exchange_tunnel_bytes(t->exchange, HTTP_RESPONSE, bytes);
    if (link_is_open(t->client))
        evbuffer_add(link_out(t->client), bytes.ptr, bytes.len);
    return bytes.len;
}

static void origin_batch(void *self)
{
    struct tunnel *t = self;

    link_flush(t->client);
    balance_after(t, t->origin, t->client);
}

static void origin_eof(void *self)
{
    struct tunnel *t = self;

    t->origin_ended = true;
    exchange_mark(t->exchange, TAP_T_RECEIVED_LAST);
    half_ended(t, t->origin, t->client);
}

static void origin_drained(void *self)
{
    struct tunnel *t = self;

    balance(t, t->client, t->origin);
}

static void origin_error(void *self, const struct err *err)
{
    struct tunnel *t = self;

    cut(t, t->client, "the origin cut the tunnel", err);
}

static const struct link_events client_events = { client_bytes, client_batch, client_eof, client_drained,
                                                  client_error, NULL,         NULL };
static const struct link_events origin_events = { origin_bytes, origin_batch, origin_eof, origin_drained,
                                                  origin_error, NULL,         NULL };

struct tunnel *tunnel_new(struct link *client, struct link *origin, struct exchange *exchange,
                          void (*over)(void *self, const char *error), void *self)
{
    struct tunnel *t = mem_new(struct tunnel);

    *t = (struct tunnel){ client, origin, exchange, over, self, false, false, false };
    link_set_owner(client, &client_events, t);
    link_set_owner(origin, &origin_events, t);
    exchange_set_tunnel(exchange, resume, t);
    resume(t);
    return t;
}

void tunnel_free(struct tunnel *t)
{
    mem_free(t);
}

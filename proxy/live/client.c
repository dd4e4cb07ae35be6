#include "proxy/live/client_impl.h"

#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/h2_pump.h"
#include "proxy/live/proxy_impl.h"

static void free_now(void *self)
{
    struct client *c = self;

    link_clear(&c->link);
    h1_free(c->h1);
    h2_free(c->h2);
    http_head_free(c->new_head);
    http_head_free(c->connect_head);
    socks_free(c->socks);
    mem_free(c->user);
    strbuf_clear(&c->path);
    strbuf_clear(&c->one.user);
    strbuf_clear(&c->alpn_offer);
    tap_tls_unref(c->tls_facts);
    tunnel_free(c->tunnel);
    upstream_forget(c->failed);
    strbuf_clear(&c->failed_error);
    tls_mirror_unref(c->mirror);
    loop_timer_clear(&c->timer);
    mem_free(c);
}

/* The rest of closing: the link has been ended in one way or another. */
static void bury(struct client *c)
{
    struct live *live = c->live;

    c->phase = CLIENT_CLOSED;
    loop_timer_off(&c->timer);
    if (c->h2 != NULL)
        client_h2_gone(c, CUT_CLOSE, "the client closed the connection");
    upstream_close(c->one.upstream);
    upstream_close(c->spare);
    upstream_close(c->bound);
    c->one.upstream = c->spare = c->bound = NULL;
    TAILQ_REMOVE(&live->clients, c, in_live);
    atomic_fetch_sub(&live->shared->open_clients, 1);
    worker_client_closed(live->worker);
    loop_defer(live->loop, free_now, c);
    live_client_gone(live);
}

void client_close(struct client *c, bool is_clean)
{
    if (c->phase == CLIENT_CLOSED)
        return;
    if (is_clean)
        link_close(&c->link);
    else
        link_close_raw(&c->link);
    bury(c);
}

void client_cut(struct client *c, enum cut how)
{
    if (c->phase == CLIENT_CLOSED)
        return;
    link_cut(&c->link, how);
    bury(c);
}

unsigned client_listener_index(const struct client *c)
{
    return (unsigned)(c->listener - c->live->shared->listeners);
}

void client_notify(struct client *c, const char *kind, const char *host, const char *text)
{
    struct tap_notice notice = {
        clock_wall_us(), kind, c->name, host, text, client_listener_index(c), c->user
    };

    tap_notify(&c->live->tap, &notice);
}

void client_wait_for_request(struct client *c)
{
    loop_timer_set(&c->timer, CLIENT_IDLE_US);
}

/* --- what the link tells -------------------------------------------------------------------------------- */

static size_t on_bytes(void *self, struct span bytes)
{
    struct client *c = self;

    if (c->is_leaf_on_trial)
        client_tls_used(c);
    switch (c->phase) {
    case CLIENT_FIRST:
        return client_first(c, bytes);
    case CLIENT_SOCKS:
        return client_socks(c, bytes);
    case CLIENT_HTTP:
        return client_http_bytes(c, bytes);
    case CLIENT_H2:
        return client_h2_bytes(c, bytes);
    case CLIENT_SNIFF:
        return client_sniff(c, bytes);
    case CLIENT_OUTER:
    case CLIENT_HANDSHAKE: /* decrypted before the handshake's end was told: kept until then */
        return 0;
    case CLIENT_TUNNEL: /* the origin's side is not there yet */
        return 0;
    case CLIENT_CLOSED:
        break;
    }
    return bytes.len;
}

static void on_batch(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_HTTP)
        client_http_batch(c);
    else if (c->phase == CLIENT_H2)
        client_h2_batch(c);
}

static void on_eof(void *self)
{
    struct client *c = self;

    if (c->is_leaf_on_trial)
        client_tls_unused(c);
    switch (c->phase) {
    case CLIENT_HTTP:
        client_http_eof(c);
        break;
    case CLIENT_OUTER:
        client_outer_failed(c, "closed the connection during the handshake");
        break;
    case CLIENT_HANDSHAKE:
        client_tls_failed(c, "closed the connection during the handshake");
        break;
    case CLIENT_TUNNEL:
        exchange_tunnel_end(c->one.exchange,
                            "the client closed the connection before the origin was reached");
        break;
    default:
        client_close(c, true);
    }
}

static void on_drained(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_H2)
        client_h2_drained(c);
    else if (c->one.exchange != NULL)
        exchange_drained(c->one.exchange);
}

static void on_error(void *self, const struct err *reason)
{
    struct client *c = self;
    struct err err = *reason;

    if (c->is_leaf_on_trial)
        client_tls_unused(c);
    if (c->phase == CLIENT_OUTER) {
        client_outer_failed(c, err.text);
        return;
    }
    if (c->phase == CLIENT_HANDSHAKE) {
        client_tls_failed(c, err.text);
        return;
    }
    if (c->phase == CLIENT_TUNNEL) {
        exchange_tunnel_end(c->one.exchange, err.text);
        return;
    }
    err_add(&err, "the client's connection was cut");
    if (c->phase == CLIENT_H2) {
        client_h2_gone(c, CUT_RESET, err.text);
        client_cut(c, CUT_RESET);
        return;
    }
    client_http_error(c, err.text, CUT_RESET);
}

static enum tls_answer on_hello(void *self, const struct hello *hello)
{
    struct client *c = self;

    return c->phase == CLIENT_OUTER ? client_outer_hello(c, hello) : client_hello(c, hello);
}

static void on_open(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_OUTER)
        client_outer_open(c);
    else
        client_tls_open(c);
}

const struct link_events client_link_events = { on_bytes, on_batch, on_eof, on_drained,
                                                on_error, on_hello, on_open };

static void on_time(void *self)
{
    struct client *c = self;

    switch (c->phase) {
    case CLIENT_FIRST:
    case CLIENT_SOCKS:
        client_close(c, true);
        break;
    case CLIENT_OUTER:
        client_outer_failed(c, "did not finish the handshake within 15 s");
        break;
    case CLIENT_SNIFF:
        client_sniff_timeout(c);
        break;
    case CLIENT_HANDSHAKE:
        client_tls_failed(c, "did not finish the handshake within 15 s");
        break;
    case CLIENT_HTTP:
        if (c->one.exchange == NULL)
            client_close(c, true);
        break;
    case CLIENT_H2:
        if (TAILQ_EMPTY(&c->requests)) {
            h2_shutdown(c->h2);
            h2_pump(c->h2, &c->link);
            client_close(c, true);
        }
        break;
    default:
        break;
    }
}

/* --- life ----------------------------------------------------------------------------------------------- */

/* Where clients can be asked who they are, being asked is enough, unless ranges were given, too. */
static bool is_allowed(const struct client *c, const struct address *address)
{
    const struct live_shared *shared = c->live->shared;

    return access_allows(&shared->access, address) ||
           (shared->auth != NULL && shared->access.range_count == 0 && mode_can_ask(&c->listener->mode));
}

void client_new(struct live *live, int fd, const struct address *address, uint64_t accepted_us,
                unsigned listener)
{
    struct client *c = mem_new(struct client);
    char *colon;

    c->live = live;
    c->accepted_us = accepted_us;
    c->listener = &live->shared->listeners[listener];
    c->is_allowed = is_allowed(c, address);
    c->reach = access_reach(&live->shared->access, address);
    address_format(address, c->name, sizeof c->name);
    /* The address without its port, and IPv6 without its brackets. */
    memcpy(c->ip, c->name + (c->name[0] == '['), sizeof c->ip - 2);
    colon = strrchr(c->ip, ':');
    if (colon != NULL)
        colon[colon > c->ip && colon[-1] == ']' ? -1 : 0] = '\0';
    loop_timer_init(&c->timer, live->loop, on_time, c);
    link_init(&c->link, live->loop, fd, &client_link_events, c);
    TAILQ_INSERT_TAIL(&live->clients, c, in_live);
    atomic_fetch_add(&live->shared->clients, 1);
    atomic_fetch_add(&live->shared->open_clients, 1);
    client_first_start(c);
}

struct client *client_next(struct client *c)
{
    return TAILQ_NEXT(c, in_live);
}

void client_drain(struct client *c)
{
    if (c->phase == CLIENT_H2)
        client_h2_drain(c);
    else if (c->one.exchange == NULL)
        client_close(c, true);
}

void client_abort(struct client *c, const char *why)
{
    struct exchange *x = c->one.exchange;

    if (c->phase == CLIENT_H2) {
        client_h2_gone(c, CUT_CLOSE, why);
        h2_pump(c->h2, &c->link);
        client_close(c, true);
    } else if (x == NULL) {
        client_close(c, true);
    } else if (c->phase == CLIENT_TUNNEL) {
        exchange_tunnel_end(x, why);
    } else {
        client_cut_response(c, CUT_CLOSE);
        request_gone(&c->one, CUT_CLOSE, why);
    }
}

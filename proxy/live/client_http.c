/* The hard part: an exchange may end inside almost any call made to it, and with it the client. So the codec
 * only notes events, and after every call into the exchange c->exchange and c->phase are looked at anew. */
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/exchange/error_page.h"
#include "proxy/live/client_impl.h"
#include "proxy/live/pool.h"
#include "proxy/live/self.h"

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

    if (c->exchange != NULL)
        exchange_request_chunk(c->exchange, size, line);
}

static void on_body(void *self, struct span bytes)
{
    struct client *c = self;

    if (c->exchange != NULL)
        exchange_request_body(c->exchange, bytes);
}

static void on_end(void *self, const struct headers *trailers)
{
    struct client *c = self;

    if (c->exchange != NULL)
        exchange_request_end(c->exchange, trailers);
}

static const struct http_events h1_events = { on_head, on_chunk, on_body, on_end };

/* --- exchange to wire ----------------------------------------------------------------------------------- */

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct client *c = self;

    (void)target; /* a response has none */
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

static void side_cut(void *self, enum cut how)
{
    client_cut_response(self, how);
}

static const struct side_ops side_ops = { send_head,  send_chunk,  send_body,        send_end,
                                          side_flush, side_unsent, side_set_reading, side_cut };

/* --- the origin's side ---------------------------------------------------------------------------------- */

/* The client will send no more, but may still read: the origin is told the same, and decides. */
static void pass_half_close(struct client *c)
{
    c->upstream->is_broken = true;
    if (link_ended_cleanly(&c->link))
        link_shutdown(&c->upstream->link);
    else
        link_shutdown_raw(&c->upstream->link);
}

static void on_upstream_open(void *self, struct upstream *u)
{
    struct client *c = self;
    struct exchange *x = c->exchange;

    upstream_run(u, x, false);
    if (c->link.eof_told) /* while there was no origin to tell */
        pass_half_close(c);
    exchange_settle(x);
    if (c->exchange == x) /* what the client has sent of the body meanwhile */
        link_deliver(&c->link);
}

static void on_upstream_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;
    struct upstream *u = c->upstream;

    c->upstream = NULL;
    if (is_own) {
        /* The address dialled is our own: whoever means weir is answered by it, and nothing goes round in
         * circles. */
        struct http_head *head;
        struct strbuf page = STRBUF_EMPTY;
        head =
            self_answer(c->live, c->ip, strbuf_span(&c->exchange->target), c->exchange->request_head, &page);
        exchange_respond(c->exchange, head, strbuf_span(&page));
        strbuf_clear(&page);
        return;
    }
    upstream_tell_failed(u, c->exchange);
    exchange_origin_failed(c->exchange, status, CUT_CLOSE, error);
}

static const struct upstream_user upstream_user = { on_upstream_open, on_upstream_failed, NULL };

/* A connection that is there already, in the order in which a direct client would have it. */
static struct upstream *take_idle(struct client *c, const struct upstream_key *key, bool is_repeatable)
{
    struct upstream *u = NULL;

    if (c->bound != NULL) {
        u = c->bound;
        c->bound = NULL;
        if (upstream_key_eq(&u->key, key))
            return u;
        upstream_close(u);
    }
    while ((u = pool_take(c->live->pool, key)) != NULL) {
        /* What can't be sent twice is worth a look whether the connection is still there. */
        if (is_repeatable || !stream_is_stale(u->link.stream))
            return u;
        upstream_close(u);
    }
    return NULL;
}

static bool spare_fits(const struct upstream *spare, const struct upstream_key *key)
{
    return strcmp(spare->key.target.host, key->target.host) == 0 &&
           spare->key.target.port == key->target.port;
}

static void find_upstream(struct client *c, const struct upstream_key *key, bool only_fresh)
{
    struct upstream *spare = c->spare, *u;
    bool is_repeatable = http_method_is_idempotent(c->exchange->request_head->method);

    c->spare = NULL;
    if (spare != NULL && spare_fits(spare, key) && spare->link.held.len == 0) {
        c->upstream = spare;
        if (spare->phase == UPSTREAM_OPEN && upstream_key_eq(&spare->key, key))
            on_upstream_open(c, spare);
        else if (spare->phase == UPSTREAM_TLS)
            upstream_set_user(spare, &upstream_user, c);
        else
            upstream_adopt(spare, key, &upstream_user, c);
        return;
    }
    upstream_close(spare);
    u = only_fresh ? NULL : take_idle(c, key, is_repeatable);
    if (u != NULL) {
        c->upstream = u;
        upstream_run(u, c->exchange, true);
        return;
    }
    c->upstream = upstream_open(c->live, key, false, &upstream_user, c);
}

/* --- what the exchange asks of its owner ---------------------------------------------------------------- */

static void on_retry(void *self, struct exchange *x)
{
    struct client *c = self;
    struct upstream_key key = c->upstream->key;

    (void)x;
    upstream_close(c->upstream);
    c->upstream = NULL;
    find_upstream(c, &key, true);
}

static void on_upgrade(void *self, struct exchange *x)
{
    struct client *c = self;

    c->phase = CLIENT_TUNNEL;
    c->tunnel = tunnel_new(&c->link, &c->upstream->link, x, client_tunnel_over, c);
    c->upstream->exchange = NULL;
    c->upstream->is_broken = true;
    link_deliver(&c->upstream->link);
    if (c->phase == CLIENT_TUNNEL)
        link_deliver(&c->link);
}

static void next_request(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_HTTP && c->exchange == NULL)
        link_deliver(&c->link);
}

static void on_bound_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;

    (void)status;
    (void)is_own;
    (void)error;
    c->bound = NULL; /* the next request logs in anew */
}

static const struct upstream_user bound_user = { NULL, on_bound_failed, NULL };

static void on_over(void *self, struct exchange *x, enum exchange_end end)
{
    struct client *c = self;
    bool is_clean = !(x->facts.flags & TAP_NO_CLOSE_NOTIFY);

    c->exchange = NULL;
    if (c->upstream != NULL) {
        struct upstream *u = c->upstream;
        c->upstream = NULL;
        bool may_be_reused =
            end == EXCHANGE_COMPLETE && x->origin_keeps_alive && !(x->facts.flags & TAP_MADE_BY_WEIR);
        u->is_login = u->is_login || x->origin_is_connection_bound;
        if (upstream_release(u, may_be_reused, u->is_login) && u->is_login) {
            c->bound = u;
            upstream_set_user(u, &bound_user, c);
        }
    }
    if (end == EXCHANGE_CUT) {
        client_cut(c, CUT_CLOSE);
    } else if (end == EXCHANGE_ANSWERED || !x->client_keeps_alive || c->live->is_draining) {
        client_close(c, is_clean);
    } else {
        client_wait_for_request(c);
        if (c->link.held.len != 0 || c->link.has_eof)
            loop_defer(c->live->loop, next_request, c);
    }
}

static const struct exchange_owner exchange_owner = { on_retry, on_upgrade, on_over };

/* --- requests ------------------------------------------------------------------------------------------- */

/* The URL that is recorded has the host that the client named, which may not be the one that is dialled. */
static void fill_host(struct exchange *x, const struct target *target, const struct http_head *head,
                      bool is_inner)
{
    struct authority authority;
    struct span host;
    struct err err;

    memcpy(x->facts.host, target->host, sizeof x->facts.host);
    x->facts.port = target->port;
    if (!is_inner || !headers_find(&head->headers, SPAN("Host"), &host) ||
        !url_parse_authority(host, &authority, &err))
        return;
    if (authority.port == 0)
        authority.port = target->is_tls ? 443 : 80;
    if (strcmp(authority.host, target->host) == 0 && authority.port == target->port)
        return;
    memcpy(x->facts.host, authority.host, sizeof x->facts.host);
    x->facts.port = authority.port;
    x->facts.flags |= TAP_HOST_DIFFERS;
}

static struct exchange *begin_exchange(struct client *c, const struct target *target,
                                       const struct http_head *head)
{
    struct exchange *x = exchange_new((struct side){ &side_ops, c }, &exchange_owner, c, c->head_started_us);

    memcpy(x->facts.client_addr, c->name, sizeof x->facts.client_addr);
    x->facts.scheme = target_scheme(target);
    if (c->tls_facts != NULL)
        x->facts.client_tls = tap_tls_ref(c->tls_facts);
    fill_host(x, target, head, c->is_inner);
    exchange_mark_at(x, TAP_T_ACCEPTED, c->accepted_us);
    x->facts.request_wire_bytes = c->head_wire_bytes;
    c->exchange = x;
    return x;
}

/* An answer of weir's own: nothing that the session would want. */
static void begin_answer(struct client *c, struct http_head *head, struct span path,
                         enum client_answer answer)
{
    struct target target = { SELF_HOST, 80, false };

    c->answer = answer;
    begin_exchange(c, &target, head);
    exchange_begin(c->exchange, &c->live->no_tap, head, path, SPAN_NONE);
}

/* RFC 9112 §3.2.2: the target of a proxied request decides, whatever Host says. */
static struct span host_for(struct strbuf *line, const struct target *target, const struct http_head *head)
{
    struct authority authority;
    struct span host;
    struct err err;

    if (!headers_find(&head->headers, SPAN("Host"), &host))
        return SPAN_NONE;
    if (url_parse_authority(host, &authority, &err) && strcmp(authority.host, target->host) == 0 &&
        (authority.port != 0 ? authority.port : (target->is_tls ? 443 : 80)) == target->port)
        return SPAN_NONE;
    url_add_authority(line, span_of(target_scheme(target)), target->host, target->port);
    return strbuf_span(line);
}

static void begin_request(struct client *c, struct http_head *head, const struct target *target,
                          struct span path, const struct upstream_key *key, struct span host_line)
{
    begin_exchange(c, target, head);
    atomic_fetch_add(&c->live->shared->exchanges, 1);
    if (exchange_begin(c->exchange, &c->live->tap, head, path, host_line))
        find_upstream(c, key, false);
    else
        c->answer = ANSWER_LAST_HOP;
}

static void refuse_head(struct client *c, struct http_head *head, int status, const char *why)
{
    struct target target = { SELF_HOST, 80, false };
    struct exchange *x = begin_exchange(c, c->is_inner ? &c->target : &target, head);

    x->facts.scheme = c->is_inner ? target_scheme(&c->target) : "http";
    exchange_begin(x, &c->live->tap, head, head->target, SPAN_NONE);
    exchange_answer(x, status, why);
}

static void route_inner(struct client *c, struct http_head *head)
{
    if (strcmp(c->target.host, SELF_HOST) == 0)
        begin_answer(c, head, head->target, ANSWER_SELF);
    else
        begin_request(c, head, &c->target, head->target, &c->key, SPAN_NONE);
}

static void route_forward(struct client *c, struct http_head *head)
{
    enum forward_kind kind;
    struct target target;
    struct upstream_key key;
    struct strbuf host_line = STRBUF_EMPTY;
    struct span path;
    struct err err;

    if (!forward_target(head, &c->path, &kind, &target, &path, &err)) {
        refuse_head(c, head, 400, err.text);
        return;
    }
    if (kind == FORWARD_CONNECT) {
        client_connect(c, head, &target);
    } else if (kind == FORWARD_SELF || strcmp(target.host, SELF_HOST) == 0) {
        begin_answer(c, head, path, ANSWER_SELF);
    } else {
        upstream_key_make(&key, &target, target.is_tls ? target.host : "", SPAN(""));
        begin_request(c, head, &target, path, &key, host_for(&host_line, &target, head));
    }
    strbuf_clear(&host_line);
}

static void route(struct client *c)
{
    struct http_head *head = c->new_head;

    c->new_head = NULL;
    loop_timer_off(&c->timer);
    if (!c->is_allowed)
        begin_answer(c, head, head->target, ANSWER_FORBIDDEN);
    else if (c->is_inner)
        route_inner(c, head);
    else
        route_forward(c, head);
}

/* --- bytes ---------------------------------------------------------------------------------------------- */

void client_http_start(struct client *c)
{
    c->phase = CLIENT_HTTP;
    h1_free(c->h1);
    c->h1 = h1_new(HTTP_REQUEST, c->live->shared->limits, &h1_events, c);
    client_wait_for_request(c);
}

/* There is no request that this could be the answer of an exchange to. */
static void write_error_page(struct client *c, int status, const char *why)
{
    struct http_head *head = http_head_response(status);
    struct strbuf page = STRBUF_EMPTY;

    error_page(head, &page, NULL, status, why);
    h1_write_response(&c->writer, link_out(&c->link), head, SPAN_NONE);
    h1_write_body(&c->writer, link_out(&c->link), strbuf_span(&page));
    strbuf_clear(&page);
    http_head_free(head);
}

/* What is not HTTP, or is refused as such. The client is told when that is still possible. */
static void bad_request(struct client *c, const struct err *err)
{
    int status = err->code == ERR_LIMIT ? 431 : 400;

    if (c->exchange != NULL) {
        upstream_close(c->exchange->origin.ops == NULL ? c->upstream : NULL);
        if (c->exchange->origin.ops == NULL)
            c->upstream = NULL;
        exchange_refuse(c->exchange, status, err->text);
        return;
    }
    client_notify(c, "bad-request", c->is_inner ? c->target.host : NULL, err->text);
    write_error_page(c, status, err->text);
    client_close(c, true);
}

static void note_start(struct client *c)
{
    if (c->exchange == NULL && h1_is_idle(c->h1)) {
        c->head_started_us = clock_mono_us();
        c->head_wire_bytes = 0;
        loop_timer_set(&c->timer, CLIENT_HEAD_US);
    }
}

/* Whether the codec may go on: not into the next request, nor into a body that has nowhere to go yet. */
static bool may_feed(const struct client *c, bool has_bytes)
{
    const struct exchange *x = c->exchange;

    if (c->phase != CLIENT_HTTP)
        return false;
    if (x == NULL)
        return has_bytes && !c->live->is_draining;
    if (x->request != HALF_BODY)
        return false;
    if (x->request_head->framing.kind == BODY_NONE)
        return true; /* only its end is to come */
    return has_bytes && (x->origin.ops != NULL || c->answer != ANSWER_NONE);
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
        if (c->exchange != NULL)
            c->exchange->facts.request_wire_bytes += used;
        else
            c->head_wire_bytes += used;
        if (c->new_head != NULL)
            route(c);
    }
    return all;
}

static void answer_last_hop(struct client *c)
{
    struct exchange *x = c->exchange;
    struct http_head *head = http_head_response(200);
    struct strbuf body = STRBUF_EMPTY;
    struct err err; /* a head of our own, without limits */
    char length[24];

    if (span_eq(x->request_head->method, SPAN("TRACE"))) { /* RFC 9110 §9.3.8 */
        strbuf_printf(&body, "TRACE %.*s HTTP/1.1\r\n", SPAN_ARG(x->request_head->target));
        for (size_t i = 0; i < x->request_head->headers.count; i++) {
            struct span name = headers_name(&x->request_head->headers, i);
            if (span_ieq(name, SPAN("Cookie")) || span_istarts(name, SPAN("Authorization")) ||
                span_istarts(name, SPAN("Proxy-Authorization")))
                continue; /* "likely to contain sensitive data" */
            strbuf_add(&body, headers_line(&x->request_head->headers, i));
            strbuf_add_str(&body, "\r\n");
        }
        strbuf_add_str(&body, "\r\n");
        headers_add(&head->headers, SPAN("Content-Type"), SPAN("message/http"), &err);
    }
    snprintf(length, sizeof length, "%zu", body.len);
    headers_add(&head->headers, SPAN("Content-Length"), span_of(length), &err);
    head->framing = (struct framing){ BODY_LENGTH, body.len, true };
    exchange_respond(x, head, strbuf_span(&body));
    strbuf_clear(&body);
}

static void give_answer(struct client *c)
{
    enum client_answer answer = c->answer;
    struct strbuf page = STRBUF_EMPTY;
    struct http_head *head;

    c->answer = ANSWER_NONE;
    switch (answer) {
    case ANSWER_SELF:
        head =
            self_answer(c->live, c->ip, strbuf_span(&c->exchange->target), c->exchange->request_head, &page);
        exchange_respond(c->exchange, head, strbuf_span(&page));
        break;
    case ANSWER_LAST_HOP:
        answer_last_hop(c);
        break;
    case ANSWER_FORBIDDEN:
        exchange_answer(c->exchange, 403,
                        "this address may not use this proxy: start weir with --allow for it");
        break;
    case ANSWER_NONE:
        break;
    }
    strbuf_clear(&page);
}

void client_http_batch(struct client *c)
{
    struct exchange *x = c->exchange;

    if (x == NULL)
        return;
    if (c->answer != ANSWER_NONE) {
        if (x->request == HALF_DONE)
            give_answer(c);
        return;
    }
    exchange_settle(x);
}

void client_http_eof(struct client *c)
{
    struct exchange *x = c->exchange;

    if (x == NULL) {
        client_close(c, true);
    } else if (x->request != HALF_DONE) {
        link_cut(&c->link, CUT_CLOSE);
        exchange_client_gone(x, CUT_CLOSE, "the client closed the connection in the middle of its request");
    } else {
        x->client_has_ended = true;
        if (c->upstream != NULL && x->origin.ops != NULL)
            pass_half_close(c);
    }
}

void client_http_error(struct client *c, const char *why, enum cut how)
{
    struct exchange *x = c->exchange;

    link_cut(&c->link, CUT_RESET);
    if (x != NULL)
        exchange_client_gone(x, how, why);
    else
        client_cut(c, CUT_RESET);
}

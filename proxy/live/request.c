/* The hard part: an exchange may end inside almost any call made to it, and with it the request and the
 * client. So after every call into the exchange request->exchange is looked at anew. */
#include "proxy/live/request.h"

#include <event2/buffer.h>
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/exchange/error_page.h"
#include "proxy/live/client_impl.h"
#include "proxy/live/pool.h"
#include "proxy/live/self.h"
#include "proxy/mode/auth.h"

/* --- the origin's side ---------------------------------------------------------------------------------- */

/* The client will send no more, but may still read: the origin is told the same, and decides. */
static void pass_half_close(struct request *r)
{
    struct client *c = r->client;

    r->exchange->client_has_ended = true;
    if (r->upstream == NULL || r->exchange->origin.ops == NULL)
        return; /* not there yet, or a stream, which has no halves to close */
    r->upstream->is_broken = true;
    if (link_ended_cleanly(&c->link))
        link_shutdown(&r->upstream->link);
    else
        link_shutdown_raw(&r->upstream->link);
}

void request_half_closed(struct request *r)
{
    pass_half_close(r);
}

static const struct h2_profile *profile_of(const struct request *r)
{
    return r->client->h2 != NULL && !r->client->live->shared->no_mirror ? h2_seen_profile(r->client->h2)
                                                                        : NULL;
}

/* The origin is there: what the client has sent meanwhile goes on. */
static void attached(struct request *r)
{
    struct exchange *x = r->exchange;

    if (r->stream != NULL) {
        client_h2_feed_early(r);
    } else if (r->client->link.eof_told) { /* while there was no origin to tell */
        pass_half_close(r);
    }
    exchange_settle(x);
    if (r->exchange == x && r->client->h2 == NULL)
        link_deliver(&r->client->link);
}

static void find_upstream(struct request *r, const struct upstream_key *key, bool only_fresh);

/* A WebSocket as a stream (RFC 8441), which no HTTP/1 connection can carry. */
static bool needs_stream(const struct request *r)
{
    return r->exchange->request_head->protocol.ptr != NULL;
}

static void on_upstream_open(void *self, struct upstream *u)
{
    struct request *r = self;

    if (!u->speaks_h2 && needs_stream(r)) {
        r->upstream = NULL;
        upstream_close(u);
        exchange_answer(r->exchange, 501, "the origin speaks HTTP/1.1 here, which has no extended CONNECT");
        return;
    }
    if (u->speaks_h2) {
        r->upstream = NULL;
        r->ride = ride_start(u, r->exchange, profile_of(r));
    } else {
        upstream_run(u, r->exchange, false);
    }
    attached(r);
}

static void on_upstream_failed(void *self, int status, bool is_own, const char *error)
{
    struct request *r = self;
    struct upstream *u = r->upstream;

    r->upstream = NULL;
    if (r->stream != NULL)
        client_h2_feed_early(r); /* for the record */
    if (is_own) {
        /* The address dialled is our own: whoever means weir is answered by it, and nothing goes round in
         * circles. */
        struct http_head *head;
        struct strbuf page = STRBUF_EMPTY;
        head = self_answer(r->client->live, r->client->ip, strbuf_span(&r->exchange->target),
                           r->exchange->request_head, &page);
        exchange_respond(r->exchange, head, strbuf_span(&page));
        strbuf_clear(&page);
        return;
    }
    if (u != NULL)
        upstream_tell_failed(u, r->exchange);
    exchange_origin_failed(r->exchange, status, CUT_CLOSE, error);
}

static const struct upstream_user upstream_user = { on_upstream_open, on_upstream_failed, NULL };

/* The connection that it waited for is there, but may be no good: not HTTP/2 after all, or full. */
static void on_wait_over(void *self, struct upstream *u)
{
    struct request *r = self;
    struct upstream_key key = u->key;

    if (upstream_takes_ride(u, profile_of(r))) {
        on_upstream_open(r, u);
        return;
    }
    find_upstream(r, &key, false);
    if (r->exchange != NULL && r->exchange->origin.ops != NULL)
        attached(r);
}

static const struct upstream_user wait_user = { on_wait_over, on_upstream_failed, NULL };

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
           spare->key.target.port == key->target.port && spare->key.hop == key->hop &&
           spare->link.held.len == 0 && (spare->phase != UPSTREAM_OPEN || upstream_key_eq(&spare->key, key));
}

static void use_spare(struct request *r, struct upstream *spare, const struct upstream_key *key)
{
    r->upstream = spare;
    if (spare->phase == UPSTREAM_OPEN)
        on_upstream_open(r, spare);
    else if (spare->phase == UPSTREAM_TLS)
        upstream_set_user(spare, &upstream_user, r);
    else
        upstream_adopt(spare, key, &upstream_user, r);
}

/* An HTTP proxy is sent plain requests as they are: many make tunnels to port 443 alone. What it would change
 * on the way takes the tunnel all the same: a Host that says something else than was asked for, a target that
 * is no path, an upgrade; and so does what may run on a tunnel that is there. */
static bool is_for_proxy(const struct request *r, const struct upstream_key *key)
{
    const struct exchange *x = r->exchange;
    struct span target = strbuf_span(&x->target);

    return key->hop != NULL && via_is_http(key->hop) && !key->target.is_tls && !upstream_key_offers_h2(key) &&
           !x->request_hop.asks_upgrade && !(x->facts.flags & TAP_HOST_DIFFERS) &&
           (span_starts(target, SPAN("/")) || span_eq(target, SPAN("*"))) &&
           (r->client->spare == NULL || !spare_fits(r->client->spare, key));
}

static void find_upstream(struct request *r, const struct upstream_key *key, bool only_fresh)
{
    struct client *c = r->client;
    struct upstream *spare = c->spare, *u = NULL;
    bool may_share = upstream_key_offers_h2(key);

    c->spare = NULL;
    if (spare != NULL && spare_fits(spare, key)) {
        use_spare(r, spare, key);
        return;
    }
    upstream_close(spare);
    if (may_share)
        u = pool_shared(c->live->pool, key, profile_of(r));
    if (u != NULL && u->phase == UPSTREAM_OPEN) {
        r->ride = ride_start(u, r->exchange, profile_of(r));
        return;
    }
    if (u != NULL) {
        upstream_join(u, &r->wait, &wait_user, r);
        return;
    }
    u = only_fresh || needs_stream(r)
            ? NULL
            : take_idle(c, key, http_method_is_idempotent(r->exchange->request_head->method));
    if (u != NULL) {
        r->upstream = u;
        upstream_run(u, r->exchange, true);
        return;
    }
    r->upstream = upstream_open(c->live, key, false, &upstream_user, r);
    if (may_share && c->h2 != NULL) /* whoever speaks HTTP/2 does so because the origin did */
        pool_share(c->live->pool, r->upstream);
}

/* An upgrade needs a connection of its own (RFC 9113 §8.6). */
static void find_for(struct request *r, const struct upstream_key *key)
{
    struct upstream_key fitting = *key;

    if (r->client->failed != NULL && !r->client->is_failure_told) {
        r->answer = ANSWER_UNREACHABLE;
        return;
    }
    if (r->exchange->request_hop.asks_upgrade && upstream_key_offers_h2(key))
        upstream_key_without_h2(&fitting, key);
    fitting.is_absolute = is_for_proxy(r, key);
    find_upstream(r, &fitting, false);
    if (r->exchange != NULL && r->exchange->origin.ops != NULL && r->stream != NULL)
        client_h2_feed_early(r);
}

void request_leave(struct request *r)
{
    struct upstream *u = r->upstream;

    r->upstream = NULL;
    upstream_leave(u);
    upstream_unjoin(&r->wait);
    ride_end(r->ride);
    r->ride = NULL;
}

/* --- what the exchange asks of its owner ---------------------------------------------------------------- */

static void on_retry(void *self, struct exchange *x)
{
    struct request *r = self;
    struct upstream_key key = r->ride != NULL ? *ride_key(r->ride) : r->upstream->key;

    (void)x;
    upstream_close(r->upstream);
    r->upstream = NULL;
    ride_end(r->ride);
    r->ride = NULL;
    find_upstream(r, &key, true);
    if (r->exchange != NULL && r->exchange->origin.ops != NULL)
        exchange_settle(r->exchange);
}

static void on_upgrade(void *self, struct exchange *x)
{
    struct request *r = self;
    struct client *c = r->client;

    c->phase = CLIENT_TUNNEL;
    c->tunnel = tunnel_new(&c->link, &r->upstream->link, x, client_tunnel_over, c);
    r->upstream->exchange = NULL;
    r->upstream->is_broken = true;
    link_deliver(&r->upstream->link);
    if (c->phase == CLIENT_TUNNEL)
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

/* An HTTP/1 connection after its exchange: kept, pooled or closed. */
static void release(struct client *c, struct upstream *u, const struct exchange *x, enum exchange_end end)
{
    bool may_be_reused =
        end == EXCHANGE_COMPLETE && x->origin_keeps_alive && !(x->facts.flags & TAP_MADE_BY_WEIR);

    u->is_login = u->is_login || x->origin_is_connection_bound;
    if (upstream_release(u, may_be_reused, u->is_login && c->h2 == NULL) && u->is_login) {
        c->bound = u;
        upstream_set_user(u, &bound_user, c);
    }
}

static void on_over(void *self, struct exchange *x, enum exchange_end end)
{
    struct request *r = self;
    struct client *c = r->client;
    struct upstream *u = r->upstream;

    r->exchange = NULL;
    r->answer = ANSWER_NONE;
    if (u != NULL && u->phase == UPSTREAM_OPEN) {
        r->upstream = NULL;
        release(c, u, x, end);
    }
    request_leave(r);
    if (c->h2 != NULL)
        client_h2_over(r, x->cut_code);
    else
        client_http_over(c, x, end);
}

static const struct exchange_owner exchange_owner = { on_retry, on_upgrade, on_over };

/* --- beginning ------------------------------------------------------------------------------------------ */

static bool names_host(const struct http_head *head, struct span *out_host)
{
    if (head->version == HTTP_2 && head->authority.len != 0) {
        *out_host = head->authority;
        return true;
    }
    return headers_find(&head->headers, SPAN("Host"), out_host);
}

/* The URL that is recorded has the host that the client named, which may not be the one that is dialled. */
static void fill_host(const struct client *c, struct exchange *x, const struct target *target,
                      const struct http_head *head)
{
    /* A client that was redirected has dialled a name, which SNI tells, or else Host alone. */
    bool is_redirected = c->is_inner && c->listener->mode.kind == MODE_TRANSPARENT;
    const char *dialled = is_redirected && c->sni[0] != '\0' ? c->sni : target->host;
    struct authority authority;
    struct span host;
    struct err err;

    memcpy(x->facts.host, dialled, strlen(dialled) + 1);
    x->facts.port = target->port;
    if (!c->is_inner || c->listener->mode.kind == MODE_REVERSE || !names_host(head, &host) ||
        !url_parse_authority(host, &authority, &err))
        return;
    if (authority.port == 0)
        authority.port = target->is_tls ? 443 : 80;
    if (strcmp(authority.host, dialled) == 0 && authority.port == target->port)
        return;
    memcpy(x->facts.host, authority.host, sizeof x->facts.host);
    x->facts.port = authority.port;
    if (!is_redirected || dialled != target->host || authority.port != target->port)
        x->facts.flags |= TAP_HOST_DIFFERS;
}

static struct exchange *begin_exchange(struct request *r, const struct target *target,
                                       const struct http_head *head)
{
    struct client *c = r->client;
    struct exchange *x = exchange_new(r->side, &exchange_owner, r, r->started_us);

    memcpy(x->facts.client_addr, c->name, sizeof x->facts.client_addr);
    x->facts.listener = client_listener_index(c);
    x->facts.user = r->user.len != 0 ? strbuf_text(&r->user) : c->user;
    x->is_proxied = !c->is_inner;
    x->facts.scheme = target_scheme(target);
    if (c->tls_facts != NULL)
        x->facts.client_tls = tap_tls_ref(c->tls_facts);
    fill_host(c, x, target, head);
    exchange_mark_at(x, TAP_T_ACCEPTED, c->accepted_us);
    x->facts.request_wire_bytes = r->wire_bytes;
    r->exchange = x;
    return x;
}

/* An answer of weir's own: nothing that the session would want. */
static void begin_answer(struct request *r, struct http_head *head, struct span path,
                         enum request_answer answer)
{
    struct target target = { SELF_HOST, 80, false };

    r->answer = answer;
    begin_exchange(r, &target, head);
    exchange_begin(r->exchange, &r->client->live->no_tap, head, path, SPAN_NONE);
}

/* RFC 9112 §3.2.2: the target of a proxied request decides, whatever Host says. */
static struct span host_for(struct strbuf *line, const struct target *target, const struct http_head *head)
{
    struct authority authority;
    struct span host;
    struct err err;

    if (head->version == HTTP_2 || !headers_find(&head->headers, SPAN("Host"), &host))
        return SPAN_NONE;
    if (url_parse_authority(host, &authority, &err) && strcmp(authority.host, target->host) == 0 &&
        (authority.port != 0 ? authority.port : (target->is_tls ? 443 : 80)) == target->port)
        return SPAN_NONE;
    url_add_authority(line, span_of(target_scheme(target)), target->host, target->port);
    return strbuf_span(line);
}

static void begin_request(struct request *r, struct http_head *head, const struct target *target,
                          struct span path, const struct upstream_key *key, struct span host_line)
{
    begin_exchange(r, target, head);
    atomic_fetch_add(&r->client->live->shared->exchanges, 1);
    if (exchange_begin(r->exchange, &r->client->live->tap, head, path, host_line))
        find_for(r, key);
    else
        r->answer = ANSWER_LAST_HOP;
}

static void refuse_head(struct request *r, struct http_head *head, int status, const char *why)
{
    struct client *c = r->client;
    struct target target = { SELF_HOST, 80, false };
    struct exchange *x = begin_exchange(r, c->is_inner ? &c->target : &target, head);

    x->facts.scheme = c->is_inner ? target_scheme(&c->target) : "http";
    exchange_begin(x, &c->live->tap, head, head->target, SPAN_NONE);
    exchange_answer(x, status, why);
}

/* The origin is sent its own name, and asked as one that is no proxy. */
static void begin_reverse(struct request *r, struct http_head *head)
{
    struct client *c = r->client;
    struct strbuf host_line = STRBUF_EMPTY;
    struct span path = head->target;
    enum forward_kind kind;
    struct target named;
    struct err err;

    if (head->version != HTTP_2 &&
        (!forward_target(head, &c->path, &kind, &named, &path, &err) || kind == FORWARD_CONNECT))
        path = head->target; /* the origin's to refuse */
    mode_add_host(&host_line, &c->listener->mode);
    begin_request(r, head, &c->target, path, &c->key, strbuf_span(&host_line));
    strbuf_clear(&host_line);
}

static void route_inner(struct request *r, struct http_head *head)
{
    struct client *c = r->client;

    if (strcmp(c->target.host, SELF_HOST) == 0)
        begin_answer(r, head, head->target, ANSWER_SELF);
    else if (c->h2 != NULL && span_eq(head->method, SPAN("CONNECT")) && head->protocol.ptr == NULL)
        begin_answer(r, head, head->target, ANSWER_NO_TUNNEL);
    else if (c->listener->mode.kind == MODE_REVERSE)
        begin_reverse(r, head);
    else
        begin_request(r, head, &c->target, head->target, &c->key, SPAN_NONE);
}

/* Who the client is; else it is asked. Its credentials are not for the record. */
static bool is_known(struct request *r, struct http_head *head)
{
    const struct auth *auth = r->client->live->shared->auth;
    enum auth_answer answer = auth_check_head(auth, head, &r->user);

    if (auth != NULL)
        auth_mask(head);
    if (answer == AUTH_WRONG)
        strbuf_reset(&r->user);
    return answer == AUTH_OK;
}

static void route_forward(struct request *r, struct http_head *head)
{
    struct client *c = r->client;
    enum forward_kind kind;
    struct target target;
    struct upstream_key key;
    struct strbuf host_line = STRBUF_EMPTY;
    struct span path;
    struct err err;

    if (!is_known(r, head)) {
        begin_answer(r, head, head->target, ANSWER_WHO);
        return;
    }
    if (!forward_target(head, &c->path, &kind, &target, &path, &err)) {
        refuse_head(r, head, 400, err.text);
        return;
    }
    if (kind == FORWARD_CONNECT && c->h2 == NULL) {
        mem_free(c->user);
        c->user = r->user.len != 0 ? strbuf_detach(&r->user) : NULL;
        client_connect(c, head, &target);
    } else if (kind == FORWARD_CONNECT) {
        begin_answer(r, head, path, ANSWER_NO_TUNNEL);
    } else if (kind == FORWARD_SELF || strcmp(target.host, SELF_HOST) == 0) {
        begin_answer(r, head, path, ANSWER_SELF);
    } else {
        /* That a client speaks HTTP/2 with its proxy says nothing of the origin. */
        upstream_key_make(&key, &target, target.is_tls ? target.host : "",
                          c->h2 != NULL && target.is_tls ? SPAN("\x02h2\x08http/1.1") : SPAN(""));
        key.reach = (uint8_t)c->reach;
        upstream_key_set_hop(&key, via_find(c->live->shared->via, &target));
        begin_request(r, head, &target, path, &key, host_for(&host_line, &target, head));
    }
    strbuf_clear(&host_line);
}

void request_begin(struct request *r, struct http_head *head, uint64_t started_us, uint64_t wire_bytes)
{
    r->started_us = started_us;
    r->wire_bytes = wire_bytes;
    if (!r->client->is_allowed)
        begin_answer(r, head, head->target, ANSWER_FORBIDDEN);
    else if (r->client->is_inner)
        route_inner(r, head);
    else
        route_forward(r, head);
}

/* --- going on ------------------------------------------------------------------------------------------- */

static void answer_last_hop(struct request *r)
{
    struct exchange *x = r->exchange;
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

/* What was found when the handshake waited for the origin is this request's fate. */
static void tell_failed(struct request *r)
{
    struct client *c = r->client;

    c->is_failure_told = true; /* later ones try anew */
    r->upstream = c->failed;
    on_upstream_failed(r, c->failed_status, c->failed_is_own, strbuf_text(&c->failed_error));
}

static void give_answer(struct request *r)
{
    enum request_answer answer = r->answer;
    struct strbuf page = STRBUF_EMPTY;
    struct http_head *head;

    r->answer = ANSWER_NONE;
    switch (answer) {
    case ANSWER_SELF:
        head = self_answer(r->client->live, r->client->ip, strbuf_span(&r->exchange->target),
                           r->exchange->request_head, &page);
        exchange_respond(r->exchange, head, strbuf_span(&page));
        break;
    case ANSWER_LAST_HOP:
        answer_last_hop(r);
        break;
    case ANSWER_FORBIDDEN:
        exchange_answer(r->exchange, 403,
                        "this address may not use this proxy: start weir with --allow for it");
        break;
    case ANSWER_WHO:
        head = auth_demand();
        error_page(head, &page, r->exchange->request_head, 407,
                   "this proxy is for those who say who they are: weir was started with --proxy-auth");
        exchange_respond(r->exchange, head, strbuf_span(&page));
        break;
    case ANSWER_NO_TUNNEL:
        exchange_answer(r->exchange, 501, "tunnels are made with HTTP/1.1 here, not in an HTTP/2 stream");
        break;
    case ANSWER_UNREACHABLE:
        tell_failed(r);
        break;
    case ANSWER_NONE:
        break;
    }
    strbuf_clear(&page);
}

bool request_takes_body(const struct request *r)
{
    return r->exchange->origin.ops != NULL || r->answer != ANSWER_NONE;
}

void request_settle(struct request *r)
{
    if (r->answer == ANSWER_NONE)
        exchange_settle(r->exchange);
    else if (r->exchange->request == HALF_DONE)
        give_answer(r);
}

void request_refuse(struct request *r, int status, const char *error)
{
    if (r->exchange->origin.ops == NULL)
        request_leave(r);
    exchange_refuse(r->exchange, status, error);
}

void request_gone(struct request *r, enum cut how, const char *error)
{
    exchange_client_gone(r->exchange, how, error);
}

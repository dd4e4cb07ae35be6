/* The hard part: inside a CONNECT nobody has said yet who speaks, or what. The first bytes decide; while
 * there are none, the origin is asked. An upstream connection that was opened for that is c->spare, and
 * becomes the tunnel's or the first exchange's. */
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/client_impl.h"
#include "proxy/live/proxy_impl.h"

static size_t start_tunnel(struct client *c);

/* --- CONNECT -------------------------------------------------------------------------------------------- */

static void sniff_held(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_SNIFF)
        link_deliver(&c->link);
}

void client_connect(struct client *c, struct http_head *head, const struct target *target)
{
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";

    c->target = *target;
    http_head_free(c->connect_head);
    c->connect_head = head;
    c->connect_started_us = c->head_started_us;
    c->is_inner = true;
    evbuffer_add(link_out(&c->link), yes, sizeof yes - 1);
    link_flush(&c->link);
    c->phase = CLIENT_SNIFF;
    loop_timer_set(&c->timer, SILENCE_US);
    loop_defer(c->live->loop, sniff_held, c); /* what came together with CONNECT */
}

/* --- what is inside? ------------------------------------------------------------------------------------ */

enum looks { LOOKS_HTTP, LOOKS_OTHER, LOOKS_SHORT };

/* "TOKEN SP target SP HTTP/1.x": nothing but a whole request line is HTTP, and anything that can't become one
 * is not. */
static enum looks looks_like_http(struct span bytes, size_t limit)
{
    size_t line = span_find(bytes, '\n');
    size_t method = 0;

    while (method < bytes.len && method < 64 && bytes.ptr[method] > ' ' && bytes.ptr[method] < 0x7f &&
           strchr("\"(),/:;<=>?@[\\]{}", bytes.ptr[method]) == NULL)
        method++;
    if (method == bytes.len && method < 64)
        return LOOKS_SHORT;
    if (method == 0 || method == 64 || bytes.ptr[method] != ' ')
        return LOOKS_OTHER;
    for (size_t i = method; i < line; i++)
        if ((unsigned char)bytes.ptr[i] < ' ' && bytes.ptr[i] != '\r')
            return LOOKS_OTHER;
    if (line == bytes.len)
        return bytes.len < limit ? LOOKS_SHORT : LOOKS_OTHER;
    bytes.len = line;
    if (bytes.len != 0 && bytes.ptr[bytes.len - 1] == '\r')
        bytes.len--;
    return bytes.len > 9 && memcmp(bytes.ptr + bytes.len - 9, " HTTP/", 6) == 0 ? LOOKS_HTTP : LOOKS_OTHER;
}

static void make_key(struct client *c)
{
    const char *name = c->sni[0] != '\0' ? c->sni : c->target.host;

    upstream_key_make(&c->key, &c->target, c->target.is_tls ? name : "", strbuf_span(&c->alpn_offer));
}

static void start_http(struct client *c)
{
    make_key(c);
    client_http_start(c);
}

static size_t start_handshake(struct client *c, struct span bytes)
{
    struct err err;

    c->phase = CLIENT_HANDSHAKE;
    c->target.is_tls = true;
    loop_timer_set(&c->timer, HANDSHAKE_US);
    if (!link_accept_tls(&c->link, c->live->shared->tls_server, bytes, &err))
        client_tls_failed(c, err.text);
    return bytes.len;
}

size_t client_sniff(struct client *c, struct span bytes)
{
    if (c->link.tls == NULL) {
        switch (hello_sniff(bytes)) {
        case HELLO_YES:
            return start_handshake(c, bytes);
        case HELLO_NEED_MORE:
            loop_timer_set(&c->timer, HANDSHAKE_US);
            return 0;
        default:
            break;
        }
    }
    switch (looks_like_http(bytes, c->live->shared->limits.max_header_bytes)) {
    case LOOKS_HTTP:
        start_http(c);
        return client_http_bytes(c, bytes);
    case LOOKS_SHORT: /* the head's own time has begun */
        loop_timer_set(&c->timer, CLIENT_HEAD_US);
        return 0;
    default:
        return start_tunnel(c);
    }
}

/* --- silence: does the origin speak first? -------------------------------------------------------------- */

static void on_spare_open(void *self, struct upstream *u);

static void on_spare_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;
    struct upstream *spare = c->spare;
    struct exchange *x;

    (void)status;
    c->spare = NULL;
    if (is_own || c->link.tls != NULL)
        return; /* a request may come, and its answer tells */
    x = client_tunnel_exchange(c);
    upstream_tell_failed(spare, x);
    exchange_tunnel_end(x, error);
}

static void on_spare_spoke(void *self, struct upstream *u)
{
    struct client *c = self;

    (void)u;
    if (c->phase == CLIENT_SNIFF) /* in the middle of a handshake its end decides */
        start_tunnel(c);
}

static const struct upstream_user spare_user = { on_spare_open, on_spare_failed, on_spare_spoke };

static void on_spare_open(void *self, struct upstream *u)
{
    upstream_set_user(u, &spare_user, self); /* goes on listening */
}

void client_sniff_timeout(struct client *c)
{
    if (c->spare != NULL && c->target.is_tls && c->spare->stops_at_tcp) {
        /* It was opened in the silence before TLS; now the question is who speaks first inside. */
        make_key(c);
        upstream_adopt(c->spare, &c->key, &spare_user, c);
        client_wait_for_request(c);
        return;
    }
    if (c->spare != NULL || strcmp(c->target.host, SELF_HOST) == 0 || c->link.held.len != 0) {
        client_close(c, true);
        return;
    }
    make_key(c);
    c->spare = upstream_open(c->live, &c->key, !c->target.is_tls, &spare_user, c);
    client_wait_for_request(c);
}

/* --- TLS ------------------------------------------------------------------------------------------------ */

static void on_alpn_open(void *self, struct upstream *u)
{
    struct client *c = self;

    upstream_set_user(u, &spare_user, c);
    tls_set_alpn(c->link.tls, tls_alpn(u->link.tls));
    link_go_tls(&c->link);
}

static void on_alpn_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;
    struct upstream *spare = c->spare;
    struct exchange *x;

    (void)status;
    (void)is_own;
    c->spare = NULL;
    x = client_tunnel_exchange(c);
    upstream_tell_failed(spare, x);
    exchange_tunnel_end(x, error);
}

static const struct upstream_user alpn_user = { on_alpn_open, on_alpn_failed, NULL };

static void give_leaf(struct client *c)
{
    struct leaf *leaf;
    struct err err;

    if (!leaf_cache_get(c->live->shared->leaf_cache, c->sni[0] != '\0' ? c->sni : c->target.host,
                        c->leaf_type, &leaf, &err)) {
        client_notify(c, "no-leaf", c->target.host, err.text);
        return; /* without a certificate the handshake fails by itself */
    }
    tls_set_leaf(c->link.tls, leaf);
    leaf_unref(leaf);
}

static void choose_alpn(struct client *c, const struct hello *hello)
{
    if (hello->offers_h1) {
        tls_set_alpn(c->link.tls, SPAN("http/1.1"));
        strbuf_add(&c->alpn_offer, SPAN("\x08http/1.1"));
    } else if (hello->alpn.len != 0 && !hello->offers_h2) {
        /* It will not speak HTTP: what the origin chooses of its offer is what it gets. */
        strbuf_add(&c->alpn_offer, hello->alpn);
        c->wants_tunnel = true;
    }
}

/* The leaf is there; for a tunnel the origin's choice is still to come. */
static enum tls_answer go_on(struct client *c)
{
    give_leaf(c);
    if (!c->wants_tunnel)
        return TLS_GO;
    make_key(c);
    upstream_close(c->spare);
    c->spare = upstream_open(c->live, &c->key, false, &alpn_user, c);
    return TLS_WAIT;
}

enum tls_answer client_hello(struct client *c, const struct hello *hello)
{
    memcpy(c->sni, hello->sni, sizeof c->sni);
    c->leaf_type = hello->offers_ecdsa ? ca_key_type(c->live->shared->ca) : KEY_RSA;
    choose_alpn(c, hello);
    if (c->leaf_type == KEY_RSA && !live_has_rsa(c->live)) {
        c->waits_for_rsa = true;
        return TLS_WAIT;
    }
    return go_on(c);
}

void client_rsa_ready(struct client *c)
{
    if (!c->waits_for_rsa || c->phase != CLIENT_HANDSHAKE)
        return;
    c->waits_for_rsa = false;
    if (go_on(c) == TLS_GO)
        link_go_tls(&c->link);
}

void client_tls_open(struct client *c)
{
    devices_accepted(c->live->shared->devices, c->ip);
    c->tls_facts = tap_tls_new(tls_facts(c->link.tls));
    c->phase = CLIENT_SNIFF;
    if (c->wants_tunnel)
        start_tunnel(c);
    else
        loop_timer_set(&c->timer, SILENCE_US);
}

/* RFC 8446 §6.2: the alerts that say "not this certificate". */
static bool is_certificate_alert(unsigned alert)
{
    return (alert >= 42 && alert <= 46) || alert == 48;
}

void client_tls_failed(struct client *c, const char *why)
{
    const char *name = c->sni[0] != '\0' ? c->sni : c->target.host;
    unsigned alert = c->link.tls != NULL ? tls_alert_received(c->link.tls) : 0;
    struct strbuf text = STRBUF_EMPTY;

    if (alert != 0)
        strbuf_printf(&text, "%s refused the certificate for %s: %s", c->name, name, why);
    else
        strbuf_printf(&text, "TLS with %s for %s was not begun: %s", c->name, name, why);
    client_notify(c, "handshake-refused", name, strbuf_text(&text));
    if (is_certificate_alert(alert) && devices_refused(c->live->shared->devices, c->ip)) {
        strbuf_reset(&text);
        strbuf_printf(&text,
                      "%s does not trust weir's CA: on this machine run 'weir ca trust', on a phone open "
                      "http://" SELF_HOST "/ through the proxy",
                      c->ip);
        client_notify(c, "untrusted-ca", name, strbuf_text(&text));
    }
    strbuf_clear(&text);
    if (c->one.exchange != NULL)
        exchange_tunnel_end(c->one.exchange, why);
    else
        client_cut(c, CUT_CLOSE);
}

/* --- tunnels -------------------------------------------------------------------------------------------- */

static void no_retry(void *self, struct exchange *x)
{
    (void)self;
    (void)x;
}

static void on_tunnel_over(void *self, struct exchange *x, enum exchange_end end)
{
    struct client *c = self;

    (void)x;
    (void)end;
    c->one.exchange = NULL;
    upstream_close(c->one.upstream);
    c->one.upstream = NULL;
    client_cut(c, CUT_RESET); /* where both sides have ended cleanly, nothing is left to cut */
}

static const struct exchange_owner tunnel_owner = { no_retry, NULL, on_tunnel_over };

struct exchange *client_tunnel_exchange(struct client *c)
{
    struct exchange *x = exchange_new((struct side){ NULL, NULL }, &tunnel_owner, c, c->connect_started_us);

    memcpy(x->facts.client_addr, c->name, sizeof x->facts.client_addr);
    x->facts.scheme = c->link.tls != NULL ? "tls" : "tcp";
    x->facts.flags |= TAP_TUNNEL;
    if (c->tls_facts != NULL)
        x->facts.client_tls = tap_tls_ref(c->tls_facts);
    memcpy(x->facts.host, c->target.host, sizeof x->facts.host);
    x->facts.port = c->target.port;
    exchange_mark_at(x, TAP_T_ACCEPTED, c->accepted_us);
    x->facts.request_wire_bytes = c->connect_head->wire_bytes;
    exchange_begin(x, &c->live->tap, c->connect_head, c->connect_head->target, SPAN_NONE);
    c->connect_head = NULL;
    c->one.exchange = x;
    c->phase = CLIENT_TUNNEL;
    atomic_fetch_add(&c->live->shared->tunnels, 1);
    return x;
}

void client_tunnel_over(void *self, const char *error)
{
    struct client *c = self;

    if (error == NULL)
        link_close(&c->link);
    exchange_tunnel_end(c->one.exchange, error);
}

static void on_tunnel_open(void *self, struct upstream *u)
{
    struct client *c = self;

    upstream_carry(u, c->one.exchange);
    c->tunnel = tunnel_new(&c->link, &u->link, c->one.exchange, client_tunnel_over, c);
    link_deliver(&c->link);
    if (c->phase == CLIENT_TUNNEL)
        link_deliver(&u->link);
}

static void on_tunnel_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;

    (void)status;
    upstream_tell_failed(c->one.upstream, c->one.exchange);
    c->one.upstream = NULL;
    exchange_tunnel_end(c->one.exchange, is_own ? "the tunnel would lead back to weir itself" : error);
}

static const struct upstream_user tunnel_user = { on_tunnel_open, on_tunnel_failed, NULL };

static void open_deferred(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_TUNNEL && c->tunnel == NULL && c->one.upstream != NULL)
        on_tunnel_open(c, c->one.upstream);
}

/* Uses nothing of the client's bytes: they are the tunnel's. */
static size_t start_tunnel(struct client *c)
{
    struct upstream *spare = c->spare;

    loop_timer_off(&c->timer);
    make_key(c);
    client_tunnel_exchange(c);
    c->spare = NULL;
    if (spare == NULL) {
        c->one.upstream = upstream_open(c->live, &c->key, false, &tunnel_user, c);
    } else {
        c->one.upstream = spare;
        upstream_set_user(spare, &tunnel_user, c);
        if (spare->phase == UPSTREAM_OPEN || (spare->phase == UPSTREAM_TCP && !c->target.is_tls))
            loop_defer(c->live->loop, open_deferred, c);
        else if (spare->stops_at_tcp)
            upstream_adopt(spare, &c->key, &tunnel_user, c);
    }
    return 0;
}

/* The hard part: the origin is known (by CONNECT, SOCKS or the listener's mode), but nobody has said yet who
 * speaks, or what. The first bytes decide; while there are none, the origin is asked. An upstream connection
 * that was opened for that is c->spare, and becomes the tunnel's or the first exchange's. */
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/client_impl.h"
#include "proxy/live/proxy_impl.h"
#include "proxy/live/seal_text.h"

static bool is_reverse(const struct client *c)
{
    return c->listener->mode.kind == MODE_REVERSE;
}

static bool is_for_weir(const struct client *c)
{
    return strcmp(c->target.host, SELF_HOST) == 0;
}

/* --- sealed hosts --------------------------------------------------------------------------------------- */

const char *client_name_of(const struct client *c)
{
    return c->sni[0] != '\0' ? c->sni : c->target.host;
}

static enum scope_answer scope_for(const struct client *c, const char **out_rule)
{
    return scope_of(c->live->shared->scope, span_of(c->target.host), span_of(c->sni), c->target.port,
                    out_rule);
}

/* By a person's word, or by what was learned. Says so the first time. */
static bool is_sealed(struct client *c)
{
    struct origins *origins = c->live->shared->origins;
    struct strbuf text = STRBUF_EMPTY;
    struct pin pin;
    const char *rule;

    if (is_reverse(c)) /* its clients mean weir, and the origin's certificate would have another name */
        return false;
    switch (scope_for(c, &rule)) {
    case SCOPE_OPEN:
        return false;
    case SCOPE_AUTO:
        if (!origins_is_sealed(origins, c->ip, client_name_of(c), &pin))
            return false;
        break; /* said when it was learned */
    case SCOPE_SEALED:
        if (!origins_seal_is_news(origins, c->ip, client_name_of(c)))
            break;
        seal_text_add_asked(&text, client_name_of(c), rule);
        client_notify(c, NOTICE_SEALED, client_name_of(c), strbuf_text(&text));
        strbuf_clear(&text);
        break;
    }
    c->is_sealed = true;
    return true;
}

/* --- CONNECT -------------------------------------------------------------------------------------------- */

static void sniff_held(void *self)
{
    struct client *c = self;

    if (c->phase == CLIENT_SNIFF)
        link_deliver(&c->link);
}

void client_say_yes(struct client *c)
{
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";

    if (c->socks != NULL) {
        client_socks_answer(c, SOCKS_GRANTED);
        return;
    }
    evbuffer_add(link_out(&c->link), yes, sizeof yes - 1);
    link_flush(&c->link);
}

/* status: as upstream_user's on_failed has it. */
void client_say_no(struct client *c, int status, const char *error)
{
    if (c->socks == NULL)
        client_write_error(c, status != 0 ? status : 508, error);
    else
        client_socks_answer(c, status == 0 || status == 403 ? SOCKS_NOT_ALLOWED : SOCKS_HOST_UNREACHABLE);
}

/* Nothing has come yet. Where the origin may be one that speaks first, it is asked after a while. */
static void wait_inside(struct client *c)
{
    if (is_reverse(c) || is_for_weir(c))
        client_wait_for_request(c);
    else
        loop_timer_set(&c->timer, SILENCE_US);
}

void client_connect(struct client *c, struct http_head *head, const struct target *target)
{
    c->target = *target;
    http_head_free(c->connect_head);
    c->connect_head = head;
    c->connect_started_us = c->head_started_us;
    c->is_inner = true;
    if (is_sealed(c)) { /* it is told of a dial that fails: the yes waits for the origin */
        c->owes_yes = true;
        client_start_tunnel(c);
        return;
    }
    client_say_yes(c);
    c->phase = CLIENT_SNIFF;
    wait_inside(c);
    loop_defer(c->live->loop, sniff_held, c); /* what came together with CONNECT */
}

void client_stand_for_target(struct client *c)
{
    c->connect_started_us = c->accepted_us;
    c->is_inner = true;
    c->phase = CLIENT_SNIFF;
    wait_inside(c);
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

/* The name that the origin is told, and has to prove. */
static const char *upstream_name(const struct client *c)
{
    return is_reverse(c) ? c->target.host : client_name_of(c);
}

/* The way is that of TLS, also where nobody knows yet what is inside: a client asks its proxy for a tunnel to
 * where it means to speak TLS. */
void client_make_key(struct client *c)
{
    struct target inside = c->target;

    inside.is_tls = true;
    upstream_key_make(&c->key, &c->target, c->target.is_tls ? upstream_name(c) : "",
                      strbuf_span(&c->alpn_offer));
    /* What a listener stands for is the choice of whoever started weir, not the client's. */
    c->key.reach = is_reverse(c) ? REACH_ALL : (uint8_t)c->reach;
    c->key.mirror = c->target.is_tls ? c->mirror : NULL;
    upstream_key_set_hop(&c->key, via_find(c->live->shared->via, &inside));
}

/* It is HTTP, and so its way is its scheme's. */
static void make_http_key(struct client *c)
{
    client_make_key(c);
    upstream_key_set_hop(&c->key, via_find(c->live->shared->via, &c->target));
}

/* A client in plain of an origin in TLS: nobody has offered anything. */
static void offer_for_plain(struct client *c, struct span offer)
{
    if (c->has_tls)
        return;
    strbuf_reset(&c->alpn_offer);
    if (c->target.is_tls)
        strbuf_add(&c->alpn_offer, offer);
}

static void start_http(struct client *c)
{
    offer_for_plain(c, SPAN("\x08http/1.1"));
    make_http_key(c);
    client_http_start(c);
}

/* Whether a whole ClientHello is there, and names a host that passes sealed. */
static enum hello_kind look_at_hello(struct client *c, struct span bytes)
{
    static _Thread_local char scratch[HELLO_SCRATCH_BYTES];
    struct hello hello;
    enum hello_kind kind = hello_read(bytes, scratch, &hello);

    if (kind == HELLO_YES)
        memcpy(c->sni, hello.sni, sizeof c->sni);
    return kind;
}

static size_t start_handshake(struct client *c, struct span bytes)
{
    struct err err;

    c->phase = CLIENT_HANDSHAKE;
    c->has_tls = true;
    c->target.is_tls = c->target.is_tls || !is_reverse(c);
    loop_timer_set(&c->timer, HANDSHAKE_US);
    if (!link_accept_tls(&c->link, c->live->shared->tls_server, bytes, &err))
        client_tls_failed(c, err.text);
    return bytes.len;
}

static size_t sniff_plain(struct client *c, struct span bytes)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; /* RFC 9113 §3.4 */
    size_t common = bytes.len < sizeof preface - 1 ? bytes.len : sizeof preface - 1;

    if (common > 3 && memcmp(bytes.ptr, preface, common) == 0) {
        if (common < sizeof preface - 1)
            return 0;
        strbuf_reset(&c->alpn_offer);
        strbuf_add(&c->alpn_offer, SPAN("\x02h2")); /* the origin gets the same, unasked */
        if (c->target.is_tls && !c->has_tls)
            strbuf_add(&c->alpn_offer, SPAN("\x08http/1.1"));
        make_http_key(c);
        client_h2_start(c);
        return client_h2_bytes(c, bytes);
    }
    switch (looks_like_http(bytes, c->live->shared->limits.max_header_bytes)) {
    case LOOKS_HTTP:
        start_http(c);
        return client_http_bytes(c, bytes);
    case LOOKS_SHORT: /* the head's own time has begun */
        loop_timer_set(&c->timer, CLIENT_HEAD_US);
        return 0;
    default:
        if (!is_for_weir(c))
            return client_start_tunnel(c);
        client_close(c, true);
        return bytes.len;
    }
}

size_t client_sniff(struct client *c, struct span bytes)
{
    if (!c->has_tls) {
        switch (hello_sniff(bytes)) {
        case HELLO_YES:
            if (look_at_hello(c, bytes) == HELLO_NEED_MORE)
                break;
            return is_sealed(c) ? client_start_tunnel(c) : start_handshake(c, bytes);
        case HELLO_NEED_MORE:
            break;
        default:
            return sniff_plain(c, bytes);
        }
        loop_timer_set(&c->timer, HANDSHAKE_US);
        return 0;
    }
    return sniff_plain(c, bytes);
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
    if (is_own || c->has_tls)
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
        client_start_tunnel(c);
}

static const struct upstream_user spare_user = { on_spare_open, on_spare_failed, on_spare_spoke };

static void on_spare_open(void *self, struct upstream *u)
{
    struct client *c = self;

    if (u->speaks_h2)
        c->spare = NULL; /* it is in the pool, for all */
    else
        upstream_set_user(u, &spare_user, c); /* goes on listening */
}

void client_sniff_timeout(struct client *c)
{
    if (c->spare != NULL && c->target.is_tls && c->spare->stops_at_tcp) {
        /* It was opened in the silence before TLS; now the question is who speaks first inside. */
        client_make_key(c);
        upstream_adopt(c->spare, &c->key, &spare_user, c);
        client_wait_for_request(c);
        return;
    }
    if (c->spare != NULL || is_reverse(c) || is_for_weir(c) || c->link.held.len != 0) {
        client_close(c, true);
        return;
    }
    client_make_key(c);
    c->spare = upstream_open(c->live, &c->key, !c->target.is_tls, &spare_user, c);
    client_wait_for_request(c);
}

/* --- TLS ------------------------------------------------------------------------------------------------ */

static struct origin_key origin_key_of(const struct client *c)
{
    return (struct origin_key){ c->target.host, c->target.port, is_reverse(c) ? "" : c->sni,
                                tls_mirror_id(c->mirror) };
}

/* The protocol that the client is to speak, as the origin does; "": none was chosen. */
static void choose_protocol(struct client *c, struct span chosen)
{
    if (chosen.len != 0 || !c->offers_h1)
        tls_set_alpn(c->link.tls, chosen);
    else
        tls_set_alpn(c->link.tls, SPAN("http/1.1")); /* the same by another name */
}

static bool is_http(struct span protocol)
{
    return span_eq(protocol, SPAN("h2")) || span_eq(protocol, SPAN("http/1.1")) ||
           span_eq(protocol, SPAN("http/1.0"));
}

static void on_alpn_open(void *self, struct upstream *u)
{
    struct client *c = self;
    struct span chosen = tls_alpn(u->link.tls);

    if (chosen.len != 0 && !is_http(chosen))
        c->wants_tunnel = true; /* of an offer with HTTP in it the origin chose something else */
    if (!c->wants_tunnel) {
        struct origin_key key = origin_key_of(c);
        origins_alpn_put(c->live->shared->origins, &key, chosen, EXTENDED_CONNECT_UNKNOWN);
    }
    if (u->speaks_h2 && !c->wants_tunnel)
        c->spare = NULL; /* it is in the pool, for all */
    else
        upstream_set_user(u, &spare_user, c);
    choose_protocol(c, chosen);
    link_go_tls(&c->link);
}

/* The client gets its handshake all the same, and is told by the answer to its first request. */
static void on_alpn_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;
    struct upstream *spare = c->spare;
    struct exchange *x;

    c->spare = NULL;
    if (c->wants_tunnel) {
        x = client_tunnel_exchange(c);
        upstream_tell_failed(spare, x);
        exchange_tunnel_end(x, error);
        return;
    }
    upstream_keep(spare);
    c->failed = spare;
    c->failed_status = status;
    c->failed_is_own = is_own;
    strbuf_add_str(&c->failed_error, error);
    choose_protocol(c, c->offers_h1 ? SPAN("http/1.1") : SPAN("h2"));
    link_go_tls(&c->link);
}

static const struct upstream_user alpn_user = { on_alpn_open, on_alpn_failed, NULL };

void client_give_leaf(struct client *c, const char *host)
{
    struct leaf *leaf;
    struct err err;

    if (!leaf_cache_get(c->live->shared->leaf_cache, host, c->leaf_type, &leaf, &err)) {
        client_notify(c, "no-leaf", host, err.text);
        return; /* without a certificate the handshake fails by itself */
    }
    tls_set_leaf(c->link.tls, leaf);
    leaf_unref(leaf);
}

static void give_leaf(struct client *c)
{
    char ip[ADDRESS_TEXT_BYTES];

    if (is_reverse(c) && c->sni[0] == '\0') { /* it knows weir's address, and nothing of the origin */
        client_local_ip(c, ip, sizeof ip);
        client_give_leaf(c, ip);
    } else {
        client_give_leaf(c, client_name_of(c));
    }
}

static bool offer_has(struct span offer, struct span protocol)
{
    while (offer.len != 0) {
        size_t len = (unsigned char)offer.ptr[0];
        if (span_eq(span_make(offer.ptr + 1, len), protocol))
            return true;
        offer = span_from(offer, 1 + len);
    }
    return false;
}

/* All of the client's offer, so that the origin sees the same; of one that has no room, what is HTTP. */
static void copy_offer(struct client *c, struct span offer)
{
    bool is_long = offer.len > sizeof c->key.alpn;

    while (offer.len != 0) {
        size_t len = (unsigned char)offer.ptr[0];
        if (!is_long || is_http(span_make(offer.ptr + 1, len)))
            strbuf_add(&c->alpn_offer, span_make(offer.ptr, 1 + len));
        offer = span_from(offer, 1 + len);
    }
}

/* Whether what the origin chose before is an answer to this offer as well. */
static bool is_choice(const struct client *c, const struct hello *hello, const struct origin_choice *choice)
{
    return choice->alpn[0] != '\0' ? offer_has(hello->alpn, span_of(choice->alpn)) : c->offers_h1;
}

static void choose_alpn(struct client *c, const struct hello *hello)
{
    struct origin_choice choice;
    struct origin_key key;

    c->offers_h1 = hello->offers_h1;
    strbuf_reset(&c->alpn_offer);
    if (hello->alpn.len == 0)
        return;
    if (is_for_weir(c)) {
        choose_protocol(c, hello->offers_h2 ? SPAN("h2") : SPAN(""));
        return;
    }
    if (!c->target.is_tls) { /* an origin in plain has nothing to choose by: it speaks HTTP/1.1 */
        choose_protocol(c, c->offers_h1 ? SPAN("http/1.1") : SPAN("h2"));
        return;
    }
    copy_offer(c, hello->alpn);
    key = origin_key_of(c);
    if (!hello->offers_h1 && !hello->offers_h2) {
        /* It will not speak HTTP: what the origin chooses of its offer is what it gets. */
        c->wants_tunnel = true;
    } else if (span_eq(hello->alpn, SPAN("\x08http/1.1"))) {
        choose_protocol(c, SPAN("http/1.1"));
    } else if (origins_alpn_get(c->live->shared->origins, &key, &choice) && is_choice(c, hello, &choice)) {
        choose_protocol(c, span_of(choice.alpn));
        c->offers_connect = choice.extended_connect == EXTENDED_CONNECT_YES;
    } else {
        c->asks_origin = true;
    }
}

/* The leaf is there; the origin's choice may still be to come. */
static enum tls_answer go_on(struct client *c)
{
    give_leaf(c);
    c->leaf_us = clock_mono_us();
    if (!c->wants_tunnel && !c->asks_origin)
        return TLS_GO;
    client_make_key(c);
    upstream_close(c->spare);
    c->spare = upstream_open(c->live, &c->key, false, &alpn_user, c);
    return TLS_WAIT;
}

enum tls_answer client_hello(struct client *c, const struct hello *hello)
{
    memcpy(c->sni, hello->sni, sizeof c->sni);
    if (!c->live->shared->no_mirror)
        c->mirror = tls_mirror_get(c->live->shared->tls_client, hello);
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
    if (!c->waits_for_rsa)
        return;
    c->waits_for_rsa = false;
    if (c->phase == CLIENT_OUTER)
        client_outer_rsa_ready(c);
    if (c->phase != CLIENT_HANDSHAKE)
        return;
    if (go_on(c) == TLS_GO)
        link_go_tls(&c->link);
}

void client_tls_open(struct client *c)
{
    if (!is_reverse(c)) { /* whose clients often do not verify weir */
        origins_accepted(c->live->shared->origins, c->ip);
        c->is_leaf_on_trial = true;
    }
    c->tls_facts = tap_tls_new(tls_facts(c->link.tls));
    c->phase = CLIENT_SNIFF;
    if (c->wants_tunnel) {
        client_start_tunnel(c);
    } else if (span_eq(tls_alpn(c->link.tls), SPAN("h2"))) {
        make_http_key(c);
        client_h2_start(c);
    } else {
        wait_inside(c);
    }
}

static void judge_end(struct client *c, unsigned alert, bool has_used)
{
    uint64_t after_us = c->leaf_us != 0 ? clock_mono_us() - c->leaf_us : UINT64_MAX;
    const struct refused refused = { refusal_of_end(alert, after_us, has_used), alert, c->leaf_us };
    struct strbuf text = STRBUF_EMPTY;
    struct pin pin;
    const char *rule;

    if (is_reverse(c))
        return;
    switch (origins_refused(c->live->shared->origins, c->ip, client_name_of(c), &refused,
                            scope_for(c, &rule) == SCOPE_AUTO, &pin)) {
    case REFUSED_UNTRUSTED:
        seal_text_add_untrusted(&text, c->ip);
        client_notify(c, NOTICE_UNTRUSTED, client_name_of(c), strbuf_text(&text));
        break;
    case REFUSED_SEALED:
        seal_text_add_learned(&text, c->ip, client_name_of(c), &pin);
        client_notify(c, NOTICE_SEALED, client_name_of(c), strbuf_text(&text));
        break;
    case REFUSED_NOTED:
        break;
    }
    strbuf_clear(&text);
}

void client_tls_used(struct client *c)
{
    c->is_leaf_on_trial = false;
    origins_used(c->live->shared->origins, c->ip, client_name_of(c));
}

void client_tls_unused(struct client *c)
{
    c->is_leaf_on_trial = false;
    judge_end(c, tls_alert_received(c->link.tls), false);
}

void client_tls_failed(struct client *c, const char *why)
{
    unsigned alert = c->link.tls != NULL ? tls_alert_received(c->link.tls) : 0;
    struct strbuf text = STRBUF_EMPTY;

    if (alert != 0)
        strbuf_printf(&text, "%s refused the certificate for %s: %s", c->name, client_name_of(c), why);
    else
        strbuf_printf(&text, "TLS with %s for %s was not begun: %s", c->name, client_name_of(c), why);
    client_notify(c, "handshake-refused", client_name_of(c), strbuf_text(&text));
    strbuf_clear(&text);
    judge_end(c, alert, false);
    if (c->one.exchange != NULL)
        exchange_tunnel_end(c->one.exchange, why);
    else
        client_cut(c, CUT_CLOSE);
}

/* The hard part: what the proxy says last may come together with what the origin says first, and nobody may
 * be given a link from inside its on_bytes. So the answer is read there, the way goes on when the batch is
 * over, and what is left is held by the link meanwhile. */
#include "proxy/live/upstream_via.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/mode/via_handshake.h"

const char upstream_forbidden[] =
    "a client from elsewhere may not reach this machine's own addresses, or a private network, through weir: "
    "start weir with --allow-private if it should";

struct upstream_via {
    struct resolution *resolution;
    char host[URL_HOST_BYTES]; /* what the proxy is asked for */
    bool has_address;          /* of the family that is wanted most: host is it */
    bool is_own, is_forbidden; /* one of the origin's addresses is */
    struct err unknown;        /* code ERR_NONE: the origin has addresses, or nobody needs to know */
    struct via_handshake *handshake;
    bool is_ready;
    struct err refusal; /* code ERR_NONE: not refused */
};

/* --- the origin's addresses ----------------------------------------------------------------------------- */

static void judge_origin(void *self)
{
    struct upstream *u = self;
    struct upstream_via *via = u->via;

    if (u->phase == UPSTREAM_CLOSED)
        return;
    if (via->is_own)
        upstream_fail(u, 0, true, CUT_RESET, "the origin is weir itself");
    else if (via->is_forbidden)
        upstream_fail(u, 403, false, CUT_RESET, upstream_forbidden);
    else if (via->unknown.code != ERR_NONE && via_wants_address(u->key.hop))
        upstream_fail(u, 502, false, CUT_RESET, via->unknown.text);
    else if (via->unknown.code != ERR_NONE && u->key.reach == REACH_PUBLIC)
        upstream_fail(u, 403, false, CUT_RESET, upstream_forbidden);
    else
        upstream_dial(u);
}

static void add_host(struct upstream_via *via, const struct address *address)
{
    const void *bytes = address->sa.ss_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)&address->sa)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)&address->sa)->sin6_addr;

    inet_ntop(address->sa.ss_family, bytes, via->host, sizeof via->host);
}

/* IPv4 where there is any: what a proxy certainly has, and SOCKS4 alone knows. */
static void on_resolved(void *self, int family, const struct address *addresses, unsigned count, bool is_last,
                        const struct err *why)
{
    struct upstream *u = self;
    struct upstream_via *via = u->via;

    for (unsigned i = 0; i < count; i++) {
        via->is_own |= access_is_own(&u->live->shared->access, &addresses[i]);
        via->is_forbidden |= !access_may_dial(u->key.reach, &addresses[i]);
    }
    if (count != 0 && via_wants_address(u->key.hop) && !via->has_address) {
        add_host(via, &addresses[0]);
        via->has_address = family == AF_INET;
    }
    if (count != 0)
        via->unknown.code = ERR_FOUND;
    if (!is_last)
        return;
    via->resolution = NULL;
    if (via->unknown.code == ERR_FOUND)
        via->unknown.code = ERR_NONE;
    else
        via->unknown = *why;
    loop_timer_off(&u->timer);
    loop_defer(u->live->loop, judge_origin, u);
}

void upstream_via_start(struct upstream *u)
{
    struct upstream_via *via = mem_new(struct upstream_via);
    const struct target *origin = &u->key.target;

    u->via = via;
    memcpy(via->host, origin->host, sizeof via->host);
    if (!via_wants_address(u->key.hop) && u->key.reach == REACH_ALL && !url_host_is_ip(origin->host)) {
        loop_defer(u->live->loop, judge_origin, u);
        return;
    }
    loop_timer_set(&u->timer, HANDSHAKE_US);
    via->resolution = resolve(u->live->resolver, origin->host, origin->port, on_resolved, u);
}

/* --- the tunnel ----------------------------------------------------------------------------------------- */

static void stands(struct upstream *u)
{
    loop_timer_off(&u->timer);
    u->dial_times.connect_end = clock_mono_us();
    upstream_way_stands(u);
}

static void ask(struct upstream *u)
{
    struct upstream_via *via = u->via;
    struct err err;

    if (u->key.is_absolute) {
        stands(u);
        return;
    }
    via->handshake = via_handshake_new(u->key.hop, via->host, u->key.target.port);
    if (via_handshake_start(via->handshake, link_out(&u->link), &err))
        link_flush(&u->link);
    else
        upstream_fail(u, 502, false, CUT_CLOSE, err.text);
}

static size_t on_bytes(void *self, struct span bytes)
{
    struct upstream *u = self;
    struct upstream_via *via = u->via;
    size_t used;

    if (via->is_ready || via->refusal.code != ERR_NONE)
        return 0;
    switch (via_handshake_feed(via->handshake, bytes, &used, link_out(&u->link), &via->refusal)) {
    case VIA_READY:
        via->is_ready = true;
        break;
    case VIA_MORE:
    case VIA_REFUSED:
        break;
    }
    return used;
}

static void deliver(void *self)
{
    struct upstream *u = self;

    link_deliver(&u->link);
}

static void on_batch(void *self)
{
    struct upstream *u = self;

    if (u->via->refusal.code != ERR_NONE) {
        upstream_fail(u, 502, false, CUT_CLOSE, u->via->refusal.text);
        return;
    }
    link_flush(&u->link);
    if (!u->via->is_ready)
        return;
    stands(u);
    if (u->phase != UPSTREAM_CLOSED && u->link.held.len != 0)
        loop_defer(u->live->loop, deliver, u); /* the origin's first bytes came with the proxy's last */
}

static void on_eof(void *self)
{
    struct upstream *u = self;
    struct err err;

    if (u->via->handshake != NULL)
        via_handshake_cut(u->via->handshake, &err);
    else
        err_set(&err, ERR_TLS, "proxy '%s' closed the connection during the TLS handshake", u->key.hop->name);
    upstream_fail(u, 502, false, CUT_CLOSE, err.text);
}

static void on_drained(void *self)
{
    (void)self;
}

static void on_error(void *self, const struct err *reason)
{
    struct upstream *u = self;
    struct err err = *reason;

    if (err.code == ERR_TLS || err.code == ERR_CERT)
        err_add(&err, "TLS with proxy '%s'", u->key.hop->name);
    else
        err_add(&err, "the connection to proxy '%s' was cut", u->key.hop->name);
    upstream_fail(u, 502, false, CUT_CLOSE, err.text);
}

static void on_open(void *self)
{
    ask(self);
}

static const struct link_events via_link_events = { on_bytes, on_batch, on_eof, on_drained,
                                                    on_error, NULL,     on_open };

void upstream_via_connected(struct upstream *u)
{
    const struct via_hop *hop = u->key.hop;
    struct tls_target target = { .host = hop->host, .port = hop->port };
    struct err err;

    u->phase = UPSTREAM_VIA;
    loop_timer_set(&u->timer, HANDSHAKE_US);
    link_set_owner(&u->link, &via_link_events, u);
    if (hop->kind != VIA_HTTPS)
        ask(u);
    else if (!link_connect_tls(&u->link, u->live->shared->tls_client, u->live->tls_sessions, &target, &err))
        on_error(u, &err);
}

/* --- its life ------------------------------------------------------------------------------------------- */

bool upstream_via_late(const struct upstream *u, struct err *err)
{
    const char *name = u->key.hop->name;

    if (u->phase == UPSTREAM_DIALLING)
        return err_set(err, ERR_TIMEOUT, "no name server told within 15 s where '%s' is", u->key.target.host);
    if (u->via->handshake == NULL)
        return err_set(err, ERR_TIMEOUT, "proxy '%s' did not finish the TLS handshake within 15 s", name);
    return err_set(err, ERR_TIMEOUT, "proxy '%s' did not say within 15 s whether it reaches '%s'", name,
                   u->key.target.host);
}

void upstream_via_stop(struct upstream *u)
{
    if (u->via == NULL)
        return;
    resolve_cancel(u->via->resolution);
    u->via->resolution = NULL;
}

void upstream_via_free(struct upstream_via *via)
{
    if (via == NULL)
        return;
    via_handshake_free(via->handshake);
    mem_free(via);
}

/* --- what it is told and says --------------------------------------------------------------------------- */

void upstream_via_dial_failed(struct upstream *u, int status, struct err *err)
{
    const char *name = u->key.hop->name;

    if (err->code == ERR_FOUND) {
        err_set(err, ERR_FOUND, "proxy '%s' is weir itself: --via must lead to another one", name);
        status = 508;
    } else {
        err_add(err, "proxy '%s' (%s) can't be reached", name, u->key.hop->from);
    }
    upstream_fail(u, status, false, CUT_RESET, err->text);
}

void upstream_via_add_name(const struct via_hop *hop, struct strbuf *text)
{
    if (text->len != 0 && strstr(strbuf_text(text), hop->name) == NULL)
        strbuf_printf(text, ", through proxy '%s'", hop->name);
}

char *upstream_via_add_fact(const struct via_hop *hop, char *facts)
{
    struct strbuf json = STRBUF_EMPTY;
    const char *rest = facts != NULL ? facts + 1 : "}";

    strbuf_printf(&json, "{\"via\":\"%s\"%s%s", hop->name, *rest != '}' ? "," : "", rest);
    mem_free(facts);
    return strbuf_detach(&json);
}

void upstream_via_send_head(struct upstream *u, const struct http_head *head, struct span path,
                            struct span extra)
{
    struct strbuf target = STRBUF_EMPTY, fields = STRBUF_EMPTY;

    via_add_absolute(&target, &u->key.target, path);
    strbuf_add(&fields, extra);
    via_add_fields(&fields, u->key.hop);
    h1_write_request(&u->writer, link_out(&u->link), head, strbuf_span(&target), strbuf_span(&fields));
    strbuf_clear(&target);
    strbuf_clear(&fields);
}

bool upstream_via_check_head(const struct upstream *u, const struct http_head *head, struct err *err)
{
    return !u->key.is_absolute || head->status != 407 || via_wants_login(u->key.hop, head, err);
}

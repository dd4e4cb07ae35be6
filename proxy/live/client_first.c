/* The hard part: a client may begin with a layer that is about the proxy and not about an origin (TLS with
 * the proxy, SOCKS), and what is inside it must be looked at in the same way as if it were not there. Such
 * TLS tells nothing of origins: neither who pins what, nor who trusts the CA, for many clients do not verify
 * their proxy. */
#include <string.h>
#include <sys/socket.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/client_impl.h"
#include "proxy/live/proxy_impl.h"
#include "proxy/mode/first.h"
#include "proxy/net/origdst.h"

/* --- who is stood for ----------------------------------------------------------------------------------- */

/* The address without its port, IPv6 without brackets. */
static void add_ip(char *out, size_t out_size, const struct address *address)
{
    char text[ADDRESS_TEXT_BYTES];
    bool has_brackets;
    char *colon;

    address_format(address, text, sizeof text);
    has_brackets = text[0] == '[';
    colon = strrchr(text, ':');
    if (colon != NULL)
        colon[has_brackets ? -1 : 0] = '\0';
    snprintf(out, out_size, "%s", text + has_brackets);
}

void client_local_ip(const struct client *c, char *out, size_t out_size)
{
    struct address local = { .len = sizeof local.sa };

    out[0] = '\0';
    if (getsockname(stream_fd(c->link.stream), (struct sockaddr *)&local.sa, &local.len) == 0)
        add_ip(out, out_size, &local);
}

/* Everybody's way to weir itself, where there is no origin: its pages, or the word that one may not. */
static void stand_for_weir(struct client *c)
{
    c->target = (struct target){ SELF_HOST, 80, false };
}

static void stand_for_redirected(struct client *c)
{
    struct address meant;
    struct err err;

    if (!origdst_find(stream_fd(c->link.stream), &c->listener->bound, &meant, &err)) {
        client_notify(c, "not-redirected", NULL, err.text);
        stand_for_weir(c);
        return;
    }
    add_ip(c->target.host, sizeof c->target.host, &meant);
    c->target.port = address_port(&meant);
}

void client_first_start(struct client *c)
{
    const struct mode *mode = &c->listener->mode;

    c->phase = CLIENT_FIRST;
    client_wait_for_request(c);
    if (mode_can_ask(mode))
        return;
    if (!c->is_allowed)
        stand_for_weir(c);
    else if (mode->kind == MODE_REVERSE)
        c->target = mode->target;
    else
        stand_for_redirected(c);
    client_stand_for_target(c);
}

/* --- TLS with the proxy --------------------------------------------------------------------------------- */

static size_t start_outer(struct client *c, struct span bytes)
{
    struct err err;

    c->phase = CLIENT_OUTER;
    loop_timer_set(&c->timer, HANDSHAKE_US);
    if (!link_accept_tls(&c->link, c->live->shared->tls_server, bytes, &err))
        client_outer_failed(c, err.text);
    return bytes.len;
}

static void give_outer_leaf(struct client *c)
{
    char ip[ADDRESS_TEXT_BYTES];

    client_local_ip(c, ip, sizeof ip);
    client_give_leaf(c, c->sni[0] != '\0' ? c->sni : ip);
    c->sni[0] = '\0'; /* what is inside has its own */
}

enum tls_answer client_outer_hello(struct client *c, const struct hello *hello)
{
    memcpy(c->sni, hello->sni, sizeof c->sni);
    if (hello->offers_h1)
        tls_set_alpn(c->link.tls, SPAN("http/1.1"));
    c->leaf_type = hello->offers_ecdsa ? ca_key_type(c->live->shared->ca) : KEY_RSA;
    if (c->leaf_type == KEY_RSA && !live_has_rsa(c->live)) {
        c->waits_for_rsa = true;
        return TLS_WAIT;
    }
    give_outer_leaf(c);
    return TLS_GO;
}

void client_outer_rsa_ready(struct client *c)
{
    give_outer_leaf(c);
    link_go_tls(&c->link);
}

void client_outer_open(struct client *c)
{
    c->phase = CLIENT_FIRST;
    client_wait_for_request(c);
}

void client_outer_failed(struct client *c, const char *why)
{
    struct strbuf text = STRBUF_EMPTY;

    strbuf_printf(&text, "TLS of %s with this proxy was not begun: %s", c->name, why);
    client_notify(c, "handshake-refused", NULL, strbuf_text(&text));
    strbuf_clear(&text);
    client_cut(c, CUT_CLOSE);
}

/* --- SOCKS ---------------------------------------------------------------------------------------------- */

static size_t start_socks(struct client *c, struct span bytes)
{
    c->phase = CLIENT_SOCKS;
    c->head_started_us = clock_mono_us();
    c->socks = socks_new(c->live->shared->auth);
    loop_timer_set(&c->timer, HANDSHAKE_US);
    return client_socks(c, bytes);
}

void client_socks_answer(struct client *c, enum socks_result result)
{
    socks_reply(c->socks, result, link_out(&c->link));
    link_flush(&c->link);
}

size_t client_socks(struct client *c, struct span bytes)
{
    struct err err;
    size_t used;

    switch (socks_feed(c->socks, bytes, &used, link_out(&c->link), &err)) {
    case SOCKS_NEED_MORE:
        link_flush(&c->link);
        break;
    case SOCKS_REFUSED:
        client_notify(c, "bad-request", NULL, err.text);
        link_flush(&c->link);
        client_close(c, true);
        return bytes.len;
    case SOCKS_READY:
        if (!c->is_allowed) {
            client_socks_answer(c, SOCKS_NOT_ALLOWED);
            client_close(c, true);
            return bytes.len;
        }
        if (socks_user(c->socks) != NULL)
            c->user = mem_strdup(socks_user(c->socks));
        client_connect(c, NULL, socks_target(c->socks));
        break;
    }
    return used;
}

/* --- the first bytes ------------------------------------------------------------------------------------ */

static size_t start_http1(struct client *c, struct span bytes)
{
    client_http_start(c);
    return client_http_bytes(c, bytes);
}

static size_t refuse_plain(struct client *c, struct span bytes, enum first_kind kind)
{
    static const char why[] = "this listener is an https proxy: it is spoken to inside TLS";

    client_notify(c, "bad-request", NULL, why);
    if (kind == FIRST_HTTP1)
        client_write_error(c, 400, why);
    client_close(c, true);
    return bytes.len;
}

size_t client_first(struct client *c, struct span bytes)
{
    enum first_kind kind = first_look(bytes);
    bool has_tls = c->link.tls != NULL;

    if (c->listener->mode.kind == MODE_SOCKS5) /* what is no SOCKS is its codec's to refuse */
        return start_socks(c, bytes);
    if (c->listener->mode.is_tls && !has_tls && kind != FIRST_TLS && kind != FIRST_NEED_MORE)
        return refuse_plain(c, bytes, kind);
    switch (kind) {
    case FIRST_NEED_MORE:
        loop_timer_set(&c->timer, CLIENT_HEAD_US);
        return 0;
    case FIRST_SOCKS4:
    case FIRST_SOCKS5:
        return start_socks(c, bytes);
    case FIRST_TLS:
        return has_tls ? start_http1(c, bytes) : start_outer(c, bytes); /* HTTP refuses the second */
    case FIRST_HTTP2:
        client_h2_start(c);
        return client_h2_bytes(c, bytes);
    case FIRST_HTTP1:
        break;
    }
    return start_http1(c, bytes);
}

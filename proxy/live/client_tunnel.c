/* A client whose bytes are passed on without being understood: the way to the origin, the record of it, its
 * end. */
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/client_impl.h"

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
    struct http_head *head = c->connect_head;
    /* Whoever names no host elsewhere does it here. */
    bool has_named = c->is_sealed || c->listener->mode.kind == MODE_TRANSPARENT;

    memcpy(x->facts.client_addr, c->name, sizeof x->facts.client_addr);
    x->facts.listener = client_listener_index(c);
    x->facts.user = c->user;
    x->facts.scheme = c->target.is_tls || c->is_sealed ? "tls" : "tcp";
    x->facts.flags |= TAP_TUNNEL | (c->is_sealed ? TAP_SEALED : 0);
    if (c->tls_facts != NULL)
        x->facts.client_tls = tap_tls_ref(c->tls_facts);
    memcpy(x->facts.host, has_named ? client_name_of(c) : c->target.host, sizeof x->facts.host);
    x->facts.port = c->target.port;
    exchange_mark_at(x, TAP_T_ACCEPTED, c->accepted_us);
    x->facts.request_wire_bytes = head != NULL ? head->wire_bytes : 0;
    x->is_proxied = true;
    exchange_begin(x, &c->live->tap, head, head != NULL ? head->target : SPAN(""), SPAN_NONE);
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

    if (c->owes_yes)
        client_say_yes(c);
    c->owes_yes = false;
    upstream_carry(u, c->one.exchange);
    c->tunnel = tunnel_new(&c->link, &u->link, c->one.exchange, client_tunnel_over, c);
    link_deliver(&c->link);
    if (c->phase == CLIENT_TUNNEL)
        link_deliver(&u->link);
}

static void on_tunnel_failed(void *self, int status, bool is_own, const char *error)
{
    struct client *c = self;

    upstream_tell_failed(c->one.upstream, c->one.exchange);
    c->one.upstream = NULL;
    if (c->owes_yes) {
        client_say_no(c, status, error);
        link_close(&c->link);
    }
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
size_t client_start_tunnel(struct client *c)
{
    struct upstream *spare = c->spare;

    loop_timer_off(&c->timer);
    client_make_key(c);
    client_tunnel_exchange(c);
    c->spare = NULL;
    if (spare == NULL) {
        c->one.upstream = upstream_open(c->live, &c->key, false, &tunnel_user, c);
    } else {
        c->one.upstream = spare;
        upstream_set_user(spare, &tunnel_user, c);
        if (spare->phase == UPSTREAM_OPEN || (spare->phase == UPSTREAM_TCP && !c->target.is_tls)) {
            link_set_reading(&spare->link, false); /* what comes in this turn is the tunnel's, which reads */
            loop_defer(c->live->loop, open_deferred, c);
        } else if (spare->stops_at_tcp) {
            upstream_adopt(spare, &c->key, &tunnel_user, c);
        }
    }
    return 0;
}

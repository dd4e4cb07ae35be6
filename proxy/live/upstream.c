#include "proxy/live/upstream.h"

#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/live/h2_pump.h"
#include "proxy/live/pool.h"
#include "proxy/live/ride.h"
#include "proxy/live/upstream_via.h"

static size_t on_bytes(void *self, struct span bytes);
static void on_batch(void *self);
static void on_eof(void *self);
static void on_drained(void *self);
static void on_error(void *self, const struct err *err);
static void on_tls_open(void *self);

static const struct link_events link_events = { on_bytes, on_batch, on_eof,     on_drained,
                                                on_error, NULL,     on_tls_open };

/* --- opening -------------------------------------------------------------------------------------------- */

static void free_now(void *self)
{
    struct upstream *u = self;

    if (u->is_kept) {
        u->is_done = true;
        return;
    }
    link_clear(&u->link);
    h1_free(u->h1);
    h2_free(u->h2);
    upstream_via_free(u->via);
    tap_tls_unref(u->tls_facts);
    tls_mirror_unref((struct tls_mirror *)u->key.mirror);
    loop_timer_clear(&u->timer);
    mem_free(u);
}

void upstream_close(struct upstream *u)
{
    if (u == NULL || u->phase == UPSTREAM_CLOSED)
        return;
    u->phase = UPSTREAM_CLOSED;
    if (u->is_pooled)
        pool_remove(u->live->pool, u);
    dial_cancel(u->dial);
    u->dial = NULL;
    upstream_via_stop(u);
    u->user = NULL;
    u->exchange = NULL;
    loop_timer_off(&u->timer);
    link_close(&u->link);
    loop_defer(u->live->loop, free_now, u);
}

void upstream_keep(struct upstream *u)
{
    u->is_kept = true;
}

void upstream_forget(struct upstream *u)
{
    if (u == NULL)
        return;
    u->is_kept = false;
    if (u->is_done)
        free_now(u);
}

void upstream_leave(struct upstream *u)
{
    if (u == NULL || u->phase == UPSTREAM_CLOSED)
        return;
    u->user = NULL;
    if (TAILQ_EMPTY(&u->waiting))
        upstream_close(u);
}

void upstream_join(struct upstream *u, struct upstream_wait *wait, const struct upstream_user *user,
                   void *user_self)
{
    *wait = (struct upstream_wait){ .upstream = u, .user = user, .self = user_self };
    TAILQ_INSERT_TAIL(&u->waiting, wait, in_upstream);
}

void upstream_unjoin(struct upstream_wait *wait)
{
    struct upstream *u = wait->upstream;

    if (u == NULL)
        return;
    TAILQ_REMOVE(&u->waiting, wait, in_upstream);
    wait->upstream = NULL;
    if (u->user == NULL && u->phase != UPSTREAM_OPEN)
        upstream_leave(u);
}

static struct upstream_wait *next_waiting(struct upstream *u)
{
    struct upstream_wait *wait = TAILQ_FIRST(&u->waiting);

    if (wait == NULL)
        return NULL;
    TAILQ_REMOVE(&u->waiting, wait, in_upstream);
    wait->upstream = NULL;
    return wait;
}

static void fail_waiting(struct upstream *u, int status, bool is_own, const char *error)
{
    struct upstream_wait *wait;

    while ((wait = next_waiting(u)) != NULL)
        wait->user->on_failed(wait->self, status, is_own, error);
}

bool upstream_takes_ride(const struct upstream *u, const struct h2_profile *profile)
{
    static const struct h2_profile none;

    if (u->phase != UPSTREAM_OPEN || !u->speaks_h2 || u->is_broken || u->live->is_draining)
        return false;
    return u->h2 == NULL || (h2_has_room(u->h2) && memcmp(&u->h2_profile, profile != NULL ? profile : &none,
                                                          sizeof u->h2_profile) == 0);
}

void upstream_is_idle(struct upstream *u)
{
    if (u->phase != UPSTREAM_OPEN)
        return;
    if (!u->is_shared || u->is_broken || u->live->is_draining || (u->h2 != NULL && h2_is_used_up(u->h2)))
        upstream_close(u);
    else
        loop_timer_set(&u->timer, UPSTREAM_IDLE_US);
}

/* What is recorded: TLS with the origin, as far as it came, and the proxy. */
static void learn_facts(struct upstream *u)
{
    bool has_tls = u->tls_start_us != 0 && u->link.tls != NULL;
    char *facts = has_tls ? tls_facts(u->link.tls) : NULL;

    if (u->key.hop != NULL)
        facts = upstream_via_add_fact(u->key.hop, facts);
    tap_tls_unref(u->tls_facts);
    u->tls_facts = facts != NULL ? tap_tls_new(facts) : NULL;
    u->cert_requested = has_tls && tls_cert_requested(u->link.tls);
}

/* What an origin thinks of our certificate, or of our having none, it says in TLS 1.3 after the handshake
 * (RFC 8446 §4.4.2.4), and some say it by closing, which may mean other things. how: it went. False: it can't
 * be for that. */
static bool is_for_cert(const struct upstream *u, const char *how, struct err *out_why)
{
    bool is_sure;

    if (u->tls_start_us == 0 || u->link.tls == NULL || !tls_cert_requested(u->link.tls) || u->has_answered)
        return false;
    is_sure = tls_alert_received(u->link.tls) != 0;
    err_set(out_why, ERR_TLS, "%sthe origin %s: %s", is_sure ? "" : "perhaps ",
            tls_cert_shown(u->link.tls) ? "refused the client certificate that it was shown"
                                        : "wants a client certificate, and weir has none for it",
            how);
    return true;
}

/* Tells whoever waits or runs on it, and closes. */
void upstream_fail(struct upstream *u, int status, bool is_own, enum cut how, const char *error)
{
    const struct upstream_user *user = u->user;
    void *user_self = u->user_self;
    struct exchange *exchange = u->exchange;
    struct strbuf text = STRBUF_EMPTY; /* error may live in u */

    u->is_broken = true;
    u->exchange = NULL;
    u->user = NULL;
    if (u->phase == UPSTREAM_TLS)
        u->tls_end_us = clock_mono_us();
    if (u->phase < UPSTREAM_OPEN)
        learn_facts(u);
    strbuf_add_str(&text, error);
    if (u->key.hop != NULL)
        upstream_via_add_name(u->key.hop, &text);
    if (user != NULL || !TAILQ_EMPTY(&u->waiting)) {
        upstream_close(u);
        if (user != NULL)
            user->on_failed(user_self, status, is_own, strbuf_text(&text));
        fail_waiting(u, status, is_own, strbuf_text(&text));
    } else {
        if (exchange != NULL) /* its owner releases us, which closes */
            exchange_origin_failed(exchange, status, how, strbuf_text(&text));
        ride_fail_all(u, status, how, strbuf_text(&text));
        if (u->phase != UPSTREAM_CLOSED)
            upstream_close(u);
    }
    strbuf_clear(&text);
}

static void on_timeout(void *self)
{
    struct upstream *u = self;
    struct err err;

    if (u->phase < UPSTREAM_OPEN) {
        if (u->phase == UPSTREAM_TLS)
            err_set(&err, ERR_TIMEOUT, "%s did not finish the TLS handshake within 15 s", u->address);
        else
            upstream_via_late(u, &err);
        upstream_fail(u, 504, false, CUT_CLOSE, err.text);
    } else if (u->is_pooled) {
        upstream_close(u);
    }
}

static void opened(struct upstream *u)
{
    const struct upstream_user *user = u->user;

    u->user = NULL;
    if (user != NULL)
        user->on_open(u->user_self, u);
}

/* By ALPN, or without TLS because nothing else was offered (RFC 9113 §3.3). */
static bool speaks_h2(const struct upstream *u)
{
    struct span chosen = u->key.target.is_tls
                             ? tls_alpn(u->link.tls)
                             : span_make(u->key.alpn + 1, u->key.alpn_len != 0 ? u->key.alpn_len - 1 : 0);

    return span_eq(chosen, SPAN("h2"));
}

static void ready(struct upstream *u)
{
    struct upstream_wait *wait;

    u->phase = UPSTREAM_OPEN;
    loop_timer_off(&u->timer);
    u->speaks_h2 = speaks_h2(u);
    if (u->speaks_h2 && !u->is_shared)
        pool_share(u->live->pool, u);
    else if (!u->speaks_h2 && u->is_shared)
        pool_remove(u->live->pool, u);
    if (!u->speaks_h2)
        u->h1 = h1_new(HTTP_RESPONSE, u->live->shared->limits, &upstream_h1_events, u);
    opened(u);
    while ((wait = next_waiting(u)) != NULL) /* on a connection that is not shared, or closed, they look on */
        wait->user->on_open(wait->self, u);
    if (u->speaks_h2 && TAILQ_EMPTY(&u->rides) && u->user == NULL)
        upstream_is_idle(u);
}

static void start_tls(struct upstream *u)
{
    struct tls_target target = { .host = u->key.name,
                                 .port = u->key.target.port,
                                 .alpn = span_make(u->key.alpn, u->key.alpn_len),
                                 .mirror = u->key.mirror };

    u->phase = UPSTREAM_TLS;
    u->tls_start_us = clock_mono_us();
    loop_timer_set(&u->timer, HANDSHAKE_US);
    if (!link_connect_tls(&u->link, u->live->shared->tls_client, u->live->tls_sessions, &target, &u->err))
        upstream_fail(u, 502, false, CUT_CLOSE, u->err.text);
}

static void on_tls_open(void *self)
{
    struct upstream *u = self;

    u->tls_end_us = clock_mono_us();
    learn_facts(u);
    ready(u);
}

void upstream_way_stands(struct upstream *u)
{
    u->phase = UPSTREAM_TCP;
    link_set_owner(&u->link, &link_events, u);
    if (u->key.hop != NULL && !u->key.target.is_tls)
        learn_facts(u);
    if (u->stops_at_tcp)
        opened(u);
    else if (u->key.target.is_tls)
        start_tls(u);
    else
        ready(u);
}

static void dial_failed(struct upstream *u, struct err *err)
{
    int status = err->code == ERR_TIMEOUT ? 504 : 502;

    if (u->key.hop != NULL)
        upstream_via_dial_failed(u, status, err);
    else if (u->is_forbidden)
        upstream_fail(u, 403, false, CUT_RESET, upstream_forbidden);
    else
        upstream_fail(u, status, err->code == ERR_FOUND, CUT_RESET, err->text);
}

static void on_dialled(void *self, struct dial_result *result)
{
    struct upstream *u = self;

    u->dial = NULL;
    u->dial_times = result->times;
    u->dial_attempts = result->attempts;
    if (result->address.len != 0)
        address_format(&result->address, u->address, sizeof u->address);
    if (result->fd < 0) {
        dial_failed(u, &result->err);
        return;
    }
    link_init(&u->link, u->live->loop, result->fd, &link_events, u);
    if (u->key.hop != NULL)
        upstream_via_connected(u);
    else
        upstream_way_stands(u);
}

static bool may_dial(void *self, const struct address *address)
{
    struct upstream *u = self;

    if (access_is_own(&u->live->shared->access, address))
        return false;
    u->is_forbidden = u->key.hop == NULL && !access_may_dial(u->key.reach, address);
    return !u->is_forbidden;
}

void upstream_dial(struct upstream *u)
{
    const struct via_hop *hop = u->key.hop;

    u->dial = dial_start(u->live->loop, u->live->resolver, hop != NULL ? hop->host : u->key.target.host,
                         hop != NULL ? hop->port : u->key.target.port, may_dial, on_dialled, u);
}

struct upstream *upstream_open(struct live *live, const struct upstream_key *key, bool stops_at_tcp,
                               const struct upstream_user *user, void *user_self)
{
    struct upstream *u = mem_new(struct upstream);

    u->live = live;
    u->key = *key;
    tls_mirror_ref(key->mirror);
    u->stops_at_tcp = stops_at_tcp;
    u->idle_us = UPSTREAM_IDLE_US;
    u->user = user;
    u->user_self = user_self;
    TAILQ_INIT(&u->rides);
    TAILQ_INIT(&u->dirty_rides);
    TAILQ_INIT(&u->waiting);
    loop_timer_init(&u->timer, live->loop, on_timeout, u);
    if (key->hop != NULL)
        upstream_via_start(u);
    else
        upstream_dial(u);
    return u;
}

static void go_on(void *self)
{
    struct upstream *u = self;

    if (u->phase != UPSTREAM_TCP || (u->user == NULL && TAILQ_EMPTY(&u->waiting)))
        return; /* closed meanwhile */
    if (u->key.target.is_tls)
        start_tls(u);
    else
        ready(u);
}

void upstream_adopt(struct upstream *u, const struct upstream_key *key, const struct upstream_user *user,
                    void *user_self)
{
    tls_mirror_ref(key->mirror);
    tls_mirror_unref((struct tls_mirror *)u->key.mirror);
    u->key = *key;
    u->stops_at_tcp = false;
    u->user = user;
    u->user_self = user_self;
    if (u->phase == UPSTREAM_TCP)
        loop_defer(u->live->loop, go_on, u);
}

void upstream_set_user(struct upstream *u, const struct upstream_user *user, void *user_self)
{
    u->user = user;
    u->user_self = user_self;
}

/* --- running -------------------------------------------------------------------------------------------- */

void upstream_tell_times(struct upstream *u, struct exchange *x)
{
    memcpy(x->facts.origin_addr, u->address, sizeof x->facts.origin_addr);
    if (u->tls_facts != NULL && x->facts.origin_tls == NULL)
        x->facts.origin_tls = tap_tls_ref(u->tls_facts);
    if (u->cert_requested)
        x->facts.flags |= TAP_CLIENT_CERT_WANTED;
    if (u->is_told_times)
        return;
    u->is_told_times = true;
    exchange_mark_at(x, TAP_T_DNS_START, u->dial_times.dns_start);
    exchange_mark_at(x, TAP_T_DNS_END, u->dial_times.dns_end);
    exchange_mark_at(x, TAP_T_CONNECT_START, u->dial_times.connect_start);
    exchange_mark_at(x, TAP_T_CONNECT_END, u->dial_times.connect_end);
    exchange_mark_at(x, TAP_T_TLS_START, u->tls_start_us);
    exchange_mark_at(x, TAP_T_TLS_END, u->tls_end_us);
}

void upstream_run(struct upstream *u, struct exchange *x, bool is_reused)
{
    u->exchange = x;
    u->user = NULL; /* nobody waits for it any more */
    loop_timer_off(&u->timer);
    upstream_tell_times(u, x);
    exchange_attach(x, (struct side){ &upstream_h1_side, u }, is_reused);
}

void upstream_carry(struct upstream *u, struct exchange *x)
{
    u->user = NULL;
    loop_timer_off(&u->timer);
    upstream_tell_times(u, x);
    x->facts.attempts++;
}

void upstream_tell_failed(struct upstream *u, struct exchange *x)
{
    upstream_tell_times(u, x);
    if (u->dial_attempts != 0)
        x->facts.attempts++;
}

bool upstream_release(struct upstream *u, bool may_be_reused, bool owner_bound)
{
    u->exchange = NULL;
    if (u->phase != UPSTREAM_OPEN || !may_be_reused || u->is_broken || !link_is_open(&u->link) ||
        u->link.has_eof || u->link.held.len != 0 || link_unsent(&u->link) != 0 || !h1_is_idle(u->h1) ||
        u->live->is_draining) {
        upstream_close(u);
        return false;
    }
    link_set_reading(&u->link, true);
    if (owner_bound)
        return true;
    loop_timer_set(&u->timer, u->idle_us);
    pool_put(u->live->pool, u);
    return true;
}

/* --- from the wire -------------------------------------------------------------------------------------- */

static size_t on_bytes(void *self, struct span bytes)
{
    struct upstream *u = self;
    struct exchange *x = u->exchange;
    size_t all = 0, used;

    if (u->speaks_h2) {
        if (u->h2 == NULL)
            return 0; /* its preface, before anybody has come to ride */
        ride_on_bytes(u, bytes);
        return bytes.len;
    }
    if (x == NULL && u->user != NULL && u->user->on_spoke != NULL) {
        /* It speaks first: the bytes stay for whoever takes over. */
        u->user->on_spoke(u->user_self, u);
        return 0;
    }
    if (x == NULL) { /* nobody asked: the connection can't be trusted to be in step */
        err_set(&u->err, ERR_PROTO, "the origin sent bytes that nobody asked for");
        u->is_out_of_step = true;
        return bytes.len;
    }
    exchange_response_bytes(x, 0); /* the time of the first byte is now, whatever it turns out to be */
    while (all < bytes.len && x->response != HALF_DONE && !h1_is_tunnel(u->h1)) {
        if (!h1_feed(u->h1, span_from(bytes, all), &used, &u->err)) {
            err_add(&u->err, "the origin's answer is malformed");
            u->is_out_of_step = true;
            return bytes.len;
        }
        all += used;
    }
    exchange_response_bytes(x, all);
    return all;
}

static void on_batch(void *self)
{
    struct upstream *u = self;
    struct exchange *x = u->exchange;

    if (u->phase != UPSTREAM_OPEN)
        return;
    if (u->h2 != NULL) {
        ride_settle_all(u); /* what came before a fault goes on */
        if (u->phase != UPSTREAM_OPEN)
            return;
        if (u->is_out_of_step)
            h2_pump(u->h2, &u->link); /* GOAWAY */
        else if (u->is_broken && TAILQ_EMPTY(&u->rides))
            upstream_close(u);
    }
    if (u->is_out_of_step) {
        if (x != NULL)
            exchange_settle(x); /* what came before the fault goes on */
        if (u->phase == UPSTREAM_OPEN)
            upstream_fail(u, 502, false, CUT_RESET, u->err.text);
        return;
    }
    if (x != NULL)
        exchange_settle(x);
}

static void on_eof(void *self)
{
    struct upstream *u = self;
    struct exchange *x = u->exchange;
    struct err err;

    if (u->phase == UPSTREAM_TLS) {
        err_set(&err, ERR_TLS, "%s closed the connection during the TLS handshake", u->address);
        is_for_cert(u, "it closed the connection during the TLS handshake", &err);
        upstream_fail(u, 502, false, CUT_CLOSE, err.text);
        return;
    }
    if ((x != NULL || !TAILQ_EMPTY(&u->rides)) &&
        is_for_cert(u, "it closed the connection without an answer", &err)) {
        upstream_fail(u, 502, false, CUT_CLOSE, err.text);
        return;
    }
    if (x == NULL) {
        if (u->user != NULL)
            upstream_fail(u, 502, false, CUT_CLOSE, "the origin closed the connection at once");
        else if (!TAILQ_EMPTY(&u->rides))
            upstream_fail(u, 0, false, CUT_CLOSE,
                          "the origin closed the connection in the middle of its answer");
        else
            upstream_close(u);
        return;
    }
    u->is_broken = true; /* good for no other exchange */
    if (h1_finish(u->h1, &err) && x->response == HALF_DONE) {
        if (u->key.target.is_tls && !link_ended_cleanly(&u->link))
            x->facts.flags |= TAP_NO_CLOSE_NOTIFY;
        exchange_settle(x);
        if (u->phase == UPSTREAM_OPEN &&
            u->exchange != NULL) /* answered early; the rest of the request has nowhere to go */
            upstream_fail(u, 0, false, CUT_CLOSE, "");
        return;
    }
    upstream_fail(u, 0, false, CUT_CLOSE,
                  x->client_has_ended
                      ? "the client closed the connection, then the origin did, before its answer was whole"
                  : x->facts.times[TAP_T_RECEIVED_FIRST] != TAP_NEVER
                      ? "the origin closed the connection in the middle of its answer"
                      : "the origin closed the connection without an answer");
}

static void on_drained(void *self)
{
    struct upstream *u = self;

    if (u->exchange != NULL)
        exchange_drained(u->exchange);
    else if (u->h2 != NULL)
        ride_write(u);
}

static void on_error(void *self, const struct err *reason)
{
    struct upstream *u = self;
    struct err err = *reason;

    if (u->phase == UPSTREAM_TLS) {
        if (tls_alert_received(u->link.tls) != 0)
            is_for_cert(u, reason->text, &err);
        if (err.code == ERR_TLS) /* what is wrong with a certificate names its host already */
            err_add(&err, "TLS with '%s' at %s", u->key.name, u->address);
        upstream_fail(u, 502, false, CUT_CLOSE, err.text);
        return;
    }
    if (is_for_cert(u, reason->text, &err)) {
        upstream_fail(u, 502, false, CUT_CLOSE, err.text);
        return;
    }
    err_add(&err, "the connection to the origin was cut");
    upstream_fail(u, 0, false, CUT_RESET, err.text);
}

/* The hard part: either half may end, fail or be answered first, and whoever is told of it may end the
 * exchange while its own codec is still feeding. So events only queue and mark; exchange_settle, called when
 * the codec has returned, is the one place where an exchange that has run its course is ended. */
#include "proxy/exchange/exchange.h"

#include <assert.h>
#include <string.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/exchange/error_page.h"

static void resume(struct tap_exchange *facts);

/* --- small steps ---------------------------------------------------------------------------------------- */

static void set_error(struct exchange *x, const char *error)
{
    if (x->error.len != 0 || error == NULL)
        return; /* the first reason is the reason */
    strbuf_add_str(&x->error, error);
    x->facts.error = strbuf_text(&x->error);
}

static void slow_down(struct exchange *x, enum tap_answer answer)
{
    if (answer == TAP_SLOWER)
        x->is_slowed = true;
}

static void set_reading(struct side *side, bool *current, bool wanted)
{
    if (side->ops == NULL || *current == wanted)
        return;
    *current = wanted;
    side->ops->set_reading(side->self, wanted);
}

static bool is_full(const struct side *side)
{
    return side->ops != NULL && side->ops->unsent(side->self) > EXCHANGE_HIGH_WATER_BYTES;
}

static void balance(struct exchange *x)
{
    if (x->facts.flags & TAP_UPGRADED) {
        if (x->on_tunnel_resume != NULL && !x->is_slowed)
            x->on_tunnel_resume(x->tunnel_self);
        return; /* the tunnel sees to its own two sides */
    }
    set_reading(&x->client, &x->client_reading, !x->is_slowed && !is_full(&x->origin));
    set_reading(&x->origin, &x->origin_reading, !x->is_slowed && !is_full(&x->client));
}

static void resume(struct tap_exchange *facts)
{
    struct exchange *x = (struct exchange *)facts;

    x->is_slowed = false;
    balance(x);
}

static void detach(struct side *side)
{
    *side = (struct side){ NULL, NULL };
}

/* The last thing that happens to an exchange. */
static void finish(struct exchange *x, enum exchange_end end, enum tap_outcome outcome)
{
    assert(!x->is_over);
    x->is_over = true;
    exchange_mark(x, TAP_T_DONE);
    /* Reading goes on for whatever comes next on these connections. */
    x->is_slowed = false;
    set_reading(&x->client, &x->client_reading, true);
    set_reading(&x->origin, &x->origin_reading, true);
    tap_done(&x->line, outcome);
    detach(&x->client);
    detach(&x->origin);
    x->owner->on_over(x->owner_self, x, end);
    http_head_free(x->request_head);
    hop_clear(&x->request_hop);
    strbuf_clear(&x->target);
    strbuf_clear(&x->replay);
    strbuf_clear(&x->error);
    tap_tls_unref(x->facts.client_tls);
    tap_tls_unref(x->facts.origin_tls);
    mem_free(x);
}

/* --- beginning ------------------------------------------------------------------------------------------ */

struct exchange *exchange_new(struct side client, const struct exchange_owner *owner, void *owner_self,
                              uint64_t started_mono_us)
{
    struct exchange *x = mem_new(struct exchange);

    x->client = client;
    x->owner = owner;
    x->owner_self = owner_self;
    x->request = x->response = HALF_IDLE;
    x->client_reading = x->origin_reading = true;
    x->started_mono_us = started_mono_us;
    x->facts.started_us = clock_wall_us() - (clock_mono_us() - started_mono_us);
    x->facts.resume = resume;
    for (int i = 0; i < TAP_T_COUNT; i++)
        x->facts.times[i] = TAP_NEVER;
    strbuf_init(&x->replay, EXCHANGE_REPLAY_BYTES);
    hop_init(&x->request_hop);
    return x;
}

void exchange_mark_at(struct exchange *x, enum tap_time which, uint64_t mono_us)
{
    x->facts.times[which] = mono_us != 0 ? (int64_t)(mono_us - x->started_mono_us) : TAP_NEVER;
}

void exchange_mark(struct exchange *x, enum tap_time which)
{
    exchange_mark_at(x, which, clock_mono_us());
}

/* NTLM and Negotiate log a connection in, not a request (RFC 4559 §6): it must not be shared afterwards. */
static bool is_connection_login(const struct headers *headers, struct span name)
{
    for (size_t i = headers_next(headers, name, 0); i < headers->count;
         i = headers_next(headers, name, i + 1)) {
        struct span value = headers_value(headers, i);
        if (span_istarts(value, SPAN("NTLM")) || span_istarts(value, SPAN("Negotiate")))
            return true;
    }
    return false;
}

bool exchange_begin(struct exchange *x, struct tap *tap, struct http_head *head, struct span target,
                    struct span host_line)
{
    x->request_head = head;
    half_step(&x->request, HEV_HEAD);
    strbuf_add(&x->target, target);
    tap_request(&x->line, tap, &x->facts, head);
    if (head == NULL)
        return true;
    x->client_keeps_alive = head->framing.keeps_alive;
    hop_request(&x->request_hop, head, host_line, x->is_proxied);
    x->origin_is_connection_bound = is_connection_login(&head->headers, SPAN("Authorization"));
    return !x->request_hop.is_last;
}

void exchange_attach(struct exchange *x, struct side origin, bool is_reused)
{
    bool is_first;

    x->origin = origin;
    x->origin_reading = true;
    x->facts.attempts++;
    if (is_reused)
        x->facts.flags |= TAP_UPSTREAM_REUSED;
    else
        x->facts.flags &= ~(unsigned)TAP_UPSTREAM_REUSED;
    is_first =
        !(x->facts.flags & TAP_RETRIED); /* on a shared connection a second one may be reused as well */
    x->may_replay = is_first && is_reused && http_method_is_idempotent(x->request_head->method);
    x->may_resend = is_first && origin.ops->can_refuse;
    exchange_mark(x, TAP_T_SENT_FIRST);
    origin.ops->send_head(origin.self, x->request_head, strbuf_span(&x->target),
                          strbuf_span(&x->request_hop.extra));
    if (x->replay.len != 0)
        origin.ops->send_body(origin.self, strbuf_span(&x->replay));
    if (x->request == HALF_DONE) {
        origin.ops->send_end(origin.self, NULL);
        exchange_mark(x, TAP_T_SENT_LAST);
    }
    x->request_dirty = true;
}

/* --- the request's way ---------------------------------------------------------------------------------- */

/* What the origin is sent of a body that may have to be sent again is kept without its chunks' borders; a
 * body with trailers, or one that is too long, is not sent again. */
static void keep_for_replay(struct exchange *x, struct span bytes)
{
    if (!x->may_replay && !x->may_resend)
        return;
    strbuf_add(&x->replay, bytes);
    if (x->replay.is_full)
        x->may_replay = x->may_resend = false;
}

void exchange_request_chunk(struct exchange *x, uint64_t size, struct span line)
{
    x->may_replay = x->may_resend = false; /* a second sending could not keep these borders */
    if (x->origin.ops != NULL)
        x->origin.ops->send_chunk(x->origin.self, size, line);
    x->request_dirty = true;
}

void exchange_request_body(struct exchange *x, struct span bytes)
{
    if (!half_step(&x->request, HEV_DATA))
        return;
    slow_down(x, tap_body(&x->line, HTTP_REQUEST, bytes));
    keep_for_replay(x, bytes);
    if (x->origin.ops != NULL)
        x->origin.ops->send_body(x->origin.self, bytes);
    x->request_dirty = true;
}

void exchange_request_end(struct exchange *x, const struct headers *trailers)
{
    if (!half_step(&x->request, HEV_END))
        return;
    tap_end(&x->line, HTTP_REQUEST, trailers);
    if (trailers != NULL)
        x->may_replay = x->may_resend = false;
    if (x->origin.ops != NULL) {
        x->origin.ops->send_end(x->origin.self, trailers);
        exchange_mark(x, TAP_T_SENT_LAST);
    }
    x->request_dirty = true;
}

/* --- the response's way --------------------------------------------------------------------------------- */

static void pass_response_head(struct exchange *x, struct http_head *head)
{
    struct hop hop;

    hop_init(&hop);
    tap_response(&x->line, head);
    hop_response(&hop, head);
    if (hop.edits_alt_svc)
        x->facts.flags |= TAP_ALT_SVC_EDITED;
    if (x->client.ops != NULL)
        x->client.ops->send_head(x->client.self, head, SPAN_NONE, strbuf_span(&hop.extra));
    hop_clear(&hop);
    x->response_dirty = true;
}

void exchange_response_bytes(struct exchange *x, size_t wire_bytes)
{
    x->facts.response_wire_bytes += wire_bytes;
    if (x->facts.times[TAP_T_RECEIVED_FIRST] != TAP_NEVER)
        return;
    exchange_mark(x, TAP_T_RECEIVED_FIRST);
    x->may_replay = x->may_resend = false;
    strbuf_clear(&x->replay);
}

void exchange_response_head(struct exchange *x, struct http_head *head)
{
    x->has_response = true;
    if (!half_step(&x->response, http_is_interim(head) ? HEV_INTERIM : HEV_HEAD)) {
        http_head_free(head);
        return;
    }
    if (!http_is_interim(head)) {
        x->status = head->status;
        x->origin_keeps_alive = head->framing.keeps_alive;
        x->client_keeps_alive = x->client_keeps_alive && head->framing.keeps_alive;
        x->is_upgraded = head->framing.kind == BODY_TUNNEL && head->version != HTTP_2; /* else as bodies */
        if (is_connection_login(&head->headers, SPAN("WWW-Authenticate")))
            x->origin_is_connection_bound = true;
    }
    pass_response_head(x, head);
    http_head_free(head);
}

void exchange_response_chunk(struct exchange *x, uint64_t size, struct span line)
{
    if (x->client.ops != NULL)
        x->client.ops->send_chunk(x->client.self, size, line);
    x->response_dirty = true;
}

void exchange_response_body(struct exchange *x, struct span bytes)
{
    if (!half_step(&x->response, HEV_DATA))
        return;
    slow_down(x, tap_body(&x->line, HTTP_RESPONSE, bytes));
    if (x->client.ops != NULL)
        x->client.ops->send_body(x->client.self, bytes);
    x->response_dirty = true;
}

void exchange_response_end(struct exchange *x, const struct headers *trailers)
{
    if (!half_step(&x->response, HEV_END))
        return;
    exchange_mark(x, TAP_T_RECEIVED_LAST);
    tap_end(&x->line, HTTP_RESPONSE, trailers);
    if (x->client.ops != NULL)
        x->client.ops->send_end(x->client.self, trailers);
    x->response_dirty = true;
}

/* --- settling ------------------------------------------------------------------------------------------- */

static void flush(struct exchange *x)
{
    if (x->request_dirty && x->origin.ops != NULL) {
        x->request_dirty = false;
        x->origin.ops->flush(x->origin.self);
    }
    if (x->response_dirty && x->client.ops != NULL) {
        x->response_dirty = false;
        x->client.ops->flush(x->client.self);
    }
}

void exchange_settle(struct exchange *x)
{
    flush(x);
    if (x->is_upgraded) {
        x->is_upgraded = false;
        x->facts.flags |= TAP_UPGRADED;
        x->owner->on_upgrade(x->owner_self, x);
        return;
    }
    if (x->response == HALF_DONE && x->request == HALF_DONE && !(x->facts.flags & TAP_UPGRADED)) {
        finish(x, EXCHANGE_COMPLETE, TAP_DONE);
        return;
    }
    balance(x);
}

void exchange_drained(struct exchange *x)
{
    balance(x);
}

/* --- ends before the time ------------------------------------------------------------------------------- */

void exchange_respond(struct exchange *x, struct http_head *head, struct span body)
{
    bool is_head = x->request_head != NULL && span_eq(x->request_head->method, SPAN("HEAD"));

    x->facts.flags |= TAP_MADE_BY_WEIR;
    half_step(&x->response, HEV_HEAD);
    x->status = head->status;
    pass_response_head(x, head);
    if (!is_head) {
        slow_down(x, tap_body(&x->line, HTTP_RESPONSE, body));
        if (x->client.ops != NULL)
            x->client.ops->send_body(x->client.self, body);
    }
    half_step(&x->response, HEV_END);
    tap_end(&x->line, HTTP_RESPONSE, NULL);
    if (x->client.ops != NULL)
        x->client.ops->send_end(x->client.self, NULL);
    http_head_free(head);
    flush(x);
    finish(x, x->request == HALF_DONE && x->client_keeps_alive ? EXCHANGE_COMPLETE : EXCHANGE_ANSWERED,
           x->error.len != 0 ? TAP_ABORTED : TAP_DONE);
}

void exchange_answer(struct exchange *x, int status, const char *error)
{
    struct http_head *head = http_head_response(status);
    struct strbuf page = STRBUF_EMPTY;

    set_error(x, error);
    error_page(head, &page, x->request_head, status, error);
    exchange_respond(x, head, strbuf_span(&page));
    strbuf_clear(&page);
}

void exchange_why_cut(struct exchange *x, uint32_t code)
{
    x->cut_code = code;
    x->may_replay = false;
}

/* What RFC 9113 §7 has for an origin that is gone, and for a client that is. */
#define CODE_INTERNAL_ERROR 2
#define CODE_CANCEL         8

static void cut_side(struct exchange *x, const struct side *side, enum cut how, uint32_t code)
{
    if (side->ops != NULL)
        side->ops->cut(side->self, how, x->cut_code != 0 ? x->cut_code : code);
}

static void cut_client(struct exchange *x, enum cut how)
{
    half_step(&x->response, HEV_ABORT);
    half_step(&x->request, HEV_ABORT);
    cut_side(x, &x->client, how, CODE_INTERNAL_ERROR);
    finish(x, EXCHANGE_CUT, TAP_ABORTED);
}

static void retry(struct exchange *x)
{
    x->may_replay = x->may_resend = false;
    x->cut_code = 0;
    x->facts.flags |= TAP_RETRIED;
    x->owner->on_retry(x->owner_self, x);
}

void exchange_origin_refused(struct exchange *x, const char *error)
{
    if (!x->may_resend) {
        exchange_origin_failed(x, 0, CUT_RESET, error);
        return;
    }
    detach(&x->origin);
    retry(x);
}

void exchange_origin_failed(struct exchange *x, int status, enum cut how, const char *error)
{
    detach(&x->origin);
    if (x->may_replay) {
        retry(x);
        return;
    }
    if (x->response == HALF_DONE) {
        /* An early answer, whole; the origin did not want the rest of the request. */
        set_error(x,
                  x->cut_code != 0 ? error : "the origin answered and closed before the request had ended");
        half_step(&x->request, HEV_ABORT);
        flush(x);
        finish(x, EXCHANGE_ANSWERED, TAP_DONE);
        return;
    }
    set_error(x, error);
    if (status != 0 && x->response == HALF_IDLE) {
        exchange_answer(x, status, error);
        return;
    }
    flush(x);
    cut_client(x, how);
}

void exchange_refuse(struct exchange *x, int status, const char *error)
{
    struct side origin = x->origin;

    detach(&x->origin);
    cut_side(x, &origin, CUT_CLOSE, CODE_CANCEL);
    half_step(&x->request, HEV_ABORT);
    set_error(x, error);
    if (x->response == HALF_IDLE)
        exchange_answer(x, status, error);
    else
        cut_client(x, CUT_CLOSE);
}

void exchange_client_gone(struct exchange *x, enum cut how, const char *error)
{
    detach(&x->client);
    set_error(x, error);
    half_step(&x->request, HEV_ABORT);
    half_step(&x->response, HEV_ABORT);
    cut_side(x, &x->origin, how, CODE_CANCEL);
    finish(x, EXCHANGE_CUT, TAP_ABORTED);
}

void exchange_set_tunnel(struct exchange *x, void (*on_resume)(void *self), void *self)
{
    x->on_tunnel_resume = on_resume;
    x->tunnel_self = self;
}

void exchange_tunnel_bytes(struct exchange *x, enum http_role side, struct span bytes)
{
    enum tap_time first = side == HTTP_REQUEST ? TAP_T_SENT_FIRST : TAP_T_RECEIVED_FIRST;

    if (x->facts.times[first] == TAP_NEVER)
        exchange_mark(x, first);
    if (side == HTTP_REQUEST)
        x->facts.tunnel_sent_bytes += bytes.len;
    else
        x->facts.tunnel_received_bytes += bytes.len;
    if (x->facts.flags & TAP_UPGRADED)
        slow_down(x, tap_upgraded(&x->line, side, bytes));
}

void exchange_tunnel_end(struct exchange *x, const char *error)
{
    set_error(x, error);
    half_step(&x->request, error != NULL ? HEV_ABORT : HEV_END);
    if (half_step(&x->response, error != NULL ? HEV_ABORT : HEV_END) && error == NULL)
        tap_end(&x->line, HTTP_RESPONSE, NULL);
    finish(x, EXCHANGE_CUT, error != NULL ? TAP_ABORTED : TAP_DONE);
}

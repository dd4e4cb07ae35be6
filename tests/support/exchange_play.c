#include "tests/support/exchange_play.h"

#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/exchange/exchange.h"
#include "proxy/http/h1.h"
#include "proxy/http/h1_write.h"
#include "tests/support/h1_script.h"
#include "tests/support/unescape.h"

/* One end as the engine sees it: what is queued goes when it is flushed. */
struct end {
    struct play *play;
    const char *name;
    struct h1 *h1;
    struct h1_writer writer;
    struct evbuffer *queued;
    struct strbuf sent, held;
};

struct play {
    struct end client, origin;
    struct tap tap;
    struct exchange *exchange;
    struct http_head *new_head;
    struct strbuf told, body;
    enum http_role body_side;
    struct strbuf methods;   /* of the requests told to the tap, separated by blanks */
    struct strbuf bodies[2]; /* by enum http_role: all that the tap was told */
    size_t piece_bytes;
    unsigned begun; /* exchanges */
    bool is_reused, is_upgraded, is_closed;
    bool is_incomplete; /* an exchange did not end as it should */
    bool was_retried;
};

static void tell(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void flush_body(struct play *play)
{
    if (play->body.len == 0)
        return;
    strbuf_printf(&play->told, "tap %s body ", play->body_side == HTTP_REQUEST ? "request" : "response");
    h1_script_add_escaped(&play->told, strbuf_span(&play->body));
    strbuf_add_char(&play->told, '\n');
    strbuf_reset(&play->body);
}

static void tell(struct play *play, const char *format, ...)
{
    char line[1024];
    va_list args;

    flush_body(play);
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    strbuf_add_str(&play->told, line);
    strbuf_add_char(&play->told, '\n');
}

static void must(bool is_true, const char *otherwise)
{
    if (is_true)
        return;
    fprintf(stderr, "exchange_play: %s\n", otherwise);
    abort();
}

/* --- the tap -------------------------------------------------------------------------------------------- */

static void *tap_on_request(void *self, struct tap_exchange *exchange, const struct http_head *head)
{
    struct play *play = self;

    (void)exchange;
    tell(play, "tap request %.*s %.*s", SPAN_ARG(head->method), SPAN_ARG(head->target));
    strbuf_add(&play->methods, head->method);
    strbuf_add_char(&play->methods, ' ');
    return play;
}

static void tap_on_response(void *self, const struct http_head *head)
{
    tell(self, "tap response %d", head->status);
}

static enum tap_answer tap_on_body(void *self, enum http_role side, struct span bytes)
{
    struct play *play = self;

    if (side != play->body_side)
        flush_body(play);
    play->body_side = side;
    strbuf_add(&play->body, bytes);
    strbuf_add(&play->bodies[side], bytes);
    return TAP_GO;
}

static void tap_on_end(void *self, enum http_role side, const struct headers *trailers)
{
    tell(self, "tap %s end%s", side == HTTP_REQUEST ? "request" : "response",
         trailers != NULL && trailers->count != 0 ? " with trailers" : "");
}

static void tap_on_done(void *self, enum tap_outcome outcome)
{
    struct play *play = self;
    const struct tap_exchange *facts = &play->exchange->facts;

    tell(play, "tap %s%s%s%s attempts=%u", outcome == TAP_DONE ? "done" : "aborted",
         facts->error != NULL ? " '" : "", facts->error != NULL ? facts->error : "",
         facts->error != NULL ? "'" : "", facts->attempts);
}

static const struct tap_listener listener = {
    tap_on_request, tap_on_response, tap_on_body, tap_on_end, tap_on_done, NULL, NULL
};

/* --- the sides ------------------------------------------------------------------------------------------ */

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct end *end = self;

    if (head->role == HTTP_REQUEST) {
        h1_set_request_method(end->h1, head->method);
        h1_write_request(&end->writer, end->queued, head, target, extra);
    } else {
        h1_write_response(&end->writer, end->queued, head, extra);
    }
}

static void send_chunk(void *self, uint64_t size, struct span line)
{
    struct end *end = self;

    h1_write_chunk(&end->writer, end->queued, size, line);
}

static void send_body(void *self, struct span bytes)
{
    struct end *end = self;

    h1_write_body(&end->writer, end->queued, bytes);
}

static void send_end(void *self, const struct headers *trailers)
{
    struct end *end = self;

    h1_write_end(&end->writer, end->queued, trailers);
}

static void flush(void *self)
{
    struct end *end = self;
    size_t len = evbuffer_get_length(end->queued);

    strbuf_add(&end->sent, span_make((const char *)evbuffer_pullup(end->queued, -1), len));
    evbuffer_drain(end->queued, len);
}

static size_t unsent(void *self)
{
    struct end *end = self;

    return evbuffer_get_length(end->queued);
}

static void set_reading(void *self, bool is_on)
{
    (void)self;
    (void)is_on;
}

static void cut(void *self, enum cut how, uint32_t code)
{
    struct end *end = self;

    (void)code;
    tell(end->play, "%s cut: %s", end->name, how == CUT_RESET ? "reset" : "close");
    if (how == CUT_CLOSE)
        flush(end);
    else
        evbuffer_drain(end->queued, evbuffer_get_length(end->queued));
}

static const struct side_ops side_ops = { send_head, send_chunk,  send_body, send_end, flush,
                                          unsent,    set_reading, cut,       false };

/* --- the owner ------------------------------------------------------------------------------------------ */

static void origin_head(void *self, struct http_head *head)
{
    struct play *play = self;

    if (play->exchange != NULL)
        exchange_response_head(play->exchange, head);
    else
        http_head_free(head);
}

static void origin_chunk(void *self, uint64_t size, struct span line)
{
    exchange_response_chunk(((struct play *)self)->exchange, size, line);
}

static void origin_body(void *self, struct span bytes)
{
    exchange_response_body(((struct play *)self)->exchange, bytes);
}

static void origin_end(void *self, const struct headers *trailers)
{
    exchange_response_end(((struct play *)self)->exchange, trailers);
}

static void forget_origin(struct play *play)
{
    h1_free(play->origin.h1);
    play->origin.h1 = NULL;
}

static void attach(struct play *play, bool is_reused)
{
    static const struct http_events events = { origin_head, origin_chunk, origin_body, origin_end };

    if (!is_reused)
        forget_origin(play);
    if (play->origin.h1 == NULL)
        play->origin.h1 = h1_new(HTTP_RESPONSE, H1_LIMITS_DEFAULT, &events, play);
    exchange_attach(play->exchange, (struct side){ &side_ops, &play->origin }, is_reused);
}

static void on_retry(void *self, struct exchange *exchange)
{
    struct play *play = self;

    (void)exchange;
    tell(play, "again");
    play->was_retried = true;
    strbuf_add_str(&play->origin.sent, "[again]");
    attach(play, false);
}

static void on_upgrade(void *self, struct exchange *exchange)
{
    struct play *play = self;

    (void)exchange;
    tell(play, "upgraded");
    play->is_upgraded = true;
}

static void on_over(void *self, struct exchange *exchange, enum exchange_end end)
{
    static const char *const names[] = { "complete", "answered", "cut" };
    struct play *play = self;

    play->exchange = NULL;
    play->is_incomplete = play->is_incomplete || end != EXCHANGE_COMPLETE;
    play->is_closed = end != EXCHANGE_COMPLETE || !exchange->client_keeps_alive;
    tell(play, "over: %s%s", names[end], play->is_closed ? ", close" : "");
}

static const struct exchange_owner owner = { on_retry, on_upgrade, on_over };

static void client_head(void *self, struct http_head *head)
{
    struct play *play = self;

    play->new_head = head;
    h1_pause(play->client.h1);
}

static void client_chunk(void *self, uint64_t size, struct span line)
{
    exchange_request_chunk(((struct play *)self)->exchange, size, line);
}

static void client_body(void *self, struct span bytes)
{
    exchange_request_body(((struct play *)self)->exchange, bytes);
}

static void client_end(void *self, const struct headers *trailers)
{
    exchange_request_end(((struct play *)self)->exchange, trailers);
}

static void begin(struct play *play)
{
    struct http_head *head = play->new_head;

    play->new_head = NULL;
    play->begun++;
    play->exchange = exchange_new((struct side){ &side_ops, &play->client }, &owner, play, 1);
    exchange_begin(play->exchange, &play->tap, head, head->target, SPAN_NONE);
    attach(play, play->is_reused);
    play->is_reused = true; /* the next request finds it */
}

static bool may_feed(const struct play *play, bool has_bytes)
{
    const struct exchange *x = play->exchange;

    if (play->is_closed || play->is_upgraded)
        return false;
    if (x == NULL)
        return has_bytes;
    return x->request == HALF_BODY && (has_bytes || x->request_head->framing.kind == BODY_NONE);
}

static void client_bytes(struct play *play, struct span bytes)
{
    struct strbuf all = STRBUF_EMPTY;
    struct span rest;
    struct err err;
    size_t used;

    strbuf_add(&play->client.held, bytes);
    all = play->client.held;
    play->client.held = STRBUF_EMPTY;
    rest = strbuf_span(&all);
    while (may_feed(play, rest.len != 0)) {
        if (!h1_feed(play->client.h1, rest, &used, &err)) {
            rest.len = 0;
            play->is_closed = true;
            if (play->exchange != NULL)
                exchange_refuse(play->exchange, 400, err.text);
            else
                tell(play, "refused: %s", err.text);
            break;
        }
        rest = span_from(rest, used);
        if (play->new_head != NULL)
            begin(play);
    }
    strbuf_add(&play->client.held, rest);
    strbuf_clear(&all);
    if (play->exchange == NULL || play->is_upgraded)
        return;
    exchange_settle(play->exchange);
    if (play->exchange == NULL)
        client_bytes(play, SPAN("")); /* the next of a pipeline */
}

static void origin_bytes(struct play *play, struct span bytes)
{
    struct exchange *x = play->exchange;
    struct err err;
    size_t used;

    if (x == NULL || play->is_upgraded)
        return;
    exchange_response_bytes(x, bytes.len);
    while (bytes.len != 0 && x->response != HALF_DONE && !h1_is_tunnel(play->origin.h1)) {
        if (!h1_feed(play->origin.h1, bytes, &used, &err)) {
            play->is_reused = false;
            exchange_settle(x);
            exchange_origin_failed(x, 502, CUT_RESET, err.text);
            return;
        }
        bytes = span_from(bytes, used);
    }
    exchange_settle(x);
    if (play->exchange == NULL)
        client_bytes(play, SPAN("")); /* the next of a pipeline */
}

static void origin_ends(struct play *play)
{
    struct exchange *x = play->exchange;
    struct err err;

    if (x == NULL)
        return;
    if (play->is_upgraded) {
        exchange_tunnel_end(x, NULL);
        return;
    }
    if (h1_finish(play->origin.h1, &err) && x->response == HALF_DONE) {
        exchange_settle(x);
        if (play->exchange == NULL)
            return;
    }
    exchange_origin_failed(x, 0, CUT_CLOSE, "the origin closed");
}

static void origin_not_reached(struct play *play, struct span status_and_why)
{
    char *why = mem_spandup(span_from(status_and_why, 4));

    if (play->exchange != NULL)
        exchange_origin_failed(play->exchange, atoi(status_and_why.ptr), CUT_CLOSE, why);
    mem_free(why);
}

static void step(struct play *play, struct span line)
{
    struct strbuf bytes = STRBUF_EMPTY;
    struct span rest = span_from(line, line.len > 3 ? 3 : line.len);
    bool is_client = line.ptr[0] == 'c';
    unsigned begun = play->begun;

    switch (line.ptr[1]) {
    case 'r':
        play->is_reused = true;
        break;
    case '>':
        unescape(&bytes, rest);
        /* What an origin sends behind the end of its answer nobody has asked for. */
        for (size_t at = 0; at < bytes.len && (is_client || play->begun == begun); at += play->piece_bytes) {
            size_t len = bytes.len - at < play->piece_bytes ? bytes.len - at : play->piece_bytes;
            char *copy = mem_dup(bytes.ptr + at, len);
            struct span piece = span_make(copy, len);
            if (is_client)
                client_bytes(play, piece);
            else
                origin_bytes(play, piece);
            mem_free(copy);
        }
        break;
    case '.':
        if (!is_client)
            origin_ends(play);
        else if (play->exchange != NULL && play->exchange->request != HALF_DONE)
            exchange_client_gone(play->exchange, CUT_CLOSE, "the client closed");
        break;
    case '!':
        if (play->exchange == NULL)
            break;
        if (is_client)
            exchange_client_gone(play->exchange, CUT_RESET, "the client was reset");
        else
            exchange_origin_failed(play->exchange, 0, CUT_RESET, "the origin was reset");
        break;
    default:
        origin_not_reached(play, rest);
    }
    if (play->exchange != NULL && !play->is_upgraded) /* perhaps on a fresh connection */
        exchange_settle(play->exchange);
    strbuf_clear(&bytes);
}

/* --- the whole
 * ---------------------------------------------------------------------------------------------- */

static void end_init(struct end *end, struct play *play, const char *name)
{
    *end = (struct end){ .play = play, .name = name, .queued = evbuffer_new() };
}

static void end_clear(struct end *end)
{
    must(evbuffer_get_length(end->queued) == 0, "something waits for a flush that never comes");
    h1_free(end->h1);
    evbuffer_free(end->queued);
    strbuf_clear(&end->sent);
    strbuf_clear(&end->held);
}

static void add_sent(struct play *play, const struct end *end)
{
    flush_body(play);
    strbuf_printf(&play->told, "%s got '", end->name);
    h1_script_add_escaped(&play->told, strbuf_span(&end->sent));
    strbuf_add_str(&play->told, "'\n");
}

/* --- what came out, read again ----------------------------------------------------------------------------
 */

struct reading {
    struct h1 *h1;
    struct strbuf bodies;
    struct span methods;
};

static void next_method(struct reading *reading)
{
    struct span method;

    if (span_split(&reading->methods, ' ', &method))
        h1_set_request_method(reading->h1, method);
}

static void read_head(void *self, struct http_head *head)
{
    (void)self;
    http_head_free(head);
}

static void read_body(void *self, struct span bytes)
{
    strbuf_add(&((struct reading *)self)->bodies, bytes);
}

static void read_end(void *self, const struct headers *trailers)
{
    (void)trailers;
    next_method(self);
}

/* All bodies of the messages of an end, as somebody who knows nothing of weir reads them. */
static struct strbuf read_bodies(const struct play *play, enum http_role role, struct span bytes)
{
    static const struct http_events events = { read_head, NULL, read_body, read_end };
    struct reading reading = { .methods = strbuf_span(&play->methods) };
    struct err err;
    size_t used = 1;

    reading.h1 = h1_new(role, H1_LIMITS_DEFAULT, &events, &reading);
    if (role == HTTP_RESPONSE)
        next_method(&reading);
    while (bytes.len != 0 && used != 0 && h1_feed(reading.h1, bytes, &used, &err))
        bytes = span_from(bytes, used);
    h1_free(reading.h1);
    return reading.bodies;
}

static void check_side(const struct play *play, enum http_role role, const struct end *end)
{
    struct strbuf got = read_bodies(play, role, strbuf_span(&end->sent));
    const struct strbuf *told = &play->bodies[role];

    must(got.len <= told->len && memcmp(strbuf_text(&got), strbuf_text(told), got.len) == 0,
         "bytes went out that the tap has not been told of");
    must(got.len == told->len || play->is_incomplete || play->exchange != NULL,
         "the tap was told of bytes that did not go out");
    strbuf_clear(&got);
}

static void check(const struct play *play)
{
    if (!play->was_retried)
        check_side(play, HTTP_REQUEST, &play->origin);
    check_side(play, HTTP_RESPONSE, &play->client);
    must(play->exchange == NULL || play->is_upgraded || !half_is_over(play->exchange->request) ||
             !half_is_over(play->exchange->response),
         "an exchange whose halves are over goes on");
}

/* --- all of it -------------------------------------------------------------------------------------------
 */

static bool has_half_byte(struct span escaped)
{
    for (size_t i = 0; i + 1 < escaped.len; i++) {
        if (escaped.ptr[i] == '\\' && escaped.ptr[++i] == 'x' && i + 2 >= escaped.len)
            return true;
    }
    return false;
}

bool exchange_play_is_step(struct span line)
{
    if (span_eq(line, SPAN("@reused")) || span_starts(line, SPAN("o? 502 ")) ||
        span_starts(line, SPAN("o? 504 ")))
        return true;
    if (line.len < 2 || (line.ptr[0] != 'c' && line.ptr[0] != 'o'))
        return false;
    if (line.len == 2)
        return line.ptr[1] == '.' || line.ptr[1] == '!';
    return line.ptr[1] == '>' && line.ptr[2] == ' ' && !has_half_byte(line);
}

char *exchange_play(struct span steps, size_t piece_bytes)
{
    static const struct http_events events = { client_head, client_chunk, client_body, client_end };
    struct play play = { .piece_bytes = piece_bytes };
    struct span line;
    char *told;

    end_init(&play.client, &play, "client");
    end_init(&play.origin, &play, "origin");
    play.client.h1 = h1_new(HTTP_REQUEST, H1_LIMITS_DEFAULT, &events, &play);
    tap_add(&play.tap, &listener, &play);
    while (span_split(&steps, '\n', &line)) {
        if (exchange_play_is_step(line))
            step(&play, line);
    }
    add_sent(&play, &play.origin);
    add_sent(&play, &play.client);
    check(&play);
    if (play.exchange != NULL) {
        strbuf_add_str(&play.told, "still open\n");
        if (play.exchange->origin.ops != NULL)
            flush(&play.origin);
        told = mem_spandup(strbuf_span(&play.told));
        exchange_client_gone(play.exchange, CUT_CLOSE, "the case is over");
    } else {
        told = mem_spandup(strbuf_span(&play.told));
    }
    end_clear(&play.client);
    end_clear(&play.origin);
    strbuf_clear(&play.told);
    strbuf_clear(&play.body);
    strbuf_clear(&play.methods);
    strbuf_clear(&play.bodies[0]);
    strbuf_clear(&play.bodies[1]);
    return told;
}

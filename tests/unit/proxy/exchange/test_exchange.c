/* The playbook of the exchange engine: tests/playbook/exchange_*.txt. Real codecs on both sides, no sockets:
 * what the client and the origin send, step by step, and what each of them, and the tap, must have got at the
 * end. Every case is run whole and one byte at a time; both must give the same.
 *
 *     == name of the case
 *     @reused                 the first connection to the origin was pooled
 *     c> bytes                from the client; \r \n \t \\ \xNN
 *     o> bytes                from the origin
 *     c. o.                   that side ends                       c! o!   it is reset
 *     o? 502 why              the origin was not reached
 *     what must have come of it
 *
 * A line that begins with # is a comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

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
    size_t piece_bytes;
    bool is_reused, is_upgraded, is_closed;
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

/* --- the tap -------------------------------------------------------------------------------------------- */

static void *tap_on_request(void *self, struct tap_exchange *exchange, const struct http_head *head)
{
    (void)exchange;
    tell(self, "tap request %.*s %.*s", SPAN_ARG(head->method), SPAN_ARG(head->target));
    return self;
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
    if (play->exchange != NULL && !play->is_upgraded)
        exchange_settle(play->exchange);
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

static void step(struct play *play, struct span line)
{
    struct strbuf bytes = STRBUF_EMPTY;
    struct span rest = span_from(line, span_find(line, ' ') + 1);
    bool is_client = line.ptr[0] == 'c';

    switch (line.ptr[1]) {
    case '>':
        unescape(&bytes, rest);
        for (size_t at = 0; at < bytes.len; at += play->piece_bytes) {
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
    default: {
        char *why = mem_spandup(span_from(rest, 4));
        exchange_origin_failed(play->exchange, atoi(rest.ptr), CUT_CLOSE, why);
        mem_free(why);
    }
    }
    if (play->exchange != NULL && !play->is_upgraded) /* perhaps on a fresh connection */
        exchange_settle(play->exchange);
    strbuf_clear(&bytes);
}

/* --- cases ---------------------------------------------------------------------------------------------- */

static void end_init(struct end *end, struct play *play, const char *name)
{
    *end = (struct end){ .play = play, .name = name, .queued = evbuffer_new() };
}

static void end_clear(struct end *end)
{
    assert_int_equal(evbuffer_get_length(end->queued), 0); /* nothing waits for a flush that never comes */
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

/* What came of the steps, the caller's. */
static char *run(struct span steps, size_t piece_bytes)
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
        if (span_starts(line, SPAN("@reused")))
            play.is_reused = true;
        else if (line.len > 1)
            step(&play, line);
    }
    add_sent(&play, &play.origin);
    add_sent(&play, &play.client);
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
    return told;
}

struct one {
    char *name;
    struct strbuf steps, expected;
};

static size_t cases_run, cases_failed;

static void compare(const struct one *one, const char *how, size_t piece_bytes)
{
    char *got = run(strbuf_span(&one->steps), piece_bytes);

    if (strcmp(got, strbuf_text(&one->expected)) != 0) {
        cases_failed++;
        fprintf(stderr, "== %s (%s)\n--- expected\n%s--- got\n%s", one->name, how,
                strbuf_text(&one->expected), got);
    }
    mem_free(got);
}

static void run_case(struct one *one)
{
    if (one->name != NULL) {
        cases_run++;
        compare(one, "whole", SIZE_MAX / 2);
        compare(one, "bytewise", 1);
    }
    mem_free(one->name);
    strbuf_clear(&one->steps);
    strbuf_clear(&one->expected);
    *one = (struct one){ 0 };
}

static bool is_step(struct span line)
{
    return (line.len > 1 && (line.ptr[0] == 'c' || line.ptr[0] == 'o') &&
            strchr(">.!?", line.ptr[1]) != NULL) ||
           line.ptr[0] == '@';
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "r");
    struct one one = { 0 };
    char *text = NULL;
    size_t size = 0;
    ssize_t len;

    assert_non_null(file);
    while ((len = getline(&text, &size, file)) >= 0) {
        struct span line = span_make(text, (size_t)len - (text[len - 1] == '\n'));
        if (span_starts(line, SPAN("== "))) {
            run_case(&one);
            one.name = mem_spandup(span_from(line, 3));
        } else if (line.len != 0 && line.ptr[0] != '#') {
            struct strbuf *to = is_step(line) ? &one.steps : &one.expected;
            strbuf_add(to, line);
            strbuf_add_char(to, '\n');
        }
    }
    run_case(&one);
    free(text);
    fclose(file);
}

static void the_engine_does_what_the_playbook_says(void **state)
{
    glob_t files;

    (void)state;
    assert_int_equal(glob(WEIR_SOURCE_DIR "/tests/playbook/exchange_*.txt", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        run_file(files.gl_pathv[i]);
    globfree(&files);
    assert_int_not_equal(cases_run, 0);
    assert_int_equal(cases_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_engine_does_what_the_playbook_says) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

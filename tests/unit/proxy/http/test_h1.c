/* h1: what a caller sees besides the events: how much is eaten, pausing, states. The events themselves are in
 * the playbook. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/h1.h"

struct seen {
    struct h1 *h1;
    struct strbuf text; /* one letter an event: h c b e */
    char pause_at;      /* at events of this letter */
};

static void saw(struct seen *seen, char event)
{
    strbuf_add_char(&seen->text, event);
    if (seen->pause_at == event)
        h1_pause(seen->h1);
}

static void on_head(void *self, struct http_head *head)
{
    http_head_free(head);
    saw(self, 'h');
}

static void on_chunk(void *self, uint64_t size, struct span line)
{
    (void)size;
    (void)line;
    saw(self, 'c');
}

static void on_body(void *self, struct span bytes)
{
    (void)bytes;
    saw(self, 'b');
}

static void on_end(void *self, const struct headers *trailers)
{
    (void)trailers;
    saw(self, 'e');
}

static const struct http_events events = { on_head, on_chunk, on_body, on_end };
static const struct http_events events_without_chunks = { on_head, NULL, on_body, on_end };

static void begin(struct seen *seen, enum http_role role)
{
    *seen = (struct seen){ .text = STRBUF_EMPTY };
    seen->h1 = h1_new(role, H1_LIMITS_DEFAULT, &events, seen);
}

static void done(struct seen *seen)
{
    h1_free(seen->h1);
    strbuf_clear(&seen->text);
}

/* Feeds text and checks how much of it is eaten, and all events so far. */
static void feed(struct seen *seen, const char *text, size_t used, const char *seen_so_far)
{
    struct err err = { 0 };
    size_t got = 12345;

    assert_true(h1_feed(seen->h1, span_of(text), &got, &err));
    assert_int_equal(got, used);
    assert_string_equal(strbuf_text(&seen->text), seen_so_far);
}

static void feeding_stops_where_a_message_ends(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    feed(&seen, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", 27, "he");
    assert_true(h1_is_idle(seen.h1));
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET", 49, "hehbe");
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 61, "hehbehce");
    done(&seen);
}

static void no_bytes_tell_nothing(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    feed(&seen, "", 0, "");
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", 47, "h");
    feed(&seen, "", 0, "h");
    done(&seen);
}

static void a_pause_holds_after_the_head(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    seen.pause_at = 'h';
    feed(&seen, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", 27, "h");
    assert_false(h1_is_idle(seen.h1));
    assert_false(h1_in_head(seen.h1));
    feed(&seen, "", 0, "he");
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 47, "heh");
    feed(&seen, "hi", 2, "hehbe");
    done(&seen);
}

static void a_pause_holds_after_each_piece_of_a_body(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    seen.pause_at = 'b';
    feed(&seen,
         "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n2\r\nyo\r\n0\r\n\r\n",
         61, "hcb");
    feed(&seen, "\r\n2\r\nyo\r\n0\r\n\r\n", 7, "hcbcb");
    feed(&seen, "\r\n0\r\n\r\n", 7, "hcbcbce");
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 49, "hcbcbcehb");
    feed(&seen, "", 0, "hcbcbcehbe");
    done(&seen);
}

static void the_end_that_a_pause_held_back_comes_with_the_close(void **state)
{
    struct seen seen;
    struct err err = { 0 };
    (void)state;

    begin(&seen, HTTP_REQUEST);
    seen.pause_at = 'b';
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 49, "hb");
    assert_true(h1_finish(seen.h1, &err));
    assert_string_equal(strbuf_text(&seen.text), "hbe");
    done(&seen);
}

static void idle_and_in_head_say_where_it_is(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    assert_true(h1_is_idle(seen.h1) && !h1_in_head(seen.h1));
    feed(&seen, "P", 1, "");
    assert_true(!h1_is_idle(seen.h1) && h1_in_head(seen.h1));
    feed(&seen, "OST / HTTP/1.1\r\n", 16, "");
    assert_true(!h1_is_idle(seen.h1) && h1_in_head(seen.h1));
    feed(&seen, "Host: a\r\nContent-Length: 1\r\n\r\n", 30, "h");
    assert_true(!h1_is_idle(seen.h1) && !h1_in_head(seen.h1));
    feed(&seen, "x", 1, "hbe");
    assert_true(h1_is_idle(seen.h1) && !h1_in_head(seen.h1));
    feed(&seen, "\r\n", 2, "hbe");
    assert_true(h1_is_idle(seen.h1) && !h1_in_head(seen.h1));
    done(&seen);

    begin(&seen, HTTP_RESPONSE);
    feed(&seen, "HTTP/1.1 100 Continue\r\n\r\n", 25, "h");
    assert_true(!h1_is_idle(seen.h1) && !h1_in_head(seen.h1));
    done(&seen);
}

static void nothing_is_eaten_in_a_tunnel(void **state)
{
    struct seen seen;
    struct err err = { 0 };
    (void)state;

    begin(&seen, HTTP_RESPONSE);
    h1_set_request_method(seen.h1, SPAN("CONNECT"));
    assert_false(h1_is_tunnel(seen.h1));
    feed(&seen, "HTTP/1.1 200 OK\r\n\r\nxyz", 19, "h");
    assert_true(h1_is_tunnel(seen.h1));
    feed(&seen, "xyz", 0, "h");
    assert_true(h1_finish(seen.h1, &err));
    assert_string_equal(strbuf_text(&seen.text), "h");
    done(&seen);
}

static void the_request_method_counts_for_one_final_response(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_RESPONSE);
    h1_set_request_method(seen.h1, SPAN("HEAD"));
    feed(&seen, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 66, "hhe");
    feed(&seen, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 40, "hhehbe");
    h1_set_request_method(seen.h1, SPAN("HEAD"));
    h1_set_request_method(seen.h1, SPAN("head"));
    feed(&seen, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 40, "hhehbehbe");
    done(&seen);
}

static void what_was_refused_stays_refused(void **state)
{
    struct seen seen;
    struct err err = { 0 };
    size_t used = 12345;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    assert_false(h1_feed(seen.h1, SPAN("nonsense\r\n"), &used, &err));
    assert_int_equal(err.code, ERR_PROTO);
    assert_int_equal(used, 12345);
    assert_false(h1_feed(seen.h1, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &used, &err));
    assert_false(h1_finish(seen.h1, &err));
    assert_false(h1_is_idle(seen.h1));
    assert_string_equal(strbuf_text(&seen.text), "");
    done(&seen);
}

static void chunks_need_not_be_listened_to(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    h1_free(seen.h1);
    seen.h1 = h1_new(HTTP_REQUEST, H1_LIMITS_DEFAULT, &events_without_chunks, &seen);
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 68,
         "hbe");
    done(&seen);
}

static void a_chunk_line_may_have_4096_bytes(void **state)
{
    char *line = mem_alloc(4097);
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_REQUEST);
    feed(&seen, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 56, "h");
    memset(line, 'x', 4096);
    memcpy(line, "0;", 2);
    memcpy(line + 4094, "\r\n", 3);
    feed(&seen, line, 4096, "hc");
    feed(&seen, "\r\n", 2, "hce");
    mem_free(line);
    done(&seen);
}

static void a_head_may_be_left_unfinished(void **state)
{
    struct seen seen;
    (void)state;

    begin(&seen, HTTP_RESPONSE);
    feed(&seen, "HTTP/1.1 200 OK\r\nA: b\r\nTransf", 29, "");
    done(&seen); /* nothing leaks */
    h1_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeding_stops_where_a_message_ends),
        cmocka_unit_test(no_bytes_tell_nothing),
        cmocka_unit_test(a_pause_holds_after_the_head),
        cmocka_unit_test(a_pause_holds_after_each_piece_of_a_body),
        cmocka_unit_test(the_end_that_a_pause_held_back_comes_with_the_close),
        cmocka_unit_test(idle_and_in_head_say_where_it_is),
        cmocka_unit_test(nothing_is_eaten_in_a_tunnel),
        cmocka_unit_test(the_request_method_counts_for_one_final_response),
        cmocka_unit_test(what_was_refused_stays_refused),
        cmocka_unit_test(chunks_need_not_be_listened_to),
        cmocka_unit_test(a_chunk_line_may_have_4096_bytes),
        cmocka_unit_test(a_head_may_be_left_unfinished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

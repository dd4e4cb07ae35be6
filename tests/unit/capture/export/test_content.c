#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/content.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

/* "hello" by gzip. */
#define GZIPPED                                                                                              \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"

static struct fake_source *fake;
static struct content content;

static void read_response(struct span response, size_t max_front, enum content_reach reach)
{
    const struct record *record;
    struct err err;

    fake = fake_source_new();
    record = fake_source_add(fake, "http://a.test", SPAN("GET / HTTP/1.1\r\n\r\n"), response);
    if (!content_read(fake_source_reader(fake), &record->response_body, &record->response_headers, max_front,
                      reach, &content, &err))
        fail_msg("%s", err.text);
}

static bool add(void *self, struct span bytes, struct err *err)
{
    (void)err;
    strbuf_add(self, bytes);
    return true;
}

static void assert_streams(struct span expected)
{
    struct strbuf all = STRBUF_EMPTY;
    struct err err;

    assert_true(content_stream(fake_source_reader(fake), &content, add, &all, &err));
    assert_true(span_eq(strbuf_span(&all), expected));
    strbuf_clear(&all);
    content_clear(&content);
    fake_source_free(fake);
}

static void codings_are_undone(void **state)
{
    (void)state;
    read_response(SPAN("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" GZIPPED), 100, CONTENT_ALL);
    assert_true(content.is_whole && content.is_text && content.is_read && !content.is_undecoded);
    assert_int_equal(content.bytes, 5);
    assert_streams(SPAN("hello"));
}

static void what_does_not_decode_is_as_it_was_captured(void **state)
{
    (void)state;
    read_response(SPAN("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip"), 100, CONTENT_ALL);
    assert_true(content.is_undecoded && content.is_whole);
    assert_streams(SPAN("not gzip"));
    read_response(SPAN("HTTP/1.1 200 OK\r\nContent-Encoding: none-of-these\r\n\r\n\xff"), 100, CONTENT_ALL);
    assert_true(content.is_undecoded && !content.is_text);
    assert_streams(SPAN("\xff"));
}

static void only_the_front_is_kept(void **state)
{
    (void)state;
    read_response(SPAN("HTTP/1.1 200 OK\r\n\r\n0123456789abcdef"), 10, CONTENT_ALL);
    assert_int_equal(content.front.len, 10);
    assert_int_equal(content.bytes, 16);
    assert_true(content.is_read && !content.is_whole);
    assert_streams(SPAN("0123456789abcdef"));
    read_response(SPAN("HTTP/1.1 200 OK\r\n\r\n0123456789abcdefghijklmnop"), 10, CONTENT_FRONT);
    assert_int_equal(content.front.len, 10);
    assert_false(content.is_read || content.is_whole);
    assert_streams(SPAN("0123456789abcdefghijklmnop"));
}

static void a_nul_or_half_a_code_point_is_no_text(void **state)
{
    (void)state;
    read_response(SPAN("HTTP/1.1 200 OK\r\n\r\na\0b"), 10, CONTENT_ALL);
    assert_false(content.is_text);
    assert_streams(SPAN("a\0b"));
    read_response(SPAN("HTTP/1.1 200 OK\r\n\r\na\xc3"), 10, CONTENT_ALL);
    assert_false(content.is_text);
    assert_streams(SPAN("a\xc3"));
}

static void no_body_is_empty_text(void **state)
{
    (void)state;
    read_response(SPAN("HTTP/1.1 204 No Content\r\n\r\n"), 10, CONTENT_ALL);
    assert_true(content.is_whole && content.is_text && content.bytes == 0);
    assert_streams(SPAN(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codings_are_undone),
        cmocka_unit_test(what_does_not_decode_is_as_it_was_captured),
        cmocka_unit_test(only_the_front_is_kept),
        cmocka_unit_test(a_nul_or_half_a_code_point_is_no_text),
        cmocka_unit_test(no_body_is_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "capture/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_byte_survives_the_way_to_text_and_back(void **state)
{
    char all[256 * 3];
    struct strbuf text = STRBUF_EMPTY, bytes = STRBUF_EMPTY;

    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i < 256 ? i : i < 512 ? 'a' : 0x80 + i % 128);
    record_text_add(&text, span_make(all, sizeof all));
    assert_true(text.len > sizeof all);
    assert_true(record_bytes_add(&bytes, strbuf_span(&text)));
    assert_int_equal(bytes.len, sizeof all);
    assert_memory_equal(bytes.ptr, all, sizeof all);
    strbuf_clear(&text);
    strbuf_clear(&bytes);
}

static void a_byte_above_ascii_becomes_its_code_point_in_utf8(void **state)
{
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    record_text_add(&text, SPAN("caf\xe9 \x80\xff"));
    assert_string_equal(strbuf_text(&text), "caf\xc3\xa9 \xc2\x80\xc3\xbf");
    strbuf_clear(&text);
}

static void text_that_weir_never_writes_is_refused(void **state)
{
    struct strbuf bytes = STRBUF_EMPTY;

    (void)state;
    assert_false(record_bytes_add(&bytes, SPAN("snowman \xe2\x98\x83")));
    assert_false(record_bytes_add(&bytes, SPAN("cut \xc3")));
    assert_false(record_bytes_add(&bytes, SPAN("\xc3(")));
    strbuf_clear(&bytes);
}

static struct record_field fields_items[] = { { { "Accept", 6 }, { "a", 1 } },
                                              { { "X-Y", 3 }, { "1", 1 } },
                                              { { "accept", 6 }, { "b", 1 } } };

static void fields_are_found_and_joined_whatever_their_case(void **state)
{
    struct record_fields fields = { fields_items, 3 };
    struct strbuf joined = STRBUF_EMPTY;
    struct span value;

    (void)state;
    assert_true(record_find(&fields, SPAN("ACCEPT"), &value));
    assert_true(span_eq(value, SPAN("a")));
    assert_false(record_find(&fields, SPAN("Accep"), &value));
    assert_true(record_join(&fields, SPAN("Accept"), &joined));
    assert_string_equal(strbuf_text(&joined), "a, b");
    assert_false(record_join(&fields, SPAN("none"), &joined));
    strbuf_clear(&joined);
}

static void a_url_has_its_port_and_query_only_when_there_are_any(void **state)
{
    struct record record = {
        .scheme = SPAN("http"), .host = SPAN("a.test"), .port = 80, .path = SPAN("/x"), .query = SPAN("")
    };
    struct strbuf url = STRBUF_EMPTY;

    (void)state;
    record_add_url(&record, &url);
    assert_string_equal(strbuf_text(&url), "http://a.test/x?");
    strbuf_reset(&url);
    record.port = 8080;
    record.path = SPAN("*");
    record.query = SPAN_NONE;
    record_add_url(&record, &url);
    assert_string_equal(strbuf_text(&url), "http://a.test:8080");
    strbuf_clear(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_survives_the_way_to_text_and_back),
        cmocka_unit_test(a_byte_above_ascii_becomes_its_code_point_in_utf8),
        cmocka_unit_test(text_that_weir_never_writes_is_refused),
        cmocka_unit_test(fields_are_found_and_joined_whatever_their_case),
        cmocka_unit_test(a_url_has_its_port_and_query_only_when_there_are_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

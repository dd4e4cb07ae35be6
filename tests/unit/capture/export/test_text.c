#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/text.h"

static void only_utf8_of_the_standard_is_valid(void **state)
{
    static const char *const valid[] = {
        "", "a", "é", "中", "😀", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"
    };
    static const char *const invalid[] = {
        "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xff", "\xe4\xb8"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        assert_true(utf8_is_valid(span_of(valid[i])));
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        if (utf8_is_valid(span_of(invalid[i])))
            fail_msg("case %zu was taken", i);
}

static void pieces_may_split_a_code_point(void **state)
{
    struct utf8_check check = { .expected = 0 };

    (void)state;
    utf8_check_feed(&check, SPAN("a\xf0\x9f"));
    assert_false(utf8_check_is_text(&check));
    utf8_check_feed(&check, SPAN("\x98\x80"));
    assert_true(utf8_check_is_text(&check));
}

static void a_cut_falls_between_code_points(void **state)
{
    (void)state;
    assert_int_equal(utf8_whole(SPAN("ab\xc3")).len, 2);
    assert_int_equal(utf8_whole(SPAN("ab\xc3\xa9")).len, 4);
    assert_int_equal(utf8_whole(SPAN("ab\xf0\x9f\x98")).len, 2);
    assert_int_equal(utf8_whole(SPAN("ab")).len, 2);
    assert_int_equal(utf8_whole(SPAN("")).len, 0);
}

static void times_have_milliseconds_and_a_zone(void **state)
{
    char text[TEXT_TIME_BYTES];

    (void)state;
    text_time_ms(text, 1795292040123);
    assert_string_equal(text, "2026-11-21T20:14:00.123Z");
    text_time_us(text, 1795292040000042);
    assert_string_equal(text, "2026-11-21T20:14:00.000042Z");
    text_time_ms(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    text_time_ms(text, 253402300799000);
    assert_string_equal(text, "9999-12-31T23:59:59.000Z");
}

static void sizes_are_short(void **state)
{
    char text[TEXT_SIZE_BYTES];

    (void)state;
    text_size(text, 1023);
    assert_string_equal(text, "1023 B");
    text_size(text, 256 * 1024);
    assert_string_equal(text, "256 KiB");
    text_size(text, 3250586);
    assert_string_equal(text, "3.1 MiB");
}

static void assert_parameter(const char *field, const char *expected)
{
    struct strbuf value = STRBUF_EMPTY;

    if (text_parameter(span_of(field), SPAN("boundary"), &value) != (expected != NULL))
        fail_msg("'%s'", field);
    if (expected != NULL)
        assert_string_equal(strbuf_text(&value), expected);
    strbuf_clear(&value);
}

static void a_parameter_may_be_quoted(void **state)
{
    (void)state;
    assert_parameter("multipart/form-data; boundary=abc", "abc");
    assert_parameter("multipart/form-data;charset=x ; BOUNDARY = \"a;\\\"b\" ; y=z", "a;\"b");
    assert_parameter("multipart/form-data; x=\"; boundary=no\"; boundary=yes", "yes");
    assert_parameter("multipart/form-data", NULL);
    assert_parameter("boundary=abc", NULL);
    assert_parameter("", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_utf8_of_the_standard_is_valid),
        cmocka_unit_test(pieces_may_split_a_code_point),
        cmocka_unit_test(a_cut_falls_between_code_points),
        cmocka_unit_test(times_have_milliseconds_and_a_zone),
        cmocka_unit_test(sizes_are_short),
        cmocka_unit_test(a_parameter_may_be_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

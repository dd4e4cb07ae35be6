#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/text.h"

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
        cmocka_unit_test(times_have_milliseconds_and_a_zone),
        cmocka_unit_test(sizes_are_short),
        cmocka_unit_test(a_parameter_may_be_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

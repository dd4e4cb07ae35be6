#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/utf8.h"

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

static void a_code_point_becomes_the_bytes_of_the_standard(void **state)
{
    static const struct {
        unsigned code;
        const char *bytes;
    } rows[] = {
        { 'a', "a" },
        { 0x7f, "\x7f" },
        { 0x80, "\xc2\x80" },
        { 0x7ff, "\xdf\xbf" },
        { 0x800, "\xe0\xa0\x80" },
        { 0xffff, "\xef\xbf\xbf" },
        { 0x10000, "\xf0\x90\x80\x80" },
        { 0x10ffff, "\xf4\x8f\xbf\xbf" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[UTF8_MAX_BYTES];
        size_t len = utf8_put(out, rows[i].code);

        assert_int_equal(len, strlen(rows[i].bytes));
        assert_memory_equal(out, rows[i].bytes, len);
        assert_true(utf8_is_valid(span_make(out, len)));
    }
    assert_int_equal(utf8_put((char[UTF8_MAX_BYTES]){ 0 }, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_utf8_of_the_standard_is_valid),
        cmocka_unit_test(pieces_may_split_a_code_point),
        cmocka_unit_test(a_cut_falls_between_code_points),
        cmocka_unit_test(a_code_point_becomes_the_bytes_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

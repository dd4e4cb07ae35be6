#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "proxy/base/span.h"

static void comparing_counts_bytes_and_ignores_ascii_case_when_asked(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN("a\0b"), span_make("a\0b", 3)));
    assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
    assert_false(span_eq(SPAN("a"), SPAN("ab")));
    assert_true(span_eq(SPAN_NONE, SPAN("")));
    assert_true(span_ieq(SPAN("Host"), SPAN("hOST")));
    assert_false(span_ieq(SPAN("Host"), SPAN("hOSTs")));
    assert_true(span_ieq(SPAN_NONE, SPAN_NONE));
    assert_true(span_eq(span_of(NULL), SPAN_NONE));
}

static void beginnings_and_ends_are_found(void **state)
{
    (void)state;
    assert_true(span_starts(SPAN("http://x"), SPAN("http:")));
    assert_false(span_starts(SPAN("HTTP://x"), SPAN("http:")));
    assert_true(span_istarts(SPAN("HTTP://x"), SPAN("http:")));
    assert_false(span_starts(SPAN("ht"), SPAN("http:")));
    assert_true(span_starts(SPAN("x"), SPAN("")));
    assert_true(span_ends(SPAN("a.test"), SPAN(".test")));
    assert_false(span_ends(SPAN("test"), SPAN(".test")));
    assert_int_equal(span_find(SPAN("a:b"), ':'), 1);
    assert_int_equal(span_find(SPAN("ab"), ':'), 2);
    assert_int_equal(span_find(SPAN_NONE, ':'), 0);
}

static void parts_are_cut_out(void **state)
{
    (void)state;
    assert_true(span_eq(span_from(SPAN("abc"), 1), SPAN("bc")));
    assert_true(span_eq(span_from(SPAN("abc"), 3), SPAN("")));
    assert_true(span_eq(span_sub(SPAN("abcd"), 1, 2), SPAN("bc")));
    assert_null(span_from(SPAN_NONE, 0).ptr);
    assert_true(span_eq(span_trim(SPAN(" \ta b\t ")), SPAN("a b")));
    assert_true(span_eq(span_trim(SPAN(" \t")), SPAN("")));
    assert_true(span_eq(span_trim(SPAN("\r\n")), SPAN("\r\n")));
}

static void a_list_is_split_without_an_empty_part_at_its_end(void **state)
{
    static const char *const expected[] = { "a", "", "b" };
    struct span rest = SPAN("a,,b,"), part;
    size_t count = 0;

    (void)state;
    while (span_split(&rest, ',', &part)) {
        assert_true(count < 3);
        assert_true(span_eq(part, span_of(expected[count++])));
    }
    assert_int_equal(count, 3);
    rest = SPAN_NONE;
    assert_false(span_split(&rest, ',', &part));
}

static void a_number_is_digits_that_fit(void **state)
{
    uint64_t number = 7;

    (void)state;
    assert_true(span_u64(SPAN("0018"), &number));
    assert_int_equal(number, 18);
    assert_true(span_u64(SPAN("18446744073709551615"), &number));
    assert_true(number == UINT64_MAX);
    assert_false(span_u64(SPAN("18446744073709551616"), &number));
    assert_false(span_u64(SPAN("99999999999999999999"), &number));
    assert_false(span_u64(SPAN(""), &number));
    assert_false(span_u64(SPAN("+1"), &number));
    assert_false(span_u64(SPAN("1 "), &number));
    assert_true(number == UINT64_MAX);
}

static void a_span_prints_without_its_nul(void **state)
{
    char text[16];

    (void)state;
    snprintf(text, sizeof text, "[%.*s][%.*s]", SPAN_ARG(span_make("abc", 2)), SPAN_ARG(SPAN_NONE));
    assert_string_equal(text, "[ab][]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_counts_bytes_and_ignores_ascii_case_when_asked),
        cmocka_unit_test(beginnings_and_ends_are_found),
        cmocka_unit_test(parts_are_cut_out),
        cmocka_unit_test(a_list_is_split_without_an_empty_part_at_its_end),
        cmocka_unit_test(a_number_is_digits_that_fit),
        cmocka_unit_test(a_span_prints_without_its_nul),
    };

    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}

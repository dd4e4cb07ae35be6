/* token: words and lists of HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/token.h"

static void a_token_is_made_of_its_77_characters(void **state)
{
    size_t count = 0;
    (void)state;

    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        count += token_is_valid(span_make(&byte, 1));
    }
    assert_int_equal(count, 10 + 26 + 26 + 15);
    assert_true(token_is_valid(SPAN("!#$%&'*+-.^_`|~azAZ09")));
    assert_false(token_is_valid(SPAN("")));
    assert_false(token_is_valid(SPAN("a b")));
    assert_false(token_is_valid(SPAN("a\0")));
}

static void a_token_ends_at_the_first_other_byte(void **state)
{
    (void)state;
    assert_int_equal(token_len(SPAN("abc: d")), 3);
    assert_int_equal(token_len(SPAN(": d")), 0);
    assert_int_equal(token_len(SPAN("abc")), 3);
    assert_int_equal(token_len(SPAN("")), 0);
}

static void a_list_is_cut_at_commas_outside_of_quotes(void **state)
{
    struct span list = SPAN(" a,,\tb \"x,\\\",\" , c;d=\"e, f\",");
    static const char *const expected[] = { "a", "", "b \"x,\\\",\"", "c;d=\"e, f\"" };
    struct span element;
    (void)state;

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(token_next(&list, &element));
        assert_true(span_eq(element, span_of(expected[i])));
    }
    assert_false(token_next(&list, &element));
}

static void an_open_quote_lasts_to_the_end(void **state)
{
    struct span list = SPAN("a, \"b, c\\");
    struct span element;
    (void)state;

    assert_true(token_next(&list, &element) && span_eq(element, SPAN("a")));
    assert_true(token_next(&list, &element) && span_eq(element, SPAN("\"b, c\\")));
    assert_false(token_next(&list, &element));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_made_of_its_77_characters),
        cmocka_unit_test(a_token_ends_at_the_first_other_byte),
        cmocka_unit_test(a_list_is_cut_at_commas_outside_of_quotes),
        cmocka_unit_test(an_open_quote_lasts_to_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* headers: order, case, repeats, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/headers.h"
#include "proxy/http/token.h"

static void add(struct headers *headers, const char *name, const char *value)
{
    struct err err = { 0 };

    assert_true(headers_add(headers, span_of(name), span_of(value), &err));
}

static void fields_keep_order_case_and_repeats(void **state)
{
    struct headers headers;
    struct span value;
    (void)state;

    headers_init(&headers, 0, 0);
    add(&headers, "Set-Cookie", "a=1");
    add(&headers, "X-Empty", "");
    add(&headers, "set-cookie", " b=2\t");
    assert_int_equal(headers.count, 3);
    assert_true(span_eq(headers_line(&headers, 0), SPAN("Set-Cookie: a=1")));
    assert_true(span_eq(headers_line(&headers, 2), SPAN("set-cookie: b=2")));
    assert_true(span_eq(headers_name(&headers, 2), SPAN("set-cookie")));
    assert_true(span_eq(headers_value(&headers, 2), SPAN("b=2")));
    assert_true(headers_find(&headers, SPAN("SET-COOKIE"), &value) && span_eq(value, SPAN("a=1")));
    assert_true(headers_find(&headers, SPAN("x-empty"), &value) && value.len == 0);
    assert_false(headers_find(&headers, SPAN("Set-Cooki"), &value));
    assert_int_equal(headers_next(&headers, SPAN("Set-Cookie"), 1), 2);
    assert_int_equal(headers_next(&headers, SPAN("Set-Cookie"), 3), 3);
    headers_clear(&headers);
    assert_int_equal(headers.count, 0);
    add(&headers, "A", "b");
    headers_clear(&headers);
}

static void a_line_is_kept_as_it_came_and_the_block_can_be_written_whole(void **state)
{
    struct headers headers;
    struct err err = { 0 };
    (void)state;

    headers_init(&headers, 0, 0);
    assert_true(headers_add_line(&headers, SPAN("Host:   a "), 4, 8, 1, &err));
    assert_true(headers_add_line(&headers, SPAN("X:"), 1, 2, 0, &err));
    assert_true(span_eq(headers_line(&headers, 0), SPAN("Host:   a ")));
    assert_true(span_eq(headers_value(&headers, 0), SPAN("a")));
    assert_true(span_eq(span_make(headers.block, headers.block_len), SPAN("Host:   a \r\nX:\r\n")));
    headers_clear(&headers);
}

static void the_last_field_can_be_extended(void **state)
{
    struct headers headers;
    struct err err = { 0 };
    (void)state;

    headers_init(&headers, 0, 0);
    assert_true(headers_add_line(&headers, SPAN("A:  "), 1, 4, 0, &err));
    assert_true(headers_extend_last(&headers, SPAN("b "), &err));
    assert_true(span_eq(headers_value(&headers, 0), SPAN("b")));
    assert_true(headers_extend_last(&headers, SPAN("c"), &err));
    assert_true(span_eq(headers_value(&headers, 0), SPAN("b  c")));
    add(&headers, "D", "e");
    assert_true(span_eq(span_make(headers.block, headers.block_len), SPAN("A:   b  c\r\nD: e\r\n")));
    assert_true(span_eq(headers_line(&headers, 1), SPAN("D: e")));
    headers_clear(&headers);
}

static void limits_are_reached_exactly(void **state)
{
    struct headers headers;
    struct err err = { 0 };
    (void)state;

    headers_init(&headers, 2, 0);
    add(&headers, "A", "b");
    add(&headers, "A", "b");
    assert_false(headers_add(&headers, SPAN("A"), SPAN("b"), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(headers.count, 2);
    headers_clear(&headers);

    headers_init(&headers, 0, 8);
    add(&headers, "A", "b");
    add(&headers, "A", "b");
    assert_false(headers_add(&headers, SPAN("A"), SPAN(""), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_false(headers_extend_last(&headers, SPAN(""), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    headers_clear(&headers);
}

static void a_name_longer_than_16_bits_is_a_limit(void **state)
{
    static char line[70000];
    struct headers headers;
    struct err err = { 0 };
    (void)state;

    memset(line, 'a', sizeof line);
    headers_init(&headers, 0, 0);
    assert_true(headers_add_line(&headers, span_make(line, sizeof line), 65535, sizeof line, 0, &err));
    assert_false(headers_add_line(&headers, span_make(line, sizeof line), 65536, sizeof line, 0, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    headers_clear(&headers);
}

static void bytes_that_no_field_may_hold_are_refused(void **state)
{
    const struct span names[] = { SPAN(""),      SPAN("a b"),      SPAN("a:"),
                                  SPAN("a\r\n"), SPAN("\xc3\xbc"), SPAN("a\0") };
    const struct span values[] = { SPAN("a\rb"), SPAN("a\nb"), SPAN("a\0b"), SPAN("a\r\nX: y") };
    struct headers headers;
    struct err err = { 0 };
    (void)state;

    headers_init(&headers, 0, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(headers_add(&headers, names[i], SPAN("v"), &err));
        assert_int_equal(err.code, ERR_PROTO);
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_false(headers_add(&headers, SPAN("N"), values[i], &err));
    add(&headers, "X!#$%&'*+-.^_`|~09", "\xff\x01 ok");
    assert_int_equal(headers.count, 1);
    headers_clear(&headers);
}

static void a_token_is_found_in_any_field_of_the_name(void **state)
{
    struct headers headers;
    (void)state;

    headers_init(&headers, 0, 0);
    add(&headers, "Connection", "foo,  Keep-Alive ,bar");
    add(&headers, "Accept", "close");
    add(&headers, "connection", "Upgrade");
    add(&headers, "X", "\"a, close\", b");
    assert_true(headers_has_token(&headers, SPAN("Connection"), SPAN("keep-alive")));
    assert_true(headers_has_token(&headers, SPAN("Connection"), SPAN("bar")));
    assert_true(headers_has_token(&headers, SPAN("Connection"), SPAN("upgrade")));
    assert_false(headers_has_token(&headers, SPAN("Connection"), SPAN("close")));
    assert_false(headers_has_token(&headers, SPAN("Connection"), SPAN("keep")));
    assert_false(headers_has_token(&headers, SPAN("X"), SPAN("close\"")));
    assert_true(headers_has_token(&headers, SPAN("X"), SPAN("b")));
    headers_clear(&headers);
}

static void many_fields_grow_the_list(void **state)
{
    struct headers headers;
    (void)state;

    headers_init(&headers, 1000, 64 * 1024);
    for (size_t i = 0; i < 1000; i++)
        add(&headers, i % 2 != 0 ? "Odd" : "Even", "some value of a usual length, or so it seems");
    assert_int_equal(headers_next(&headers, SPAN("odd"), 998), 999);
    assert_true(span_eq(headers_name(&headers, 998), SPAN("Even")));
    headers_clear(&headers);
}

/* A name that has its bit by another's being there is looked for, and not found. */
static void names_of_one_length_and_letter_are_told_apart(void **state)
{
    struct headers headers;
    (void)state;

    headers_init(&headers, 0, 0);
    assert_int_equal(headers_next(&headers, SPAN("Host"), 0), 0);
    assert_int_equal(headers_next(&headers, SPAN_NONE, 0), 0);
    add(&headers, "Cookie", "a=b");
    assert_true(headers_name_bit(SPAN("cookie")) == headers_name_bit(SPAN("CACHED")));
    assert_int_equal(headers_next(&headers, SPAN("CACHED"), 0), 1);
    assert_int_equal(headers_next(&headers, SPAN("cOOKIE"), 0), 0);
    assert_int_equal(headers_next(&headers, SPAN_NONE, 0), 1);
    headers_clear(&headers);
    assert_int_equal(headers_next(&headers, SPAN("Cookie"), 0), 0);
}

static void a_field_knows_whether_its_line_is_plain(void **state)
{
    struct headers headers;
    struct err err = { 0 };
    (void)state;

    headers_init(&headers, 0, 0);
    add(&headers, "Accept", "text/html;q=0.9");
    add(&headers, "ETag", "\"a\"");
    assert_true(headers_add_line(&headers, SPAN("A:\tb"), 1, 3, 1, &err));
    assert_true(headers_add_line(&headers, SPAN("Server:a"), 6, 7, 1, &err));
    assert_true(headers.items[0].is_plain);
    assert_false(headers.items[1].is_plain);
    assert_false(headers.items[2].is_plain);
    assert_true(headers.items[3].is_plain);
    assert_true(headers_extend_last(&headers, SPAN("b"), &err));
    assert_true(headers.items[3].is_plain);
    assert_true(headers_extend_last(&headers, SPAN("\\"), &err));
    assert_true(headers_extend_last(&headers, SPAN("c"), &err));
    assert_false(headers.items[3].is_plain);
    headers_clear(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_keep_order_case_and_repeats),
        cmocka_unit_test(a_line_is_kept_as_it_came_and_the_block_can_be_written_whole),
        cmocka_unit_test(the_last_field_can_be_extended),
        cmocka_unit_test(limits_are_reached_exactly),
        cmocka_unit_test(a_name_longer_than_16_bits_is_a_limit),
        cmocka_unit_test(bytes_that_no_field_may_hold_are_refused),
        cmocka_unit_test(a_token_is_found_in_any_field_of_the_name),
        cmocka_unit_test(many_fields_grow_the_list),
        cmocka_unit_test(names_of_one_length_and_letter_are_told_apart),
        cmocka_unit_test(a_field_knows_whether_its_line_is_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

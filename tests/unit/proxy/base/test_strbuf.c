#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

static void text_grows_and_always_ends_in_nul(void **state)
{
    struct strbuf buf = STRBUF_EMPTY;

    (void)state;
    assert_string_equal(strbuf_text(&buf), "");
    for (unsigned i = 0; i < 1000; i++) {
        strbuf_add_char(&buf, 'a');
        assert_int_equal(strlen(strbuf_text(&buf)), i + 1);
    }
    strbuf_add(&buf, SPAN_NONE);
    strbuf_add_str(&buf, "bc");
    strbuf_printf(&buf, "%d%s", 4, "d");
    assert_int_equal(buf.len, 1004);
    assert_string_equal(strbuf_text(&buf) + 1000, "bc4d");
    assert_true(span_eq(span_from(strbuf_span(&buf), 1000), SPAN("bc4d")));
    assert_false(buf.is_full);
    strbuf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_string_equal(strbuf_text(&buf), "");
}

static void past_the_limit_nothing_is_added(void **state)
{
    struct strbuf buf;

    (void)state;
    strbuf_init(&buf, 4);
    strbuf_add_str(&buf, "abc");
    strbuf_add_str(&buf, "de");
    assert_true(buf.is_full);
    assert_string_equal(strbuf_text(&buf), "abc");
    strbuf_printf(&buf, "%d", 10);
    assert_string_equal(strbuf_text(&buf), "abc");
    assert_null(strbuf_reserve(&buf, 2));
    strbuf_add_char(&buf, 'd');
    assert_string_equal(strbuf_text(&buf), "abcd");
    strbuf_reset(&buf);
    assert_false(buf.is_full);
    assert_string_equal(strbuf_text(&buf), "");
    strbuf_clear(&buf);
    assert_int_equal(buf.limit, 4);
}

static void the_caller_may_write_and_then_count(void **state)
{
    struct strbuf buf = STRBUF_EMPTY;
    char *room = strbuf_reserve(&buf, 100);

    (void)state;
    memcpy(room, "xyz", 4);
    buf.len += 3;
    strbuf_add_char(&buf, '!');
    assert_string_equal(strbuf_text(&buf), "xyz!");
    strbuf_clear(&buf);
}

static void numbers_are_added_in_decimal(void **state)
{
    struct strbuf buf = STRBUF_EMPTY;

    (void)state;
    strbuf_add_u64(&buf, 0);
    strbuf_add_char(&buf, ' ');
    strbuf_add_u64(&buf, 1090);
    strbuf_add_char(&buf, ' ');
    strbuf_add_u64(&buf, UINT64_MAX);
    assert_string_equal(strbuf_text(&buf), "0 1090 18446744073709551615");
    strbuf_clear(&buf);
}

static void the_front_is_dropped_and_the_rest_stays(void **state)
{
    struct strbuf buf = STRBUF_EMPTY;

    (void)state;
    strbuf_drop_front(&buf, 0);
    strbuf_add_str(&buf, "abcdef");
    strbuf_drop_front(&buf, 2);
    assert_string_equal(strbuf_text(&buf), "cdef");
    strbuf_drop_front(&buf, 4);
    assert_string_equal(strbuf_text(&buf), "");
    strbuf_clear(&buf);
}

static void a_detached_text_is_the_callers(void **state)
{
    struct strbuf buf = STRBUF_EMPTY;
    char *text = strbuf_detach(&buf);

    (void)state;
    assert_string_equal(text, "");
    mem_free(text);
    strbuf_add_str(&buf, "abc");
    text = strbuf_detach(&buf);
    assert_string_equal(text, "abc");
    assert_int_equal(buf.len, 0);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_always_ends_in_nul),
        cmocka_unit_test(past_the_limit_nothing_is_added),
        cmocka_unit_test(the_caller_may_write_and_then_count),
        cmocka_unit_test(numbers_are_added_in_decimal),
        cmocka_unit_test(the_front_is_dropped_and_the_rest_stays),
        cmocka_unit_test(a_detached_text_is_the_callers),
    };

    return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}

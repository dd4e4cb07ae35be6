#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/secret_names.h"

static void expect_next(struct secret_names *names, const char *word, const char *name)
{
    struct strbuf text = STRBUF_EMPTY;

    secret_names_add(names, secret_names_take(names, secret_names_word(names, span_of(word))), &text);
    assert_string_equal(strbuf_text(&text), name);
    strbuf_clear(&text);
}

static void a_word_is_a_name_first_and_then_has_numbers(void **state)
{
    struct secret_names *names = secret_names_new();

    (void)state;
    expect_next(names, "sid", "sid");
    expect_next(names, "token", "token");
    expect_next(names, "sid", "sid_2");
    expect_next(names, "sid", "sid_3");
    assert_int_equal(secret_names_word(names, SPAN("sid")), 0);
    assert_string_equal(secret_names_text(names, 1), "token");
    secret_names_free(names);
}

static void a_word_that_looks_like_a_numbered_name_meets_none(void **state)
{
    struct secret_names *names = secret_names_new();

    (void)state;
    expect_next(names, "sid", "sid");
    expect_next(names, "sid", "sid_2");
    expect_next(names, "sid_2", "sid_2_2");
    expect_next(names, "sid_3", "sid_3");
    expect_next(names, "sid", "sid_4");
    expect_next(names, "sid_04", "sid_04");
    expect_next(names, "sid_4x", "sid_4x");
    expect_next(names, "_2", "_2");
    secret_names_free(names);
}

static bool is_not_taken(void *self, const char *name)
{
    (void)self;
    return strcmp(name, "taken") != 0 && strcmp(name, "taken_3") != 0;
}

static void what_may_be_no_name_is_passed_over(void **state)
{
    struct secret_names *names = secret_names_new();

    (void)state;
    secret_names_set_judge(names, is_not_taken, NULL);
    expect_next(names, "taken", "taken_2");
    expect_next(names, "taken", "taken_4");
    expect_next(names, "free", "free");
    secret_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_a_name_first_and_then_has_numbers),
        cmocka_unit_test(a_word_that_looks_like_a_numbered_name_meets_none),
        cmocka_unit_test(what_may_be_no_name_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/export/name_marks.h"

static void what_was_added_is_always_found(void **state)
{
    struct name_marks marks;
    char name[32];

    (void)state;
    name_marks_init(&marks);
    assert_false(name_marks_may_have(&marks, SPAN("n0")));
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        name_marks_add(&marks, span_of(name));
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_true(name_marks_may_have(&marks, span_of(name)));
    }
    name_marks_clear(&marks);
    assert_false(name_marks_may_have(&marks, SPAN("n0")));
}

static void few_others_are_taken_for_one_of_a_thousand(void **state)
{
    struct name_marks marks;
    unsigned mistaken = 0;
    char name[32];

    (void)state;
    name_marks_init(&marks);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        name_marks_add(&marks, span_of(name));
    }
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "other%d", i);
        mistaken += name_marks_may_have(&marks, span_of(name));
    }
    assert_in_range(mistaken, 0, 50);
    name_marks_clear(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_always_found),
        cmocka_unit_test(few_others_are_taken_for_one_of_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

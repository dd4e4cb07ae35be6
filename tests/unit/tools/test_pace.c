#include "tools/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void nothing_is_due_that_nobody_asked_for(void **state)
{
    struct pace pace = { .least_us = 100, .factor = 10 };

    (void)state;
    assert_true(pace_due_us(&pace) == UINT64_MAX);
    pace_begin(&pace);
    pace_end(&pace, 1000, 1001);
    assert_true(pace_due_us(&pace) == UINT64_MAX);
}

static void the_first_time_it_is_due_at_once(void **state)
{
    struct pace pace = { .least_us = 100, .factor = 10 };

    (void)state;
    pace_ask(&pace);
    assert_int_equal(pace_due_us(&pace), 0);
}

static void what_is_cheap_rests_for_the_least_time(void **state)
{
    struct pace pace = { .least_us = 100, .factor = 10 };

    (void)state;
    pace_begin(&pace);
    pace_end(&pace, 1000, 1005);
    pace_ask(&pace);
    assert_int_equal(pace_due_us(&pace), 1105);
    pace_ask(&pace); /* asking again puts it off no further */
    assert_int_equal(pace_due_us(&pace), 1105);
}

static void what_is_costly_rests_a_multiple_of_its_cost(void **state)
{
    struct pace pace = { .least_us = 100, .factor = 32 };

    (void)state;
    pace_begin(&pace);
    pace_end(&pace, 1000, 2000);
    pace_ask(&pace);
    assert_int_equal(pace_due_us(&pace), 2000 + 32000);
}

static void what_is_asked_for_meanwhile_is_done_once_more(void **state)
{
    struct pace pace = { .least_us = 100, .factor = 1 };

    (void)state;
    pace_ask(&pace);
    pace_begin(&pace);
    pace_ask(&pace);
    pace_ask(&pace);
    pace_end(&pace, 1000, 1010);
    assert_int_equal(pace_due_us(&pace), 1110);
    pace_begin(&pace);
    pace_end(&pace, 1110, 1120);
    assert_true(pace_due_us(&pace) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_that_nobody_asked_for),
        cmocka_unit_test(the_first_time_it_is_due_at_once),
        cmocka_unit_test(what_is_cheap_rests_for_the_least_time),
        cmocka_unit_test(what_is_costly_rests_a_multiple_of_its_cost),
        cmocka_unit_test(what_is_asked_for_meanwhile_is_done_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/exchange/half.h"

static void a_half_goes_from_head_to_end(void **state)
{
    enum half half = HALF_IDLE;

    (void)state;
    assert_true(half_step(&half, HEV_INTERIM));
    assert_true(half_step(&half, HEV_INTERIM));
    assert_int_equal(half, HALF_IDLE);
    assert_true(half_step(&half, HEV_HEAD));
    assert_true(half_step(&half, HEV_DATA));
    assert_true(half_step(&half, HEV_DATA));
    assert_int_equal(half, HALF_BODY);
    assert_false(half_is_over(half));
    assert_true(half_step(&half, HEV_END));
    assert_int_equal(half, HALF_DONE);
    assert_true(half_is_over(half));
}

static void a_half_fails_from_wherever_it_is_not_over(void **state)
{
    enum half idle = HALF_IDLE, body = HALF_BODY, done = HALF_DONE;

    (void)state;
    assert_true(half_step(&idle, HEV_ABORT));
    assert_true(half_step(&body, HEV_ABORT));
    assert_int_equal(idle, HALF_FAILED);
    assert_int_equal(body, HALF_FAILED);
    assert_false(half_step(&done, HEV_ABORT));
    assert_int_equal(done, HALF_DONE);
}

static void what_may_not_come_changes_nothing(void **state)
{
    static const struct {
        enum half half;
        enum half_event event;
    } refused[] = {
        { HALF_IDLE, HEV_DATA },    { HALF_IDLE, HEV_END },     { HALF_BODY, HEV_HEAD },
        { HALF_BODY, HEV_INTERIM }, { HALF_DONE, HEV_HEAD },    { HALF_DONE, HEV_DATA },
        { HALF_DONE, HEV_END },     { HALF_DONE, HEV_INTERIM }, { HALF_FAILED, HEV_HEAD },
        { HALF_FAILED, HEV_DATA },  { HALF_FAILED, HEV_END },   { HALF_FAILED, HEV_ABORT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum half half = refused[i].half;
        assert_false(half_step(&half, refused[i].event));
        assert_int_equal(half, refused[i].half);
    }
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(half_name(HALF_IDLE), "idle");
    assert_string_equal(half_name(HALF_FAILED), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_half_goes_from_head_to_end),
        cmocka_unit_test(a_half_fails_from_wherever_it_is_not_over),
        cmocka_unit_test(what_may_not_come_changes_nothing),
        cmocka_unit_test(every_state_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/base/clock.h"

static uint64_t fixed_mono_us(void)
{
    return 1000;
}

static uint64_t fixed_wall_us(void)
{
    return 2000;
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    uint64_t last_us = clock_mono_us();

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now_us = clock_mono_us();
        assert_true(now_us >= last_us);
        last_us = now_us;
    }
}

static void the_wall_clock_counts_microseconds_since_1970(void **state)
{
    (void)state;
    assert_in_range(clock_wall_us(), 1577836800000000, 7258118400000000); /* 2020 to 2200 */
}

static void a_test_may_put_its_own_clocks_in_place(void **state)
{
    (void)state;
    clock_replace(fixed_mono_us, fixed_wall_us);
    assert_int_equal(clock_mono_us(), 1000);
    assert_int_equal(clock_wall_us(), 2000);
    clock_replace(NULL, NULL);
    assert_true(clock_wall_us() > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(the_wall_clock_counts_microseconds_since_1970),
        cmocka_unit_test(a_test_may_put_its_own_clocks_in_place),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

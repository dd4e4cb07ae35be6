#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/event.h>

#include "proxy/base/clock.h"
#include "proxy/net/loop.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"

struct notes {
    struct loop *loop;
    char order[32];
    volatile int done;
};

static void note(struct notes *notes, char c)
{
    size_t len = strlen(notes->order);

    notes->order[len] = c;
    notes->order[len + 1] = '\0';
}

static void note_c(void *arg)
{
    note(arg, 'c');
}

static void note_a(void *arg)
{
    struct notes *notes = arg;

    note(notes, 'a');
    loop_defer(notes->loop, note_c, notes);
}

static void note_b(void *arg)
{
    struct notes *notes = arg;

    note(notes, 'b');
    notes->done = 1;
}

static void defer_and_note(void *arg)
{
    struct notes *notes = arg;

    loop_defer(notes->loop, note_a, notes);
    loop_defer(notes->loop, note_b, notes);
    note(notes, '1');
}

static void deferred_calls_come_after_the_callbacks_of_the_turn_in_order(void **state)
{
    struct loop *loop = loop_new();
    struct notes notes = { .loop = loop };
    struct loop_timer timer;

    (void)state;
    loop_timer_init(&timer, loop, defer_and_note, &notes);
    loop_timer_set(&timer, 0);
    assert_true(loop_until(loop, &notes.done));
    assert_string_equal(notes.order, "1abc");
    loop_timer_clear(&timer);
    loop_free(loop);
}

static void what_was_deferred_outside_of_a_turn_waits_for_nothing(void **state)
{
    struct loop *loop = loop_new();
    struct notes notes = { .loop = loop };

    (void)state;
    loop_defer(loop, note_b, &notes);
    loop_turn(loop);
    assert_string_equal(notes.order, "b");
    loop_free(loop);
}

static void freeing_a_loop_calls_what_is_deferred(void **state)
{
    struct loop *loop = loop_new();
    struct notes notes = { .loop = loop };

    (void)state;
    loop_defer(loop, note_a, &notes);
    loop_free(loop);
    assert_string_equal(notes.order, "ac");
    loop_free(NULL);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void stopped_loop_can_run_again(void **state)
{
    struct loop *loop = loop_new();
    struct loop_timer timer;

    (void)state;
    loop_timer_init(&timer, loop, stop, loop);
    for (int i = 0; i < 3; i++) {
        loop_timer_set(&timer, 1000);
        loop_run(loop);
    }
    loop_stop(loop); /* before it runs: no turn at all */
    loop_run(loop);
    loop_timer_clear(&timer);
    loop_free(loop);
}

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    uint64_t set_us, rang_us;
    volatile int rings;
    uint64_t again_us; /* set it once more from inside; 0: not */
};

static void ring(void *self)
{
    struct alarm *alarm = self;

    alarm->rings++;
    alarm->rang_us = clock_mono_us();
    if (alarm->again_us != 0 && alarm->rings == 1)
        loop_timer_set(&alarm->timer, alarm->again_us);
    else
        loop_timer_clear(&alarm->timer); /* from inside its own call */
}

static void alarm_init(struct alarm *alarm, struct loop *loop)
{
    *alarm = (struct alarm){ .loop = loop };
    loop_timer_init(&alarm->timer, loop, ring, alarm);
    alarm->set_us = loop_now_us(loop);
}

static void timer_is_never_early(void **state)
{
    struct loop *loop = loop_new();

    (void)state;
    for (uint64_t delay_us = 500; delay_us < 20000; delay_us = delay_us * 5 / 3) {
        struct alarm alarm;
        alarm_init(&alarm, loop);
        loop_timer_set(&alarm.timer, delay_us);
        assert_true(loop_until(loop, &alarm.rings));
        assert_true(alarm.rang_us >= alarm.set_us + delay_us);
    }
    loop_free(loop);
}

static void timer_that_is_pushed_back_rings_once_and_late(void **state)
{
    struct loop *loop = loop_new();
    struct alarm alarm;
    uint64_t armed_us;

    (void)state;
    fast_time(100);
    alarm_init(&alarm, loop);
    loop_timer_set(&alarm.timer, 1000000);
    armed_us = alarm.timer.armed_us;
    loop_timer_set(&alarm.timer, 2000000);
    assert_int_equal(alarm.timer.armed_us, armed_us); /* a store, no more */
    loop_timer_off(&alarm.timer);
    loop_timer_set(&alarm.timer, 3000000);
    assert_int_equal(alarm.timer.armed_us, armed_us);
    assert_true(loop_until(loop, &alarm.rings));
    assert_true(alarm.rang_us >= alarm.set_us + 3000000);
    loop_for(loop, 4000000);
    assert_int_equal(alarm.rings, 1);
    fast_time(1);
    loop_free(loop);
}

static void timer_that_is_set_sooner_rings_sooner(void **state)
{
    struct loop *loop = loop_new();
    struct alarm alarm;

    (void)state;
    alarm_init(&alarm, loop);
    loop_timer_set(&alarm.timer, 3600 * 1000000ULL);
    loop_timer_set(&alarm.timer, 1000);
    assert_true(loop_until(loop, &alarm.rings));
    loop_free(loop);
}

static void timer_that_is_off_is_silent(void **state)
{
    struct loop *loop = loop_new();
    struct alarm alarm;
    struct loop_timer zeroed = { 0 };

    (void)state;
    alarm_init(&alarm, loop);
    loop_timer_set(&alarm.timer, 1000);
    loop_timer_off(&alarm.timer);
    loop_for(loop, 20000);
    assert_int_equal(alarm.rings, 0);
    loop_timer_clear(&alarm.timer);
    loop_timer_clear(&zeroed);
    loop_free(loop);
}

static void timer_can_be_set_from_its_own_call(void **state)
{
    struct loop *loop = loop_new();
    struct alarm alarm;

    (void)state;
    alarm_init(&alarm, loop);
    alarm.again_us = 1000;
    loop_timer_set(&alarm.timer, 1000);
    loop_for(loop, 50000);
    assert_int_equal(alarm.rings, 2);
    loop_free(loop);
}

static void turn_happens_at_one_time(void **state)
{
    struct loop *loop = loop_new();
    uint64_t now_us = loop_now_us(loop);

    (void)state;
    while (clock_mono_us() < now_us + 1000)
        ;
    assert_int_equal(loop_now_us(loop), now_us);
    loop_for(loop, 1000);
    assert_true(loop_now_us(loop) > now_us);
    loop_free(loop);
}

static uint64_t pretended_us = 1000000;

static uint64_t pretended_mono(void)
{
    return pretended_us;
}

static void count_ring(void *self)
{
    ++*(int *)self;
}

/* The loop of a process that was stopped wakes before it has looked what arrived. */
static void timer_that_is_found_very_late_lets_what_has_arrived_come_first(void **state)
{
    struct loop *loop = loop_new();
    struct loop_timer timer;
    int rings = 0;

    (void)state;
    clock_replace(pretended_mono, NULL);
    loop_timer_init(&timer, loop, count_ring, &rings);
    loop_timer_set(&timer, 10000);
    pretended_us += 600 * 1000000ULL;
    loop_turn(loop);
    assert_int_equal(rings, 0);
    loop_turn(loop); /* woken again, but too early by the clock */
    assert_int_equal(rings, 0);
    pretended_us += 200000;
    while (rings == 0)
        loop_turn(loop);
    clock_replace(NULL, NULL);
    loop_timer_clear(&timer);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_calls_come_after_the_callbacks_of_the_turn_in_order),
        cmocka_unit_test(what_was_deferred_outside_of_a_turn_waits_for_nothing),
        cmocka_unit_test(freeing_a_loop_calls_what_is_deferred),
        cmocka_unit_test(stopped_loop_can_run_again),
        cmocka_unit_test(timer_is_never_early),
        cmocka_unit_test(timer_that_is_pushed_back_rings_once_and_late),
        cmocka_unit_test(timer_that_is_set_sooner_rings_sooner),
        cmocka_unit_test(timer_that_is_off_is_silent),
        cmocka_unit_test(timer_can_be_set_from_its_own_call),
        cmocka_unit_test(timer_that_is_found_very_late_lets_what_has_arrived_come_first),
        cmocka_unit_test(turn_happens_at_one_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "capture/writer.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "capture/capture.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "tests/support/faulty_store.h"
#include "tests/support/recording.h"

/* A clock on which the 2 s of patience take a tenth. */
static uint64_t quick_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) * 20;
}

static atomic_int errors_logged, recoveries_logged;

static void note_line(void *self, enum log_level level, const char *line)
{
    (void)self;
    (void)line;
    if (level == LOG_LEVEL_ERROR)
        atomic_fetch_add(&errors_logged, 1);
    if (level == LOG_LEVEL_WARN)
        atomic_fetch_add(&recoveries_logged, 1);
}

/* Sleeps of the writer, and those of them that took less than half a millisecond. */
static atomic_int sleeps, short_sleeps;
static atomic_bool is_asleep_till_told;

/* In place of the C library's. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
    atomic_fetch_add(&sleeps, 1);
    if (time->tv_sec == 0 && time->tv_nsec < 500000)
        atomic_fetch_add(&short_sleeps, 1);
    while (atomic_load(&is_asleep_till_told))
        sched_yield();
    return clock_nanosleep(CLOCK_MONOTONIC, 0, time, left) == 0 ? 0 : -1;
}

struct world {
    struct test_folder folder;
    struct capture *capture;
    struct recorder *recorder;
    struct capture_summary summary;
    int resumes;
};

static void wake(void *self)
{
    (void)self;
}

static void start(struct world *world)
{
    struct err err;

    atomic_store(&errors_logged, 0);
    atomic_store(&recoveries_logged, 0);
    test_folder_make(&world->folder);
    if (!capture_start(world->folder.store, &(struct capture_options){ 0 }, &world->capture, &err))
        fail_msg("%s", err.text);
    world->recorder = capture_recorder(world->capture, wake, world);
}

static bool end(struct world *world, struct err *err)
{
    recorder_free(world->recorder);
    return capture_end(world->capture, &world->summary, err);
}

/* Of real time: how long anything may take before it is called stuck. */
#define STUCK_S 60

static void wait_until(struct world *world, const char *sql)
{
    uint64_t until_us = quick_clock() + STUCK_S * 20 * 1000000ULL;

    while (test_count(world->folder.store, sql) != 1) {
        if (quick_clock() > until_us)
            fail_msg("not within %d s: %s", STUCK_S, sql);
        sched_yield();
    }
}

static void a_short_failure_loses_nothing(void **state)
{
    static const enum fault faults[] = { FAULT_FULL, FAULT_IO };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int after = 0; after < 3; after++) {
            struct world world = { 0 };
            struct err err;
            start(&world);
            faulty_store_set_after(faults[i], after);
            for (int n = 0; n < 20; n++)
                test_exchange(world.recorder, "a.test", "/", SPAN("body"));
            while (atomic_load(&errors_logged) == 0)
                sched_yield();
            faulty_store_set(FAULT_NONE);
            assert_true(end(&world, &err));
            assert_int_equal(errors_logged, 1);
            assert_int_equal(recoveries_logged, 1);
            assert_int_equal(world.summary.exchanges, 20);
            assert_string_equal(world.summary.incomplete, "");
            assert_int_equal(test_count(world.folder.store, "SELECT refs FROM body"), 20);
            assert_int_equal(test_count(world.folder.store, "PRAGMA integrity_check"), 1);
            test_folder_remove(&world.folder);
        }
    }
}

static void a_long_failure_is_marked_when_the_store_works_again(void **state)
{
    struct world world = { 0 };
    struct test_exchange through, cut;
    struct err err;

    (void)state;
    start(&world);
    test_begin(&through, world.recorder, "GET", "a.test", "/through", NULL);
    test_begin(&cut, world.recorder, "GET", "a.test", "/cut", NULL);
    test_exchange(world.recorder, "a.test", "/before", SPAN("body"));
    wait_until(&world, "SELECT count(*) = 3 FROM exchange");

    faulty_store_set(FAULT_FULL);
    test_exchange(world.recorder, "a.test", "/lost", SPAN("body"));
    test_respond(&cut, 200, NULL);
    test_end(&cut, TAP_DONE);
    while (atomic_load(&errors_logged) == 0)
        sched_yield();
    /* Dropped once the patience is over: then what comes next is dropped at once. */
    for (uint64_t until = clock_mono_us() + 3000000; clock_mono_us() < until;)
        sched_yield();
    test_exchange(world.recorder, "a.test", "/lost-too", SPAN("body"));
    for (uint64_t until = clock_mono_us() + 3000000; clock_mono_us() < until;)
        sched_yield();
    faulty_store_set(FAULT_NONE);

    test_exchange(world.recorder, "a.test", "/after", SPAN("body"));
    wait_until(&world, "SELECT count(*) = 1 FROM exchange WHERE path = '/after'");
    test_respond(&through, 200, NULL);
    test_end(&through, TAP_DONE);
    assert_true(end(&world, &err));
    assert_int_equal(errors_logged, 1);
    assert_non_null(strstr(world.summary.incomplete, "3 exchanges from "));
    assert_int_equal(test_count(world.folder.store, "SELECT count(*) FROM exchange WHERE path LIKE '/lost%'"),
                     0);
    assert_int_equal(test_count(world.folder.store, "SELECT state FROM exchange WHERE path = '/cut'"),
                     RECORD_ABORTED);
    assert_int_equal(test_count(world.folder.store, "SELECT status FROM exchange WHERE path = '/through'"),
                     200);
    assert_int_equal(test_count(world.folder.store, "SELECT count(*) FROM event WHERE kind = 'incomplete'"),
                     1);
    test_folder_remove(&world.folder);
}

static void a_store_that_never_comes_back_makes_the_end_fail(void **state)
{
    struct world world = { 0 };
    struct err err = { .text = "" };

    (void)state;
    start(&world);
    faulty_store_set(FAULT_FULL);
    test_exchange(world.recorder, "a.test", "/lost", SPAN("body"));
    assert_false(end(&world, &err));
    faulty_store_set(FAULT_NONE);
    assert_non_null(strstr(err.text, "full"));
    assert_non_null(strstr(world.summary.incomplete, "1 exchange from "));
    test_folder_remove(&world.folder);
}

/* Something of each kind that a batch writes: small bodies, one in several pieces, cookies. */
static void write_a_bit_of_all(struct world *world, int number)
{
    static char large[600 * 1024];
    static const char *const cookies[] = { "Set-Cookie: a=1", "Set-Cookie: b=2", NULL };
    struct test_exchange x;
    char text[32];

    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "body %d of %d", i, number);
        test_exchange(world->recorder, "a.test", "/small", span_of(text));
    }
    memset(large, 'a' + number % 26, sizeof large);
    snprintf(large, 32, "%d", number);
    test_begin(&x, world->recorder, "GET", "b.test", "/large", NULL);
    test_respond(&x, 200, cookies);
    test_body(&x, HTTP_RESPONSE, span_make(large, sizeof large));
    test_end(&x, TAP_DONE);
}

#define BIT_EXCHANGES 6

static void assert_all_is_there(struct world *world, int exchanges)
{
    char sql[160];

    snprintf(sql, sizeof sql, "SELECT count(*) = %d AND min(state) = %d FROM exchange", exchanges,
             RECORD_DONE);
    assert_int_equal(test_count(world->folder.store, sql), 1);
    assert_int_equal(test_count(world->folder.store, "SELECT count(*) FROM pragma_integrity_check "
                                                     "WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(test_count(world->folder.store, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(test_count(world->folder.store, "SELECT count(*) FROM exchange WHERE response_kept <> "
                                                     "response_bytes"),
                     0);
}

static void a_disk_that_fails_once_at_any_point_of_a_batch_loses_nothing(void **state)
{
    int calls = 1;

    (void)state;
    clock_replace(NULL, NULL); /* on a busy machine, 100 ms of patience may be over after the first try */
    for (int n = 0; n < calls; n++) {
        struct world world = { 0 };
        struct err err;
        start(&world);
        faulty_store_fail_calls(n, 1);
        write_a_bit_of_all(&world, n);
        if (!end(&world, &err))
            fail_msg("call %d: %s", n, err.text);
        calls = faulty_store_calls();
        faulty_store_fail_calls(0, 0);
        assert_string_equal(world.summary.incomplete, "");
        assert_int_equal(world.summary.exchanges, BIT_EXCHANGES);
        assert_all_is_there(&world, BIT_EXCHANGES);
        assert_int_equal(test_count(world.folder.store, "SELECT count(*) FROM cookie"), 2);
        test_folder_remove(&world.folder);
    }
    clock_replace(quick_clock, NULL);
    assert_true(calls > 10);
}

/* More than the WAL keeps before it is moved into the store's file. */
#define WAL_FILLERS 40

static void a_disk_that_takes_long_to_sync_does_not_hold_up_what_comes_meanwhile(void **state)
{
    struct world world = { 0 };
    struct err err;

    (void)state;
    start(&world);
    faulty_store_hold_syncs(true);
    for (int n = 0; n < WAL_FILLERS; n++)
        write_a_bit_of_all(&world, n);
    while (faulty_store_held() == 0)
        sched_yield();
    test_exchange(world.recorder, "a.test", "/meanwhile", SPAN("body"));
    wait_until(&world, "SELECT count(*) = 1 FROM exchange WHERE path = '/meanwhile'");
    faulty_store_hold_syncs(false);
    assert_true(end(&world, &err));
    assert_all_is_there(&world, WAL_FILLERS * BIT_EXCHANGES + 1);
    test_folder_remove(&world.folder);
}

/* A clock that stands, or goes on with each look at it. */
static atomic_uint_least64_t stepped_us, step_us;

static uint64_t stepped_clock(void)
{
    return atomic_fetch_add(&stepped_us, atomic_load(&step_us));
}

/* How often the writer rests in a batch that begins when its oldest piece is as old as that. */
static int rests_in_batch(uint64_t age_us)
{
    struct world world = { 0 };
    struct err err;
    int rests;

    atomic_store(&stepped_us, 1000000000);
    atomic_store(&step_us, 0);
    clock_replace(stepped_clock, NULL);
    start(&world);
    for (int i = 0; i < 400; i++) /* not enough of them for a batch as long as the clock stands */
        test_exchange(world.recorder, "a.test", "/", SPAN("body"));
    atomic_store(&sleeps, 0);
    atomic_fetch_add(&stepped_us, age_us);
    atomic_store(&step_us, 100);
    assert_true(end(&world, &err));
    rests = atomic_load(&sleeps);
    clock_replace(quick_clock, NULL);
    assert_int_equal(world.summary.exchanges, 400);
    test_folder_remove(&world.folder);
    return rests;
}

static void a_batch_leaves_its_core_to_others_now_and_then(void **state)
{
    (void)state;
    atomic_store(&short_sleeps, 0);
    assert_true(rests_in_batch(50000) >= 10);
    assert_int_equal(atomic_load(&short_sleeps), 0);
}

static void a_batch_behind_which_another_waits_rests_less(void **state)
{
    struct world world = { 0 };
    struct err err;

    (void)state;
    atomic_store(&stepped_us, 1000000000);
    atomic_store(&step_us, 0);
    clock_replace(stepped_clock, NULL);
    start(&world);
    atomic_store(&sleeps, 0);
    atomic_store(&is_asleep_till_told, true);
    for (int i = 0; i < 400; i++)
        test_exchange(world.recorder, "a.test", "/", SPAN("body"));
    atomic_fetch_add(&stepped_us, 50000);
    atomic_store(&step_us, 100);
    while (atomic_load(&sleeps) == 0)
        sched_yield();
    atomic_store(&step_us, 0);
    for (int i = 0; i < 600; i++)
        test_exchange(world.recorder, "a.test", "/next", SPAN("body"));
    atomic_store(&short_sleeps, 0);
    atomic_store(&step_us, 100);
    atomic_store(&is_asleep_till_told, false);
    assert_true(end(&world, &err));
    assert_true(atomic_load(&short_sleeps) > 0);
    clock_replace(quick_clock, NULL);
    assert_int_equal(world.summary.exchanges, 1000);
    test_folder_remove(&world.folder);
}

static void a_batch_that_is_late_does_not_rest(void **state)
{
    (void)state;
    assert_int_equal(rests_in_batch(80000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_failure_loses_nothing),
        cmocka_unit_test(a_long_failure_is_marked_when_the_store_works_again),
        cmocka_unit_test(a_store_that_never_comes_back_makes_the_end_fail),
        cmocka_unit_test(a_disk_that_fails_once_at_any_point_of_a_batch_loses_nothing),
        cmocka_unit_test(a_disk_that_takes_long_to_sync_does_not_hold_up_what_comes_meanwhile),
        cmocka_unit_test(a_batch_leaves_its_core_to_others_now_and_then),
        cmocka_unit_test(a_batch_behind_which_another_waits_rests_less),
        cmocka_unit_test(a_batch_that_is_late_does_not_rest),
    };

    faulty_store_install();
    clock_replace(quick_clock, NULL);
    log_sink(note_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A capture that keeps only what is new, while it records. */
#include "capture/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "proxy/base/clock.h"
#include "tests/support/recording.h"

#define BODY_BYTES 20000

static struct test_folder folder;

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static int64_t count(const char *sql)
{
    return test_count(folder.store, sql);
}

static struct capture *start(const struct capture_options *options, struct recorder **out_recorder)
{
    struct capture *capture = NULL;
    struct err err;

    if (!capture_start(folder.store, options, &capture, &err))
        fail_msg("%s", err.text);
    *out_recorder = capture_recorder(capture, test_no_wake, NULL);
    return capture;
}

static void end(struct capture *capture, struct recorder *recorder, struct capture_summary *out_summary)
{
    struct err err;

    recorder_free(recorder);
    if (!capture_end(capture, out_summary, &err))
        fail_msg("%s", err.text);
}

static void record(struct recorder *recorder, unsigned first, unsigned times)
{
    static char body[BODY_BYTES];

    for (unsigned i = first; i < first + times; i++) {
        char target[32];
        snprintf(target, sizeof target, "/%u", i);
        memset(body, (int)i, sizeof body);
        memcpy(body, target, strlen(target));
        test_exchange(recorder, "a.test", target, span_make(body, sizeof body));
    }
    recorder_tick(recorder);
}

static void the_newest_are_kept_and_the_summary_says_how_many_went(void **state)
{
    const struct capture_options options = { .session_name = "s", .keep = { .count = 50 } };
    struct capture_summary summary;
    struct recorder *recorder;
    struct capture *capture;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        capture = start(&options, &recorder);
        record(recorder, round * 200, 200);
        end(capture, recorder, &summary);
        assert_int_equal(summary.exchanges, 50);
        assert_int_equal(summary.pruned, 150 + round * 200);
        assert_int_equal(count("SELECT min(seq) FROM exchange"), 151 + round * 200);
        assert_int_equal(count("SELECT count(*) FROM event WHERE kind = 'pruned'"), 1 + round);
    }
    assert_int_equal(count("SELECT count(*) FROM body"), 50);
    assert_int_equal(count("SELECT seen FROM session"), 600);
}

static off_t file_bytes(void)
{
    struct stat status;

    assert_int_equal(stat(folder.store, &status), 0);
    return status.st_size;
}

static void wait_until(const char *sql, int64_t value)
{
    uint64_t until_us = clock_mono_us() + 30000000;

    while (count(sql) != value)
        if (clock_mono_us() > until_us)
            fail_msg("%s is %lld", sql, (long long)count(sql));
}

static void while_it_records_the_store_stays_small(void **state)
{
    const struct capture_options options = { .session_name = "s", .keep = { .bytes = 1 << 20 } };
    struct capture_summary summary;
    struct recorder *recorder;
    struct capture *capture = start(&options, &recorder);

    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        record(recorder, round * 100, 100);
        wait_until("SELECT max(seq) FROM exchange", (round + 1) * 100);
        wait_until("SELECT sum(response_kept) < 1 << 20 FROM exchange", 1);
    }
    /* 20 MB passed: the file was never made larger than what is kept and came meanwhile. */
    assert_true(count("PRAGMA page_count") * 16384 < 12 << 20);
    end(capture, recorder, &summary);
    assert_true(summary.exchanges >= 45 && summary.exchanges <= 51);
    assert_true(file_bytes() < 3 << 20);
}

static void what_was_there_before_counts(void **state)
{
    struct capture_options options = { .session_name = "s" };
    struct capture_summary summary;
    struct recorder *recorder;
    struct capture *capture = start(&options, &recorder);

    (void)state;
    record(recorder, 0, 100);
    end(capture, recorder, &summary);
    assert_int_equal(summary.exchanges, 100);
    options.keep.count = 10;
    capture = start(&options, &recorder);
    wait_until("SELECT count(*) FROM exchange", 10); /* though nothing comes */
    end(capture, recorder, &summary);
    options.keep = (struct keep){ .bytes = 100000 };
    capture = start(&options, &recorder);
    wait_until("SELECT count(*) FROM exchange", 4);
    end(capture, recorder, &summary);
    assert_int_equal(summary.pruned, 96);
}

static void each_session_of_a_capture_has_its_own_limit(void **state)
{
    static const char *const listeners[] = { "one", "two" };
    const struct capture_options options = { .session_name = "s",
                                             .keep = { .count = 5 },
                                             .per = CAPTURE_PER_LISTENER,
                                             .listeners = listeners,
                                             .listener_count = 2 };
    struct capture_summary summary;
    struct recorder *recorder;
    struct capture *capture = start(&options, &recorder);

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        struct test_exchange x;
        struct http_head *head;
        test_prepare(&x, recorder, "a.test");
        x.exchange.listener = i % 4 == 0;
        head = test_request("GET", "/", NULL);
        tap_request(&x.line, &x.tap, &x.exchange, head);
        http_head_free(head);
        test_respond(&x, 200, NULL);
        test_end(&x, TAP_DONE);
    }
    end(capture, recorder, &summary);
    assert_int_equal(summary.other_count, 2);
    assert_int_equal(summary.others[0].exchanges, 5);
    assert_int_equal(summary.others[1].exchanges, 5);
    assert_int_equal(summary.others[0].pruned + summary.others[1].pruned, 30);
    capture_summary_clear(&summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_are_kept_and_the_summary_says_how_many_went, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(while_it_records_the_store_stays_small, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_before_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_session_of_a_capture_has_its_own_limit, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

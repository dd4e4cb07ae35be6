#include "tools/live_export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/capture.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"
#include "tools/kept.h"

static struct test_folder folder;
static int64_t session;
static char *path;

/* A session with three exchanges. */
static int begin(void **state)
{
    struct capture_options options = { .session_name = "s" };
    struct capture_summary summary;
    struct recorder *recorder;
    struct capture *capture;
    struct err err;

    (void)state;
    test_folder_make(&folder);
    assert_true(capture_start(folder.store, &options, &capture, &err));
    recorder = capture_recorder(capture, test_no_wake, NULL);
    for (int i = 0; i < 3; i++)
        test_exchange(recorder, "a.test", "/", SPAN("hello"));
    recorder_free(recorder);
    session = capture_session(capture);
    assert_true(capture_end(capture, &summary, &err));
    path = mem_printf("%s/x.jsonl", folder.path);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    mem_free(path);
    test_folder_remove(&folder);
    clock_replace(NULL, NULL);
    return 0;
}

static void write_old(void)
{
    FILE *file = fopen(path, "w");

    fputs("old\n", file);
    fclose(file);
}

static size_t lines(void)
{
    FILE *file = fopen(path, "r");
    size_t count = 0;
    int c;

    assert_non_null(file);
    while ((c = fgetc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

static bool after_asks(void *self)
{
    return (*(int *)self)-- > 0;
}

static void one_that_is_given_up_leaves_the_old_file(void **state)
{
    struct export_options options = { .format = export_find_format("jsonl") };
    struct live_export *export = live_export_new(&options, path);
    struct export_report report;
    struct err err;
    int asks = 2;

    (void)state;
    write_old();
    assert_true(live_export_start(export, folder.store, session, &err));
    live_export_end(export);
    write_old();
    assert_false(live_export_finish(export, after_asks, &asks, &report, &err));
    assert_int_equal(err.code, ERR_CLOSED);
    export_report_clear(&report);
    assert_int_equal(lines(), 1);
    asks = 1000;
    assert_true(live_export_finish(export, after_asks, &asks, &report, &err));
    assert_int_equal(report.written, 3);
    export_report_clear(&report);
    assert_int_equal(lines(), 3);
    live_export_free(export);
}

/* A clock by which every look takes a second. */
static uint64_t slow_clock(void)
{
    static _Atomic uint64_t now_us;

    return now_us += 1000000;
}

static bool finish_kept(bool is_hurried, struct err *err)
{
    volatile sig_atomic_t hurried = is_hurried;
    char *target = mem_printf("jsonl:%s", path);
    struct args args;
    struct kept *kept;
    bool ok;

    assert_true(opt_parse(COMMAND_CAPTURE, (char *const[]){ "--export", target, NULL }, &args, err));
    assert_true(kept_new(&args, &kept, err));
    assert_true(kept_start(kept, folder.store, session, err));
    ok = kept_finish(kept, &hurried, err);
    kept_free(kept);
    args_clear(&args);
    mem_free(target);
    return ok;
}

static void somebody_in_a_hurry_waits_for_a_quick_export_and_no_longer(void **state)
{
    struct err err;

    (void)state;
    assert_true(finish_kept(true, &err));
    assert_int_equal(lines(), 3);
    write_old();
    clock_replace(slow_clock, NULL);
    assert_false(finish_kept(true, &err));
    assert_non_null(strstr(err.text, "is not complete: its last export was given up"));
    assert_true(finish_kept(false, &err));
    assert_int_equal(lines(), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_is_given_up_leaves_the_old_file, begin, finish),
        cmocka_unit_test_setup_teardown(somebody_in_a_hurry_waits_for_a_quick_export_and_no_longer, begin,
                                        finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

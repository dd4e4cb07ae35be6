#include <signal.h>

#include "certs/run.h"
#include "tests/unit/certs/scratch.h"

static void output_and_status_come_back(void **state)
{
    const char *const argv[] = { "sh", "-c", "cat; cat /dev/stdin; echo wrong >&2; exit 3", NULL };
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    (void)state;
    assert_true(run_tool(argv, SPAN("in\n"), &output, &status, &err));
    assert_int_equal(status, 3);
    assert_string_equal(strbuf_text(&output), "in\nin\nwrong\n"); /* stdin can be opened again */
    strbuf_clear(&output);
}

static void a_signal_is_told_apart(void **state)
{
    const char *const argv[] = { "sh", "-c", "kill -TERM $$", NULL };
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    (void)state;
    assert_true(run_tool(argv, SPAN_NONE, &output, &status, &err));
    assert_int_equal(status, 128 + SIGTERM);
    strbuf_clear(&output);
}

static void a_missing_program_is_not_found(void **state)
{
    const char *const argv[] = { "weir-no-such-program", NULL };
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    (void)state;
    assert_false(run_tool(argv, SPAN_NONE, &output, &status, &err));
    assert_int_equal(err.code, ERR_FOUND);
}

static void endless_output_is_cut_off(void **state)
{
    const char *const argv[] = { "yes", NULL };
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    (void)state;
    assert_false(run_tool(argv, SPAN_NONE, &output, &status, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    strbuf_clear(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_come_back),
        cmocka_unit_test(a_signal_is_told_apart),
        cmocka_unit_test(a_missing_program_is_not_found),
        cmocka_unit_test(endless_output_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

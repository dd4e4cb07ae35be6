#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/log.h"

static char last_line[8192];
static unsigned line_count;

static void keep_line(void *self, enum log_level level, const char *line)
{
    (void)self;
    (void)level;
    snprintf(last_line, sizeof last_line, "%s", line);
    line_count++;
}

static uint64_t fixed_us(void)
{
    return 1234;
}

static int start(void **state)
{
    (void)state;
    log_sink(keep_line, NULL);
    last_line[0] = '\0';
    line_count = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    log_sink(NULL, NULL);
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    clock_replace(NULL, NULL);
    return 0;
}

static void a_line_is_a_message_and_its_pairs(void **state)
{
    (void)state;
    log_warn("upstream", "handshake stopped", LOG_N("exchange", 41), LOG_S("origin", "api.test:443"),
             LOG_S("why", "certificate has expired"), LOG_SPAN("cut", span_make("abc", 2)),
             LOG_S("none", NULL));
    assert_string_equal(last_line, "warn upstream: handshake stopped exchange=41 origin=api.test:443 "
                                   "why=\"certificate has expired\" cut=ab none=\"\"");
    log_error("store", "gone");
    assert_string_equal(last_line, "error store: gone");
}

static void what_is_below_the_level_is_not_even_made(void **state)
{
    (void)state;
    log_info("x", "quiet");
    log_debug("x", "quiet");
    assert_int_equal(line_count, 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("x", "loud");
    log_debug("x", "quiet");
    assert_int_equal(line_count, 1);
    assert_true(log_is_on(LOG_LEVEL_INFO));
    assert_false(log_is_on(LOG_LEVEL_DEBUG));
}

static void nothing_in_a_value_fools_a_terminal(void **state)
{
    (void)state;
    log_warn("x", "y", LOG_S("v", "a\x1b[31m\n\"\\\x7f"), LOG_S("u", "caf\xc3\xa9"));
    assert_string_equal(last_line, "warn x: y v=\"a\\u001b[31m\\u000a\\\"\\\\\\u007f\" u=\"caf\xc3\xa9\"");
}

static void json_is_one_object_a_line(void **state)
{
    (void)state;
    clock_replace(fixed_us, fixed_us);
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    log_warn("x", "say \"hi\"", LOG_N("n", -5), LOG_S("s", "a\tb"));
    assert_string_equal(last_line, "{\"time_us\":1234,\"level\":\"warn\",\"where\":\"x\",\"message\":"
                                   "\"say \\\"hi\\\"\",\"n\":-5,\"s\":\"a\\u0009b\"}");
}

static void without_a_sink_the_line_goes_to_stderr(void **state)
{
    char read_back[256];
    int pipe_fds[2], old_stderr = dup(STDERR_FILENO);
    ssize_t len;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    log_sink(NULL, NULL);
    dup2(pipe_fds[1], STDERR_FILENO);
    log_warn("x", "to stderr", LOG_N("n", 1));
    dup2(old_stderr, STDERR_FILENO);
    len = read(pipe_fds[0], read_back, sizeof read_back - 1);
    assert_true(len > 0);
    read_back[len] = '\0';
    assert_string_equal(read_back, "warn x: to stderr n=1\n");
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(old_stderr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_a_message_and_its_pairs, start, stop),
        cmocka_unit_test_setup_teardown(what_is_below_the_level_is_not_even_made, start, stop),
        cmocka_unit_test_setup_teardown(nothing_in_a_value_fools_a_terminal, start, stop),
        cmocka_unit_test_setup_teardown(json_is_one_object_a_line, start, stop),
        cmocka_unit_test_setup_teardown(without_a_sink_the_line_goes_to_stderr, start, stop),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

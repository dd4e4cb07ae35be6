#include "tools/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/base/clock.h"

static uint64_t now_us;

static uint64_t fake_now(void)
{
    return now_us;
}

static void nothing_is_due_in_the_first_second_and_then_four_times_a_second(void **state)
{
    struct progress progress;
    unsigned shown = 0;

    (void)state;
    now_us = 5000000;
    clock_replace(fake_now, fake_now);
    progress_begin(&progress);
    for (unsigned ms = 0; ms < 3000; ms++) {
        bool is_due = progress_is_due(&progress);

        assert_false(is_due && ms < 1000);
        shown += is_due;
        now_us += 1000;
    }
    assert_int_equal(shown, 8);
    clock_replace(NULL, NULL);
}

static void a_line_that_was_shown_is_taken_away_once(void **state)
{
    struct progress progress;
    FILE *before = stderr;
    char *text = NULL;
    size_t len;

    (void)state;
    progress_begin(&progress);
    stderr = open_memstream(&text, &len);
    progress_end(&progress);
    progress_show(&progress, SPAN("writing"), 2, 5);
    progress_show(&progress, SPAN("checking"), 0, 0);
    progress_end(&progress);
    progress_end(&progress);
    fclose(stderr);
    stderr = before;
    assert_string_equal(text, "\r\033[Kweir: writing, 40%\r\033[Kweir: checking\r\033[K");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_in_the_first_second_and_then_four_times_a_second),
        cmocka_unit_test(a_line_that_was_shown_is_taken_away_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

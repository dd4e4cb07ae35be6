/* What a statement is bound to, whatever it was bound to the last time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/store/sqlite.h"
#include "tests/support/store_world.h"

static const char ASK[] = "SELECT typeof(?1) || ' ' || coalesce(?1, '') || ', ' || coalesce(?2, 'nothing')";

static void assert_answer(struct query *query, const char *wanted)
{
    struct err err;

    assert_true(query_step(query));
    assert_true(span_eq(query_column_text(query, 0), span_of(wanted)));
    assert_true(query_end(query, &err));
}

static void what_is_bound_again_counts_and_so_does_what_changes(void **state)
{
    static const struct {
        bool is_text;
        int64_t number; /* -1: NULL */
        const char *text, *wanted;
    } rows[] = {
        { false, -1, NULL, "null , nothing" },
        { false, 0, NULL, "integer 0, nothing" },
        { false, 0, NULL, "integer 0, nothing" },
        { false, -1, NULL, "null , nothing" },
        { true, 0, "a", "text a, a" },
        { true, 0, "b", "text b, b" },
        { false, 0, NULL, "integer 0, nothing" },
        { false, 7, "c", "integer 7, c" },
        { false, 7, "d", "integer 7, d" },
        { true, 0, "", "text , " },
        { false, -1, NULL, "null , nothing" },
        { false, 7, NULL, "integer 7, nothing" },
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[8] = ""; /* each row's is elsewhere, or gone */
        struct query query = query_begin(world->store, ASK);
        if (rows[i].text != NULL)
            snprintf(text, sizeof text, "%s", rows[i].text);
        if (rows[i].is_text)
            query_text(&query, span_of(text));
        else
            query_int_or_null(&query, rows[i].number, -1);
        query_text(&query, rows[i].text != NULL ? span_of(text) : SPAN_NONE);
        assert_answer(&query, rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_bound_again_counts_and_so_does_what_changes,
                                        store_world_set_up, store_world_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

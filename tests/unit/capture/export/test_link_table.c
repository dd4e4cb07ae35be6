#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/link_table.h"

static void what_was_added_is_found_and_nothing_else(void **state)
{
    struct link_table table;

    (void)state;
    link_table_init(&table, 10000);
    assert_null(link_table_find(&table, 1));
    for (uint64_t i = 1; i <= 1000; i++)
        assert_true(link_table_add(&table, i << 20)); /* many in one slot of a small table */
    link_table_find(&table, (uint64_t)5 << 20)->link = 7;
    assert_true(link_table_add(&table, (uint64_t)5 << 20));
    for (uint64_t i = 1; i <= 1000; i++) {
        const struct link_slot *slot = link_table_find(&table, i << 20);

        assert_non_null(slot);
        assert_int_equal(slot->link, i == 5 ? 7 : LINK_AWAITED);
    }
    assert_null(link_table_find(&table, 3));
    assert_null(link_table_find(&table, 0));
    link_table_clear(&table);
}

static void a_full_table_takes_no_more_and_keeps_what_it_has(void **state)
{
    struct link_table table;

    (void)state;
    link_table_init(&table, 3);
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(link_table_add(&table, i));
    assert_false(link_table_add(&table, 4));
    assert_true(link_table_add(&table, 3));
    assert_null(link_table_find(&table, 4));
    assert_non_null(link_table_find(&table, 1));
    link_table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_and_nothing_else),
        cmocka_unit_test(a_full_table_takes_no_more_and_keeps_what_it_has),
    };

    return cmocka_run_group_tests_name("link_table", tests, NULL, NULL);
}

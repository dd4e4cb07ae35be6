#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/folders.h"
#include "proxy/base/mem.h"

static void folders_of_a_folder_follow_it_and_the_rest_keeps_its_order(void **state)
{
    static const struct {
        const char *name;
        size_t parent;
    } expected[] = { { "users", FOLDERS_NONE }, { "orders", 0 }, { "cards", 0 }, { "carts", FOLDERS_NONE } };
    struct folders folders = { .count = 0 };
    size_t users = folders_take(&folders, 0, FOLDERS_NONE, SPAN("users"));
    size_t carts = folders_take(&folders, 0, FOLDERS_NONE, SPAN("carts"));
    size_t orders = folders_take(&folders, 0, users, SPAN("orders"));
    size_t cards = folders_take(&folders, 0, users, SPAN("cards"));
    size_t *moved = folders_settle(&folders);

    (void)state;
    assert_int_equal(folders.count, 4);
    for (size_t i = 0; i < folders.count; i++) {
        assert_string_equal(folders.list[i].name, expected[i].name);
        assert_int_equal(folders.list[i].parent, expected[i].parent);
    }
    assert_int_equal(moved[users], 0);
    assert_int_equal(moved[orders], 1);
    assert_int_equal(moved[cards], 2);
    assert_int_equal(moved[carts], 3);
    mem_free(moved);
    folders_clear(&folders);
}

static void a_folder_is_found_again_in_its_scope_alone(void **state)
{
    struct folders folders = { .count = 0 };
    size_t first = folders_take(&folders, 0, FOLDERS_NONE, SPAN("users"));

    (void)state;
    assert_int_equal(folders_take(&folders, 0, FOLDERS_NONE, SPAN("users")), first);
    assert_int_equal(folders.list[first].count, 2);
    assert_int_not_equal(folders_take(&folders, 1, FOLDERS_NONE, SPAN("users")), first);
    folders_clear(&folders);
}

static void there_may_be_none(void **state)
{
    struct folders folders = { .count = 0 };

    (void)state;
    mem_free(folders_settle(&folders));
    assert_int_equal(folders.count, 0);
    folders_clear(&folders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_of_a_folder_follow_it_and_the_rest_keeps_its_order),
        cmocka_unit_test(a_folder_is_found_again_in_its_scope_alone),
        cmocka_unit_test(there_may_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names of sessions: each stands for one, and who asks for another is told which there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "capture/store/store_write.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

struct world {
    struct test_folder folder;
    struct store *store;
};

static int set_up(void **state)
{
    struct world *world = mem_new(struct world);
    struct err err;

    test_folder_make(&world->folder);
    if (!store_open(world->folder.store, STORE_WRITE, &world->store, &err))
        fail_msg("%s", err.text);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    store_close(world->store);
    test_folder_remove(&world->folder);
    mem_free(world);
    return 0;
}

static int64_t add_session(struct world *world, const char *name)
{
    const struct store_session_start start = { .name = name, .filter = "", .options = "{}" };
    struct session_row row;
    uint32_t last_seq;
    struct err err;
    int64_t id;

    if (!store_session_start(world->store, &start, &row, &last_seq, &err))
        fail_msg("%s", err.text);
    assert_string_equal(row.name, name);
    id = row.id;
    session_row_clear(&row);
    if (!store_session_end(world->store, id, &err))
        fail_msg("%s", err.text);
    return id;
}

static void assert_not_found(struct world *world, const char *which, const char *words)
{
    struct session_row row;
    struct err err;

    assert_false(store_find_session(world->store, which, &row, &err));
    assert_int_equal(err.code, ERR_FOUND);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' without '%s'", err.text, words);
}

static void a_store_without_sessions_says_how_one_comes_into_being(void **state)
{
    assert_not_found(*state, "latest", "record one with 'weir capture'");
    assert_not_found(*state, "nobody", "record one with 'weir capture'");
}

static void who_asks_for_another_is_told_of_the_first_five(void **state)
{
    struct world *world = *state;
    char name[16];

    add_session(world, "one");
    assert_not_found(world, "nobody", "no session 'nobody': there is 'one'");
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "more%d", i);
        add_session(world, name);
    }
    assert_not_found(world, "nobody", "'one'");
    add_session(world, "last");
    assert_not_found(world, "nobody", ", ...");
}

static void a_name_that_another_has_is_not_given_twice(void **state)
{
    struct world *world = *state;
    int64_t first = add_session(world, "first"), second = add_session(world, "second");
    struct session_row row;
    struct err err;

    assert_false(store_session_rename(world->store, second, "first", &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_string_equal(err.text, "there is already a session 'first'");
    assert_true(store_session_rename(world->store, first, "first", &err)); /* its own */
    assert_true(store_session_rename(world->store, second, "third", &err));
    assert_true(store_find_session(world->store, "third", &row, &err));
    assert_int_equal(row.id, second);
    session_row_clear(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_without_sessions_says_how_one_comes_into_being, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_asks_for_another_is_told_of_the_first_five, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_another_has_is_not_given_twice, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

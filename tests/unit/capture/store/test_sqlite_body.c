/* How often a body is used, which decides whether its bytes may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/store/sqlite.h"
#include "capture/store/store_write.h"
#include "tests/support/recording.h"

static struct test_folder folder;
static struct store *store;

static int set_up(void **state)
{
    struct err err;

    (void)state;
    test_folder_make(&folder);
    return store_open(folder.store, STORE_WRITE, &store, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    test_folder_remove(&folder);
    return 0;
}

static void begin(void)
{
    struct err err;

    assert_true(store_begin(store, &err));
}

static void commit(void)
{
    struct err err;

    assert_true(store_commit(store, &err));
}

static int64_t add(struct span bytes)
{
    struct err err;
    int64_t body = 0;

    assert_true(store_add_body(store, bytes, store_hash(bytes), &body, &err));
    return body;
}

static void drop(int64_t body)
{
    struct err err;

    assert_true(store_drop_body(store, body, &err));
}

/* What the file has, also within a batch. */
static int64_t number(const char *sql)
{
    int64_t value = -1;
    struct err err;

    assert_true(sqlite_int(store, sql, &value, &err));
    return value;
}

static void all_uses_of_a_batch_are_in_the_store_when_it_is(void **state)
{
    (void)state;
    for (int batch = 1; batch <= 2; batch++) {
        begin();
        for (int i = 0; i < 10; i++)
            assert_int_equal(add(SPAN("one")), 1);
        for (int i = 0; i < 3; i++)
            assert_int_equal(add(SPAN("another")), 2);
        commit();
        assert_int_equal(test_count(folder.store, "SELECT refs FROM body WHERE size = 3"), 10 * batch);
        assert_int_equal(test_count(folder.store, "SELECT refs FROM body WHERE size = 7"), 3 * batch);
    }
    assert_int_equal(number("SELECT count(*) FROM body"), 2);
}

static void a_use_that_ends_within_its_batch_counts(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 4; i++)
        add(SPAN("one"));
    drop(1);
    assert_int_equal(number("SELECT refs FROM body"), 3);
    add(SPAN("one"));
    for (int i = 0; i < 3; i++)
        drop(1);
    assert_int_equal(number("SELECT refs FROM body"), 1);
    drop(1);
    assert_int_equal(number("SELECT count(*) FROM body"), 0);
    commit();
}

static void a_body_that_went_is_not_shared(void **state)
{
    int64_t first;

    (void)state;
    begin();
    first = add(SPAN("one"));
    add(SPAN("one"));
    drop(first);
    drop(first);
    assert_int_not_equal(add(SPAN("one")), first);
    assert_int_equal(number("SELECT refs FROM body"), 1);
    commit();
}

static void pieces_of_a_list_that_goes_are_counted(void **state)
{
    const struct span bytes = SPAN("one");
    const uint64_t hash = store_hash(bytes);
    struct err err;
    int64_t list;

    (void)state;
    begin();
    assert_true(store_add_body_list(store, &list, &err));
    for (uint64_t i = 0; i < 5; i++)
        assert_true(store_append_body(store, list, i * bytes.len, bytes, &hash, &err));
    add(bytes);
    drop(list);
    assert_int_equal(number("SELECT refs FROM body"), 1);
    commit();
}

static void uses_of_a_batch_that_was_undone_are_forgotten(void **state)
{
    (void)state;
    begin();
    add(SPAN("one"));
    commit();
    begin();
    for (int i = 0; i < 5; i++)
        add(SPAN("one"));
    store_rollback(store);
    begin();
    add(SPAN("one"));
    commit();
    assert_int_equal(test_count(folder.store, "SELECT refs FROM body"), 2);
}

/* More than are counted at once: of small ones some are stored twice, as their table is only a hint. */
static void many_and_large_bodies_that_come_again_are_shared(void **state)
{
    enum { BODIES = 3 * SHARE_SLOTS, LARGE = 20 };
    char *large = calloc(1, STORE_PIECE_BYTES);
    char text[24];

    (void)state;
    begin();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BODIES; i++) {
            snprintf(text, sizeof text, "body %d", i);
            add(span_of(text));
        }
        for (int i = 0; i < LARGE; i++) {
            large[0] = (char)('a' + i);
            add(span_make(large, STORE_PIECE_BYTES));
        }
    }
    commit();
    assert_int_equal(number("SELECT count(DISTINCT bytes) FROM body"), BODIES + LARGE);
    assert_int_equal(number("SELECT sum(refs) FROM body"), 3 * (BODIES + LARGE));
    assert_int_equal(number("SELECT count(*) FROM body WHERE refs <> 3 AND size = 262144"), 0);
    free(large);
}

static void bodies_of_one_hash_are_not_taken_for_each_other(void **state)
{
    static const char *const texts[] = { "one", "one", "two", "one", "two", "two", "two" };
    struct err err;
    int64_t body = 0;

    (void)state;
    begin();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(store_add_body(store, span_of(texts[i]), 7, &body, &err));
    commit();
    assert_int_equal(number("SELECT sum(refs) FROM body WHERE bytes = CAST('one' AS BLOB)"), 3);
    assert_int_equal(number("SELECT sum(refs) FROM body WHERE bytes = CAST('two' AS BLOB)"), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_uses_of_a_batch_are_in_the_store_when_it_is),
        TEST(a_use_that_ends_within_its_batch_counts),
        TEST(a_body_that_went_is_not_shared),
        TEST(pieces_of_a_list_that_goes_are_counted),
        TEST(uses_of_a_batch_that_was_undone_are_forgotten),
        TEST(many_and_large_bodies_that_come_again_are_shared),
        TEST(bodies_of_one_hash_are_not_taken_for_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What goes with exchanges when their session is deleted, and what others still need. */
#include "capture/store/sqlite_take.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/old_store.h"

#define MIB (1024 * 1024)

static struct old_session other;

static void add_small(struct old_session *session, uint32_t seq, const char *body)
{
    old_session_add(session,
                    &(struct old_exchange){ .seq = seq, .state = RECORD_DONE, .body = span_of(body) });
}

static void delete_old(void)
{
    struct err err;

    old_session_end(&old);
    old_check(store_session_delete(old.store, old.id, &err), &err);
}

/* Bodies of one session between those of the other, so that runs of numbers are broken everywhere. */
static void what_another_session_needs_stays(void **state)
{
    char own[32];

    (void)state;
    other.store = old.store;
    old_session_begin(&other, "other");
    for (uint32_t seq = 1; seq <= 200; seq++) {
        snprintf(own, sizeof own, "of one only %u", seq);
        add_small(seq % 7 == 0 ? &other : &old, seq, own);
        add_small(&old, 1000 + seq, seq % 3 == 0 ? "of both" : "of one, but often");
        if (seq % 50 == 0)
            add_small(&other, 1000 + seq, "of both");
    }
    delete_old();
    assert_int_equal(old_count("SELECT count(*) FROM exchange"), 200 / 7 + 4);
    assert_int_equal(old_count("SELECT count(*) FROM body"), 200 / 7 + 1);
    assert_int_equal(old_count("SELECT count(*) FROM session"), 1);
    assert_old_store_is_sound();
    old_session_end(&other);
}

static void what_is_large_goes_too(void **state)
{
    (void)state;
    old_session_add(
        &old, &(struct old_exchange){ .seq = 1, .state = RECORD_DONE, .body_bytes = TAKE_LARGE_BYTES + 1 });
    old_session_add(&old, &(struct old_exchange){ .seq = 2, .state = RECORD_DONE, .messages = 3000 });
    old_session_add(&old, &(struct old_exchange){ .seq = 3, .state = RECORD_DONE, .messages = 3 });
    old_session_add(&old, &(struct old_exchange){ .seq = 4, .state = RECORD_OPEN, .body_bytes = MIB });
    old_session_add(&old, &(struct old_exchange){ .seq = 5, .state = RECORD_DONE, .is_provisional = true });
    delete_old();
    assert_int_equal(old_count("SELECT (SELECT count(*) FROM exchange) + (SELECT count(*) FROM body)"
                               " + (SELECT count(*) FROM body_piece) + (SELECT count(*) FROM message)"
                               " + (SELECT count(*) FROM leftover) + (SELECT count(*) FROM session)"),
                     0);
    assert_int_equal(old_count("PRAGMA freelist_count"), 0);
    assert_true(old_count("PRAGMA page_count") < 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, old_store_set_up, old_store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_another_session_needs_stays),
        TEST(what_is_large_goes_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which exchanges go, what goes with them, and what is there when it is cut. */
#include "capture/store/store_prune.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "tests/support/old_store.h"

#define HOUR_US (UINT64_C(3600) * 1000000)
#define STEP_US 20000

#define ROUNDS 15

/* The numbers that are left, as "8 9 10". */
static void assert_left(const char *numbers)
{
    char text[256] = "";
    struct store_cursor *cursor;
    const struct record *record;
    struct err err;

    old_check(store_exchanges(old.store, old.id, 1, NULL, &cursor, &err), &err);
    for (;;) {
        size_t len = strlen(text);
        old_check(store_next(cursor, &record, &err), &err);
        if (record == NULL)
            break;
        snprintf(text + len, sizeof text - len, "%s%u", len != 0 ? " " : "", record->seq);
    }
    store_cursor_free(cursor);
    assert_string_equal(text, numbers);
    assert_int_equal(old_count("SELECT (SELECT exchanges FROM session) = count(*) FROM exchange"
                               " WHERE provisional = 0"),
                     1);
}

static struct store_pruner *make(struct keep keep)
{
    struct store_pruner *pruner;
    struct err err;

    old_check(store_pruner_new(old.store, old.id, &keep, &pruner, &err), &err);
    return pruner;
}

static void work(struct store_pruner *pruner)
{
    struct err err;
    bool more = true;

    while (more)
        old_check(store_pruner_step(pruner, STEP_US, &more, &err), &err);
}

static void prune(struct keep keep)
{
    struct store_pruner *pruner = make(keep);

    work(pruner);
    store_pruner_free(pruner);
}

static void add(uint32_t seq, uint64_t age_us)
{
    old_session_add(&old, &(struct old_exchange){ .seq = seq, .state = RECORD_DONE, .age_us = age_us });
}

/* --- what goes ----------------------------------------------------------------------------------------- */

static void by_count_the_oldest_go_and_the_session_says_so(void **state)
{
    (void)state;
    old_session_add_many(&old, 1, 200);
    prune((struct keep){ .count = 3 });
    assert_left("198 199 200");
    assert_int_equal(old_count("SELECT pruned FROM session"), 197);
    assert_int_equal(old_count("SELECT pruned_seq FROM session"), 197);
    assert_int_equal(old_count("SELECT seen FROM session"), 200);
    assert_int_equal(
        old_count("SELECT count(*) FROM event WHERE kind = 'pruned' AND text LIKE '%--keep-last 3'"), 1);
    assert_old_store_is_sound();
}

static void what_is_within_its_limits_is_left_alone(void **state)
{
    (void)state;
    old_session_add_many(&old, 1, 3);
    prune((struct keep){ .count = 3, .bytes = 1 << 20, .age_us = HOUR_US });
    assert_left("1 2 3");
    assert_int_equal(old_count("SELECT count(*) FROM event"), 0);
}

static void by_size_bodies_and_messages_count(void **state)
{
    (void)state;
    for (uint32_t seq = 1; seq <= 5; seq++)
        old_session_add(&old,
                        &(struct old_exchange){ .seq = seq, .state = RECORD_DONE, .body_bytes = 10000 });
    prune((struct keep){ .bytes = 25000 });
    assert_left("4 5");
    old_session_add(&old, &(struct old_exchange){ .seq = 6, .state = RECORD_ABORTED, .messages = 60 });
    prune((struct keep){ .bytes = 25000 });
    assert_left("5 6");
    prune((struct keep){ .bytes = 24000 });
    assert_left("6");
    assert_old_store_is_sound();
}

static void by_age_the_first_that_is_young_ends_it(void **state)
{
    struct store_pruner *pruner;

    (void)state;
    add(1, 5 * HOUR_US);
    add(2, 4 * HOUR_US);
    add(3, HOUR_US);
    add(4, 3 * HOUR_US);
    add(5, 0);
    pruner = make((struct keep){ .age_us = 2 * HOUR_US });
    work(pruner);
    assert_left("3 4 5");
    work(pruner);
    assert_left("3 4 5");
    store_pruner_free(pruner);
}

static void of_several_limits_all_hold(void **state)
{
    (void)state;
    add(1, 5 * HOUR_US);
    add(2, 3 * HOUR_US);
    add(3, HOUR_US);
    add(4, HOUR_US);
    prune((struct keep){ .count = 3, .age_us = 4 * HOUR_US });
    assert_left("2 3 4");
    prune((struct keep){ .count = 3, .age_us = 2 * HOUR_US });
    assert_left("3 4");
    prune((struct keep){ .count = 1, .age_us = 2 * HOUR_US });
    assert_left("4");
}

static void end_exchange(uint32_t seq)
{
    struct err err;

    old_check(store_begin(old.store, &err) &&
                  store_settle_exchange(old.store, old.id, seq, "cut in a test", &err) &&
                  store_commit(old.store, &err),
              &err);
}

static void what_is_under_way_stays_until_it_has_ended(void **state)
{
    struct store_pruner *pruner;

    (void)state;
    pruner = make((struct keep){ .count = 2, .bytes = 1 << 20, .age_us = 100 * HOUR_US });
    old_session_add(&old, &(struct old_exchange){ .seq = 1, .state = RECORD_OPEN });
    old_session_add(&old, &(struct old_exchange){ .seq = 2, .state = RECORD_DONE, .is_provisional = true });
    old_session_add_many(&old, 3, 4);
    for (uint32_t seq = 3; seq <= 6; seq++)
        store_pruner_note(pruner, seq);
    work(pruner);
    assert_left("1 5 6");
    assert_int_equal(old_count("SELECT count(*) FROM exchange WHERE provisional = 1"), 1);
    end_exchange(1);
    store_pruner_note(pruner, 1);
    work(pruner);
    assert_left("5 6");
    store_pruner_free(pruner);
}

static void a_running_total_follows_what_comes(void **state)
{
    struct store_pruner *pruner;

    (void)state;
    old_session_add_many(&old, 1, 100);
    pruner = make((struct keep){ .bytes = 50 * 520 });
    for (uint32_t seq = 101; seq <= 400; seq++) {
        old_session_add_many(&old, seq, 1);
        store_pruner_note(pruner, seq);
        if (seq % 10 == 0)
            work(pruner);
    }
    assert_in_range(old_count("SELECT count(*) FROM exchange"), 45, 50);
    assert_int_equal(old_count("SELECT max(seq) FROM exchange"), 400);
    assert_int_equal(old_count("SELECT count(*) FROM event"), 1);
    store_pruner_free(pruner);
}

static void a_body_goes_with_the_last_who_uses_it(void **state)
{
    (void)state;
    for (uint32_t seq = 1; seq <= 3; seq++)
        old_session_add(&old, &(struct old_exchange){
                                  .seq = seq, .state = RECORD_DONE, .body = SPAN("a body of several") });
    assert_int_equal(old_count("SELECT count(*) FROM body"), 1);
    prune((struct keep){ .count = 1 });
    assert_int_equal(old_count("SELECT refs FROM body"), 1);
    assert_old_store_is_sound();
}

/* --- numbers ------------------------------------------------------------------------------------------- */

static void no_number_is_given_twice(void **state)
{
    struct session_row row;
    uint32_t last_seq = 0;
    struct err err;

    (void)state;
    add(1, 0);
    add(2, 5 * HOUR_US);
    prune((struct keep){ .count = 1 });
    prune((struct keep){ .age_us = HOUR_US });
    assert_left("");
    add(7, 5 * HOUR_US);
    prune((struct keep){ .age_us = HOUR_US });
    old_session_end(&old);
    old_check(store_session_start(old.store, &(struct store_session_start){ "old", "", "{}" }, &row,
                                  &last_seq, &err),
              &err);
    assert_int_equal(last_seq, 7);
    session_row_clear(&row);
}

static void no_body_gets_the_number_of_one_that_is_gone(void **state)
{
    struct old_exchange last = { .seq = 2, .state = RECORD_DONE, .age_us = 5 * HOUR_US, .body_bytes = 500 };
    int64_t gone;

    (void)state;
    add(1, 0);
    old_session_add(&old, &last);
    gone = old_count("SELECT max(id) FROM body");
    prune((struct keep){ .count = 1 });
    old_session_add_many(&old, 3, 1);
    prune((struct keep){ .count = 1 });
    assert_int_equal(old_count("SELECT count(*) FROM body"), 0);
    last.seq = 4;
    old_session_add(&old, &last);
    assert_true(old_count("SELECT min(id) FROM body") > gone);
}

/* --- in bits ------------------------------------------------------------------------------------------- */

#define LARGE_BYTES ((size_t)40 * 1024 * 1024)

static void what_is_large_is_gone_for_readers_at_once_and_goes_in_bits(void **state)
{
    struct store_pruner *pruner;
    struct err err;
    bool more = true;
    int steps = 0;

    (void)state;
    old_session_add(&old,
                    &(struct old_exchange){ .seq = 1, .state = RECORD_DONE, .body_bytes = LARGE_BYTES });
    old_session_add(&old, &(struct old_exchange){ .seq = 2, .state = RECORD_DONE, .messages = 3000 });
    add(3, 0);
    pruner = make((struct keep){ .count = 1 });
    for (; more; steps++) {
        old_check(store_pruner_step(pruner, 500, &more, &err), &err);
        assert_old_store_is_sound();
    }
    assert_true(steps > 3);
    assert_left("3");
    assert_int_equal(old_count("SELECT count(*) FROM body"), 0);
    assert_int_equal(old_count("SELECT count(*) FROM leftover"), 0);
    store_pruner_free(pruner);
}

static void what_was_cut_in_between_is_mended(void **state)
{
    struct store_pruner *pruner;
    unsigned mended;
    struct err err;
    bool more;

    (void)state;
    old_session_add(&old,
                    &(struct old_exchange){ .seq = 1, .state = RECORD_DONE, .body_bytes = LARGE_BYTES });
    add(2, 0);
    pruner = make((struct keep){ .count = 1 });
    while (old_count("SELECT count(*) FROM leftover") == 0)
        old_check(store_pruner_step(pruner, 300, &more, &err), &err);
    store_pruner_free(pruner);
    old_session_end(&old);
    assert_true(old_count("SELECT count(*) FROM body") > 0);
    old_check(store_mend(old.store, &mended, &err), &err);
    assert_int_equal(old_count("SELECT count(*) FROM body"), 0);
    assert_int_equal(old_count("SELECT count(*) FROM leftover"), 0);
    assert_left("2");
}

static void leftovers_go_with_their_session(void **state)
{
    struct store_pruner *pruner;
    struct err err;
    bool more;

    (void)state;
    old_session_add(&old,
                    &(struct old_exchange){ .seq = 1, .state = RECORD_DONE, .body_bytes = LARGE_BYTES });
    add(2, 0);
    pruner = make((struct keep){ .count = 1 });
    while (old_count("SELECT count(*) FROM leftover") == 0)
        old_check(store_pruner_step(pruner, 300, &more, &err), &err);
    store_pruner_free(pruner);
    old_session_end(&old);
    old_check(store_session_delete(old.store, old.id, &err), &err);
    assert_int_equal(old_count("SELECT (SELECT count(*) FROM body) + (SELECT count(*) FROM leftover)"), 0);
}

/* --- a session that nobody records --------------------------------------------------------------------- */

static off_t file_bytes(void)
{
    struct stat status;

    assert_int_equal(stat(old_folder.store, &status), 0);
    return status.st_size;
}

static void an_ended_session_is_pruned_and_the_file_gets_smaller(void **state)
{
    struct store_pruned pruned;
    off_t before;
    struct err err;

    (void)state;
    for (uint32_t seq = 1; seq <= 40; seq++)
        old_session_add(&old, &(struct old_exchange){ .seq = seq,
                                                      .state = RECORD_DONE,
                                                      .age_us = seq % 2 * 5 * HOUR_US,
                                                      .body_bytes = 200000 });
    old_session_end(&old);
    old_session_close(&old);
    before = file_bytes();
    old_check(store_open(old_folder.store, STORE_WRITE, &old.store, &err), &err);
    /* Whatever their place among the others. */
    old_check(store_prune_session(old.store, old.id, &(struct keep){ .age_us = HOUR_US }, &pruned, &err),
              &err);
    assert_int_equal(pruned.taken, 20);
    assert_int_equal(pruned.left, 20);
    assert_false(pruned.is_deleted);
    old_check(store_prune_session(old.store, old.id, &(struct keep){ .age_us = HOUR_US, .count = 2 }, &pruned,
                                  &err),
              &err);
    assert_left("38 40");
    assert_true(pruned.freed_bytes >= 18 * 200000);
    old_session_close(&old);
    assert_true(file_bytes() < before / 5);
    old_check(store_open(old_folder.store, STORE_WRITE, &old.store, &err), &err);
}

static void a_session_that_becomes_empty_is_deleted(void **state)
{
    struct store_pruned pruned;
    struct err err;

    (void)state;
    add(1, 5 * HOUR_US);
    old_session_end(&old);
    old_check(store_prune_session(old.store, old.id, &(struct keep){ .age_us = HOUR_US }, &pruned, &err),
              &err);
    assert_true(pruned.is_deleted);
    assert_int_equal(old_count("SELECT count(*) FROM session"), 0);
    assert_int_equal(old_count("SELECT count(*) FROM event"), 0);
}

static void one_that_never_had_exchanges_is_not(void **state)
{
    struct store_pruned pruned;
    struct err err;

    (void)state;
    old_session_end(&old);
    old_check(store_prune_session(old.store, old.id, &(struct keep){ .age_us = HOUR_US }, &pruned, &err),
              &err);
    assert_false(pruned.is_deleted);
    assert_int_equal(old_count("SELECT count(*) FROM session"), 1);
}

static void one_that_is_being_recorded_is_refused(void **state)
{
    struct store_pruned pruned;
    struct store *other;
    struct err err;

    (void)state;
    old_session_add_many(&old, 1, 5);
    old_check(store_open(old_folder.store, STORE_WRITE, &other, &err), &err);
    assert_false(store_prune_session(other, old.id, &(struct keep){ .count = 1 }, &pruned, &err));
    assert_int_equal(err.code, ERR_FOUND);
    store_close(other);
    assert_left("1 2 3 4 5");
}

/* --- killed -------------------------------------------------------------------------------------------- */

static void fill(void)
{
    for (uint32_t seq = 1; seq <= 300; seq++)
        old_session_add(&old, &(struct old_exchange){ .seq = seq,
                                                      .state = RECORD_DONE,
                                                      .body_bytes = seq % 50 == 0 ? 17 << 20 : 3000,
                                                      .messages = seq % 7 });
    old_session_end(&old);
}

static void whatever_moment_it_is_killed_at_each_step_is_whole(void **state)
{
    struct keep keep = { .count = 300 };
    struct err err;
    unsigned mended;

    (void)state;
    fill();
    for (int round = 1; round <= ROUNDS; round++) {
        struct store_pruned pruned;
        int status;
        pid_t child;
        keep.count = (uint64_t)(300 - round * 20);
        old_session_close(&old); /* a handle must not cross a fork */
        child = fork();
        if (child == 0) {
            bool ok = store_open(old_folder.store, STORE_WRITE, &old.store, &err) &&
                      store_prune_session(old.store, old.id,
                                          keep.count != 0 ? &keep : &(struct keep){ 1, 0, 0 }, &pruned, &err);
            _exit(ok ? 0 : 1);
        }
        assert_true(child > 0);
        poll(NULL, 0, round * 3 % 11); /* a moment anywhere in it */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        old_check(store_open(old_folder.store, STORE_WRITE, &old.store, &err), &err);
        assert_int_equal(old_count("SELECT exchanges + pruned FROM session"), 300);
        assert_int_equal(old_count("SELECT (SELECT exchanges FROM session) = count(*) FROM exchange"), 1);
        assert_int_equal(
            old_count("SELECT coalesce(min(seq), 301) - 1 = (SELECT pruned FROM session) FROM exchange"), 1);
        assert_old_store_is_sound();
        old_check(store_mend(old.store, &mended, &err), &err);
        assert_int_equal(old_count("SELECT count(*) FROM leftover"), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, old_store_set_up, old_store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(by_count_the_oldest_go_and_the_session_says_so),
        TEST(what_is_within_its_limits_is_left_alone),
        TEST(by_size_bodies_and_messages_count),
        TEST(by_age_the_first_that_is_young_ends_it),
        TEST(of_several_limits_all_hold),
        TEST(what_is_under_way_stays_until_it_has_ended),
        TEST(a_running_total_follows_what_comes),
        TEST(a_body_goes_with_the_last_who_uses_it),
        TEST(no_number_is_given_twice),
        TEST(no_body_gets_the_number_of_one_that_is_gone),
        TEST(what_is_large_is_gone_for_readers_at_once_and_goes_in_bits),
        TEST(what_was_cut_in_between_is_mended),
        TEST(leftovers_go_with_their_session),
        TEST(an_ended_session_is_pruned_and_the_file_gets_smaller),
        TEST(a_session_that_becomes_empty_is_deleted),
        TEST(one_that_never_had_exchanges_is_not),
        TEST(one_that_is_being_recorded_is_refused),
        TEST(whatever_moment_it_is_killed_at_each_step_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

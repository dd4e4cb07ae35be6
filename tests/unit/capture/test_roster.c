/* Which session an exchange belongs to, and what sessions are called. */
#include "capture/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/session.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

static char main_name[] = "shop";
static const struct session_row main_row = { .id = 7, .name = main_name };

static struct roster *make(enum roster_per per)
{
    static const char *const listeners[] = { "127.0.0.1:8080", "socks5@127.0.0.1:0" };
    const struct roster_options options = {
        .per = per, .listeners = listeners, .listener_count = 2, .filter = "", .options = "{}"
    };

    return roster_new(&options, &main_row, 41);
}

static unsigned find(struct roster *roster, const char *client_addr, const char *user, unsigned listener)
{
    struct tap_exchange x = { .user = user, .listener = listener };

    snprintf(x.client_addr, sizeof x.client_addr, "%s", client_addr);
    return roster_find(roster, &x)->number;
}

/* Where a notice about such a client goes. */
static unsigned asked(struct roster *roster, const char *client_addr, const char *user, unsigned listener)
{
    struct tap_notice notice = { .client_addr = client_addr, .user = user, .listener = listener };

    return roster_find_notice(roster, &notice)->number;
}

static void one_session_takes_everything(void **state)
{
    struct roster *roster = make(ROSTER_ONE);

    (void)state;
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 0), 0);
    assert_int_equal(find(roster, "192.0.2.2:1", "alice", 1), 0);
    assert_int_equal(roster_count(roster), 1);
    assert_int_equal(roster_at(roster, 0)->id, 7);
    assert_int_equal(roster_at(roster, 0)->last_seq, 41);
    roster_free(roster);
}

static void a_client_is_its_address_without_the_port(void **state)
{
    struct roster *roster = make(ROSTER_PER_CLIENT);

    (void)state;
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 0), 1);
    assert_int_equal(find(roster, "192.0.2.1:2", "alice", 1), 1);
    assert_int_equal(find(roster, "192.0.2.11:1", NULL, 0), 2);
    assert_int_equal(find(roster, "[2001:db8::1]:1", NULL, 0), 3);
    assert_int_equal(find(roster, "[2001:db8::1]:9", NULL, 0), 3);
    assert_int_equal(asked(roster, "192.0.2.11:5", NULL, 0), 2);
    assert_int_equal(asked(roster, "192.0.2.99:5", NULL, 0), 0); /* asking makes none */
    assert_int_equal(asked(roster, NULL, NULL, 0), 0);
    assert_int_equal(roster_count(roster), 4);
    roster_free(roster);
}

static void who_has_no_name_is_anonymous(void **state)
{
    struct roster *roster = make(ROSTER_PER_USER);

    (void)state;
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 0), 1);
    assert_int_equal(find(roster, "192.0.2.2:1", "alice", 0), 2);
    assert_int_equal(find(roster, "192.0.2.3:1", NULL, 0), 1);
    assert_int_equal(find(roster, "192.0.2.1:1", "alice", 0), 2);
    assert_int_equal(asked(roster, "192.0.2.9:1", "alice", 3), 2);
    assert_int_equal(asked(roster, "192.0.2.9:1", "bob", 0), 0);
    roster_free(roster);
}

static void listeners_are_told_apart_by_number(void **state)
{
    struct roster *roster = make(ROSTER_PER_LISTENER);

    (void)state;
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 1), 1);
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 0), 2);
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 5), 3);
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 1), 1);
    assert_int_equal(asked(roster, "192.0.2.1:1", "alice", 5), 3);
    roster_free(roster);
}

static void a_full_roster_says_so_once_and_the_main_session_takes_the_rest(void **state)
{
    struct roster *roster = make(ROSTER_PER_CLIENT);
    char address[32];

    (void)state;
    for (unsigned i = 0; i < ROSTER_SESSIONS; i++) {
        snprintf(address, sizeof address, "10.0.%u.%u:1", i / 256, i % 256);
        assert_int_equal(find(roster, address, NULL, 0), i + 1);
    }
    assert_false(roster_tells_full(roster));
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 0), 0);
    assert_true(roster_tells_full(roster));
    assert_int_equal(find(roster, "192.0.2.1:1", NULL, 0), 0);
    assert_false(roster_tells_full(roster));
    assert_int_equal(find(roster, "10.0.0.5:2", NULL, 0), 6); /* who was there before keeps his own */
    roster_free(roster);
}

static void check_name(struct roster *roster, struct store *store, unsigned number, const char *name)
{
    struct roster_session *session = roster_at(roster, number);
    struct session_row row;
    char id[24];
    struct err err;

    if (!roster_start(roster, session, store, &err))
        fail_msg("%s", err.text);
    snprintf(id, sizeof id, "%lld", (long long)session->id);
    assert_true(store_find_session(store, id, &row, &err));
    assert_string_equal(row.name, name);
    assert_true(session_check_name(row.name, &err));
    session_row_clear(&row);
}

static void names_are_good_whatever_people_call_themselves(void **state)
{
    struct roster *roster = make(ROSTER_PER_USER);
    struct test_folder folder;
    struct store *store;
    char longest[400], name[SESSION_NAME_BYTES + 1];
    struct err err;

    (void)state;
    test_folder_make(&folder);
    assert_true(store_open(folder.store, STORE_WRITE, &store, &err));
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    snprintf(name, sizeof name, "shop - %.*s", SESSION_NAME_BYTES - 7, longest);
    find(roster, "", "zo\xc3\xab", 0);
    find(roster, "", "a/b\n\xff", 0);
    find(roster, "", "a_b__", 0); /* the same name */
    find(roster, "", longest, 0);
    find(roster, "", "", 0);
    check_name(roster, store, 1, "shop - zo\xc3\xab");
    check_name(roster, store, 2, "shop - a_b__");
    check_name(roster, store, 3, "shop - a_b__ (2)");
    check_name(roster, store, 4, name);
    check_name(roster, store, 5, "shop - ");
    assert_int_not_equal(roster_at(roster, 2)->id, roster_at(roster, 3)->id);
    roster_free(roster);
    store_close(store);
    test_folder_remove(&folder);
}

static void a_name_that_another_weir_records_gets_a_number(void **state)
{
    struct roster *roster = make(ROSTER_PER_LISTENER), *other = make(ROSTER_PER_LISTENER);
    struct test_folder folder;
    struct store *store, *store_of_other;
    struct err err;

    (void)state;
    test_folder_make(&folder);
    assert_true(store_open(folder.store, STORE_WRITE, &store, &err));
    assert_true(store_open(folder.store, STORE_WRITE, &store_of_other, &err));
    find(roster, "", NULL, 1);
    find(other, "", NULL, 1);
    check_name(roster, store, 1, "shop - socks5@127.0.0.1:0");
    check_name(other, store_of_other, 1, "shop - socks5@127.0.0.1:0 (2)");
    roster_free(roster);
    roster_free(other);
    store_close(store);
    store_close(store_of_other);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_session_takes_everything),
        cmocka_unit_test(a_client_is_its_address_without_the_port),
        cmocka_unit_test(who_has_no_name_is_anonymous),
        cmocka_unit_test(listeners_are_told_apart_by_number),
        cmocka_unit_test(a_full_roster_says_so_once_and_the_main_session_takes_the_rest),
        cmocka_unit_test(names_are_good_whatever_people_call_themselves),
        cmocka_unit_test(a_name_that_another_weir_records_gets_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What goes with exchanges that are gone, and what must not. */
#include "capture/store/sqlite_sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/jar_follow.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tests/support/old_store.h"

#define ROUNDS    300
#define SECOND_US UINT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)

static void sweep_to_end(struct sweep *sweep)
{
    struct err err;
    bool done = false;

    while (!done)
        old_check(sweep_step(sweep, 0, &done, &err), &err); /* slice by slice */
    sweep_free(sweep);
}

static void sweep_all(void)
{
    struct sweep *sweep = sweep_new(old.store, old.id);

    assert_non_null(sweep);
    sweep_to_end(sweep);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

static bool add_to_jar(void *self, const struct cookie_row *row)
{
    struct err ignored;

    (void)jar_add_row(self, row, &ignored);
    return true;
}

static bool show_cookie(void *self, const struct jar_cookie *cookie)
{
    strbuf_printf(self, "%.*s=%.*s; %s%s%s%s%s%s; %lld; made %llu set %llu\n", SPAN_ARG(cookie->name),
                  SPAN_ARG(cookie->value), cookie->domain, cookie->path, cookie->is_host_only ? " host" : "",
                  cookie->is_secure ? " secure" : "", cookie->is_http_only ? " http-only" : "",
                  cookie->is_inferred ? " inferred" : "", (long long)cookie->expires_us,
                  (unsigned long long)cookie->created_us, (unsigned long long)cookie->set_us);
    return true;
}

/* The jar as a reader of the store gets it; for mem_free. */
static char *jar_text(void)
{
    struct strbuf text = STRBUF_EMPTY;
    struct jar *jar = jar_new();
    struct err err;
    char *copy;

    old_check(store_cookies(old.store, old.id, add_to_jar, jar, &err), &err);
    jar_each(jar, clock_wall_us(), show_cookie, &text);
    jar_free(jar);
    copy = mem_spandup(strbuf_span(&text));
    strbuf_clear(&text);
    return copy;
}

static void add_cookie(uint32_t seq, uint64_t age_us, const char *scheme, const char *host, const char *path,
                       const char *line)
{
    struct span name = SPAN_NONE, value = span_of(line);

    (void)span_split(&value, '=', &name);
    old_session_add_cookie(&old, (struct cookie_row){ .seq = seq,
                                                      .source = COOKIE_SET,
                                                      .time_us = age_us,
                                                      .scheme = span_of(scheme),
                                                      .host = span_of(host),
                                                      .path = span_of(path),
                                                      .port = 443,
                                                      .name = name,
                                                      .value = value,
                                                      .line = span_of(line) });
}

static void add_sent(uint32_t seq, uint64_t age_us, const char *path, const char *name, const char *value)
{
    old_session_add_cookie(&old, (struct cookie_row){ .seq = seq,
                                                      .source = COOKIE_SENT,
                                                      .time_us = age_us,
                                                      .scheme = SPAN("https"),
                                                      .host = SPAN("a.test"),
                                                      .path = span_of(path),
                                                      .port = 443,
                                                      .name = span_of(name),
                                                      .value = span_of(value) });
}

static void a_rolling_cookie_leaves_its_first_and_its_last_row(void **state)
{
    char *before, *after, line[64];

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(line, sizeof line, "sid=%u; Max-Age=600; Path=/; Secure", i);
        add_cookie(i + 1, HOUR_US - i * SECOND_US, "https", "a.test", "/login", line);
        add_sent(i + 1, HOUR_US - i * SECOND_US - 1, "/", "sid", line + 4);
    }
    before = jar_text();
    sweep_all();
    after = jar_text();
    assert_string_equal(before, after);
    assert_true(old_count("SELECT count(*) FROM cookie") <= 3);
    assert_int_equal(old_count("SELECT count(*) FROM cookie WHERE seq <> 0"), 0);
    mem_free(before);
    mem_free(after);
}

static void rows_of_exchanges_that_are_kept_stay(void **state)
{
    (void)state;
    old_session_add_many(&old, 11, 10);
    for (uint32_t seq = 1; seq <= 20; seq++)
        add_cookie(seq, HOUR_US - seq * SECOND_US, "https", "a.test", "/", "sid=1; Path=/");
    sweep_all();
    assert_int_equal(old_count("SELECT count(*) FROM cookie WHERE seq >= 11"), 10);
    assert_int_equal(old_count("SELECT count(*) FROM cookie"), 12); /* and what they found */
}

static void what_was_deleted_and_what_is_ignored_goes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10; i++) {
        add_cookie(i + 1, HOUR_US - 2 * i * SECOND_US, "https", "a.test", "/", "sid=1; Path=/");
        add_cookie(i + 1, HOUR_US - (2 * i + 1) * SECOND_US, "https", "a.test", "/",
                   "sid=; Max-Age=0; Path=/");
        add_cookie(i + 1, HOUR_US - 2 * i * SECOND_US, "http", "a.test", "/", "x=1; Secure");
    }
    sweep_all();
    assert_int_equal(old_count("SELECT count(*) FROM cookie"), 0);
}

static void the_young_wait_for_the_next_sweep(void **state)
{
    (void)state;
    for (uint32_t seq = 1; seq <= 5; seq++)
        add_cookie(seq, 0, "https", "a.test", "/", "sid=1; Path=/");
    sweep_all();
    assert_int_equal(old_count("SELECT count(*) FROM cookie"), 5);
}

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) % below;
}

/* Whatever comes, readers get the same jar from what is left. */
static void the_jar_is_the_same_after_whatever_came(void **state)
{
    static const char *const hosts[] = { "a.test", "b.a.test", "c.test" };
    static const char *const paths[] = { "/", "/x/y" };
    static const char *const ends[] = { "",
                                        "; Path=/",
                                        "; Domain=a.test",
                                        "; Path=/x",
                                        "; Secure",
                                        "; Max-Age=0",
                                        "; Max-Age=0; Path=/",
                                        "; Path=/; Secure; HttpOnly",
                                        "; Path=/; Max-Age=90000",
                                        "; Path=/; Max-Age=20" };
    int64_t left = 0;

    (void)state;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned seed = round;
        char *before, *after, name[32];
        snprintf(name, sizeof name, "round %u", round);
        old_session_close(&old);
        old_session_open(&old, old_folder.store, name);
        for (uint32_t i = 0; i < 150; i++) {
            uint64_t age_us = HOUR_US - i * SECOND_US;
            char line[64];
            snprintf(line, sizeof line, "n%u=%u%s", draw(&seed, 3), i, ends[draw(&seed, 10)]);
            if (draw(&seed, 3) == 0)
                add_sent(1, age_us, paths[draw(&seed, 2)], draw(&seed, 2) ? "n1" : "n2", line + 3);
            else
                add_cookie(1, age_us, draw(&seed, 4) ? "https" : "http", hosts[draw(&seed, 3)],
                           paths[draw(&seed, 2)], line);
        }
        before = jar_text();
        sweep_all();
        after = jar_text();
        assert_string_equal(before, after);
        mem_free(before);
        mem_free(after);
    }
    left = old_count("SELECT count(*) FROM cookie");
    assert_in_range(left, 1, ROUNDS * 150 * 2 / 3);
}

/* --- events -------------------------------------------------------------------------------------------- */

static void add_event(uint64_t age_us, struct span kind)
{
    struct err err;
    const struct event_row row = { .time_us = clock_wall_us() - age_us, .kind = kind, .text = SPAN("x") };

    old_check(store_begin(old.store, &err) && store_add_event(old.store, old.id, &row, &err) &&
                  store_commit(old.store, &err),
              &err);
}

static void events_from_before_the_oldest_go_but_not_what_says_that_something_is_missing(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        add_event(3 * HOUR_US, SPAN("sealed"));
    add_event(3 * HOUR_US, SPAN("pruned"));
    add_event(3 * HOUR_US, SPAN("incomplete"));
    add_event(HOUR_US, SPAN("sealed"));
    old_session_add(&old, &(struct old_exchange){ .seq = 9, .state = RECORD_DONE, .age_us = 2 * HOUR_US });
    sweep_all();
    assert_int_equal(old_count("SELECT count(*) FROM event"), 3);
    assert_int_equal(old_count("SELECT count(*) FROM event WHERE kind = 'sealed'"), 1);
}

/* --- handshakes ---------------------------------------------------------------------------------------- */

/* Exchanges of handshakes 2 * seq and 2 * seq + 1. */
static void add_with_tls(uint32_t seq)
{
    old_session_add(&old,
                    &(struct old_exchange){
                        .seq = seq, .state = RECORD_DONE, .client_tls = 2 * seq, .origin_tls = 2 * seq + 1 });
}

static void take(uint32_t seq)
{
    struct err err;
    bool was_there;

    old_check(store_begin(old.store, &err) &&
                  store_delete_exchange(old.store, old.id, seq, &was_there, &err) &&
                  store_commit(old.store, &err),
              &err);
}

static void assert_all_handshakes_are_there(void)
{
    assert_int_equal(old_count("SELECT count(*) FROM exchange WHERE client_tls NOT IN (SELECT id FROM tls)"
                               " OR origin_tls NOT IN (SELECT id FROM tls)"),
                     0);
}

static void handshakes_go_with_the_last_who_refers_to_them(void **state)
{
    (void)state;
    for (uint32_t seq = 1; seq <= 300; seq++)
        add_with_tls(seq);
    old_session_add(&old, &(struct old_exchange){ .seq = 301, .state = RECORD_DONE, .client_tls = 4 });
    for (uint32_t seq = 1; seq <= 290; seq++)
        take(seq);
    sweep_all();
    assert_int_equal(old_count("SELECT count(*) FROM tls"), 21);
    assert_all_handshakes_are_there();
}

/* A connection that was quiet is used again while a sweep is under way, and after its handshake went. */
static void a_handshake_that_is_used_again_is_there_at_every_place_of_a_sweep(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 12; at++) {
        struct sweep *sweep;
        bool done = false;
        struct err err;
        char name[32];
        snprintf(name, sizeof name, "at %u", at);
        old_session_close(&old);
        old_session_open(&old, old_folder.store, name);
        for (uint32_t seq = 1; seq <= 260; seq++)
            add_with_tls(seq);
        take(1);
        sweep = sweep_new(old.store, old.id);
        for (unsigned i = 0; i < at && !done; i++)
            old_check(sweep_step(sweep, 0, &done, &err), &err);
        old_session_add(&old, &(struct old_exchange){
                                  .seq = 999, .state = RECORD_DONE, .client_tls = 2, .origin_tls = 3 });
        sweep_to_end(sweep);
        assert_all_handshakes_are_there();
    }
}

static void one_sweep_is_under_way_at_a_time(void **state)
{
    struct sweep *sweep = sweep_new(old.store, old.id);

    (void)state;
    assert_null(sweep_new(old.store, old.id));
    sweep_to_end(sweep);
    sweep_all();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, old_store_set_up, old_store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_rolling_cookie_leaves_its_first_and_its_last_row),
        TEST(rows_of_exchanges_that_are_kept_stay),
        TEST(what_was_deleted_and_what_is_ignored_goes),
        TEST(the_young_wait_for_the_next_sweep),
        TEST(the_jar_is_the_same_after_whatever_came),
        TEST(events_from_before_the_oldest_go_but_not_what_says_that_something_is_missing),
        TEST(handshakes_go_with_the_last_who_refers_to_them),
        TEST(a_handshake_that_is_used_again_is_there_at_every_place_of_a_sweep),
        TEST(one_sweep_is_under_way_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

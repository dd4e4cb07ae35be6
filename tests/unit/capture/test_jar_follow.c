#include "capture/jar_follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/session.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "tests/support/recording.h"

#define SECOND 1000000ull

static struct test_folder folder;
static struct store *store;
static struct session_row session;
static struct jar_follow *follow;
static uint64_t now_us;

static uint64_t wall_us(void)
{
    return now_us;
}

static uint64_t mono_us(void)
{
    return now_us;
}

static int begin(void **state)
{
    const struct store_session_start start = { .name = "s", .filter = "", .options = "{}" };
    uint32_t last_seq;
    struct err err;

    (void)state;
    now_us = 1795305600 * SECOND;
    clock_replace(mono_us, wall_us);
    test_folder_make(&folder);
    assert_true(store_open(folder.store, STORE_WRITE, &store, &err));
    assert_true(store_session_start(store, &start, &session, &last_seq, &err));
    assert_true(jar_follow_new(folder.store, session.id, &follow, &err));
    return 0;
}

static int finish(void **state)
{
    (void)state;
    jar_follow_free(follow);
    session_row_clear(&session);
    store_close(store);
    test_folder_remove(&folder);
    clock_replace(NULL, NULL);
    return 0;
}

/* A batch with one Set-Cookie of a.test, seen ago_us before now. */
static void set(uint64_t ago_us, const char *line)
{
    const struct cookie_row row = {
        .source = COOKIE_SET,
        .time_us = now_us - ago_us,
        .scheme = SPAN("https"),
        .host = SPAN("a.test"),
        .path = SPAN("/"),
        .name = SPAN("n"),
        .value = SPAN("v"),
        .line = span_of(line),
    };
    struct err err;
    int64_t id;

    assert_true(store_begin(store, &err) && store_add_cookie(store, session.id, &row, &id, &err) &&
                store_commit(store, &err));
}

static void assert_jar(bool has_news, const char *expected)
{
    const struct jar_request request = { .scheme = SPAN("https"), .host = SPAN("a.test"), .path = SPAN("/") };
    struct strbuf sent = STRBUF_EMPTY;
    bool has = !has_news;
    struct err err;

    assert_true(jar_follow_step(follow, &has, &err));
    assert_int_equal(has, has_news);
    jar_for_url(jar_follow_jar(follow), &request, now_us, &sent);
    assert_string_equal(strbuf_text(&sent), expected);
    strbuf_clear(&sent);
}

static void what_is_new_is_read_and_otherwise_nothing(void **state)
{
    (void)state;
    assert_jar(false, "");
    set(0, "a=1");
    set(0, "b=1");
    assert_jar(true, "a=1; b=1");
    assert_jar(false, "a=1; b=1");
    set(0, "a=2");
    assert_jar(true, "a=2; b=1");
    set(0, "b=; Max-Age=0");
    assert_jar(true, "a=2");
}

static void an_older_value_that_comes_later_does_not_win(void **state)
{
    (void)state;
    set(0, "a=new");
    assert_jar(true, "a=new");
    set(SECOND / 10, "a=old");
    assert_jar(true, "a=new");
}

static void what_settled_stays_as_it_was(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char line[32], expected[32];
        snprintf(line, sizeof line, "a=%d", i);
        snprintf(expected, sizeof expected, "once=1; a=%d", i);
        if (i == 0)
            set(1, "once=1");
        set(0, line);
        assert_jar(true, expected);
        now_us += SECOND;
    }
}

static void one_that_comes_much_too_late_still_takes_its_place(void **state)
{
    (void)state;
    set(0, "a=1");
    assert_jar(true, "a=1");
    now_us += 10 * SECOND;
    set(0, "a=2");
    assert_jar(true, "a=2");
    now_us += 10 * SECOND;
    set(0, "b=1");
    assert_jar(true, "a=2; b=1");
    set(15 * SECOND, "a=between");
    assert_jar(true, "a=2; b=1");
    set(5 * SECOND, "a=3");
    assert_jar(true, "a=3; b=1");
}

static void a_cookie_of_another_session_is_no_news(void **state)
{
    const struct store_session_start start = { .name = "other", .filter = "", .options = "{}" };
    struct session_row ours = session;
    uint32_t last_seq;
    struct err err;

    (void)state;
    assert_true(store_session_start(store, &start, &session, &last_seq, &err));
    set(0, "a=1");
    session_row_clear(&session);
    session = ours;
    assert_jar(false, "");
}

#define follow_test(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        follow_test(what_is_new_is_read_and_otherwise_nothing),
        follow_test(an_older_value_that_comes_later_does_not_win),
        follow_test(what_settled_stays_as_it_was),
        follow_test(one_that_comes_much_too_late_still_takes_its_place),
        follow_test(a_cookie_of_another_session_is_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What may be forgotten, and that nobody sees it from the jar. */
#include "capture/jar_thin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/jar_follow.h"
#include "proxy/base/mem.h"

#define ROUNDS    500
#define MOST_ROWS 40000
#define SECOND_US UINT64_C(1000000)
#define START_US  (UINT64_C(1790000000) * SECOND_US)

struct seen {
    const char *scheme, *host, *path, *name, *value; /* name NULL: value is the line of a Set-Cookie */
    uint64_t time_us;
    bool stays, is_gone;
    char text[80]; /* where value may point */
};

static struct seen seen[MOST_ROWS];
static size_t seen_count;

static int set_up(void **state)
{
    (void)state;
    memset(seen, 0, seen_count * sizeof seen[0]);
    seen_count = 0;
    return 0;
}

/* One a second. */
static struct seen *see(const char *host, const char *line)
{
    struct seen *s = &seen[seen_count];

    *s = (struct seen){ .scheme = "https", .host = host, .path = "/", .value = s->text };
    s->time_us = START_US + seen_count++ * SECOND_US;
    snprintf(s->text, sizeof s->text, "%s", line);
    return s;
}

static struct seen *see_sent(const char *host, const char *name, const char *value)
{
    struct seen *s = see(host, value);

    s->name = name;
    return s;
}

static struct cookie_row row_of(const struct seen *s)
{
    bool is_set = s->name == NULL;

    return (struct cookie_row){ .source = is_set ? COOKIE_SET : COOKIE_SENT,
                                .time_us = s->time_us,
                                .scheme = span_of(s->scheme),
                                .host = span_of(s->host),
                                .path = span_of(s->path),
                                .name = is_set ? SPAN_NONE : span_of(s->name),
                                .value = span_of(s->value),
                                .line = is_set ? span_of(s->value) : SPAN_NONE };
}

static void take_needless(struct jar_thin *thin)
{
    int64_t id;

    while (jar_thin_next(thin, &id)) {
        assert_false(seen[id].is_gone);
        assert_false(seen[id].stays);
        seen[id].is_gone = true;
    }
}

/* Goes through what is left of the first so many; how many are left then. False from jar_thin_add ends it. */
static size_t thin_out(size_t count)
{
    struct jar_thin *thin = jar_thin_new();
    uint64_t now_us = START_US;
    size_t left = 0;
    bool goes_on = true;

    for (size_t i = 0; i < count && goes_on; i++) {
        struct cookie_row row = row_of(&seen[i]);
        if (seen[i].is_gone)
            continue;
        now_us = row.time_us;
        goes_on = jar_thin_add(thin, (int64_t)i, &row, seen[i].stays);
        take_needless(thin);
    }
    while (jar_thin_finish(thin, goes_on ? now_us + SECOND_US : now_us))
        take_needless(thin);
    jar_thin_free(thin);
    for (size_t i = 0; i < count; i++)
        left += !seen[i].is_gone;
    return left;
}

static bool show(void *self, const struct jar_cookie *cookie)
{
    strbuf_printf(self, "%.*s=%.*s; %s%s%s%s%s%s; %lld; made %llu set %llu\n", SPAN_ARG(cookie->name),
                  SPAN_ARG(cookie->value), cookie->domain, cookie->path, cookie->is_host_only ? " host" : "",
                  cookie->is_secure ? " secure" : "", cookie->is_http_only ? " http-only" : "",
                  cookie->is_inferred ? " inferred" : "", (long long)cookie->expires_us,
                  (unsigned long long)cookie->created_us, (unsigned long long)cookie->set_us);
    return true;
}

/* What each observation that stays does to the jar, and the jar at the end. For mem_free. */
static char *story(void)
{
    struct jar *jar = jar_new();
    struct strbuf text = STRBUF_EMPTY;
    const struct jar_cookie *cookie;
    uint64_t now_us = START_US + seen_count * SECOND_US;
    struct err ignored;
    char *copy;

    for (size_t i = 0; i < seen_count; i++) {
        struct cookie_row row = row_of(&seen[i]);
        if (seen[i].is_gone)
            continue;
        (void)jar_add_row(jar, &row, &ignored);
        if (seen[i].stays)
            strbuf_printf(&text, "%zu: %d\n", i, (int)jar_last_change(jar, &cookie));
    }
    jar_each(jar, now_us, show, &text);
    jar_free(jar);
    copy = mem_spandup(strbuf_span(&text));
    strbuf_clear(&text);
    return copy;
}

static size_t assert_same_after_thinning(size_t count)
{
    char *before = story(), *after;
    size_t left = thin_out(count);

    after = story();
    assert_string_equal(before, after);
    mem_free(before);
    mem_free(after);
    return left;
}

/* --- what goes ----------------------------------------------------------------------------------------- */

static void see_rolling(const char *host, const char *attributes, unsigned i)
{
    char line[80];

    snprintf(line, sizeof line, "sid=%u%s", i, attributes);
    see(host, line);
}

static void a_rolling_cookie_needs_what_made_it_and_its_value(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        see_rolling("a.test", "; Path=/", i);
    assert_int_equal(assert_same_after_thinning(seen_count), 2);
    assert_false(seen[0].is_gone || seen[999].is_gone);
}

/* Each on its own would explain or shut out what the other is about. */
static void cookies_of_one_name_that_roll_side_by_side_do_not_keep_each_other(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        see_rolling("a.test", "; Path=/; Secure", i);
        see_rolling("b.a.test", "; Path=/; Domain=a.test", i);
        see_rolling("b.a.test", "; Path=/x", i);
        see_sent("b.a.test", "sid", "unknown");
    }
    assert_in_range(assert_same_after_thinning(seen_count), 6, 8);
}

static void many_hosts_of_a_site_do_not_keep_each_other(void **state)
{
    char host[60][16];

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        snprintf(host[i], sizeof host[i], "h%u.a.test", i);
    for (unsigned i = 0; i < 6000; i++)
        see_rolling(host[i % 60], "", i);
    assert_int_equal(assert_same_after_thinning(seen_count), 120);
}

static void names_that_never_come_again_go_when_they_have_expired(void **state)
{
    char line[40];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "nonce%u=1; Max-Age=60", i);
        see("a.test", line);
    }
    assert_int_equal(assert_same_after_thinning(seen_count), 59);
}

static void deletions_go_with_what_they_deleted(void **state)
{
    char line[40];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "x%u=1%s", i / 2, i % 2 ? "; Max-Age=0" : "");
        see("a.test", line);
    }
    assert_int_equal(assert_same_after_thinning(seen_count), 0);
}

static void what_no_jar_takes_goes(void **state)
{
    (void)state;
    see("a.test", "sid=1; Domain=b.test");
    see("a.test", "=");
    see("a.test", "__Host-a=1");
    see("", "sid=1");
    see_sent("a.test", "", "");
    assert_int_equal(assert_same_after_thinning(seen_count), 0);
}

/* --- what stays ---------------------------------------------------------------------------------------- */

static void what_stays_finds_the_jar_that_it_found(void **state)
{
    (void)state;
    see("a.test", "sid=1; Secure");
    see("a.test", "sid=2; Secure")->scheme = "https";
    see("a.test", "sid=3")->scheme = "http"; /* shut out */
    seen[2].stays = true;
    see("a.test", "sid=; Max-Age=0");
    assert_same_after_thinning(seen_count);
    assert_false(seen[0].is_gone && seen[1].is_gone);
}

/* As far as it goes; the next time it goes on. */
static void more_than_can_be_held_is_thinned_in_turns(void **state)
{
    char line[40];
    size_t left, before;

    (void)state;
    for (unsigned i = 0; i < MOST_ROWS; i++) {
        snprintf(line, sizeof line, "n%u=1; Max-Age=60", i);
        see("a.test", line);
    }
    before = assert_same_after_thinning(seen_count);
    assert_in_range(before, MOST_ROWS / 2, MOST_ROWS - 16000);
    while ((left = assert_same_after_thinning(seen_count)) != before)
        before = left;
    assert_int_equal(left, 59);
}

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) % below;
}

static void see_something(unsigned *seed, unsigned i)
{
    static const char *const hosts[] = { "a.test", "b.a.test", "c.b.a.test", "c.test" };
    static const char *const paths[] = { "/", "/x/y" };
    static const char *const ends[] = { "",
                                        "; Path=/",
                                        "; Domain=a.test",
                                        "; Domain=b.a.test; Path=/",
                                        "; Path=/x",
                                        "; Secure",
                                        "; Max-Age=0",
                                        "; Max-Age=0; Path=/",
                                        "; Path=/; Secure; HttpOnly",
                                        "; Path=/; Secure; Partitioned",
                                        "; Path=/; Max-Age=20",
                                        "; Domain=a.test; Secure; Max-Age=9" };
    char line[64];
    struct seen *s;

    snprintf(line, sizeof line, "n%u=%u%s", draw(seed, 2), i, ends[draw(seed, 12)]);
    s = see(hosts[draw(seed, 4)], line);
    if (draw(seed, 3) == 0)
        s->name = draw(seed, 2) ? "n0" : "n1";
    s->path = paths[draw(seed, 2)];
    s->scheme = draw(seed, 3) ? "https" : "http";
}

/* In several turns, each of which lets more go, with others yet to come. */
static void whatever_came_nobody_sees_what_is_gone(void **state)
{
    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned seed = round, often = draw(&seed, 4) * 10;
        set_up(state);
        for (unsigned i = 0; i < 150; i++)
            see_something(&seed, i);
        for (size_t turn = 1; turn <= 3; turn++) {
            for (size_t i = 0; i < seen_count; i++)
                seen[i].stays =
                    !seen[i].is_gone && (i >= turn * 40 || (often != 0 && draw(&seed, often) == 0));
            assert_same_after_thinning(turn * 45);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_rolling_cookie_needs_what_made_it_and_its_value),
        TEST(cookies_of_one_name_that_roll_side_by_side_do_not_keep_each_other),
        TEST(many_hosts_of_a_site_do_not_keep_each_other),
        TEST(names_that_never_come_again_go_when_they_have_expired),
        TEST(deletions_go_with_what_they_deleted),
        TEST(what_no_jar_takes_goes),
        TEST(what_stays_finds_the_jar_that_it_found),
        TEST(more_than_can_be_held_is_thinned_in_turns),
        TEST(whatever_came_nobody_sees_what_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

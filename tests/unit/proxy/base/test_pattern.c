#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/base/pattern.h"

static struct pattern *made(const char *text, unsigned how)
{
    struct pattern *pattern;
    struct err err;

    if (!pattern_new(span_of(text), how, &pattern, &err))
        fail_msg("%s", err.text);
    return pattern;
}

static bool matches(const char *text, unsigned how, const char *subject)
{
    struct pattern *pattern = made(text, how);
    bool answer = pattern_match(pattern, span_of(subject));

    pattern_free(pattern);
    return answer;
}

static void a_glob_covers_the_whole_subject(void **state)
{
    static const struct {
        const char *glob, *subject;
        bool answer;
    } rows[] = {
        { "", "", true },
        { "", "a", false },
        { "abc", "abc", true },
        { "abc", "abcd", false },
        { "abc", "xabc", false },
        { "abc", "ABC", false },
        { "*", "", true },
        { "*", "a/b", true },
        { "/api/*", "/api/", true },
        { "/api/*", "/api/users/7", true },
        { "/api/*", "/api", false },
        { "/api/*", "/v1/api/x", false },
        { "*.test", ".test", true },
        { "*.test", "a.test", true },
        { "*.test", "a.tests", false },
        { "/a*b*c", "/abc", true },
        { "/a*b*c", "/aXbYc", true },
        { "/a*b*c", "/acb", false },
        { "aa*aa", "aaa", false },
        { "aa*aa", "aaaa", true },
        { "*ab*ab*", "ab", false },
        { "*ab*ab*", "xabyabz", true },
        { "a**b", "ab", true },
        { "a\\*b", "a*b", true },
        { "a\\*b", "axb", false },
        { "a\\\\*", "a\\x", true },
        { "a?[b]", "a?[b]", true },
        { "a\\", "a\\", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (matches(rows[i].glob, PATTERN_GLOB, rows[i].subject) != rows[i].answer)
            fail_msg("'%s' on '%s'", rows[i].glob, rows[i].subject);
    }
}

static void a_glob_that_may_stand_anywhere_is_a_part(void **state)
{
    (void)state;
    assert_true(matches("b*d", PATTERN_ANYWHERE, "abcde"));
    assert_true(matches("cd", PATTERN_ANYWHERE, "abcde"));
    assert_true(matches("", PATTERN_ANYWHERE, ""));
    assert_true(matches("*", PATTERN_ANYWHERE, ""));
    assert_false(matches("d*b", PATTERN_ANYWHERE, "abcde"));
    assert_false(matches("CD", PATTERN_ANYWHERE, "abcde"));
    assert_true(matches("CD", PATTERN_ANYWHERE | PATTERN_ANY_CASE, "abcde"));
    assert_true(matches("aab", PATTERN_ANYWHERE | PATTERN_ANY_CASE, "AAAB"));
}

static void case_is_ignored_in_ascii_only(void **state)
{
    (void)state;
    assert_true(matches("Www.*.Test", PATTERN_ANY_CASE, "wWW.a.tESt"));
    assert_false(matches("\xc3\xa9", PATTERN_ANY_CASE, "\xc3\x89"));
    assert_false(matches("@", PATTERN_ANY_CASE, "`"));
}

static void a_missing_subject_is_an_empty_one(void **state)
{
    struct pattern *glob = made("*", PATTERN_GLOB), *regex = made("^$", PATTERN_REGEX);

    (void)state;
    assert_true(pattern_match(glob, SPAN_NONE));
    assert_true(pattern_match(regex, SPAN_NONE));
    pattern_free(glob);
    pattern_free(regex);
    pattern_free(NULL);
}

static void a_literal_is_told_without_its_backslashes(void **state)
{
    struct pattern *plain = made("a\\*b", PATTERN_ANY_CASE), *star = made("a*b", 0), *regex = made("a", 1);
    struct span text;

    (void)state;
    assert_true(pattern_literal(plain, &text));
    assert_true(span_eq(text, SPAN("a*b")));
    assert_true(span_eq(pattern_text(plain), SPAN("a\\*b")));
    assert_int_equal(pattern_how(plain), PATTERN_ANY_CASE);
    assert_false(pattern_literal(star, &text));
    assert_false(pattern_literal(regex, &text));
    pattern_free(plain);
    pattern_free(star);
    pattern_free(regex);
}

static void escaped_bytes_mean_themselves(void **state)
{
    struct strbuf glob;

    (void)state;
    strbuf_init(&glob, 0);
    pattern_add_escaped(&glob, SPAN("a*\\b"));
    assert_true(matches(strbuf_text(&glob), 0, "a*\\b"));
    assert_false(matches(strbuf_text(&glob), 0, "ax\\b"));
    strbuf_clear(&glob);
}

static void a_regular_expression_is_found_anywhere(void **state)
{
    (void)state;
    assert_true(matches("v[12]/", PATTERN_REGEX, "/api/v2/x"));
    assert_false(matches("^v[12]/", PATTERN_REGEX, "/api/v2/x"));
    assert_false(matches("V2", PATTERN_REGEX, "v2"));
    assert_true(matches("V2", PATTERN_REGEX | PATTERN_ANY_CASE, "v2"));
    assert_true(matches("^caf.$", PATTERN_REGEX, "caf\xc3\xa9"));
    assert_true(matches("ok", PATTERN_REGEX, "\xff\xfeok\xff"));
}

static void a_wrong_regular_expression_says_why(void **state)
{
    struct pattern *pattern;
    struct err err;

    (void)state;
    assert_false(pattern_new(SPAN("a(b"), PATTERN_REGEX, &pattern, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.text, "missing closing parenthesis"));
    assert_non_null(strstr(err.text, "after 3 bytes"));
    assert_false(pattern_new(SPAN("a\\Cb"), PATTERN_REGEX, &pattern, &err));
}

/* Backtracking of these is exponential: without the limit the test would not end. */
static void a_runaway_regular_expression_is_no_match(void **state)
{
    char subject[4097];

    (void)state;
    memset(subject, 'a', sizeof subject - 2);
    subject[sizeof subject - 2] = '!';
    subject[sizeof subject - 1] = '\0';
    assert_false(matches("^(a+)+$", PATTERN_REGEX, subject));
    assert_false(matches("(*NO_JIT)^(a+)+$", PATTERN_REGEX, subject));
    assert_false(matches("^(a|aa)+$", PATTERN_REGEX, subject));
}

static void a_glob_of_many_stars_ends_soon(void **state)
{
    char subject[20001], glob[4001];

    (void)state;
    memset(subject, 'a', sizeof subject - 1);
    subject[sizeof subject - 1] = '\0';
    for (size_t i = 0; i + 1 < sizeof glob; i += 2)
        memcpy(glob + i, "*a", 2);
    glob[sizeof glob - 2] = 'b';
    glob[sizeof glob - 1] = '\0';
    assert_false(matches(glob, PATTERN_ANY_CASE, subject));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glob_covers_the_whole_subject),
        cmocka_unit_test(a_glob_that_may_stand_anywhere_is_a_part),
        cmocka_unit_test(case_is_ignored_in_ascii_only),
        cmocka_unit_test(a_missing_subject_is_an_empty_one),
        cmocka_unit_test(a_literal_is_told_without_its_backslashes),
        cmocka_unit_test(escaped_bytes_mean_themselves),
        cmocka_unit_test(a_regular_expression_is_found_anywhere),
        cmocka_unit_test(a_wrong_regular_expression_says_why),
        cmocka_unit_test(a_runaway_regular_expression_is_no_match),
        cmocka_unit_test(a_glob_of_many_stars_ends_soon),
    };

    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}

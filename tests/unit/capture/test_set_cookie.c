#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/set_cookie.h"
#include "proxy/base/mem.h"

static struct set_cookie parsed(const char *line)
{
    struct set_cookie cookie;
    struct err err;

    if (!set_cookie_parse(span_of(line), &cookie, &err))
        fail_msg("'%s': %s", line, err.text);
    return cookie;
}

static void assert_refused(const char *line)
{
    struct set_cookie cookie;
    struct err err;

    if (set_cookie_parse(span_of(line), &cookie, &err))
        fail_msg("'%s' was taken", line);
    assert_int_equal(err.code, ERR_PROTO);
}

#define assert_span(span_, text_) assert_true(span_eq((span_), span_of(text_)))

static void assert_date(const char *text, int64_t expected)
{
    int64_t unix_s = -1;

    if (!cookie_date_parse(span_of(text), &unix_s))
        fail_msg("'%s' is no date", text);
    if (unix_s != expected)
        fail_msg("'%s' is %lld", text, (long long)unix_s);
}

static void a_date_is_read_in_each_of_its_spellings(void **state)
{
    (void)state;
    assert_date("Wed, 09 Oct 2030 21:49:26 GMT", 1917812966);
    assert_date("Wednesday, 09-Oct-30 21:49:26 GMT", 1917812966);
    assert_date("Wed Oct  9 21:49:26 2030", 1917812966);
    assert_date("21:49:26 2030 oct 9", 1917812966);
    assert_date("9 octember 2030 21:49:26.123", 1917812966);
    assert_date("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    assert_date("Thu, 01-Jan-70 00:00:01 GMT", 1);
    assert_date("Mon, 01 Jan 1601 00:00:00 GMT", -11644473600);
    assert_date("29 Feb 2024 1:2:3", 1709168523);
    assert_date("Fri, 31 Dec 9999 23:59:59 GMT", COOKIE_LAST_SECOND);
    assert_date("1 Jan 69 0:0:0", 3124224000);
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const texts[] = { "",
                                         "tomorrow",
                                         "Wed, 09 Oct 2030",
                                         "Wed, 09 Oct 2030 24:00:00 GMT",
                                         "Wed, 09 Oct 2030 23:60:00 GMT",
                                         "Wed, 09 Oct 2030 23:00:60 GMT",
                                         "Wed, 31 Jun 2030 21:49:26 GMT",
                                         "Wed, 29 Feb 2023 21:49:26 GMT",
                                         "Wed, 00 Oct 2030 21:49:26 GMT",
                                         "Wed, 09 Oct 1600 21:49:26 GMT",
                                         "Wed, 09 Oct 20300 21:49:26 GMT",
                                         "Wed, 009 Oct 2030 21:49:26 GMT",
                                         "Wed, 09 Okt 2030 21:49:26 GMT",
                                         "Wed, 09 Oct 2030 21:49" };
    int64_t unix_s = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (cookie_date_parse(span_of(texts[i]), &unix_s))
            fail_msg("'%s' was taken", texts[i]);
    assert_int_equal(unix_s, 42);
}

static void name_and_value_are_trimmed_and_kept_as_they_are(void **state)
{
    struct set_cookie cookie = parsed("  sid \t=  \"a b=c\"  ; Path=/");

    (void)state;
    assert_span(cookie.name, "sid");
    assert_span(cookie.value, "\"a b=c\"");
    assert_span(parsed("a=\xc3\xa9\xff").value, "\xc3\xa9\xff");
    assert_span(parsed("a=1,b=2").value, "1,b=2");
    assert_span(parsed("a=").value, "");
}

static void every_attribute_is_read_whatever_its_case(void **state)
{
    struct set_cookie cookie =
        parsed("a=1; eXpires=Wed, 09 Oct 2030 21:49:26 GMT; MAX-AGE=60; domain=.Shop.Test; PATH=/x; "
               "secure=no; HttpOnly; samesite=STRICT; Partitioned; Priority=High; new=thing");

    (void)state;
    assert_true(cookie.has_expires && cookie.has_max_age);
    assert_int_equal(cookie.expires_s, 1917812966);
    assert_int_equal(cookie.max_age_s, 60);
    assert_span(cookie.domain, "Shop.Test");
    assert_span(cookie.path, "/x");
    assert_true(cookie.secure && cookie.http_only && cookie.partitioned);
    assert_int_equal(cookie.same_site, SAME_SITE_STRICT);
    assert_span(cookie.priority, "High");
}

static void the_last_of_a_repeated_attribute_counts(void **state)
{
    struct set_cookie cookie =
        parsed("a=1; Path=/x; Path=; Domain=b.test; Domain=; Max-Age=0; Max-Age=7; SameSite=Lax; "
               "SameSite=bogus");

    (void)state;
    assert_int_equal(cookie.path.len, 0);
    assert_int_equal(cookie.domain.len, 0);
    assert_int_equal(cookie.max_age_s, 7);
    assert_int_equal(cookie.same_site, SAME_SITE_DEFAULT);
}

static void a_wrong_max_age_is_ignored_and_a_huge_one_saturates(void **state)
{
    (void)state;
    assert_false(parsed("a=1; Max-Age=").has_max_age);
    assert_false(parsed("a=1; Max-Age=-").has_max_age);
    assert_false(parsed("a=1; Max-Age=+5").has_max_age);
    assert_false(parsed("a=1; Max-Age=5x").has_max_age);
    assert_int_equal(parsed("a=1; Max-Age=-5").max_age_s, -5);
    assert_true(parsed("a=1; Max-Age=99999999999999999999999999").max_age_s >= COOKIE_LAST_SECOND);
    assert_true(parsed("a=1; Max-Age=-99999999999999999999999999").max_age_s < 0);
}

static void lengths_are_limited(void **state)
{
    char line[5200];
    struct set_cookie cookie;
    struct err err;

    (void)state;
    memset(line, 'a', sizeof(line));
    line[4095] = '=';
    assert_true(set_cookie_parse(span_make(line, 4097), &cookie, &err));
    assert_int_equal(cookie.name.len + cookie.value.len, 4096);
    assert_false(set_cookie_parse(span_make(line, 4098), &cookie, &err));

    memcpy(line, "a=1;Path=/", 10);
    memset(line + 10, 'a', 2000);
    assert_true(set_cookie_parse(span_make(line, 9 + 1024), &cookie, &err));
    assert_int_equal(cookie.path.len, 1024);
    assert_true(set_cookie_parse(span_make(line, 9 + 1025), &cookie, &err));
    assert_int_equal(cookie.path.len, 0);
}

static void a_cookie_may_lack_its_name_but_not_pass_for_another(void **state)
{
    (void)state;
    assert_int_equal(parsed("=v").name.len, 0);
    assert_span(parsed("=v").value, "v");
    assert_span(parsed("v; Secure").value, "v");
    assert_refused("");
    assert_refused("=");
    assert_refused("; Path=/");
    assert_refused("=a=b");
    assert_refused("=__secure-a");
    assert_refused("__HOST-a");
}

static void control_characters_condemn_the_whole_line(void **state)
{
    struct set_cookie cookie;
    struct err err;

    (void)state;
    assert_refused("a=1\x01");
    assert_refused("a=1; Path=/\x7f");
    assert_false(set_cookie_parse(SPAN("a=1\0; Secure"), &cookie, &err));
    assert_span(parsed("a=b\tc").value, "b\tc");
}

static void a_cookie_field_is_cut_into_its_pairs(void **state)
{
    struct span rest = SPAN("a=1; ;b=x=y;c ;  =d;"), name, value;

    (void)state;
    assert_true(cookie_next(&rest, &name, &value));
    assert_span(name, "a");
    assert_span(value, "1");
    assert_true(cookie_next(&rest, &name, &value));
    assert_span(name, "b");
    assert_span(value, "x=y");
    assert_true(cookie_next(&rest, &name, &value));
    assert_span(name, "");
    assert_span(value, "c");
    assert_true(cookie_next(&rest, &name, &value));
    assert_span(name, "");
    assert_span(value, "d");
    assert_false(cookie_next(&rest, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_read_in_each_of_its_spellings),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(name_and_value_are_trimmed_and_kept_as_they_are),
        cmocka_unit_test(every_attribute_is_read_whatever_its_case),
        cmocka_unit_test(the_last_of_a_repeated_attribute_counts),
        cmocka_unit_test(a_wrong_max_age_is_ignored_and_a_huge_one_saturates),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(a_cookie_may_lack_its_name_but_not_pass_for_another),
        cmocka_unit_test(control_characters_condemn_the_whole_line),
        cmocka_unit_test(a_cookie_field_is_cut_into_its_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/export.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

static struct fake_source *fake;

static int make_source(void **state)
{
    (void)state;
    fake = fake_source_new();
    fake_source_sent_cookie(fake, "https://api.shop.test/v1", 1, "before", "1");
    fake_source_set_cookie(fake, "https://api.shop.test/login", 2,
                           "sid=abc; Path=/; Secure; HttpOnly; SameSite=None");
    fake_source_set_cookie(
        fake, "https://www.shop.test/", 3,
        "pref=1; Domain=shop.test; Path=/; Expires=Wed, 09 Oct 2030 21:49:26 GMT; Priority=High");
    fake_source_set_cookie(fake, "https://www.shop.test/a/b", 4, "deep=x%20y; SameSite=Strict");
    fake_source_set_cookie(fake, "https://www.shop.test/", 5, "soon=1; Max-Age=100");
    fake_source_set_cookie(fake, "https://www.shop.test/", 6, "gone=1; Max-Age=10");
    fake_source_set_cookie(fake, "https://www.shop.test/", 7, "far=1; Max-Age=99999999999999; Path=/x/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 8, "part=1; Secure; Partitioned; Path=/");
    fake_source_set_cookie(fake, "http://[::1]:8080/", 9, "six=1");
    fake_source_set_cookie(fake, "https://xn--bcher-kva.example/", 10,
                           "idn=\xc3\xa9; Domain=xn--bcher-kva.example; Path=/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 11, "pref=host; Path=/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 12, "tab=a\tb; Path=/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 13, "latin=\xe9; Path=/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 14, "v-only; Path=/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 15, "PREF=2; Path=/");
    fake_source_set_cookie(fake, "https://www.shop.test/", 16, "all=1; Domain=test");
    fake_source_set_cookie(fake, "https://other.test/", 17, "pref=1; Domain=other.test; Path=/");
    fake_source_set_cookie(fake, "https://other.test/", 18, "pref=2; Path=/");
    return 0;
}

static int free_source(void **state)
{
    (void)state;
    fake_source_free(fake);
    return 0;
}

static void compare(const char *format, const char *domain, const char *path)
{
    char *text = fake_source_export(fake, format, NULL, domain);

    golden_compare(text, path);
    free(text);
}

static void cookies_txt_is_what_curl_and_python_read(void **state)
{
    (void)state;
    compare("cookies-netscape", NULL, "tests/unit/capture/export/golden/cookies.txt");
}

static void the_tough_jar_is_what_newman_reads(void **state)
{
    (void)state;
    compare("cookies-tough", NULL, "tests/unit/capture/export/golden/cookies-tough.json");
}

static void the_storage_state_is_what_playwright_reads(void **state)
{
    (void)state;
    compare("cookies-playwright", NULL, "tests/unit/capture/export/golden/cookies-playwright.json");
}

static void a_domain_takes_all_below_it_and_a_host_what_it_would_be_sent(void **state)
{
    (void)state;
    compare("cookies-netscape", "shop.test", "tests/unit/capture/export/golden/cookies-domain.txt");
    compare("cookies-netscape", "https://api.shop.test", "tests/unit/capture/export/golden/cookies-host.txt");
}

static void what_a_format_cannot_hold_is_counted(void **state)
{
    struct export_options options = { .format = export_find_format("cookies-netscape") };
    struct export_report report;
    struct err err;
    FILE *sink = fopen("/dev/null", "w");

    (void)state;
    assert_true(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(report.reasons[EXPORT_COOKIE_UNFIT].count, 3);
    assert_string_equal(report.reasons[EXPORT_COOKIE_UNFIT].first, "cookie tab of www.shop.test");
    assert_int_equal(report.reasons[EXPORT_COOKIE_IGNORED].count, 1);
    assert_int_equal(report.reasons[EXPORT_COOKIE_PATH].count, 1);
    assert_int_equal(report.reasons[EXPORT_COOKIE_CASE].count, 1);
    assert_int_equal(report.reasons[EXPORT_COOKIE_INFERRED].count, 1);
    assert_int_equal(report.considered, report.written + 3);
    options.format = export_find_format("cookies-tough");
    assert_true(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(report.reasons[EXPORT_COOKIE_TWINS].count, 1);
    options.domain = "ftp://shop.test";
    assert_false(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(err.code, ERR_USAGE);
    fclose(sink);
}

static char *export_as(struct export_options options, const char *format)
{
    struct export_report report;
    struct err err;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    options.format = export_find_format(format);
    assert_true(export_to_stream(fake_source_reader(fake), &options, stream, &report, &err));
    fclose(stream);
    export_report_clear(&report);
    return text;
}

static void cookie_editors_get_the_cookies_that_chrome_would_give_them(void **state)
{
    (void)state;
    compare("cookies-json", NULL, "tests/unit/capture/export/golden/cookies-chrome.json");
}

static void a_header_line_is_what_a_host_is_sent(void **state)
{
    char *text = fake_source_export(fake, "cookies-header", NULL, "https://api.shop.test");
    char *none = fake_source_export(fake, "cookies-header", NULL, "nobody.test");

    (void)state;
    assert_string_equal(text, "Cookie: before=1; sid=abc; pref=1\n");
    assert_string_equal(none, "");
    free(text);
    free(none);
}

static void a_session_cookie_is_given_a_date_when_that_is_wanted(void **state)
{
    /* 2026-11-22 12:00; a day later is the end of the 23rd. */
    struct export_options options = { .session_days = 1, .now_us = 1795348800ull * 1000000 };
    char *text = export_as(options, "cookies-netscape");

    (void)state;
    assert_non_null(strstr(text, "\t1795478400\tsid\tabc\n"));
    assert_non_null(strstr(text, "\t1917812966\tpref\t1\n")); /* a date of its own stays */
    free(text);
    text = export_as(options, "cookies-tough");
    assert_null(strstr(text, "\"key\": \"sid\",\n\t\t\t\"value\": \"abc\",\n\t\t\t\"domain\""));
    free(text);
    text = export_as(options, "cookies-playwright");
    assert_null(strstr(text, "\"expires\": -1"));
    free(text);
}

static void an_old_reader_gets_no_prefix_for_httponly(void **state)
{
    char *text = export_as((struct export_options){ .no_httponly_prefix = true }, "cookies-netscape");

    (void)state;
    assert_null(strstr(text, "#HttpOnly_"));
    assert_non_null(strstr(text, "\napi.shop.test\tFALSE\t/\tTRUE\t0\tsid\tabc\n"));
    free(text);
}

static void a_partitioned_cookie_may_be_written_as_a_plain_one(void **state)
{
    char *kept = export_as((struct export_options){ .strip_partitioned = false }, "cookies-tough");
    char *stripped = export_as((struct export_options){ .strip_partitioned = true }, "cookies-tough");

    (void)state;
    assert_non_null(strstr(kept, "\"Partitioned\""));
    assert_null(strstr(stripped, "\"Partitioned\""));
    assert_non_null(strstr(stripped, "\"part\""));
    free(kept);
    free(stripped);
}

static void a_partitioned_cookie_says_of_which_site_it_is(void **state)
{
    static const struct export_options keep = { .strip_partitioned = false },
                                       strip = { .strip_partitioned = true };
    char *playwright, *chrome, *stripped;

    (void)state;
    fake_source_add(fake, "https://chat.test",
                    SPAN("GET / HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: iframe\r\n"
                         "Referer: https://www.shop.test/\r\n\r\n"),
                    SPAN_NONE);
    fake_source_set_cookie(fake, "https://chat.test/", 19, "chat=1; Secure; Partitioned; Path=/");
    playwright = export_as(keep, "cookies-playwright");
    chrome = export_as(keep, "cookies-json");
    stripped = export_as(strip, "cookies-playwright");
    assert_non_null(strstr(playwright, "\"partitionKey\": \"https://shop.test\""));
    assert_non_null(strstr(playwright, "\"_crHasCrossSiteAncestor\": true"));
    assert_non_null(strstr(chrome, "\"topLevelSite\": \"https://shop.test\""));
    assert_non_null(strstr(chrome, "\"hasCrossSiteAncestor\": true"));
    assert_non_null(strstr(stripped, "\"chat\""));
    assert_null(strstr(stripped, "partitionKey"));
    free(playwright);
    free(chrome);
    free(stripped);
}

static void a_partitioned_cookie_of_an_unknown_site_is_counted(void **state)
{
    struct export_options options = { .format = export_find_format("cookies-playwright") };
    struct export_report report;
    struct err err;
    FILE *sink = fopen("/dev/null", "w");

    (void)state;
    assert_true(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(report.reasons[EXPORT_COOKIE_TOP_SITE].count, 1);
    assert_string_equal(report.reasons[EXPORT_COOKIE_TOP_SITE].first, "cookie part of www.shop.test");
    assert_int_equal(report.reasons[EXPORT_COOKIE_PARTITIONED].count, 0);
    options.strip_partitioned = true;
    assert_true(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(report.reasons[EXPORT_COOKIE_TOP_SITE].count, 0);
    assert_int_equal(report.reasons[EXPORT_COOKIE_PARTITIONED].count, 1);
    fclose(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cookies_txt_is_what_curl_and_python_read, make_source, free_source),
        cmocka_unit_test_setup_teardown(the_tough_jar_is_what_newman_reads, make_source, free_source),
        cmocka_unit_test_setup_teardown(the_storage_state_is_what_playwright_reads, make_source, free_source),
        cmocka_unit_test_setup_teardown(a_domain_takes_all_below_it_and_a_host_what_it_would_be_sent,
                                        make_source, free_source),
        cmocka_unit_test_setup_teardown(what_a_format_cannot_hold_is_counted, make_source, free_source),
        cmocka_unit_test_setup_teardown(cookie_editors_get_the_cookies_that_chrome_would_give_them,
                                        make_source, free_source),
        cmocka_unit_test_setup_teardown(a_header_line_is_what_a_host_is_sent, make_source, free_source),
        cmocka_unit_test_setup_teardown(a_session_cookie_is_given_a_date_when_that_is_wanted, make_source,
                                        free_source),
        cmocka_unit_test_setup_teardown(an_old_reader_gets_no_prefix_for_httponly, make_source, free_source),
        cmocka_unit_test_setup_teardown(a_partitioned_cookie_may_be_written_as_a_plain_one, make_source,
                                        free_source),
        cmocka_unit_test_setup_teardown(a_partitioned_cookie_says_of_which_site_it_is, make_source,
                                        free_source),
        cmocka_unit_test_setup_teardown(a_partitioned_cookie_of_an_unknown_site_is_counted, make_source,
                                        free_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

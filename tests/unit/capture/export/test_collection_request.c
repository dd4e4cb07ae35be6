#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/export.h"
#include "tests/support/fake_source.h"

#define OK SPAN("HTTP/1.1 200 OK\r\n\r\n")

static struct fake_source *fake;

static int make_source(void **state)
{
    (void)state;
    fake = fake_source_new();
    return 0;
}

static int free_source(void **state)
{
    (void)state;
    fake_source_free(fake);
    return 0;
}

static char *exported(struct export_options options)
{
    options.format = export_find_format("collection");
    options.max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES;
    return fake_source_export_as(fake, &options);
}

static size_t times(const char *text, const char *what)
{
    size_t count = 0;

    for (text = strstr(text, what); text != NULL; text = strstr(text + 1, what))
        count++;
    return count;
}

static void add_cart(void)
{
    fake_source_add(fake, "http://shop.test",
                    SPAN("GET /cart HTTP/1.1\r\nCookie: sid=s3ssion-0123456789; theme=dark\r\n\r\n"), OK);
    fake_source_add(fake, "http://shop.test", SPAN("GET /terms HTTP/1.1\r\n\r\n"), OK);
}

static void cookies_come_from_the_jar_unless_it_is_said(void **state)
{
    char *text;

    (void)state;
    add_cart();
    text = exported((struct export_options){ .secrets = EXPORT_SECRETS_ENV });
    assert_null(strstr(text, "\"Cookie\""));
    assert_null(strstr(text, "disableCookies"));
    assert_non_null(strstr(text, "- Cookies that were sent, and come from the jar: `sid`, `theme`"));
    assert_non_null(strstr(text, "--cookie-jar"));
    free(text);
}

/* The request without cookies had none: a jar would give it some. */
static void requests_send_the_cookies_that_they_had_and_no_jar_adds_any(void **state)
{
    char *text;

    (void)state;
    add_cart();
    text =
        exported((struct export_options){ .secrets = EXPORT_SECRETS_ENV, .cookies = EXPORT_COOKIES_HEADER });
    assert_null(strstr(text, "s3ssion"));
    /* The item's, and that of the request in its example. */
    assert_int_equal(times(text, "\"Cookie\""), 2);
    assert_int_equal(times(text, "sid={{shopSid}}; theme="), 2);
    assert_int_equal(times(text, "\"disableCookies\": true"), 2);
    assert_non_null(strstr(text, "- Cookies that were sent, and are sent again: `sid`, `theme`"));
    assert_null(strstr(text, "--cookie-jar"));
    free(text);
}

static void requests_send_no_cookies_at_all(void **state)
{
    char *text;

    (void)state;
    add_cart();
    text = exported((struct export_options){ .secrets = EXPORT_SECRETS_ENV, .cookies = EXPORT_COOKIES_NONE });
    assert_null(strstr(text, "\"Cookie\""));
    assert_int_equal(times(text, "\"disableCookies\": true"), 2);
    assert_non_null(strstr(text, "- Cookies that were sent, and are not sent again: `sid`, `theme`"));
    assert_null(strstr(text, "--cookie-jar"));
    free(text);
}

#define request_test(name) cmocka_unit_test_setup_teardown(name, make_source, free_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        request_test(cookies_come_from_the_jar_unless_it_is_said),
        request_test(requests_send_the_cookies_that_they_had_and_no_jar_adds_any),
        request_test(requests_send_no_cookies_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

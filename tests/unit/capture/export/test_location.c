#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/location.h"

/* expected NULL: it leads nowhere. */
static void assert_target(int status, const char *path, const char *location, const char *expected)
{
    struct record_field field = { SPAN("location"), span_of(location) };
    struct record record = { .scheme = SPAN("https"),
                             .host = SPAN("shop.test"),
                             .port = 443,
                             .path = span_of(path),
                             .status = status,
                             .response_headers = { &field, 1 } };
    struct strbuf out = STRBUF_EMPTY;

    if (location_add_target(&record, &out) != (expected != NULL) ||
        strcmp(strbuf_text(&out), expected != NULL ? expected : "") != 0)
        fail_msg("'%s' leads to '%s'", location, strbuf_text(&out));
    strbuf_clear(&out);
}

static void redirects_lead_somewhere(void **state)
{
    (void)state;
    assert_target(302, "/a/b", "https://other.test/x?y#z", "https://other.test/x?y");
    assert_target(302, "/a/b", "HTTP://Other.test:80", "http://other.test/");
    assert_target(302, "/a/b", "//other.test:8443/x", "https://other.test:8443/x");
    assert_target(302, "/a/b", "/x?y=/../z", "https://shop.test/x?y=/../z");
    assert_target(301, "/a/b", "c", "https://shop.test/a/c");
    assert_target(307, "/a/b", "../c", "https://shop.test/c");
    assert_target(308, "/a/b", "../../../c/./d/..", "https://shop.test/c/");
    assert_target(303, "/a/b", "?y", "https://shop.test/a/b?y");
    assert_target(303, "/a/b", "c:d/..", NULL);
    assert_target(303, "/a/b", "./c:d", "https://shop.test/a/c:d");
}

static void other_answers_do_not(void **state)
{
    (void)state;
    assert_target(200, "/a", "/x", NULL);
    assert_target(304, "/a", "/x", NULL);
    assert_target(302, "/a", "", NULL);
    assert_target(302, "/a", "#top", NULL);
    assert_target(302, "/a", "mailto:a@b.test", NULL);
    assert_target(302, "*", "/x", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_lead_somewhere),
        cmocka_unit_test(other_answers_do_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

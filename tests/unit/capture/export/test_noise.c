#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/noise.h"

static void what_serves_nothing_else_is_noise(void **state)
{
    (void)state;
    assert_true(noise_is(SPAN("www.google-analytics.com"), SPAN("/g/collect")));
    assert_true(noise_is(SPAN("google-analytics.com"), SPAN("/")));
    assert_true(noise_is(SPAN("o4505.ingest.sentry.io"), SPAN("/api/1/envelope/")));
    assert_true(noise_is(SPAN("www.facebook.com"), SPAN("/tr/?id=1")));
    assert_true(noise_is(SPAN("shop.test"), SPAN("/cdn-cgi/rum")));
}

static void what_only_looks_like_it_is_not(void **state)
{
    (void)state;
    assert_false(noise_is(SPAN("notgoogle-analytics.com"), SPAN("/")));
    assert_false(noise_is(SPAN("google-analytics.com.shop.test"), SPAN("/")));
    assert_false(noise_is(SPAN("www.facebook.com"), SPAN("/me")));
    assert_false(noise_is(SPAN("api.shop.test"), SPAN("/track")));
    assert_false(noise_is(SPAN(""), SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_serves_nothing_else_is_noise),
        cmocka_unit_test(what_only_looks_like_it_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "capture/seen_cookies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "proxy/base/mem.h"

static void only_what_differs_from_the_last_is_new(void **state)
{
    struct seen_cookies *seen = mem_new(struct seen_cookies);

    (void)state;
    assert_false(seen_cookies_note(seen, 0, "192.0.2.1:1", "a.test", SPAN("n"), SPAN("1")));
    assert_true(seen_cookies_note(seen, 0, "192.0.2.1:2", "a.test", SPAN("n"), SPAN("1"))); /* another port */
    assert_false(seen_cookies_note(seen, 0, "192.0.2.1:1", "a.test", SPAN("n"), SPAN("2")));
    assert_false(seen_cookies_note(seen, 0, "192.0.2.1:1", "a.test", SPAN("n"), SPAN("1")));
    assert_false(seen_cookies_note(seen, 0, "192.0.2.2:1", "a.test", SPAN("n"), SPAN("1")));
    assert_false(seen_cookies_note(seen, 0, "[2001:db8::1]:1", "a.test", SPAN("n"), SPAN("1")));
    assert_false(seen_cookies_note(seen, 0, "192.0.2.1:1", "b.test", SPAN("n"), SPAN("1")));
    assert_false(seen_cookies_note(seen, 0, "192.0.2.1:1", "a.test", SPAN("m"), SPAN("1")));
    assert_false(seen_cookies_note(seen, 1, "192.0.2.1:1", "a.test", SPAN("m"), SPAN("1")));
    assert_true(seen_cookies_note(seen, 0, "192.0.2.1:1", "a.test", SPAN("m"), SPAN("1")));
    mem_free(seen);
}

static void a_thousand_names_are_remembered_at_once(void **state)
{
    struct seen_cookies *seen = mem_new(struct seen_cookies);
    int known = 0;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            known += seen_cookies_note(seen, 0, "192.0.2.1:1", "a.test", span_of(name), SPAN("v"));
        }
    }
    assert_int_equal(known, 1000);
    mem_free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_differs_from_the_last_is_new),
        cmocka_unit_test(a_thousand_names_are_remembered_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

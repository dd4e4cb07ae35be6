#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/mode/no_proxy.h"

static bool has(const char *text, const char *host, uint16_t port)
{
    struct no_proxy *list = no_proxy_new(span_of(text));
    bool answer = no_proxy_has(list, host, port);

    no_proxy_free(list);
    return answer;
}

static void a_name_means_its_host_and_all_below(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        static const char *const texts[] = { "example.com", ".example.com", "*.example.com" };
        assert_true(has(texts[i], "example.com", 80));
        assert_true(has(texts[i], "api.example.com", 80));
        assert_true(has(texts[i], "a.b.example.com.", 80));
        assert_false(has(texts[i], "badexample.com", 80));
        assert_false(has(texts[i], "example.com.evil.test", 80));
        assert_false(has(texts[i], "com", 80));
    }
    assert_true(has("EXAMPLE.com.", "example.com", 80));
}

static void entries_stand_between_commas_and_blanks(void **state)
{
    (void)state;
    assert_true(has(" a.test , b.test,,c.test\td.test", "a.test", 1));
    assert_true(has(" a.test , b.test,,c.test\td.test", "b.test", 1));
    assert_true(has(" a.test , b.test,,c.test\td.test", "c.test", 1));
    assert_true(has(" a.test , b.test,,c.test\td.test", "d.test", 1));
    assert_false(has(" a.test , b.test,,c.test\td.test", "e.test", 1));
    assert_false(has("", "a.test", 1));
    assert_false(has(", ,", "a.test", 1));
}

static void a_star_alone_means_everything(void **state)
{
    (void)state;
    assert_true(has("*", "a.test", 1));
    assert_true(has("a.test,*", "192.0.2.1", 1));
    assert_true(has("*", "::1", 1));
    assert_false(has("*.", "a.test", 1));
}

static void a_port_limits_an_entry(void **state)
{
    (void)state;
    assert_true(has("a.test:8080", "a.test", 8080));
    assert_true(has("a.test:8080", "b.a.test", 8080));
    assert_false(has("a.test:8080", "a.test", 80));
    assert_true(has("192.0.2.1:80", "192.0.2.1", 80));
    assert_false(has("192.0.2.1:80", "192.0.2.1", 81));
    assert_true(has("[::1]:80", "::1", 80));
    assert_false(has("[::1]:80", "::1", 81));
    assert_true(has("10.0.0.0/8:80", "10.2.3.4", 80));
    assert_false(has("10.0.0.0/8:80", "10.2.3.4", 81));
    assert_true(has("[fd00::]/8:80", "fdff::1", 80));
    assert_false(has("[fd00::]/8:80", "fdff::1", 81));
}

static void addresses_are_ranges(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.0.1", 1));
    assert_false(has("10.0.0.0/8", "11.0.0.1", 1));
    assert_true(has("192.0.2.128/25", "192.0.2.129", 1));
    assert_false(has("192.0.2.128/25", "192.0.2.127", 1));
    assert_true(has("0.0.0.0/0", "192.0.2.127", 1));
    assert_false(has("0.0.0.0/0", "::1", 1));
    assert_true(has("fd00::/8", "fd12::1", 1));
    assert_false(has("fd00::/8", "fe80::1", 1));
    assert_true(has("::1", "::1", 1));
    assert_true(has("[::1]", "0:0::1", 1));
    assert_true(has("127.0.0.1", "127.0.0.1", 1));
    assert_false(has("127.0.0.1", "127.0.0.2", 1));
}

static void an_address_is_no_name(void **state)
{
    (void)state;
    assert_false(has("0.1", "10.0.0.1", 1));
    assert_false(has("10.0.0.0/8", "10.0.0.1.test", 1));
    assert_false(has("1", "10.0.0.1", 1));
}

static void nonsense_is_about_no_host(void **state)
{
    static const char *const texts[] = { "[::1",     "[::1]x",     "a.test:0", "a.test:x", "a.test:99999",
                                         "a.test/8", "1.2.3.4/33", "::1/129",  "1.2.3.4/", "1.2.3.4/x",
                                         "/8",       ":80",        ".",        "[]",       "[:]" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(has(texts[i], "a.test", 80));
        assert_false(has(texts[i], "1.2.3.4", 80));
        assert_false(has(texts[i], "::1", 80));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_means_its_host_and_all_below),
        cmocka_unit_test(entries_stand_between_commas_and_blanks),
        cmocka_unit_test(a_star_alone_means_everything),
        cmocka_unit_test(a_port_limits_an_entry),
        cmocka_unit_test(addresses_are_ranges),
        cmocka_unit_test(an_address_is_no_name),
        cmocka_unit_test(nonsense_is_about_no_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

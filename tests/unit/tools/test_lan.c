#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/lan.h"

static void loopback_is_told_from_the_rest(void **state)
{
    (void)state;
    assert_true(lan_is_loopback("127.0.0.1:8080"));
    assert_true(lan_is_loopback("127.8.8.8:1"));
    assert_true(lan_is_loopback("[::1]:8080"));
    assert_false(lan_is_loopback("0.0.0.0:8080"));
    assert_false(lan_is_loopback("[::]:8080"));
    assert_false(lan_is_loopback("192.168.1.5:127"));
}

static void local_is(const char *listener, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;

    lan_add_local(&out, listener);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void a_listener_on_all_addresses_is_reached_by_loopback(void **state)
{
    (void)state;
    local_is("0.0.0.0:8080", "127.0.0.1:8080");
    local_is("[::]:8080", "[::1]:8080");
    local_is("127.0.0.1:1", "127.0.0.1:1");
    local_is("192.168.1.5:2", "192.168.1.5:2");
}

static void note(void *self, const char *address)
{
    struct strbuf *out = self;

    strbuf_printf(out, "%s ", address);
}

static void one_address_is_its_own_and_loopback_is_none(void **state)
{
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    lan_each("192.168.1.5:8080", note, &out);
    lan_each("127.0.0.1:8080", note, &out);
    assert_string_equal(strbuf_text(&out), "192.168.1.5:8080 ");
    strbuf_reset(&out);
    lan_each("0.0.0.0:8080", note, &out);
    assert_null(strstr(strbuf_text(&out), "127.0.0.1"));
    strbuf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_told_from_the_rest),
        cmocka_unit_test(a_listener_on_all_addresses_is_reached_by_loopback),
        cmocka_unit_test(one_address_is_its_own_and_loopback_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/live/access.h"
#include "proxy/net/listener.h"

static struct address address_of(const char *text)
{
    struct address address;
    struct err err;

    assert_true(listen_parse(text, &address, &err));
    return address;
}

static bool allows(const char *ranges, const char *client)
{
    struct access access;
    struct address address = address_of(client);
    struct err err;
    bool answer;

    assert_true(access_init(&access, ranges, &err));
    answer = access_allows(&access, &address);
    access_clear(&access);
    return answer;
}

static void loopback_always_may(void **state)
{
    (void)state;
    assert_true(allows(NULL, "127.0.0.1:1"));
    assert_true(allows(NULL, "127.9.9.9:1"));
    assert_true(allows("10.0.0.0/8", "[::1]:1"));
    assert_true(allows(NULL, "[::ffff:127.0.0.1]:1"));
}

static void others_may_when_a_range_has_them(void **state)
{
    (void)state;
    assert_false(allows(NULL, "192.168.1.2:1"));
    assert_true(allows("192.168.0.0/16", "192.168.255.255:1"));
    assert_false(allows("192.168.0.0/16", "192.169.0.0:1"));
    assert_true(allows("10.0.0.5, 192.168.0.0/16", "10.0.0.5:1"));
    assert_false(allows("10.0.0.5", "10.0.0.4:1"));
    assert_true(allows("10.0.0.4/31", "10.0.0.5:1"));
    assert_false(allows("10.0.0.4/31", "10.0.0.6:1"));
    assert_true(allows("0.0.0.0/0", "8.8.8.8:1"));
    assert_false(allows("0.0.0.0/0", "[2001:db8::1]:1"));
    assert_true(allows("fd00::/8", "[fdff::1]:1"));
    assert_false(allows("fd00::/8", "[fe00::1]:1"));
    assert_true(allows("10.0.0.0/8", "[::ffff:10.1.2.3]:1"));
}

static void a_wrong_range_is_refused(void **state)
{
    static const char *const wrong[] = { "x",          "10.0.0.0/33",  "10.0.0.0/-1", "10.0.0/8",
                                         "fd00::/129", "10.0.0.0/8,,", "/8",          "10.0.0.0/" };
    struct access access;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(access_init(&access, wrong[i], &err));
        assert_int_equal(err.code, ERR_USAGE);
    }
}

static bool is_own(const char *bound, const char *dialled)
{
    struct access access;
    struct address own = address_of(bound), address = address_of(dialled);
    struct err err;
    bool answer;

    assert_true(access_init(&access, NULL, &err));
    access_add_own(&access, &own);
    answer = access_is_own(&access, &address);
    access_clear(&access);
    return answer;
}

static void our_own_addresses_are_known(void **state)
{
    (void)state;
    assert_true(is_own("127.0.0.1:8080", "127.0.0.1:8080"));
    assert_false(is_own("127.0.0.1:8080", "127.0.0.1:8081"));
    assert_false(is_own("127.0.0.1:8080", "127.0.0.2:8080"));
    assert_true(is_own("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"));
    assert_true(is_own("127.0.0.1:8080", "0.0.0.0:8080"));
    assert_true(is_own("0.0.0.0:8080", "127.0.0.1:8080"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_always_may),
        cmocka_unit_test(others_may_when_a_range_has_them),
        cmocka_unit_test(a_wrong_range_is_refused),
        cmocka_unit_test(our_own_addresses_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

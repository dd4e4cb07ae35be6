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

static bool may_dial(const char *client, const char *dialled, bool allow_private)
{
    struct access access;
    struct address from, to;
    struct err err;
    bool answer;

    assert_true(address_parse(client, 1, &from));
    assert_true(address_parse(dialled, 443, &to));
    assert_true(access_init(&access, "0.0.0.0/0,::/0", &err));
    access.allow_private = allow_private;
    answer = access_may_dial(access_reach(&access, &from), &to);
    access_clear(&access);
    return answer;
}

static const char *const machine[] = {
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "::1",
    "::",
    "fe80::1",
    "febf::1",
    "::ffff:127.0.0.1",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "::ffff:169.254.1.1",
};
static const char *const private_ones[] = {
    "10.0.0.1",        "10.255.255.255",  "172.16.0.1",    "172.31.255.255", "192.168.0.1",
    "100.64.0.1",      "100.127.255.255", "fc00::1",       "fdff::1",        "fec0::1",
    "::ffff:10.0.0.1", "64:ff9b::a00:1",  "2002:a00:1::1",
};
static const char *const public_ones[] = {
    "8.8.8.8",     "172.15.255.255",   "172.32.0.1",      "192.167.255.255", "192.169.0.1", "100.63.255.255",
    "100.128.0.1", "169.253.0.1",      "128.0.0.1",       "1.0.0.0",         "2001:db8::1", "fbff::1",
    "ff02::1",     "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8",
};

static void each_may_dial(const char *client, const char *const *dialled, size_t count, bool may)
{
    for (size_t i = 0; i < count; i++) {
        if (may_dial(client, dialled[i], false) != may)
            fail_msg("%s to %s", client, dialled[i]);
        assert_true(may_dial(client, dialled[i], true));
    }
}

#define EACH_MAY_DIAL(client, addresses, may)                                                                \
    each_may_dial(client, addresses, sizeof(addresses) / sizeof((addresses)[0]), may)

static void clients_on_this_machine_may_dial_everything(void **state)
{
    static const char *const clients[] = { "127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1" };

    (void)state;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        EACH_MAY_DIAL(clients[i], machine, true);
        EACH_MAY_DIAL(clients[i], private_ones, true);
        EACH_MAY_DIAL(clients[i], public_ones, true);
    }
}

static void neighbours_may_not_dial_this_machine_itself(void **state)
{
    static const char *const clients[] = { "192.168.1.7", "10.1.1.1",           "100.64.3.4", "fd00::7",
                                           "fe80::7",     "::ffff:192.168.1.7", "169.254.9.9" };

    (void)state;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        EACH_MAY_DIAL(clients[i], machine, false);
        EACH_MAY_DIAL(clients[i], private_ones, true);
        EACH_MAY_DIAL(clients[i], public_ones, true);
    }
}

static void clients_from_the_internet_may_dial_only_the_internet(void **state)
{
    static const char *const clients[] = { "203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9", "172.32.0.1" };

    (void)state;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        EACH_MAY_DIAL(clients[i], machine, false);
        EACH_MAY_DIAL(clients[i], private_ones, false);
        EACH_MAY_DIAL(clients[i], public_ones, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_always_may),
        cmocka_unit_test(others_may_when_a_range_has_them),
        cmocka_unit_test(a_wrong_range_is_refused),
        cmocka_unit_test(our_own_addresses_are_known),
        cmocka_unit_test(clients_on_this_machine_may_dial_everything),
        cmocka_unit_test(neighbours_may_not_dial_this_machine_itself),
        cmocka_unit_test(clients_from_the_internet_may_dial_only_the_internet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

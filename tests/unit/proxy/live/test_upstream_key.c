#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/live/upstream_key.h"

static struct upstream_key key_by(const struct via_hop *hop)
{
    struct target target = { "origin.test", 443, true };
    struct upstream_key key;

    memset(&key, 0x55, sizeof key);
    upstream_key_make(&key, &target, "origin.test", SPAN("\x02h2\x08http/1.1"));
    upstream_key_set_hop(&key, hop);
    return key;
}

static void another_hop_is_another_key(void **state)
{
    struct via_hop one = { .id = 1 }, two = { .id = 2 };
    struct upstream_key direct = key_by(NULL), by_one = key_by(&one), by_two = key_by(&two);

    (void)state;
    assert_false(upstream_key_eq(&direct, &by_one));
    assert_false(upstream_key_eq(&by_one, &by_two));
    assert_true(direct.hash != by_one.hash && by_one.hash != by_two.hash);
}

static void the_same_hop_is_the_same_key_whatever_was_set_before(void **state)
{
    struct via_hop one = { .id = 1 }, two = { .id = 2 };
    struct upstream_key by_two = key_by(&two), changed = key_by(&one);

    (void)state;
    upstream_key_set_hop(&changed, NULL);
    upstream_key_set_hop(&changed, &two);
    assert_true(upstream_key_eq(&changed, &by_two));
}

static void a_key_without_h2_keeps_its_hop(void **state)
{
    struct via_hop one = { .id = 1 };
    struct upstream_key with = key_by(&one), without;

    (void)state;
    upstream_key_without_h2(&without, &with);
    assert_ptr_equal(without.hop, &one);
    assert_false(upstream_key_offers_h2(&without));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_hop_is_another_key),
        cmocka_unit_test(the_same_hop_is_the_same_key_whatever_was_set_before),
        cmocka_unit_test(a_key_without_h2_keeps_its_hop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

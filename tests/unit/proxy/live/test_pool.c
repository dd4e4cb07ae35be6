/* Upstream connections that were never dialled: the pool looks at their keys alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/live/pool.h"

struct fixture {
    struct live live;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->live.loop = loop_new();
    f->live.pool = pool_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pool_free(f->live.pool);
    loop_free(f->live.loop);
    free(f);
    return 0;
}

static struct upstream_key key_of(const char *host, uint16_t port, bool is_tls, const char *name,
                                  const char *alpn)
{
    struct target target = { .port = port, .is_tls = is_tls };
    struct upstream_key key;

    memset(target.host, 0xaa, sizeof target.host); /* what is behind a name is nobody's */
    strcpy(target.host, host);
    memset(&key, 0x55, sizeof key);
    upstream_key_make(&key, &target, name, span_of(alpn));
    return key;
}

static struct upstream *put(struct fixture *f, const struct upstream_key *key)
{
    struct upstream *u = mem_new(struct upstream);

    u->live = &f->live;
    u->key = *key;
    u->phase = UPSTREAM_OPEN;
    loop_timer_init(&u->timer, f->live.loop, NULL, NULL);
    pool_put(f->live.pool, u);
    assert_true(u->is_pooled);
    return u;
}

static void take_is(struct fixture *f, const struct upstream_key *key, struct upstream *expected)
{
    struct upstream *u = pool_take(f->live.pool, key);

    assert_ptr_equal(u, expected);
    if (u != NULL)
        assert_false(u->is_pooled);
    upstream_close(u);
}

static void the_youngest_is_used_first(void **state)
{
    struct fixture *f = *state;
    struct upstream_key key = key_of("a.test", 80, false, "", NULL);
    struct upstream *first = put(f, &key), *second = put(f, &key), *third = put(f, &key);

    take_is(f, &key, third);
    take_is(f, &key, second);
    take_is(f, &key, first);
    take_is(f, &key, NULL);
}

static void what_is_equal_is_shared(void **state)
{
    struct fixture *f = *state;
    struct upstream_key one = key_of("a.test", 443, true, "b.test", "\x02h2\x08http/1.1");
    struct upstream_key other = key_of("a.test", 443, true, "b.test", "\x02h2\x08http/1.1");

    assert_true(upstream_key_eq(&one, &other));
    take_is(f, &other, NULL);
    take_is(f, &other, put(f, &one));
}

static void what_differs_in_any_part_is_not_shared(void **state)
{
    struct fixture *f = *state;
    struct upstream_key keys[] = {
        key_of("a.test", 443, true, "b.test", "\x02h2"),
        key_of("a.tesu", 443, true, "b.test", "\x02h2"),
        key_of("a.tes", 443, true, "tb.test", "\x02h2"),
        key_of("a.test", 444, true, "b.test", "\x02h2"),
        key_of("a.test", 443, false, "b.test", "\x02h2"),
        key_of("a.test", 443, true, "c.test", "\x02h2"),
        key_of("a.test", 443, true, "", "\x02h2"),
        key_of("a.test", 443, true, "b.test", "\x02h3"),
        key_of("a.test", 443, true, "b.test", "\x02h2\x08http/1.1"),
        key_of("a.test", 443, true, "b.test", ""),
    };
    size_t count = sizeof keys / sizeof keys[0];
    struct upstream *upstreams[sizeof keys / sizeof keys[0]];

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++)
            assert_int_equal(upstream_key_eq(&keys[i], &keys[j]), i == j);
        take_is(f, &keys[i], NULL); /* nobody else's */
        upstreams[i] = put(f, &keys[i]);
    }
    for (size_t i = 0; i < count; i++) {
        take_is(f, &keys[i], upstreams[i]);
        take_is(f, &keys[i], NULL);
    }
}

static void the_longest_names_make_a_key(void **state)
{
    struct fixture *f = *state;
    char name[URL_HOST_BYTES];
    struct upstream_key key, other;

    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    key = key_of(name, 65535, true, name, "");
    name[sizeof name - 2] = 'b';
    other = key_of(name, 65535, true, name, "");
    assert_string_equal(other.name, name);
    put(f, &key);
    take_is(f, &other, NULL);
}

static void one_that_closes_leaves_the_pool(void **state)
{
    struct fixture *f = *state;
    struct upstream_key key = key_of("a.test", 80, false, "", NULL);
    struct upstream *first = put(f, &key), *second = put(f, &key), *third = put(f, &key);

    upstream_close(second);
    upstream_close(second); /* twice is fine, until the turn is over */
    take_is(f, &key, third);
    take_is(f, &key, first);
    take_is(f, &key, NULL);
}

static void too_many_for_one_origin_push_the_oldest_out(void **state)
{
    struct fixture *f = *state;
    struct upstream_key key = key_of("a.test", 80, false, "", NULL);
    struct upstream_key other = key_of("b.test", 80, false, "", NULL);
    struct upstream *oldest = put(f, &key), *second = put(f, &key), *elsewhere = put(f, &other);

    for (unsigned i = 2; i < 16384; i++)
        put(f, &key);
    assert_int_equal(oldest->phase, UPSTREAM_OPEN);
    put(f, &key);
    assert_int_equal(oldest->phase, UPSTREAM_CLOSED);
    assert_int_equal(second->phase, UPSTREAM_OPEN);
    take_is(f, &other, elsewhere);
}

static void a_pool_closes_what_is_left_in_it(void **state)
{
    struct fixture *f = *state;
    struct upstream_key key = key_of("a.test", 80, false, "", NULL);
    struct upstream_key other = key_of("b.test", 80, false, "", NULL);
    struct upstream *all[] = { put(f, &key), put(f, &other), put(f, &key) };

    pool_free(f->live.pool);
    f->live.pool = NULL;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(all[i]->phase, UPSTREAM_CLOSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_youngest_is_used_first),
        TEST(what_is_equal_is_shared),
        TEST(what_differs_in_any_part_is_not_shared),
        TEST(the_longest_names_make_a_key),
        TEST(one_that_closes_leaves_the_pool),
        TEST(too_many_for_one_origin_push_the_oldest_out),
        TEST(a_pool_closes_what_is_left_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

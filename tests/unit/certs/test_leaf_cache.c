#include <pthread.h>

#include "certs/leaf_cache.h"
#include "proxy/base/clock.h"
#include "tests/unit/certs/scratch.h"

#define DAY_S (24 * 3600)

static uint64_t pretended_wall_us;

static uint64_t pretended_wall(void)
{
    return pretended_wall_us;
}

/* From now on it is this many seconds before that moment. */
static void travel_before(time_t moment, int seconds)
{
    pretended_wall_us = (uint64_t)(moment - seconds) * 1000000;
    clock_replace(NULL, pretended_wall);
}

static int back_to_now(void **state)
{
    clock_replace(NULL, NULL);
    return scratch_teardown(state);
}

static struct leaf_cache *new_cache(void *const *state, size_t max_leaves)
{
    struct ca *ca = NULL;
    struct leaf_cache *cache;
    bool is_created;
    struct err err;

    assert_true(ca_open(*state, KEY_EC, &ca, &is_created, &err));
    cache = leaf_cache_new(ca, max_leaves);
    ca_unref(ca);
    return cache;
}

/* Borrowed from the cache, for comparing. */
static const struct leaf *get(struct leaf_cache *cache, const char *host, enum key_type type)
{
    struct leaf *leaf = NULL;
    struct err err;

    if (!leaf_cache_get(cache, host, type, &leaf, &err))
        fail_msg("%s", err.text);
    leaf_unref(leaf);
    return leaf;
}

static void a_host_in_any_spelling_is_forged_once(void **state)
{
    struct leaf_cache *cache = new_cache(state, 10);
    const struct leaf *leaf = get(cache, "api.test", KEY_EC);

    assert_ptr_equal(get(cache, "API.test.", KEY_EC), leaf);
    assert_int_equal(leaf_cache_count(cache), 1);
    assert_ptr_not_equal(get(cache, "other.test", KEY_EC), leaf);
    assert_string_equal(leaf_host(get(cache, "other.test", KEY_EC)), "other.test");
    leaf_cache_free(cache);
    leaf_cache_free(NULL);
}

static void key_types_are_kept_apart(void **state)
{
    struct leaf_cache *cache = new_cache(state, 10);

    assert_int_equal(leaf_key_type(get(cache, "api.test", KEY_EC)), KEY_EC);
    assert_int_equal(leaf_key_type(get(cache, "api.test", KEY_RSA)), KEY_RSA);
    assert_int_equal(leaf_cache_count(cache), 2);
    leaf_cache_free(cache);
}

static void the_leaf_unused_for_longest_goes_first(void **state)
{
    struct leaf_cache *cache = new_cache(state, 2);
    struct leaf *held = NULL;
    const struct leaf *one;
    struct err err;

    one = get(cache, "one.test", KEY_EC);
    assert_true(leaf_cache_get(cache, "two.test", KEY_EC, &held, &err));
    assert_ptr_equal(get(cache, "one.test", KEY_EC), one);
    get(cache, "three.test", KEY_EC);
    assert_int_equal(leaf_cache_count(cache), 2);
    assert_ptr_equal(get(cache, "one.test", KEY_EC), one);
    assert_ptr_not_equal(get(cache, "two.test", KEY_EC), held);
    assert_string_equal(leaf_host(held), "two.test"); /* in use, so still alive */
    leaf_unref(held);
    leaf_cache_free(cache);
}

static void a_leaf_near_its_end_is_forged_anew(void **state)
{
    struct leaf_cache *cache = new_cache(state, 10);
    struct leaf *old = NULL;
    struct leaf *other = NULL;
    struct err err;

    assert_true(leaf_cache_get(cache, "api.test", KEY_EC, &old, &err));
    travel_before(leaf_not_after(old), DAY_S + 60);
    assert_ptr_equal(get(cache, "api.test", KEY_EC), old);
    travel_before(leaf_not_after(old), DAY_S - 60);
    assert_true(leaf_cache_get(cache, "api.test", KEY_EC, &other, &err));
    assert_ptr_not_equal(other, old);
    assert_true(leaf_not_after(other) > leaf_not_after(old) + 100 * DAY_S);
    assert_int_equal(leaf_cache_count(cache), 1);
    leaf_unref(old);
    leaf_unref(other);
    leaf_cache_free(cache);
}

/* The clock of a machine that started with a wrong one is set back: no client takes a leaf of the future. */
static void a_leaf_that_has_not_begun_is_forged_anew(void **state)
{
    struct leaf_cache *cache = new_cache(state, 10);
    struct leaf *old = NULL;
    struct leaf *other = NULL;
    struct err err;

    assert_true(leaf_cache_get(cache, "api.test", KEY_EC, &old, &err));
    travel_before(leaf_not_before(old), -60);
    assert_ptr_equal(get(cache, "api.test", KEY_EC), old);
    travel_before(leaf_not_before(old), 60);
    assert_true(leaf_cache_get(cache, "api.test", KEY_EC, &other, &err));
    assert_ptr_not_equal(other, old);
    assert_true(leaf_not_before(other) < leaf_not_before(old));
    assert_int_equal(leaf_cache_count(cache), 1);
    leaf_unref(old);
    leaf_unref(other);
    leaf_cache_free(cache);
}

static void leaves_end_with_the_ca_and_are_not_forged_again_and_again(void **state)
{
    struct ca *ca = NULL;
    struct leaf_cache *cache = new_cache(state, 10);
    struct leaf *leaf = NULL;
    struct err err;

    assert_true(ca_load(*state, &ca, &err));
    travel_before(ca_expiry(ca), 600);
    assert_true(leaf_cache_get(cache, "api.test", KEY_EC, &leaf, &err));
    assert_int_equal(leaf_not_after(leaf), ca_expiry(ca));
    assert_ptr_equal(get(cache, "api.test", KEY_EC), leaf);
    leaf_unref(leaf);
    leaf = NULL;
    travel_before(ca_expiry(ca), 0);
    assert_false(leaf_cache_get(cache, "api.test", KEY_EC, &leaf, &err));
    assert_int_equal(err.code, ERR_CERT);
    assert_non_null(strstr(err.text, "weir ca renew"));
    assert_null(leaf);
    leaf_cache_free(cache);
    ca_unref(ca);
}

static void a_host_without_leaf_is_an_error_and_not_kept(void **state)
{
    struct leaf_cache *cache = new_cache(state, 10);
    struct leaf *leaf = NULL;
    struct err err;

    assert_false(leaf_cache_get(cache, "*.test", KEY_EC, &leaf, &err));
    assert_int_equal(err.code, ERR_CERT);
    assert_int_equal(leaf_cache_count(cache), 0);
    leaf_cache_free(cache);
}

static void *ask_for_many(void *self)
{
    struct leaf_cache *cache = self;

    for (int i = 0; i < 300; i++) {
        char host[32];
        struct leaf *leaf = NULL;
        struct err err;

        snprintf(host, sizeof host, "h%d.test", i * 7 % 24);
        if (!leaf_cache_get(cache, host, i % 40 == 0 ? KEY_RSA : KEY_EC, &leaf, &err))
            return "refused";
        if (strcmp(leaf_host(leaf), host) != 0 ||
            X509_check_private_key(leaf_x509(leaf), leaf_key(leaf)) != 1)
            return "not its leaf";
        leaf_unref(leaf);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct leaf_cache *cache = new_cache(state, 16); /* fewer than hosts, so leaves go while others come */
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_many, cache), 0);
    for (size_t i = 0; i < 4; i++) {
        void *what_went_wrong;
        assert_int_equal(pthread_join(threads[i], &what_went_wrong), 0);
        assert_null(what_went_wrong);
    }
    assert_int_equal(leaf_cache_count(cache), 16);
    leaf_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(threads_share_it), /* first, so that its threads also race for the shared key */
        SCRATCH_TEST(a_host_in_any_spelling_is_forged_once),
        SCRATCH_TEST(key_types_are_kept_apart),
        SCRATCH_TEST(the_leaf_unused_for_longest_goes_first),
        cmocka_unit_test_setup_teardown(a_leaf_near_its_end_is_forged_anew, scratch_setup, back_to_now),
        cmocka_unit_test_setup_teardown(a_leaf_that_has_not_begun_is_forged_anew, scratch_setup, back_to_now),
        cmocka_unit_test_setup_teardown(leaves_end_with_the_ca_and_are_not_forged_again_and_again,
                                        scratch_setup, back_to_now),
        SCRATCH_TEST(a_host_without_leaf_is_an_error_and_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

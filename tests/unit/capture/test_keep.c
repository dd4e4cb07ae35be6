/* Limits of what is kept, as people write them. */
#include "capture/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DAY_US (UINT64_C(24) * 3600 * 1000000)

static void assert_keeps(const char *text, uint64_t count, uint64_t bytes, uint64_t age_us, const char *again)
{
    struct strbuf told = STRBUF_EMPTY;
    struct keep keep;
    struct err err;

    if (!keep_parse(text, &keep, &err))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(keep.count, count);
    assert_int_equal(keep.bytes, bytes);
    assert_int_equal(keep.age_us, age_us);
    assert_true(keep_is_limited(&keep));
    keep_add_text(&told, &keep);
    assert_string_equal(strbuf_text(&told), again);
    strbuf_clear(&told);
}

static void a_number_is_a_count_a_unit_makes_it_a_size_or_an_age(void **state)
{
    (void)state;
    assert_keeps("50", 50, 0, 0, "50");
    assert_keeps("500M", 0, UINT64_C(500) << 20, 0, "500M");
    assert_keeps("2g", 0, UINT64_C(2) << 30, 0, "2G");
    assert_keeps("2GiB", 0, UINT64_C(2) << 30, 0, "2G");
    assert_keeps("1500b", 0, 1500, 0, "1500B");
    assert_keeps("10k", 0, 10240, 0, "10k");
    assert_keeps("90s", 0, 0, 90 * UINT64_C(1000000), "90s");
    assert_keeps("30min", 0, 0, 1800 * UINT64_C(1000000), "30min");
    assert_keeps("12h", 0, 0, DAY_US / 2, "12h");
    assert_keeps("7d", 0, 0, 7 * DAY_US, "1w");
    assert_keeps("4w", 0, 0, 28 * DAY_US, "4w");
}

static void several_limits_all_hold(void **state)
{
    (void)state;
    assert_keeps("100000,7d", 100000, 0, 7 * DAY_US, "100000,1w");
    assert_keeps("1G, 36h ,10", 10, UINT64_C(1) << 30, 3 * DAY_US / 2, "10,1G,36h");
    assert_keeps("10,20,5", 5, 0, 0, "5");
    assert_keeps("1d,2d", 0, 0, DAY_US, "1d");
}

static void what_is_no_limit_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *text, *word;
    } bad[] = {
        { "", "no limit" },
        { "x", "no limit" },
        { "10x", "no limit" },
        { "-5", "no limit" },
        { "1.5G", "no limit" },
        { "10,,7d", "no limit" },
        { "M", "no limit" },
        { "5m", "5min or 5M" },
        { "0", "keep nothing" },
        { "0d", "keep nothing" },
        { "10,0k", "keep nothing" },
        { "99999999999999999999", "too much" },
        { "9999999999999T", "too much" },
        { "9999999999999w", "too much" },
        { "10BiB", "no limit" },
        { "7days", "no limit" },
    };
    struct keep keep;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(keep_parse(bad[i].text, &keep, &err));
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(err.text, bad[i].word) == NULL)
            fail_msg("'%s': %s", bad[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_a_count_a_unit_makes_it_a_size_or_an_age),
        cmocka_unit_test(several_limits_all_hold),
        cmocka_unit_test(what_is_no_limit_is_refused_with_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

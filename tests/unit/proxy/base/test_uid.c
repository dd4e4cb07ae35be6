#include "proxy/base/uid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT 2000

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, UID_BYTES);
}

static void a_uid_has_its_version_variant_and_time(void **state)
{
    struct uid_maker maker = { .left = 0 };
    unsigned char uid[UID_BYTES];
    char text[UID_TEXT_BYTES];

    (void)state;
    uid_make(&maker, UINT64_C(0x0123456789ab) * 1000 + 999, uid);
    uid_text(uid, text);
    assert_int_equal(strlen(text), 36);
    assert_memory_equal(text, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", text[19]));
    assert_int_equal(text[8] + text[13] + text[18] + text[23], 4 * '-');
}

static void no_uid_comes_twice_and_later_ones_sort_later(void **state)
{
    static unsigned char uids[COUNT][UID_BYTES];
    struct uid_maker maker = { .left = 0 };

    (void)state;
    for (int i = 0; i < COUNT; i++)
        uid_make(&maker, (uint64_t)(i / 100) * 1000, uids[i]);
    for (int i = 100; i < COUNT; i++)
        assert_true(compare(uids[i - 100], uids[i]) < 0);
    qsort(uids, COUNT, UID_BYTES, compare);
    for (int i = 1; i < COUNT; i++)
        assert_true(compare(uids[i - 1], uids[i]) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uid_has_its_version_variant_and_time),
        cmocka_unit_test(no_uid_comes_twice_and_later_ones_sort_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

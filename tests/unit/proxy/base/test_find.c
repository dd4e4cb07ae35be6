#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/find.h"

static void a_text_is_found_in_either_case_at_its_first_place(void **state)
{
    static const struct {
        const char *text, *part;
        size_t place;
    } rows[] = {
        { "", "", 0 },
        { "abc", "", 0 },
        { "", "a", FIND_NOWHERE },
        { "ab", "abc", FIND_NOWHERE },
        { "abc", "abc", 0 },
        { "ABC", "abc", 0 },
        { "xxAbC", "abc", 2 },
        { "aabab", "ab", 1 },
        { "0123456789abcdef0123NEEDLE", "needle", 20 },
        { "0123456789abcdNEEDLE", "needle", 14 },
        { "0123456789 needlf needlE 0123456789 needle", "needle", 18 },
        { "0123456789abcdefX", "x", 16 },
        /* What differs from a letter by the bit of its case is not that letter. */
        { "@[`{0123456789abcdef", "`{", 2 },
        { "@[@[@[@[@[@[@[@[@[@[", "`{", FIND_NOWHERE },
        { "\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10", "0", FIND_NOWHERE },
        { "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\x89", "\xc3\x89", 16 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t place = find_any_case(span_of(rows[i].text), span_of(rows[i].part));
        if (place != rows[i].place)
            fail_msg("'%s' in '%s': %zd", rows[i].part, rows[i].text, (ssize_t)place);
    }
}

/* One byte after the other: what find_any_case is a faster way of. */
static size_t find_slowly(struct span text, struct span part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (span_ieq(span_sub(text, i, part.len), part))
            return i;
    }
    return FIND_NOWHERE;
}

static void every_place_of_every_length_is_the_one_found_slowly(void **state)
{
    char *text = malloc(70); /* of its own, so that a byte too far is seen */
    unsigned random = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct span whole, part;
        char lower[8];
        size_t len = round % 70, at;
        for (size_t i = 0; i < len; i++)
            text[70 - len + i] = "abAB"[(random = random * 1103515245 + 12345) >> 16 & 3];
        for (size_t i = 0; i < sizeof lower; i++)
            lower[i] = "ab"[(random = random * 1103515245 + 12345) >> 16 & 1];
        whole = span_make(text + 70 - len, len);
        part = span_make(lower, 1 + round % sizeof lower);
        at = find_any_case(whole, part);
        assert_int_equal(at, find_slowly(whole, part));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_found_in_either_case_at_its_first_place),
        cmocka_unit_test(every_place_of_every_length_is_the_one_found_slowly),
    };

    return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}

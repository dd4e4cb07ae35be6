#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/link_order.h"
#include "proxy/base/strbuf.h"

#define MAX_ITEMS 16

/* Of each item a digit for its outer folder and one for its inner one: "00 01 01 10"; 3 lies in 1. Items are
 * called a, b, c in that order; needs: "ca" where c needs a. wanted: the items in the order afterwards. */
static void assert_order(const char *folders, const char *needs, const char *wanted)
{
    struct survey survey = { .count = (strlen(folders) + 1) / 3 };
    struct survey_item items[MAX_ITEMS];
    struct folder folders_list[] = { { .parent = FOLDERS_NONE },
                                     { .parent = FOLDERS_NONE },
                                     { .parent = 0 } };
    struct link_need list[MAX_ITEMS];
    char found[MAX_ITEMS + 1] = "";
    size_t count = 0;

    for (size_t i = 0; i < survey.count; i++)
        items[i] = (struct survey_item){ .order = (uint64_t)(folders[i * 3] - '0') << 32 |
                                                  (uint64_t)(folders[i * 3 + 1] - '0'),
                                         .place = (uint32_t)i };
    for (; *needs != '\0'; needs += needs[2] == ' ' ? 3 : 2)
        list[count++] =
            (struct link_need){ .item = (uint32_t)(needs[0] - 'a'), .first = (uint32_t)(needs[1] - 'a') };
    survey.items = items;
    survey.inner = (struct folders){ .list = folders_list, .count = 3 };
    link_order_items(&survey, list, count, survey.count);
    for (size_t i = 0; i < survey.count; i++)
        found[i] = (char)('a' + items[i].place);
    assert_string_equal(found, wanted);
}

static void what_needs_nothing_stays_where_it_is(void **state)
{
    (void)state;
    assert_order("00 00 01 10", "", "abcd");
    assert_order("00 00 01 10", "ba dc", "abcd");
}

static void what_is_needed_comes_just_before(void **state)
{
    (void)state;
    assert_order("00 00 00 00", "bd", "adbc");
    assert_order("00 00 00 00", "ab bc cd", "dcba");
}

static void folders_move_as_a_whole(void **state)
{
    (void)state;
    assert_order("01 01 02 02", "bd", "cdab");
    assert_order("00 01 10 11", "bd", "cdab");
    assert_order("01 03 02", "ac", "cab");
    assert_order("01 03 02", "bc", "cab");
}

static void items_leave_no_folder(void **state)
{
    (void)state;
    assert_order("01 01 02 02", "bd dc", "cdab");
    assert_order("01 01 02 02", "ad cb", "cdab"); /* both ways: the one that is met first has what it needs */
}

static void an_item_may_come_after_a_folder_beside_it(void **state)
{
    (void)state;
    assert_order("01 01 03 03", "bd", "acdb");
    assert_order("00 00 01", "bc", "acb");
}

static void what_needs_itself_or_each_other_is_ordered_all_the_same(void **state)
{
    (void)state;
    assert_order("00 00 00", "aa", "abc");
    assert_order("00 00 00", "ab ba", "bac");
    assert_order("00 00 00", "ab bc ca", "cba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_nothing_stays_where_it_is),
        cmocka_unit_test(what_is_needed_comes_just_before),
        cmocka_unit_test(folders_move_as_a_whole),
        cmocka_unit_test(items_leave_no_folder),
        cmocka_unit_test(an_item_may_come_after_a_folder_beside_it),
        cmocka_unit_test(what_needs_itself_or_each_other_is_ordered_all_the_same),
    };

    return cmocka_run_group_tests_name("link_order", tests, NULL, NULL);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/tls_pair.h"
#include "tools/browser.h"

static void browsers_are_known_by_the_end_of_their_path(void **state)
{
    (void)state;
    assert_true(browser_is_chromium("chromium"));
    assert_true(browser_is_chromium("/usr/bin/google-chrome-stable"));
    assert_false(browser_is_chromium("chromedriver"));
    assert_false(browser_is_chromium("/opt/chromium/run"));
    assert_false(browser_is_chromium("firefox"));
}

static void argv_keeps_its_words_in_order_behind_ours(void **state)
{
    char *argv[] = { "chromium", "--headless", "https://a.test/", NULL };
    char **all;
    struct err err;
    size_t count = 0;

    assert_true(browser_chromium_argv(argv, "127.0.0.1:4", *state, "/tmp/x", &all, &err));
    while (all[count] != NULL)
        count++;
    assert_int_equal(count, 9);
    assert_string_equal(all[0], "chromium");
    assert_string_equal(all[1], "--proxy-server=http://127.0.0.1:4");
    /* SHA-256 in base64: 44 characters. */
    assert_int_equal(strlen(strchr(all[3], '=') + 1), 44);
    assert_string_equal(all[6], "--user-data-dir=/tmp/x/profile");
    assert_string_equal(all[7], "--headless");
    assert_string_equal(all[8], "https://a.test/");
    browser_argv_free(all);
}

static void a_profile_of_the_users_stays(void **state)
{
    char *argv[] = { "chrome", "--user-data-dir=/home/me/p", NULL };
    char **all;
    struct err err;
    size_t count = 0;

    assert_true(browser_chromium_argv(argv, "127.0.0.1:4", *state, "/tmp/x", &all, &err));
    for (; all[count] != NULL; count++)
        assert_string_not_equal(all[count], "--user-data-dir=/tmp/x/profile");
    assert_int_equal(count, 7);
    browser_argv_free(all);
}

static struct tls_lab lab;

static int open_lab(void **state)
{
    tls_lab_open(&lab);
    *state = lab.ca;
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    tls_lab_close(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_are_known_by_the_end_of_their_path),
        cmocka_unit_test(argv_keeps_its_words_in_order_behind_ours),
        cmocka_unit_test(a_profile_of_the_users_stays),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include "certs/run.h"
#include "tests/support/tls_pair.h"
#include "tools/chromium.h"

static struct tls_lab lab;
static char dir[32]; /* where the profile is made */

static struct browser_route route(void)
{
    return (struct browser_route){ "127.0.0.1:4", lab.ca, dir };
}

/* How many words of argv begin so; *out_last is the last of them. */
static size_t count_of(char *const *argv, const char *start, const char **out_last)
{
    size_t count = 0;

    for (; *argv != NULL; argv++) {
        if (strncmp(*argv, start, strlen(start)) == 0) {
            *out_last = *argv;
            count++;
        }
    }
    return count;
}

static void argv_keeps_its_words_in_order_behind_ours(void **state)
{
    char *argv[] = { "chromium", "--headless", "https://a.test/", NULL };
    struct browser_route to_us = route();
    char **all, profile[128];
    const char *word;
    struct err err;
    size_t count = 0;

    (void)state;
    assert_true(chromium_argv(argv, &to_us, &all, &err));
    while (all[count] != NULL)
        count++;
    assert_string_equal(all[0], "chromium");
    assert_string_equal(all[count - 2], "--headless");
    assert_string_equal(all[count - 1], "https://a.test/");
    assert_int_equal(count_of(all, "--proxy-server=", &word), 1);
    assert_string_equal(word, "--proxy-server=http://127.0.0.1:4");
    assert_int_equal(count_of(all, "--proxy-bypass-list=<-loopback>", &word), 1);
    assert_int_equal(count_of(all, "--disable-quic", &word), 1);
    /* SHA-256 in base64: 44 characters. */
    assert_int_equal(count_of(all, "--ignore-certificate-errors-spki-list=", &word), 1);
    assert_int_equal(strlen(strchr(word, '=') + 1), 44);
    snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", dir);
    assert_int_equal(count_of(all, "--user-data-dir=", &word), 1);
    assert_string_equal(word, profile);
    browser_argv_free(all);
}

static void its_profile_is_the_owners_alone_and_holds_settings_that_are_json(void **state)
{
    static const char *const files[] = { "profile/Local State", "profile/Default/Preferences" };
    char *argv[] = { "chromium", NULL };
    struct browser_route to_us = route();
    struct stat status;
    char **all, path[128];
    struct err err;

    (void)state;
    assert_true(chromium_argv(argv, &to_us, &all, &err));
    browser_argv_free(all);
    snprintf(path, sizeof path, "%s/profile", dir);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        json_t *settings;
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        settings = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
        assert_true(json_is_object(settings));
        json_decref(settings);
    }
}

static void a_profile_of_the_users_stays(void **state)
{
    char *argv[] = { "chrome", "--user-data-dir=/home/me/p", NULL };
    struct browser_route to_us = route();
    const char *word;
    char **all;
    struct err err;

    (void)state;
    assert_true(chromium_argv(argv, &to_us, &all, &err));
    assert_int_equal(count_of(all, "--user-data-dir=", &word), 1);
    assert_string_equal(word, "--user-data-dir=/home/me/p");
    browser_argv_free(all);
}

static int open_lab(void **state)
{
    (void)state;
    tls_lab_open(&lab);
    strcpy(dir, "/tmp/weir-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int close_lab(void **state)
{
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    (void)state;
    run_tool((const char *const[]){ "rm", "-r", dir, NULL }, SPAN(""), &output, &status, &err);
    strbuf_clear(&output);
    tls_lab_close(&lab);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argv_keeps_its_words_in_order_behind_ours),
        cmocka_unit_test(its_profile_is_the_owners_alone_and_holds_settings_that_are_json),
        cmocka_unit_test(a_profile_of_the_users_stays),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

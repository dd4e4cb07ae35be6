#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "certs/file.h"
#include "certs/run.h"
#include "tests/support/tls_pair.h"
#include "tools/firefox.h"

static struct tls_lab lab;
static char dir[32]; /* where the profile is made */

static int open_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/weir-test-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    (void)state;
    run_tool((const char *const[]){ "rm", "-r", dir, NULL }, SPAN(""), &output, &status, &err);
    strbuf_clear(&output);
    return status;
}

static char **lead(char *const *argv, const char *proxy)
{
    struct browser_route route = { proxy, lab.ca, dir };
    char **all;
    struct err err = { 0 };

    if (!firefox_argv(argv, &route, &all, &err))
        fail_msg("%s", err.text);
    return all;
}

static void a_profile_comes_in_front_of_the_words_given(void **state)
{
    char **all = lead((char *[]){ "firefox", "--headless", "https://a.test/", NULL }, "127.0.0.1:4"),
         profile[128];
    struct stat status;

    (void)state;
    snprintf(profile, sizeof profile, "%s/profile", dir);
    assert_string_equal(all[0], "firefox");
    assert_string_equal(all[1], "--no-remote");
    assert_string_equal(all[2], "--profile");
    assert_string_equal(all[3], profile);
    assert_string_equal(all[4], "--headless");
    assert_string_equal(all[5], "https://a.test/");
    assert_null(all[6]);
    assert_int_equal(stat(profile, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    browser_argv_free(all);
}

static void its_settings_lead_to_the_proxy_and_each_is_said_once(void **state)
{
    char path[128], *line, *rest;
    struct file_content file;
    struct err err;

    (void)state;
    browser_argv_free(lead((char *[]){ "firefox", NULL }, "[::1]:4123"));
    snprintf(path, sizeof path, "%s/profile/user.js", dir);
    assert_true(file_read(path, 65536, &file, &err));
    assert_non_null(strstr(file.bytes, "user_pref(\"network.proxy.ssl\", \"::1\");\n"));
    assert_non_null(strstr(file.bytes, "user_pref(\"network.proxy.ssl_port\", 4123);\n"));
    assert_non_null(strstr(file.bytes, "user_pref(\"network.proxy.http\", \"::1\");\n"));
    assert_non_null(strstr(file.bytes, "user_pref(\"network.proxy.allow_hijacking_localhost\", true);\n"));
    for (line = strtok_r(file.bytes, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *name_end = strchr(line, ',');
        assert_true(strncmp(line, "user_pref(\"", 11) == 0 && strcmp(line + strlen(line) - 2, ");") == 0);
        for (const char *next = rest; next != NULL && *next != '\0'; next = strchr(next, '\n') + 1)
            assert_int_not_equal(strncmp(next, line, (size_t)(name_end - line)), 0);
    }
    file_content_clear(&file);
}

static void its_database_trusts_our_ca_for_servers(void **state)
{
    char url[128];
    struct strbuf output = STRBUF_EMPTY;
    int status;
    struct err err;

    (void)state;
    browser_argv_free(lead((char *[]){ "firefox", NULL }, "127.0.0.1:4"));
    snprintf(url, sizeof url, "sql:%s/profile", dir);
    assert_true(run_tool((const char *const[]){ "certutil", "-L", "-d", url, NULL }, SPAN(""), &output,
                         &status, &err));
    assert_int_equal(status, 0);
    assert_non_null(strstr(strbuf_text(&output), "weir CA"));
    assert_non_null(strstr(strbuf_text(&output), "C,,"));
    strbuf_clear(&output);
}

static void a_profile_of_the_users_stays_as_it_is(void **state)
{
    static const char *const words[] = { "-profile", "--profile", "-P" };

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char **all = lead((char *[]){ "firefox", (char *)(uintptr_t)words[i], "mine", NULL }, "127.0.0.1:4");
        char profile[128];
        assert_string_equal(all[2], words[i]);
        assert_string_equal(all[3], "mine");
        assert_null(all[4]);
        browser_argv_free(all);
        snprintf(profile, sizeof profile, "%s/profile", dir);
        assert_false(file_exists(profile));
    }
}

static void without_certutil_it_says_what_to_install(void **state)
{
    struct browser_route route = { "127.0.0.1:4", lab.ca, dir };
    char *path = strdup(getenv("PATH")), **all;
    struct err err;
    bool ok;

    (void)state;
    setenv("PATH", "/nowhere", 1);
    ok = firefox_argv((char *[]){ "firefox", NULL }, &route, &all, &err);
    setenv("PATH", path, 1);
    free(path);
    assert_false(ok);
    assert_non_null(strstr(err.text, "install libnss3-tools"));
}

static int open_lab(void **state)
{
    (void)state;
    tls_lab_open(&lab);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    tls_lab_close(&lab);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_comes_in_front_of_the_words_given),
        TEST(its_settings_lead_to_the_proxy_and_each_is_said_once),
        TEST(its_database_trusts_our_ca_for_servers),
        TEST(a_profile_of_the_users_stays_as_it_is),
        TEST(without_certutil_it_says_what_to_install),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs/file.h"
#include "proxy/base/mem.h"
#include "tools/browser.h"

static void browsers_are_known_by_the_end_of_their_path(void **state)
{
    (void)state;
    assert_int_equal(browser_family("chromium"), BROWSER_CHROMIUM);
    assert_int_equal(browser_family("/usr/bin/google-chrome-stable"), BROWSER_CHROMIUM);
    assert_int_equal(browser_family("microsoft-edge"), BROWSER_CHROMIUM);
    assert_int_equal(browser_family("brave-browser"), BROWSER_CHROMIUM);
    assert_int_equal(browser_family("/opt/firefox/firefox"), BROWSER_FIREFOX);
    assert_int_equal(browser_family("firefox-esr"), BROWSER_FIREFOX);
    assert_int_equal(browser_family("chromedriver"), BROWSER_NONE);
    assert_int_equal(browser_family("/opt/chromium/run"), BROWSER_NONE);
    assert_int_equal(browser_family(""), BROWSER_NONE);
}

/* --- finding: a PATH with two folders, of which the second has programs -------------------------------- */

static char dir[] = "/tmp/weir-test-XXXXXX";
static char *old_path;

static char *file_of(const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static void make_program(const char *name, mode_t mode)
{
    char *file = file_of(name);
    int fd = open(file, O_WRONLY | O_CREAT, mode);

    assert_true(fd >= 0);
    close(fd);
    mem_free(file);
}

static const char *const programs[] = { "firefox-esr", "google-chrome", "brave" };

static int open_path(void **state)
{
    char *path;

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        make_program(programs[i], 0700);
    make_program("chromium", 0600); /* nothing that can be run */
    old_path = strdup(getenv("PATH"));
    path = mem_printf("/nowhere::%s", dir);
    setenv("PATH", path, 1);
    mem_free(path);
    return 0;
}

static int close_path(void **state)
{
    (void)state;
    setenv("PATH", old_path, 1);
    free(old_path);
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        char *file = file_of(programs[i]);
        unlink(file);
        mem_free(file);
    }
    {
        char *file = file_of("chromium");
        unlink(file);
        mem_free(file);
    }
    return rmdir(dir);
}

static void finds(const char *wanted, const char *program)
{
    struct err err = { 0 };
    char *found = browser_find(wanted, &err), *file = file_of(program);

    if (found == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(found, file);
    mem_free(found);
    mem_free(file);
}

static void finds_none(const char *wanted, enum err_code code, const char *text)
{
    struct err err = { 0 };

    assert_null(browser_find(wanted, &err));
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.text, text));
}

static void the_first_that_can_be_run_is_found(void **state)
{
    (void)state;
    finds(NULL, "google-chrome");
}

static void a_browser_is_wanted_by_name_program_or_path(void **state)
{
    char *path = file_of("firefox-esr");

    (void)state;
    finds("firefox", "firefox-esr");
    finds("firefox-esr", "firefox-esr");
    finds(path, "firefox-esr");
    finds("brave", "brave");
    mem_free(path);
}

static void what_is_not_there_or_not_known_is_refused(void **state)
{
    (void)state;
    finds_none("edge", ERR_FOUND, "there is no browser 'edge' here");
    finds_none("chromium", ERR_FOUND, "there is no browser 'chromium' here");
    finds_none("/nowhere/firefox", ERR_FOUND, "there is no browser '/nowhere/firefox' here");
    finds_none("lynx", ERR_USAGE, "chromium, chrome, edge, brave, vivaldi and firefox");
}

static void without_any_it_says_what_to_install(void **state)
{
    char *path = strdup(getenv("PATH"));

    (void)state;
    setenv("PATH", "/nowhere", 1);
    finds_none(NULL, ERR_FOUND, "install chromium or firefox");
    setenv("PATH", path, 1);
    free(path);
}

static void a_snaps_profile_is_in_its_own_part_of_the_home(void **state)
{
    static const char script[] = "#!/bin/sh\nexec /snap/bin/firefox \"$@\"\n",
                      other[] = "#!/bin/sh\nexec x\n";
    char *firefox = file_of("firefox-esr"), *wanted = file_of("snap/firefox/common"), *old_home, *found;
    struct err err;

    (void)state;
    old_home = strdup(getenv("HOME") != NULL ? getenv("HOME") : "/");
    setenv("HOME", dir, 1);
    assert_true(file_write(firefox, 0700, span_of(script), &err));
    found = browser_base_dir("firefox-esr");
    assert_string_equal(found, wanted);
    mem_free(found);
    found = browser_base_dir("/snap/firefox/current/firefox");
    assert_string_equal(found, wanted);
    mem_free(found);
    assert_true(file_write(firefox, 0700, span_of(other), &err));
    assert_null(browser_base_dir(firefox));
    assert_null(browser_base_dir("brave"));
    assert_null(browser_base_dir("curl"));
    setenv("HOME", old_home, 1);
    free(old_home);
    mem_free(firefox);
    mem_free(wanted);
}

static void its_temporary_files_go_where_its_profile_is(void **state)
{
    char **chromium = browser_env("chromium", "/x"), **firefox = browser_env("/usr/bin/firefox", "/x");

    (void)state;
    assert_string_equal(chromium[0], "TMPDIR=/x");
    assert_null(chromium[1]);
    assert_string_equal(firefox[0], "TMPDIR=/x");
    assert_string_equal(firefox[1], "MOZ_REMOTE_SETTINGS_DEVTOOLS=1");
    browser_argv_free(chromium);
    browser_argv_free(firefox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_are_known_by_the_end_of_their_path),
        cmocka_unit_test(the_first_that_can_be_run_is_found),
        cmocka_unit_test(a_browser_is_wanted_by_name_program_or_path),
        cmocka_unit_test(what_is_not_there_or_not_known_is_refused),
        cmocka_unit_test(without_any_it_says_what_to_install),
        cmocka_unit_test(a_snaps_profile_is_in_its_own_part_of_the_home),
        cmocka_unit_test(its_temporary_files_go_where_its_profile_is),
    };
    return cmocka_run_group_tests(tests, open_path, close_path);
}

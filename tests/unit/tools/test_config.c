#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tools/config.h"

static void is(char *path, const char *expected)
{
    assert_string_equal(path, expected);
    mem_free(path);
}

static void the_xdg_folders_are_used(void **state)
{
    struct err err;

    (void)state;
    setenv("HOME", "/home/a", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    setenv("XDG_CONFIG_HOME", "/config", 1);
    is(config_store_path(NULL, &err), "/data/weir/weir.db");
    is(config_ca_dir(NULL, &err), "/config/weir");
    unsetenv("XDG_DATA_HOME");
    setenv("XDG_CONFIG_HOME", "relative/is/ignored", 1);
    is(config_store_path(NULL, &err), "/home/a/.local/share/weir/weir.db");
    is(config_ca_dir(NULL, &err), "/home/a/.config/weir");
}

static void what_is_given_is_taken_as_it_is(void **state)
{
    struct err err;

    (void)state;
    is(config_store_path("x.db", &err), "x.db");
    is(config_ca_dir("../ca", &err), "../ca");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_xdg_folders_are_used),
        cmocka_unit_test(what_is_given_is_taken_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

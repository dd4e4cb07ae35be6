#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "proxy/base/err.h"

static void failing_is_one_line(void **state)
{
    struct err err;

    (void)state;
    assert_false(err_set(&err, ERR_URL, "port %d is above %d", 70000, 65535));
    assert_int_equal(err.code, ERR_URL);
    assert_string_equal(err.text, "port 70000 is above 65535");
}

static void what_the_caller_adds_comes_first_and_keeps_the_code(void **state)
{
    struct err err;

    (void)state;
    err_set(&err, ERR_CERT, "no such file '%s'", "ca.pem");
    assert_false(err_add(&err, "loading the %s", "CA"));
    assert_int_equal(err.code, ERR_CERT);
    assert_string_equal(err.text, "loading the CA: no such file 'ca.pem'");
}

static void the_system_says_why(void **state)
{
    struct err err;

    (void)state;
    assert_false(err_sys(&err, ENOENT, "opening '%s'", "x"));
    assert_int_equal(err.code, ERR_SYS);
    assert_string_equal(err.text, "opening 'x': No such file or directory");
    err_sys(&err, 99999, "x");
    assert_string_equal(err.text, "x: unknown error");
}

static void a_long_text_is_cut_and_stays_text(void **state)
{
    struct err err;
    char big[2000];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&err, ERR_LIMIT, "%s", big);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_add(&err, "before");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "before: xxx", 11);
    err_sys(&err, ENOENT, "%s", big);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_is_one_line),
        cmocka_unit_test(what_the_caller_adds_comes_first_and_keeps_the_code),
        cmocka_unit_test(the_system_says_why),
        cmocka_unit_test(a_long_text_is_cut_and_stays_text),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

#include "tools/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ARGV(...) ((char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static bool read_args(char *const *argv, struct err *err)
{
    struct args args;
    struct kept *kept;
    bool ok;

    if (!opt_parse(COMMAND_CAPTURE, argv, &args, err))
        fail_msg("%s", err->text);
    ok = kept_new(&args, &kept, err);
    if (ok)
        kept_free(kept);
    args_clear(&args);
    return ok;
}

static void refused(char *const *argv, const char *why)
{
    struct err err = { 0 };

    assert_false(read_args(argv, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' is not in '%s'", why, err.text);
}

static void files_that_could_be_written_are_taken(void **state)
{
    struct err err;

    (void)state;
    assert_true(read_args(ARGV("--quiet"), &err));
    assert_true(read_args(ARGV("--sync-cookies", "*=netscape:/tmp/weir-unit-a", "--sync-cookies",
                               "shop.test,https://a.test=tough:/tmp/weir-unit-b:c=d", "--export",
                               "har:/tmp/weir-unit-e", "--session-expiry", "7"),
                          &err));
}

static void what_is_wrong_is_said_before_anything_begins(void **state)
{
    (void)state;
    refused(ARGV("--sync-cookies", "netscape:/tmp/x"), "DOMAIN[,...]=FORMAT:FILE");
    refused(ARGV("--sync-cookies", "=netscape:/tmp/x"), "DOMAIN[,...]=FORMAT:FILE");
    refused(ARGV("--sync-cookies", "a.test=/tmp/x"), "FORMAT:FILE");
    refused(ARGV("--sync-cookies", "a.test=tough:"), "FORMAT:FILE");
    refused(ARGV("--sync-cookies", "a b=tough:/tmp/x"), "not a domain");
    refused(ARGV("--sync-cookies", "a.test=har:/tmp/x"), "netscape, tough, playwright");
    refused(ARGV("--sync-cookies", "a.test=tugh:/tmp/x"), "did you mean 'tough'");
    refused(ARGV("--export", "har"), "FORMAT:FILE");
    refused(ARGV("--export", "har:-"), "stdout");
    refused(ARGV("--export", "hat:/tmp/x"), "did you mean 'har'");
    refused(ARGV("--export", "har:/nowhere/x"), "can't write '/nowhere/x'");
    refused(ARGV("--export", "har:/tmp"), "'/tmp' is a folder: give the name of a file");
    refused(ARGV("--export", "collection:shop/"), "'shop/' is a folder");
    refused(ARGV("--export", "har:/dev/null"), "not a file that could be replaced");
    refused(ARGV("--export", "har:/tmp/weir-unit-e", "--export", "jsonl:/tmp/weir-unit-e"), "two files");
    refused(ARGV("--export", "har:/tmp/weir-unit-e", "--session-per", "client"), "--session-per");
    refused(ARGV("--export", "har:/tmp/weir-unit-e", "--cookies-only"), "--cookies-only");
    refused(ARGV("--export", "cookies-tough:/tmp/weir-unit-e", "--secrets", "drop"), "can't leave secrets out");
    refused(ARGV("--export", "har:/tmp/weir-unit-e", "--secret-patterns", "/nowhere/x"), "/nowhere/x");
    refused(ARGV("--export", "har:/tmp/weir-unit-e", "--session-expiry", "soon"), "number of days");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_could_be_written_are_taken),
        cmocka_unit_test(what_is_wrong_is_said_before_anything_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

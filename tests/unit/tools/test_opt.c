#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/mode/mode.h"
#include "tools/opt.h"

#define ARGV(...) ((char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static void parse_ok(enum command_id command, char *const *argv, struct args *args)
{
    struct err err = { 0 };

    if (!opt_parse(command, argv, args, &err))
        fail_msg("%s", err.text);
}

static void parse_fails(enum command_id command, char *const *argv, const char *text)
{
    struct args args;
    struct err err = { 0 };

    assert_false(opt_parse(command, argv, &args, &err));
    assert_int_equal(err.code, ERR_USAGE);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

static void a_value_stands_behind_a_blank_or_an_equals_sign(void **state)
{
    struct args args;

    (void)state;
    parse_ok(COMMAND_CAPTURE, ARGV("--session", "a b", "--filter=host:x=y", "--insecure"), &args);
    assert_string_equal(args.session, "a b");
    assert_string_equal(args.filter, "host:x=y");
    assert_true(args.insecure);
    assert_false(args.quiet);
    args_clear(&args);
}

static void a_list_grows_and_anything_else_is_replaced(void **state)
{
    struct args args;

    (void)state;
    parse_ok(COMMAND_CAPTURE, ARGV("--listen", "a:1", "--listen=b:2", "--session", "x", "--session", "y"),
             &args);
    assert_int_equal(args.listen.count, 2);
    assert_string_equal(args.listen.items[0], "a:1");
    assert_string_equal(args.listen.items[1], "b:2");
    assert_string_equal(args.session, "y");
    args_clear(&args);
}

static void operands_and_options_mix_until_two_dashes(void **state)
{
    struct args args;

    (void)state;
    parse_ok(COMMAND_EXPORT, ARGV("har", "-o", "x.har", "latest"), &args);
    assert_int_equal(args.operands.count, 2);
    assert_string_equal(args.operands.items[1], "latest");
    assert_string_equal(args.output, "x.har");
    args_clear(&args);
    parse_ok(COMMAND_EXPORT, ARGV("-oy", "har", "--", "--name"), &args);
    assert_string_equal(args.output, "y");
    assert_string_equal(args.operands.items[1], "--name");
    args_clear(&args);
    parse_ok(COMMAND_EXPORT, ARGV("har", "-o", "-", "-"), &args);
    assert_string_equal(args.output, "-");
    assert_string_equal(args.operands.items[1], "-");
    args_clear(&args);
}

static void what_follows_two_dashes_of_capture_is_the_command(void **state)
{
    struct args args;

    (void)state;
    parse_ok(COMMAND_CAPTURE, ARGV("--quiet", "--", "curl", "--insecure", "--", "x"), &args);
    assert_true(args.quiet);
    assert_false(args.insecure);
    assert_int_equal(args.operands.count, 0);
    assert_string_equal(args.command[0], "curl");
    assert_string_equal(args.command[1], "--insecure");
    assert_string_equal(args.command[3], "x");
    assert_null(args.command[4]);
    args_clear(&args);
    parse_ok(COMMAND_CAPTURE, ARGV(NULL), &args);
    assert_null(args.command);
    args_clear(&args);
    parse_fails(COMMAND_CAPTURE, ARGV("--"), "no command after '--'");
}

static void an_unknown_option_is_told_what_it_may_have_meant(void **state)
{
    (void)state;
    parse_fails(COMMAND_CAPTURE, ARGV("--lisetn", "x"), "did you mean '--listen'?");
    parse_fails(COMMAND_CAPTURE, ARGV("--max-head=3"), "did you mean '--max-header-bytes'?");
    parse_fails(COMMAND_CAPTURE, ARGV("--qwertyuiop"), "unknown option '--qwertyuiop'");
    parse_fails(COMMAND_CAPTURE, ARGV("-x"), "unknown option '-x'");
    parse_fails(COMMAND_LIST, ARGV("--insecure"), "unknown option");
    parse_fails(COMMAND_CAPTURE, ARGV("--sessio"), "did you mean '--session'?"); /* nothing is abbreviated */
}

static void a_wrong_value_is_refused(void **state)
{
    (void)state;
    parse_fails(COMMAND_CAPTURE, ARGV("--session"), "wants a value: NAME");
    parse_fails(COMMAND_CAPTURE, ARGV("--session", "--", "x"), "wants a value: NAME");
    parse_fails(COMMAND_CAPTURE, ARGV("--quiet=yes"), "takes no value");
    parse_fails(COMMAND_CAPTURE, ARGV("--upstream-ca="), "empty value");
    parse_fails(COMMAND_CAPTURE, ARGV("--log-level", "loud"), "error|warn|info|debug, not 'loud'");
    parse_fails(COMMAND_CAPTURE, ARGV("--max-body", "10q"), "a size like 4096, 10k or 1M, not '10q'");
}

static void a_choice_is_its_place_from_one(void **state)
{
    struct args args;

    (void)state;
    parse_ok(COMMAND_CAPTURE, ARGV("--log-level", "error", "--log-format=json"), &args);
    assert_int_equal(args.log_level, 1);
    assert_int_equal(args.log_format, 2);
    assert_int_equal(args.key_type, 0);
    args_clear(&args);
}

static void sizes_have_units_of_1024(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        { "0", 0 },
        { "4096", 4096 },
        { "10k", 10240 },
        { "1M", 1 << 20 },
        { "1MiB", 1 << 20 },
        { "2Gb", 2ull << 30 },
        { "18446744073709551615", UINT64_MAX },
        { "5b", 5 },
    };
    static const char *const bad[] = {
        "", "k", "1.5k", "-1", " 1", "1 k", "1kk", "18446744073709551616", "99999999999999999T", "1ib", "0x10"
    };
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(opt_parse_size(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (opt_parse_size(bad[i], &bytes))
            fail_msg("'%s' was taken as %llu", bad[i], (unsigned long long)bytes);
    }
}

static void a_guess_is_near_or_none(void **state)
{
    static const char *const words[] = { "collection", "har", "cookies-tough", NULL };

    (void)state;
    assert_string_equal(opt_guess("colection", words), "collection");
    assert_string_equal(opt_guess("cookies", words), "cookies-tough");
    assert_string_equal(opt_guess("hra", words), "har");
    assert_null(opt_guess("openapi", words));
    assert_null(opt_guess("", words));
    assert_null(opt_guess("a-very-long-word-that-is-longer-than-any-option", words));
}

static void every_option_that_is_shown_is_in_the_help(void **state)
{
    (void)state;
    for (int command = 0; command < COMMAND_COUNT; command++) {
        struct strbuf out = STRBUF_EMPTY;
        const struct opt *opt;
        char *line, *rest;

        opt_add_help(&out, (enum command_id)command);
        for (size_t i = 0; (opt = opt_next((enum command_id)command, &i)) != NULL; i++) {
            if (opt->help != NULL)
                assert_non_null(strstr(strbuf_text(&out), opt->name));
        }
        assert_null(strstr(strbuf_text(&out), "completion"));
        for (line = strtok_r(out.ptr, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
            assert_true(strlen(line) < 80);
        strbuf_clear(&out);
    }
}

static void every_mode_of_a_listener_is_in_the_help(void **state)
{
    const struct opt *opt = NULL;
    struct strbuf words = STRBUF_EMPTY;

    (void)state;
    for (size_t i = 0; (opt = opt_next(COMMAND_CAPTURE, &i)) != NULL && strcmp(opt->name, "mode") != 0; i++)
        continue;
    assert_non_null(opt);
    strbuf_printf(&words, " %s ", opt->help);
    for (char *at = words.ptr; *at != '\0'; at++)
        *at = *at == ',' || *at == ':' || *at == '(' ? ' ' : *at;
    for (const struct mode_row *row = mode_rows; row->name != NULL; row++) {
        char *word = mem_printf(" %s ", row->name);
        assert_non_null(strstr(strbuf_text(&words), word));
        mem_free(word);
    }
    strbuf_clear(&words);
}

static void every_command_takes_store_and_ca_dir(void **state)
{
    (void)state;
    for (int command = 0; command < COMMAND_COUNT; command++) {
        struct args args;
        parse_ok((enum command_id)command, ARGV("--store", "s", "--ca-dir", "c"), &args);
        assert_string_equal(args.store, "s");
        assert_string_equal(args.ca_dir, "c");
        args_clear(&args);
    }
}

static void a_password_is_read_and_taken_out_of_argv(void **state)
{
    char auth[] = "me:se:cret", equals[] = "--proxy-auth=you:pass",
         via[] = "*.a.test=http://u:p@ss@proxy.test:3128", plain[] = "socks5://proxy.test:1080",
         file[] = "@/run/a:b", nobody[] = "word";
    struct args args;

    (void)state;
    parse_ok(COMMAND_CAPTURE, ARGV("--proxy-auth", auth, "--via", via, "--via", plain), &args);
    assert_string_equal(args.proxy_auth, "me:se:cret");
    assert_string_equal(auth, "me:*******");
    assert_int_equal(args.via.count, 2);
    assert_string_equal(args.via.items[0], "*.a.test=http://u:p@ss@proxy.test:3128");
    assert_string_equal(via, "*.a.test=http://******@proxy.test:3128");
    assert_string_equal(args.via.items[1], "socks5://proxy.test:1080");
    args_clear(&args);

    parse_ok(COMMAND_CAPTURE, ARGV(equals), &args);
    assert_string_equal(args.proxy_auth, "you:pass");
    assert_string_equal(equals, "--proxy-auth=you:****");
    args_clear(&args);
    parse_ok(COMMAND_CAPTURE, ARGV("--proxy-auth", file, "--proxy-auth", nobody, "--proxy-auth", file),
             &args);
    assert_string_equal(args.proxy_auth, "@/run/a:b");
    args_clear(&args);
}

static void a_password_is_taken_out_of_argv_though_a_later_word_is_wrong(void **state)
{
    char auth[] = "me:secret";

    (void)state;
    parse_fails(COMMAND_CAPTURE, ARGV("--proxy-auth", auth, "--no-such-option"), "unknown option");
    assert_string_equal(auth, "me:******");
}

static void credentials_are_all_between_the_scheme_and_the_last_at(void **state)
{
    static const char *const cases[][2] = {
        { "http://u:p@h:1", "u:p" },
        { "a,b=socks5h://u@h", "u" },
        { "http://u:a/b@h", "u:a/b" },
        { "u:p@h:1", "u:p" },
        { "x.test=u:p@h", "u:p" },
        { "http://h:1", "" },
        { "env", "" },
        { "", "" },
        { "http://@h", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(span_eq(opt_credentials(cases[i][0]), span_of(cases[i][1])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_stands_behind_a_blank_or_an_equals_sign),
        cmocka_unit_test(a_list_grows_and_anything_else_is_replaced),
        cmocka_unit_test(operands_and_options_mix_until_two_dashes),
        cmocka_unit_test(what_follows_two_dashes_of_capture_is_the_command),
        cmocka_unit_test(an_unknown_option_is_told_what_it_may_have_meant),
        cmocka_unit_test(a_wrong_value_is_refused),
        cmocka_unit_test(a_choice_is_its_place_from_one),
        cmocka_unit_test(sizes_have_units_of_1024),
        cmocka_unit_test(a_guess_is_near_or_none),
        cmocka_unit_test(every_option_that_is_shown_is_in_the_help),
        cmocka_unit_test(every_mode_of_a_listener_is_in_the_help),
        cmocka_unit_test(every_command_takes_store_and_ca_dir),
        cmocka_unit_test(a_password_is_read_and_taken_out_of_argv),
        cmocka_unit_test(a_password_is_taken_out_of_argv_though_a_later_word_is_wrong),
        cmocka_unit_test(credentials_are_all_between_the_scheme_and_the_last_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tools/capture_args.h"

#define ARGV(...) ((char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static struct args parse(char *const *argv)
{
    struct args args;
    struct err err = { 0 };

    if (!opt_parse(COMMAND_CAPTURE, argv, &args, &err))
        fail_msg("%s", err.text);
    return args;
}

static void refused(char *const *argv, const char *text)
{
    struct args args = parse(argv);
    struct capture_args capture;
    struct err err = { 0 };

    assert_false(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
    assert_null(strstr(err.text, "secret"));
    args_clear(&args);
}

static void every_option_reaches_the_proxy(void **state)
{
    char auth[] = "me:secret";
    struct args args =
        parse(ARGV("--listen", "socks5@127.0.0.1:1", "--listen=127.0.0.1:2", "--mode", "transparent",
                   "--allow", "10.0.0.0/8", "--proxy-auth", auth, "--allow-private", "--via", "env",
                   "--via=http://p:1", "--client-cert", "a.pem", "--client-cert-pass", "env:P", "--seal",
                   "*.s.test", "--open", "o.test", "--no-auto-seal", "--no-mirror", "--keylog", "/k",
                   "--upstream-ca", "/u", "--insecure", "--max-header-bytes", "2k"));
    struct capture_args capture;
    const struct proxy_options *proxy = &capture.proxy;
    struct err err;

    (void)state;
    assert_true(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    assert_int_equal(proxy->listen_count, 2);
    assert_string_equal(proxy->listen[0], "socks5@127.0.0.1:1");
    assert_string_equal(proxy->mode, "transparent");
    assert_string_equal(proxy->allow, "10.0.0.0/8");
    assert_string_equal(proxy->proxy_auth, "me:secret");
    assert_true(proxy->allow_private);
    assert_int_equal(proxy->via.count, 2);
    assert_string_equal(proxy->via.items[1], "http://p:1");
    assert_int_equal(proxy->client_cert.count, 1);
    assert_string_equal(proxy->client_cert.items[0], "a.pem");
    assert_string_equal(proxy->client_cert_pass, "env:P");
    assert_string_equal(proxy->seal.items[0], "*.s.test");
    assert_string_equal(proxy->open.items[0], "o.test");
    assert_true(proxy->no_auto_seal);
    assert_true(proxy->no_mirror);
    assert_string_equal(proxy->keylog, "/k");
    assert_string_equal(proxy->upstream_ca, "/u");
    assert_true(proxy->insecure);
    assert_int_equal(proxy->max_header_bytes, 2048);
    capture_args_clear(&capture);
    args_clear(&args);
}

static void without_options_it_listens_where_the_caller_says(void **state)
{
    struct args args = parse(ARGV(NULL));
    struct capture_args capture;
    struct err err;

    (void)state;
    unsetenv("SSLKEYLOGFILE");
    assert_true(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    assert_int_equal(capture.proxy.listen_count, 1);
    assert_string_equal(capture.proxy.listen[0], "127.0.0.1:0");
    assert_null(capture.proxy.mode);
    assert_null(capture.proxy.proxy_auth);
    assert_null(capture.proxy.keylog);
    assert_true(capture_args_is_forward(&capture, 0));
    capture_args_clear(&capture);
    args_clear(&args);
}

static void the_environment_names_the_key_log_unless_the_option_does(void **state)
{
    struct args args = parse(ARGV(NULL)), other = parse(ARGV("--keylog", "/mine"));
    struct capture_args capture;
    struct err err;

    (void)state;
    setenv("SSLKEYLOGFILE", "/env", 1);
    assert_true(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    assert_string_equal(capture.proxy.keylog, "/env");
    capture_args_clear(&capture);
    assert_true(capture_args_read(&other, "127.0.0.1:0", &capture, &err));
    assert_string_equal(capture.proxy.keylog, "/mine");
    capture_args_clear(&capture);
    setenv("SSLKEYLOGFILE", "", 1);
    assert_true(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    assert_null(capture.proxy.keylog);
    capture_args_clear(&capture);
    unsetenv("SSLKEYLOGFILE");
    args_clear(&args);
    args_clear(&other);
}

static void a_file_keeps_the_password_out_of_the_command_line(void **state)
{
    char path[] = "/tmp/weir-test-XXXXXX", option[sizeof path + 1];
    FILE *file = fdopen(mkstemp(path), "w");
    struct args args;
    struct capture_args capture;
    struct err err;

    (void)state;
    fputs("me:secret\n", file);
    fflush(file);
    snprintf(option, sizeof option, "@%s", path);
    args = parse(ARGV("--proxy-auth", option));
    assert_true(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    assert_string_equal(capture.proxy.proxy_auth, "me:secret");
    capture_args_clear(&capture);
    args_clear(&args);

    fputs("second:secret\n", file);
    fclose(file);
    refused(ARGV("--proxy-auth", option), "does not hold one line of USER:PASS");
    unlink(path);
    refused(ARGV("--proxy-auth", option), path);
}

static void what_is_no_user_and_password_is_refused_without_saying_it(void **state)
{
    char nobody[] = ":secret", word[] = "secret";

    (void)state;
    refused(ARGV("--proxy-auth", nobody), "'--proxy-auth' is USER:PASS");
    refused(ARGV("--proxy-auth", word), "'--proxy-auth' is USER:PASS");
    refused(ARGV("--max-header-bytes", "10"), "between 1k and 16M");
    refused(ARGV("--max-header-bytes", "17M"), "between 1k and 16M");
}

static void a_listener_has_its_own_mode_or_that_of_all(void **state)
{
    static const char *const modes[] = { "reverse:https://me@a.test", "forward", "socks5" };
    struct args args = parse(ARGV("--listen", "reverse:https://me@a.test@127.0.0.1:1", "--listen",
                                  "forward@[::1]:2", "--mode=socks5", "--listen", "127.0.0.1:3"));
    struct capture_args capture;
    struct err err;

    (void)state;
    assert_true(capture_args_read(&args, "127.0.0.1:0", &capture, &err));
    for (size_t i = 0; i < 3; i++) {
        char *mode = capture_args_mode(&capture, i);
        assert_string_equal(mode, modes[i]);
        assert_int_equal(capture_args_is_forward(&capture, i), i == 1);
        mem_free(mode);
    }
    capture_args_clear(&capture);
    args_clear(&args);
}

static void the_session_remembers_options_without_passwords(void **state)
{
    char auth[] = "me:secret", via[] = "*.a.test=http://u:secret@p.test:1";
    struct args args =
        parse(ARGV("--proxy-auth", auth, "--via", via, "--via", "socks5://q:2", "--mode", "socks5", "--seal",
                   "s.test", "--client-cert-pass", "env:SECRET", "--no-mirror"));
    char *json = capture_args_json(&args);

    (void)state;
    assert_null(strstr(json, "secret"));
    assert_non_null(strstr(json, "\"via\":[\"*.a.test=http://p.test:1\",\"socks5://q:2\"]"));
    assert_non_null(strstr(json, "\"proxy_auth\":true"));
    assert_non_null(strstr(json, "\"mode\":\"socks5\""));
    assert_non_null(strstr(json, "\"seal\":[\"s.test\"]"));
    assert_non_null(strstr(json, "\"no_mirror\":true"));
    assert_non_null(strstr(json, "\"listen\":[]"));
    mem_free(json);
    args_clear(&args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_reaches_the_proxy),
        cmocka_unit_test(without_options_it_listens_where_the_caller_says),
        cmocka_unit_test(the_environment_names_the_key_log_unless_the_option_does),
        cmocka_unit_test(a_file_keeps_the_password_out_of_the_command_line),
        cmocka_unit_test(what_is_no_user_and_password_is_refused_without_saying_it),
        cmocka_unit_test(a_listener_has_its_own_mode_or_that_of_all),
        cmocka_unit_test(the_session_remembers_options_without_passwords),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tools/launch.h"

#define ARGV(...) ((char *const[]){ __VA_ARGS__, NULL })

static const struct launch_route route = {
    .proxy = "127.0.0.1:41233",
    .pem_path = "/tmp/x y/ca.pem",
    .jks_path = "/tmp/x y/ca.jks",
    .jks_password = "changeit",
};

static const char *value_of(char *const *env, const char *name)
{
    size_t len = strlen(name);
    const char *value = NULL;

    for (; *env != NULL; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') {
            assert_null(value); /* once only */
            value = *env + len + 1;
        }
    }
    return value;
}

static void the_environment_leads_to_the_proxy_and_the_ca(void **state)
{
    static const char *const proxies[] = { "http_proxy", "https_proxy", "all_proxy",
                                           "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY" };
    static const char *const roots[] = { "SSL_CERT_FILE",  "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
                                         "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",      "CARGO_HTTP_CAINFO",
                                         "AWS_CA_BUNDLE",  "DENO_CERT",           "PERL_LWP_SSL_CA_FILE" };
    char **env = launch_env(ARGV("HOME=/root", "http_proxy=http://other:1", "NO_PROXY=localhost",
                                 "no_proxy=*", "SSL_CERT_FILE=/old", "http_proxy_x=kept"),
                            &route);

    (void)state;
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++)
        assert_string_equal(value_of(env, proxies[i]), "http://127.0.0.1:41233");
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        assert_string_equal(value_of(env, roots[i]), "/tmp/x y/ca.pem");
    assert_string_equal(value_of(env, "NODE_USE_ENV_PROXY"), "1");
    assert_string_equal(value_of(env, "HOME"), "/root");
    assert_string_equal(value_of(env, "http_proxy_x"), "kept");
    assert_null(value_of(env, "NO_PROXY"));
    assert_null(value_of(env, "no_proxy"));
    launch_env_free(env);
}

static void variables_besides_replace_what_was_there(void **state)
{
    struct launch_route with_more = route;
    char **env;

    (void)state;
    with_more.more = ARGV("TMPDIR=/new", "ONE=1");
    env = launch_env(ARGV("TMPDIR=/old", "TMPDIRS=kept"), &with_more);
    assert_string_equal(value_of(env, "TMPDIR"), "/new");
    assert_string_equal(value_of(env, "TMPDIRS"), "kept");
    assert_string_equal(value_of(env, "ONE"), "1");
    launch_env_free(env);
}

static void one_that_is_apart_has_a_group_no_input_and_says_all_to_its_file(void **state)
{
    char path[] = "/tmp/weir-test-XXXXXX", text[64] = "";
    struct rlimit descriptors;
    int output = mkstemp(path), status, wait_status;
    struct err err;
    pid_t pid;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    assert_true(launch_start(ARGV("/bin/sh", "-c", "cat; echo said; echo wrong >&2; exec sleep 60"), environ,
                             &descriptors, output, &pid, &status, &err));
    assert_int_equal(getpgid(pid), pid);
    while (pread(output, text, sizeof text - 1, 0) < 11) /* until it has said both */
        sched_yield();
    assert_string_equal(text, "said\nwrong\n");
    launch_signal_group(pid, SIGTERM);
    waitpid(pid, &wait_status, 0);
    assert_int_equal(launch_exit_status(wait_status), 128 + SIGTERM);
    close(output);
    unlink(path);
}

static void what_the_proxy_asks_for_is_told_with_it(void **state)
{
    struct launch_route guarded = route;
    char **env;

    (void)state;
    guarded.proxy_auth = "me:a/b:c @%";
    env = launch_env(ARGV("HOME=/root"), &guarded);
    assert_string_equal(value_of(env, "https_proxy"), "http://me:a%2Fb%3Ac%20%40%25@127.0.0.1:41233");
    launch_env_free(env);
}

static void java_is_told_by_properties_behind_the_users_own(void **state)
{
    char **env = launch_env(ARGV("JAVA_TOOL_OPTIONS=-Xmx1g -Dhttp.proxyHost=other"), &route);

    (void)state;
    assert_string_equal(value_of(env, "JAVA_TOOL_OPTIONS"),
                        "-Xmx1g -Dhttp.proxyHost=other -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=41233 "
                        "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=41233 -Dhttp.nonProxyHosts= "
                        "\"-Djavax.net.ssl.trustStore=/tmp/x y/ca.jks\" "
                        "-Djavax.net.ssl.trustStorePassword=changeit -Djavax.net.ssl.trustStoreType=JKS");
    launch_env_free(env);
}

static void an_ipv6_listener_is_a_host_without_brackets_for_java(void **state)
{
    struct launch_route v6 = route;
    char **env;

    (void)state;
    v6.proxy = "[::1]:99";
    env = launch_env(ARGV("A=b"), &v6);
    assert_string_equal(value_of(env, "https_proxy"), "http://[::1]:99");
    assert_non_null(strstr(value_of(env, "JAVA_TOOL_OPTIONS"), "-Dhttps.proxyHost=::1 -Dhttps.proxyPort=99"));
    launch_env_free(env);
}

/* Runs a shell line and gives its exit status. */
static int run(const char *script)
{
    struct rlimit descriptors;
    struct err err;
    int status, wait_status;
    pid_t pid;

    getrlimit(RLIMIT_NOFILE, &descriptors);
    if (!launch_start(ARGV("/bin/sh", "-c", (char *)(uintptr_t)script), environ, &descriptors,
                      LAUNCH_ON_TERMINAL, &pid, &status, &err))
        fail_msg("%s", err.text);
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    return launch_exit_status(wait_status);
}

static void the_exit_status_is_the_commands_own(void **state)
{
    (void)state;
    assert_int_equal(run("exit 0"), 0);
    assert_int_equal(run("exit 7"), 7);
    assert_int_equal(run("kill -TERM $$"), 128 + SIGTERM);
    assert_int_equal(run("kill -KILL $$"), 128 + SIGKILL);
}

static void what_cannot_be_run_has_statuses_of_its_own(void **state)
{
    struct rlimit descriptors;
    struct err err;
    int status;
    pid_t pid;
    char path[] = "/tmp/weir-test-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    close(fd); /* a file that nobody may execute */
    getrlimit(RLIMIT_NOFILE, &descriptors);
    assert_false(launch_start(ARGV("weir-no-such-command"), environ, &descriptors, LAUNCH_ON_TERMINAL, &pid,
                              &status, &err));
    assert_int_equal(status, 127);
    assert_non_null(strstr(err.text, "no command 'weir-no-such-command' in PATH"));
    assert_false(
        launch_start(ARGV("/nowhere/x"), environ, &descriptors, LAUNCH_ON_TERMINAL, &pid, &status, &err));
    assert_int_equal(status, 127);
    assert_false(launch_start(ARGV(path), environ, &descriptors, LAUNCH_ON_TERMINAL, &pid, &status, &err));
    assert_int_equal(status, 126);
    unlink(path);
}

static void the_command_gets_signals_as_they_are_by_default(void **state)
{
    sigset_t all, old;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    assert_int_equal(run("kill -PIPE $$; exit 1"), 128 + SIGPIPE);
    assert_int_equal(run("kill -TERM $$; exit 1"), 128 + SIGTERM);
    assert_int_equal(run("grep -q '^SigBlk:[[:space:]]*0*$' /proc/self/status"), 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGTERM, SIG_DFL);
}

static void the_command_gets_the_descriptor_limit_that_it_would_have_had(void **state)
{
    struct rlimit original = { 123, 123 };
    struct err err;
    int status, wait_status;
    pid_t pid;

    (void)state;
    assert_true(launch_start(ARGV("/bin/sh", "-c", "test $(ulimit -n) = 123"), environ, &original,
                             LAUNCH_ON_TERMINAL, &pid, &status, &err));
    waitpid(pid, &wait_status, 0);
    assert_int_equal(launch_exit_status(wait_status), 0);
}

static void the_command_gets_what_was_inherited_and_nothing_that_was_opened(void **state)
{
    char *script;
    int inherited = dup(2), ours;

    (void)state;
    launch_note_descriptors();
    ours = dup(2); /* not close-on-exec: a library forgot it */
    script = mem_printf("test -e /proc/self/fd/%d && test ! -e /proc/self/fd/%d", inherited, ours);
    assert_int_equal(run(script), 0);
    mem_free(script);
    close(inherited);
    close(ours);
}

static void a_terminals_interrupt_is_not_passed_on_twice(void **state)
{
    struct rlimit descriptors;
    struct err err;
    int status, wait_status;
    pid_t pid;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    assert_true(
        launch_start(ARGV("/bin/cat"), environ, &descriptors, LAUNCH_ON_TERMINAL, &pid, &status, &err));
    launch_pass_on(pid, SIGINT); /* it is in our process group */
    launch_pass_on(pid, SIGTERM);
    waitpid(pid, &wait_status, 0);
    assert_int_equal(launch_exit_status(wait_status), 128 + SIGTERM);
}

static void an_interrupt_is_passed_on_to_another_process_group(void **state)
{
    struct rlimit descriptors;
    struct err err;
    int status, wait_status, ready[2];
    char *script, byte;
    pid_t pid;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    assert_int_equal(pipe(ready), 0);
    launch_note_descriptors();
    script = mem_printf("echo >&%d; exec cat", ready[1]);
    assert_true(launch_start(ARGV("setsid", "/bin/sh", "-c", script), environ, &descriptors,
                             LAUNCH_ON_TERMINAL, &pid, &status, &err));
    assert_int_equal(read(ready[0], &byte, 1), 1);
    launch_pass_on(pid, SIGINT);
    waitpid(pid, &wait_status, 0);
    assert_int_equal(launch_exit_status(wait_status), 128 + SIGINT);
    mem_free(script);
    close(ready[0]);
    close(ready[1]);
}

/* The commands that wait for input must wait in vain. */
static int open_stdin(void **state)
{
    static int pipe_ends[2];

    (void)state;
    return pipe(pipe_ends) != 0 || dup2(pipe_ends[0], 0) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_leads_to_the_proxy_and_the_ca),
        cmocka_unit_test(what_the_proxy_asks_for_is_told_with_it),
        cmocka_unit_test(variables_besides_replace_what_was_there),
        cmocka_unit_test(one_that_is_apart_has_a_group_no_input_and_says_all_to_its_file),
        cmocka_unit_test(java_is_told_by_properties_behind_the_users_own),
        cmocka_unit_test(an_ipv6_listener_is_a_host_without_brackets_for_java),
        cmocka_unit_test(the_exit_status_is_the_commands_own),
        cmocka_unit_test(what_cannot_be_run_has_statuses_of_its_own),
        cmocka_unit_test(the_command_gets_signals_as_they_are_by_default),
        cmocka_unit_test(the_command_gets_the_descriptor_limit_that_it_would_have_had),
        cmocka_unit_test(the_command_gets_what_was_inherited_and_nothing_that_was_opened),
        cmocka_unit_test(a_terminals_interrupt_is_not_passed_on_twice),
        cmocka_unit_test(an_interrupt_is_passed_on_to_another_process_group),
    };

    return cmocka_run_group_tests(tests, open_stdin, NULL);
}

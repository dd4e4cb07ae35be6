#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/mode/via.h"

static const char *const variables[] = { "http_proxy",  "HTTP_PROXY", "https_proxy",
                                         "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                         "no_proxy",    "NO_PROXY",   "MY_WAY" };

static int forget_variables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    return 0;
}

/* --- helpers -------------------------------------------------------------------------------------------- */

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct via *table(const char *const *rules)
{
    size_t count = 0;
    struct via *via;
    struct err err;

    while (rules[count] != NULL)
        count++;
    if (!via_new(rules, count, &via, &err))
        fail_msg("%s", err.text);
    return via;
}

static const char *name_for(const struct via *via, const char *url)
{
    struct target target = { .port = 0 };
    struct url parts;
    struct err err;
    const struct via_hop *hop;

    assert_true(url_parse(span_of(url), &parts, &err));
    memcpy(target.host, parts.authority.host, sizeof target.host);
    target.port = parts.authority.port != 0 ? parts.authority.port : url_default_port(parts.scheme);
    target.is_tls = span_eq(parts.scheme, SPAN("https"));
    hop = via_find(via, &target);
    return hop != NULL ? hop->name : "direct";
}

static void check_way(const char *const *rules, const char *url, const char *expected)
{
    struct via *via = table(rules);

    assert_string_equal(name_for(via, url), expected);
    via_free(via);
}

static void check_refused(const char *rule, const char *word)
{
    struct via *via = NULL;
    struct err err = { 0 };

    if (via_new(&rule, 1, &via, &err))
        fail_msg("'%s' was taken", rule);
    assert_int_equal(err.code, ERR_USAGE);
    if (strstr(err.text, word) == NULL)
        fail_msg("'%s': %s", rule, err.text);
    assert_null(strstr(err.text, "secret"));
}

static void check_credentials(const char *rule, const char *user, const char *password)
{
    struct via *via = table(RULES(rule));
    struct target target = { .host = "a.test", .port = 80 };
    const struct via_hop *hop = via_find(via, &target);

    if (user == NULL)
        assert_null(hop->user);
    else
        assert_string_equal(hop->user, user);
    if (password == NULL)
        assert_null(hop->password);
    else
        assert_string_equal(hop->password, password);
    assert_null(strchr(hop->name, '@'));
    via_free(via);
}

/* --- one proxy ------------------------------------------------------------------------------------------ */

static void every_kind_has_its_port(void **state)
{
    (void)state;
    check_way(RULES("http://p.test"), "http://a.test", "http://p.test:80");
    check_way(RULES("https://p.test/"), "http://a.test", "https://p.test:443");
    check_way(RULES("socks4://p.test"), "http://a.test", "socks4://p.test:1080");
    check_way(RULES("socks4a://p.test"), "http://a.test", "socks4a://p.test:1080");
    check_way(RULES("socks5://p.test"), "http://a.test", "socks5://p.test:1080");
    check_way(RULES("socks5h://p.test"), "http://a.test", "socks5h://p.test:1080");
    check_way(RULES("SOCKS5://P.test:99"), "http://a.test", "socks5://p.test:99");
    check_way(RULES("http://[::1]:3128"), "https://a.test", "http://[::1]:3128");
}

static void credentials_are_decoded_and_not_in_the_name(void **state)
{
    (void)state;
    check_credentials("http://p.test", NULL, NULL);
    check_credentials("http://@p.test", NULL, NULL);
    check_credentials("http://alice@p.test", "alice", NULL);
    check_credentials("http://alice:@p.test", "alice", "");
    check_credentials("http://alice:se%3Acret@p.test", "alice", "se:cret");
    check_credentials("http://a%40b:c:d=%2f@p.test:3128/", "a@b", "c:d=/");
    check_credentials("socks5h://a@b:c@p.test", "a@b", "c");
    check_credentials("socks4://alice@p.test", "alice", NULL);
    check_credentials("http://:token@p.test", "", "token");
}

static void what_is_no_proxy_is_refused_without_its_credentials(void **state)
{
    (void)state;
    check_refused("", "write http://");
    check_refused("p.test:3128", "write http://");
    check_refused("ftp://p.test", "write http://");
    check_refused("socks5h", "write http://");
    check_refused("http:", "write http://");
    check_refused("http:/p.test", "write http://");
    check_refused("socks://a:secret@p.test", "write http://");
    check_refused("http://", "no host");
    check_refused("http://a:secret@", "no host");
    check_refused("http://a:secret@p.test:0", "port");
    check_refused("http://a:secret@p.test/x", "path");
    check_refused("http://p.test?x", "path");
    check_refused("http://a:secret/x@p.test", "%2F");
    check_refused("http://a:secret?@p.test", "%3F");
    check_refused("http://a:secret%4@p.test", "%");
    check_refused("http://a:secret%zz@p.test", "%");
    check_refused("http://a:secret%00@p.test", "control");
    check_refused("http://a:secret%0d%0aX:%20y@p.test", "control");
    check_refused("http://a%3Ab:secret@p.test", "colon");
    check_refused("socks4a://a:secret@p.test", "password");
    check_refused("http://p test", "byte");
}

static void socks_credentials_fit_their_length(void **state)
{
    char rule[600];

    (void)state;
    snprintf(rule, sizeof rule, "socks5://%0255d:%0255d@p.test", 1, 2);
    via_free(table(RULES(rule)));
    snprintf(rule, sizeof rule, "socks5://%0256d:x@p.test", 1);
    check_refused(rule, "255");
    snprintf(rule, sizeof rule, "socks5://x:%0256d@p.test", 1);
    check_refused(rule, "255");
}

/* --- rules ---------------------------------------------------------------------------------------------- */

static void the_first_rule_about_a_host_decides(void **state)
{
    struct via *via =
        table(RULES("*.corp.test, intra=http://corp.test:3128", "x.test=direct", "*.onion=socks5h://t.test",
                    "http://rest.test:8080", "y.test=socks4://never.test"));

    (void)state;
    assert_string_equal(name_for(via, "https://a.corp.test"), "http://corp.test:3128");
    assert_string_equal(name_for(via, "https://A.Corp.Test."), "http://corp.test:3128");
    assert_string_equal(name_for(via, "http://intra"), "http://corp.test:3128");
    assert_string_equal(name_for(via, "http://x.test"), "direct");
    assert_string_equal(name_for(via, "http://abc.onion"), "socks5h://t.test:1080");
    assert_string_equal(name_for(via, "http://corp.test"), "http://rest.test:8080");
    assert_string_equal(name_for(via, "http://y.test"), "http://rest.test:8080");
    assert_string_equal(name_for(via, "http://127.0.0.1"), "http://rest.test:8080");
    via_free(via);
}

static void without_a_rule_the_way_is_direct(void **state)
{
    struct err err;
    struct via *via;

    (void)state;
    check_way(RULES("x.test=http://p.test"), "http://y.test", "direct");
    check_way(RULES("fd00*=http://p.test"), "http://[fd00::1]", "http://p.test:80");
    assert_true(via_new(NULL, 0, &via, &err));
    assert_string_equal(name_for(via, "http://a.test"), "direct");
    via_free(via);
}

static void an_equals_sign_in_credentials_begins_no_hosts(void **state)
{
    (void)state;
    check_way(RULES("http://a:b=c@p.test"), "http://y.test", "http://p.test:80");
    check_way(RULES("x.test=http://a:b=c@p.test"), "http://x.test", "http://p.test:80");
}

static void hosts_that_could_never_match_are_refused(void **state)
{
    (void)state;
    check_refused("=http://p.test", "no host");
    check_refused(" , =http://p.test", "no host");
    check_refused("10.0.0.0/8=http://p.test", "pattern");
    check_refused("x.test:443=http://p.test", "ports");
}

static void the_place_of_a_wrong_rule_is_told(void **state)
{
    struct via *via;
    struct err err;

    (void)state;
    assert_false(via_new(RULES("direct", "nonsense"), 2, &via, &err));
    assert_non_null(strstr(err.text, "the 2. --via: "));
}

static void the_same_proxy_is_one_hop(void **state)
{
    struct via *via = table(RULES("a.test=http://u:p@p.test", "b.test=http://u:%70@P.test:80/",
                                  "c.test=http://u:q@p.test", "d.test=http://p.test"));
    struct target a = { "a.test", 80, false }, b = { "b.test", 80, false };
    struct target c = { "c.test", 80, false }, d = { "d.test", 80, false };

    (void)state;
    assert_ptr_equal(via_find(via, &a), via_find(via, &b));
    assert_int_not_equal(via_find(via, &a)->id, via_find(via, &c)->id);
    assert_int_not_equal(via_find(via, &a)->id, via_find(via, &d)->id);
    assert_int_not_equal(via_find(via, &c)->id, via_find(via, &d)->id);
    via_free(via);
}

/* --- kept out of the command line ------------------------------------------------------------------------
 */

static void a_file_says_the_proxy_in_its_first_line(void **state)
{
    char path[] = "/tmp/weir_via_XXXXXX", rule[64];
    static const char text[] = "socks5h://a:b@p.test \r\nhttp://other.test\n";
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    snprintf(rule, sizeof rule, "file:%s", path);
    check_way(RULES(rule), "http://x.test", "socks5h://p.test:1080");
    snprintf(rule, sizeof rule, "*.test=file:%s", path);
    check_way(RULES(rule), "http://x.test", "socks5h://p.test:1080");
    check_way(RULES(rule), "http://x.example", "direct");
    assert_int_equal(truncate(path, 0), 0);
    check_refused(rule, "no line");
    assert_int_equal(truncate(path, 100000), 0);
    check_refused(rule, "write http://");
    check_refused(rule, path);
    fd = open(path, O_WRONLY);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    check_refused(rule, "longer");
    unlink(path);
}

static void a_file_that_is_not_there_is_told(void **state)
{
    const char *rule = "file:/nonexistent/proxy=x";
    struct via *via;
    struct err err;

    (void)state;
    assert_false(via_new(&rule, 1, &via, &err));
    assert_int_equal(err.code, ERR_SYS);
    assert_non_null(strstr(err.text, "'/nonexistent/proxy=x'"));
}

static void a_variable_says_the_proxy(void **state)
{
    (void)state;
    check_refused("env:MY_WAY", "not set");
    setenv("MY_WAY", "https://a:secret@p.test:0", 1);
    check_refused("env:MY_WAY", "port");
    setenv("MY_WAY", "https://a:secret@p.test", 1);
    check_way(RULES("env:MY_WAY"), "http://x.test", "https://p.test:443");
    setenv("MY_WAY", "direct", 1);
    check_way(RULES("x.test=env:MY_WAY", "http://p.test"), "http://x.test", "direct");
}

/* --- the environment ------------------------------------------------------------------------------------ */

static void each_scheme_has_its_variable(void **state)
{
    (void)state;
    setenv("http_proxy", "http://plain.test:1", 1);
    setenv("HTTPS_PROXY", "secure.test:2", 1);
    check_way(RULES("env"), "http://a.test", "http://plain.test:1");
    check_way(RULES("env"), "https://a.test", "http://secure.test:2");
    setenv("https_proxy", "socks5h://lower.test", 1);
    check_way(RULES("env"), "https://a.test", "socks5h://lower.test:1080");
}

static void the_variable_that_a_client_of_cgi_can_set_is_not_read(void **state)
{
    (void)state;
    setenv("HTTP_PROXY", "http://evil.test", 1);
    check_way(RULES("env"), "http://a.test", "direct");
}

static void one_variable_may_be_for_all(void **state)
{
    (void)state;
    setenv("ALL_PROXY", "socks5://all.test", 1);
    check_way(RULES("env"), "http://a.test", "socks5://all.test:1080");
    setenv("all_proxy", "socks5://lower.test", 1);
    setenv("https_proxy", "http://secure.test", 1);
    check_way(RULES("env"), "http://a.test", "socks5://lower.test:1080");
    check_way(RULES("env"), "https://a.test", "http://secure.test:80");
    setenv("https_proxy", "", 1);
    check_way(RULES("env"), "https://a.test", "socks5://lower.test:1080");
}

static void no_proxy_is_the_end_of_the_rules(void **state)
{
    (void)state;
    setenv("http_proxy", "http://p.test", 1);
    setenv("NO_PROXY", "upper.test", 1);
    check_way(RULES("env", "http://rest.test"), "http://upper.test", "direct");
    setenv("no_proxy", "a.test,10.0.0.0/8,b.test:8080", 1);
    check_way(RULES("env", "http://rest.test"), "http://upper.test", "http://p.test:80");
    check_way(RULES("env", "http://rest.test"), "http://x.a.test", "direct");
    check_way(RULES("env", "http://rest.test"), "https://10.1.1.1", "direct");
    check_way(RULES("env", "http://rest.test"), "http://b.test:8080", "direct");
    check_way(RULES("env", "http://rest.test"), "http://b.test", "http://p.test:80");
}

static void where_the_environment_says_nothing_the_next_rule_does(void **state)
{
    (void)state;
    setenv("http_proxy", "http://p.test", 1);
    check_way(RULES("env", "http://rest.test"), "https://a.test", "http://rest.test:80");
    check_way(RULES("x.test=env", "http://rest.test"), "http://a.test", "http://rest.test:80");
    check_way(RULES("x.test=env", "http://rest.test"), "http://x.test", "http://p.test:80");
    unsetenv("http_proxy");
    check_way(RULES("env"), "http://a.test", "direct");
}

static void a_wrong_variable_is_named_and_not_repeated(void **state)
{
    (void)state;
    setenv("https_proxy", "ftp://a:secret@p.test", 1);
    check_refused("env", "variable https_proxy");
    check_refused("x.test=env:https_proxy", "--via: variable https_proxy: no upstream proxy");
}

static void a_proxy_knows_where_it_was_said(void **state)
{
    struct target target = { .host = "a.test", .port = 80 };
    struct via *via;

    (void)state;
    setenv("http_proxy", "http://p.test", 1);
    setenv("MY_WAY", "http://q.test", 1);
    via = table(RULES("a.test=env", "b.test=env:MY_WAY", "c.test=http://r.test", "http://q.test"));
    assert_string_equal(via_find(via, &target)->from, "variable http_proxy");
    target.host[0] = 'b';
    assert_string_equal(via_find(via, &target)->from, "variable MY_WAY");
    target.host[0] = 'c';
    assert_string_equal(via_find(via, &target)->from, "--via");
    via_free(via);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, forget_variables)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_has_its_port),
        TEST(credentials_are_decoded_and_not_in_the_name),
        TEST(what_is_no_proxy_is_refused_without_its_credentials),
        TEST(socks_credentials_fit_their_length),
        TEST(the_first_rule_about_a_host_decides),
        TEST(without_a_rule_the_way_is_direct),
        TEST(an_equals_sign_in_credentials_begins_no_hosts),
        TEST(hosts_that_could_never_match_are_refused),
        TEST(the_place_of_a_wrong_rule_is_told),
        TEST(the_same_proxy_is_one_hop),
        TEST(a_file_says_the_proxy_in_its_first_line),
        TEST(a_file_that_is_not_there_is_told),
        TEST(a_variable_says_the_proxy),
        TEST(each_scheme_has_its_variable),
        TEST(the_variable_that_a_client_of_cgi_can_set_is_not_read),
        TEST(one_variable_may_be_for_all),
        TEST(no_proxy_is_the_end_of_the_rules),
        TEST(where_the_environment_says_nothing_the_next_rule_does),
        TEST(a_wrong_variable_is_named_and_not_repeated),
        TEST(a_proxy_knows_where_it_was_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

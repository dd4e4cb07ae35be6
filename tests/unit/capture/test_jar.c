/* What a jar holds is looked at through what it would send: that is what it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/jar.h"
#include "proxy/base/mem.h"
#include "proxy/http/url.h"

#define NOW_US (1795305600ull * 1000000) /* 2026-11-22 */
#define SECOND 1000000ull

static struct jar *jar;

static int make_jar(void **state)
{
    (void)state;
    jar = jar_new();
    return 0;
}

static int free_jar(void **state)
{
    (void)state;
    jar_free(jar);
    return 0;
}

static struct jar_request request_of(const char *text, char *host)
{
    struct url url;
    struct err err;
    struct jar_request request;
    struct span query;

    if (!url_parse(span_of(text), &url, &err))
        fail_msg("%s", err.text);
    strcpy(host, url.authority.host);
    request.scheme = url.scheme;
    request.host = span_of(host);
    url_split_target(url.target, &request.path, &query);
    return request;
}

static bool set_at(const char *url, uint64_t time_us, const char *line)
{
    char host[URL_HOST_BYTES];
    struct jar_request request = request_of(url, host);
    struct err err;

    return jar_add_set(jar, &request, time_us, span_of(line), &err);
}

static bool set(const char *url, const char *line)
{
    return set_at(url, NOW_US, line);
}

static void sent(const char *url, const char *name, const char *value)
{
    char host[URL_HOST_BYTES];
    struct jar_request request = request_of(url, host);

    jar_add_sent(jar, &request, NOW_US, span_of(name), span_of(value));
}

static void assert_sends_at(const char *url, uint64_t time_us, const char *expected)
{
    char host[URL_HOST_BYTES];
    struct jar_request request = request_of(url, host);
    struct strbuf out = STRBUF_EMPTY;

    jar_for_url(jar, &request, time_us, &out);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void assert_sends(const char *url, const char *expected)
{
    assert_sends_at(url, NOW_US, expected);
}

static bool keep_last(void *self, const struct jar_cookie *cookie)
{
    *(const struct jar_cookie **)self = cookie;
    return true;
}

static const struct jar_cookie *last_cookie(void)
{
    const struct jar_cookie *last = NULL;

    jar_each(jar, NOW_US, keep_last, &last);
    return last;
}

static void a_cookie_without_a_domain_is_for_its_host_only(void **state)
{
    (void)state;
    assert_true(set("http://shop.test/", "a=1"));
    assert_sends("http://shop.test/", "a=1");
    assert_sends("http://SHOP.TEST:8080/x", "a=1");
    assert_sends("http://www.shop.test/", "");
}

static void a_domain_cookie_is_for_all_below_its_domain(void **state)
{
    (void)state;
    assert_true(set("http://www.shop.test/", "a=1; Domain=.Shop.Test"));
    assert_sends("http://shop.test/", "a=1");
    assert_sends("http://x.y.shop.test/", "a=1");
    assert_sends("http://eshop.test/", "");
    assert_false(set("http://www.shop.test/", "b=1; Domain=api.shop.test"));
    assert_false(set("http://www.shop.test/", "b=1; Domain=..shop.test"));
    assert_false(set("http://www.shop.test/", "b=1; Domain=shop.test."));
    assert_true(set("http://www.shop.test/", "c=1; Domain=evil.test; Domain="));
    assert_sends("http://shop.test/", "a=1");
}

static void a_public_suffix_has_no_cookies_but_its_own(void **state)
{
    (void)state;
    assert_false(set("https://shop.co.uk/", "a=1; Domain=co.uk"));
    assert_false(set("https://me.github.io/", "a=1; Domain=github.io"));
    assert_false(set("https://www.shop.test/", "a=1; Domain=test"));
    assert_true(set("https://github.io/", "a=1; Domain=github.io"));
    assert_sends("https://github.io/", "a=1");
    assert_sends("https://me.github.io/", "");
}

static void an_address_has_only_host_cookies(void **state)
{
    (void)state;
    assert_true(set("http://127.0.0.1/", "a=1; Domain=127.0.0.1"));
    assert_true(last_cookie()->is_host_only);
    assert_false(set("http://127.0.0.1/", "b=1; Domain=0.0.1"));
    assert_true(set("http://[::1]:8080/", "c=1"));
    assert_string_equal(last_cookie()->domain, "::1");
    assert_sends("http://[::1]/", "c=1");
}

static void names_in_other_scripts_are_compared_as_a_labels(void **state)
{
    (void)state;
    assert_true(set("https://www.xn--bcher-kva.example/", "a=1; Domain=xn--BCHER-kva.example"));
    assert_sends("https://xn--bcher-kva.example/", "a=1");
    assert_false(set("https://www.xn--bcher-kva.example/", "a=1; Domain=b\xc3\xbc"
                                                           "cher.example"));
}

static void the_path_is_the_folder_of_the_request_when_none_is_given(void **state)
{
    (void)state;
    assert_true(set("http://shop.test/a/b/c?x=/y", "a=1"));
    assert_string_equal(last_cookie()->path, "/a/b");
    assert_true(set("http://shop.test/top", "b=1; Path=relative"));
    assert_string_equal(last_cookie()->path, "/");
    assert_true(set("http://shop.test/x/", "c=1"));
    assert_string_equal(last_cookie()->path, "/x");
}

static void a_path_matches_whole_segments(void **state)
{
    (void)state;
    set("http://shop.test/", "a=1; Path=/docs");
    set("http://shop.test/", "b=1; Path=/docs/");
    assert_sends("http://shop.test/docs", "a=1");
    assert_sends("http://shop.test/docs/web", "b=1; a=1");
    assert_sends("http://shop.test/docsets", "");
    assert_sends("http://shop.test/Docs", "");
}

static void longer_paths_go_first_and_then_older_cookies(void **state)
{
    (void)state;
    set("http://shop.test/", "z=1; Path=/");
    set("http://shop.test/", "b=1; Path=/a");
    set("http://shop.test/", "a=1; Path=/a");
    set("http://shop.test/", "z=2; Path=/");
    set("http://shop.test/", "y=1; Path=/");
    assert_sends("http://shop.test/a/", "b=1; a=1; z=2; y=1");
}

static void max_age_wins_over_expires(void **state)
{
    (void)state;
    assert_true(set("http://shop.test/", "a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_sends_at("http://shop.test/", NOW_US + 59 * SECOND, "a=1");
    assert_sends_at("http://shop.test/", NOW_US + 60 * SECOND, "");
    assert_true(set("http://shop.test/", "a=1; Max-Age=99999999999999999999"));
    assert_int_equal(last_cookie()->expires_us / 1000000, COOKIE_LAST_SECOND);
}

static void a_past_expiry_deletes_exactly_that_cookie(void **state)
{
    (void)state;
    set("http://www.shop.test/", "a=host");
    set("http://www.shop.test/", "a=domain; Domain=shop.test");
    set("http://www.shop.test/x/", "a=path; Path=/x");
    set("http://www.shop.test/", "a=gone; Max-Age=0");
    assert_sends("http://www.shop.test/x/", "a=path; a=domain");
    set("http://www.shop.test/", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=shop.test");
    assert_sends("http://www.shop.test/x/", "a=path");
    set("http://www.shop.test/x/", "a=; Max-Age=-1; Path=/x");
    assert_sends("http://www.shop.test/x/", "");
}

static void replacing_a_cookie_keeps_when_it_was_created(void **state)
{
    (void)state;
    set_at("http://shop.test/", NOW_US, "a=1");
    set_at("http://shop.test/", NOW_US + SECOND, "a=2; Max-Age=100");
    assert_true(last_cookie()->created_us == NOW_US);
    assert_true(last_cookie()->set_us == NOW_US + SECOND);
    assert_true(last_cookie()->is_persistent);
}

static void secure_cookies_stay_on_secure_connections(void **state)
{
    (void)state;
    assert_true(set("https://shop.test/", "a=1; Secure"));
    assert_sends("http://shop.test/", "");
    assert_sends("https://shop.test/", "a=1");
    assert_false(set("http://shop.test/", "b=1; Secure"));
}

static void plain_http_leaves_secure_cookies_alone(void **state)
{
    (void)state;
    set("https://shop.test/", "a=1; Secure; Path=/login");
    assert_false(set("http://shop.test/", "a=evil; Path=/login/en"));
    assert_false(set("http://www.shop.test/login", "a=evil; Domain=shop.test; Path=/login"));
    assert_true(set("http://shop.test/", "a=fine; Path=/"));
    assert_true(set("https://shop.test/", "a=2; Path=/login"));
    assert_false(last_cookie()->is_secure && last_cookie()->value.ptr[0] == '1');
}

static void a_loopback_host_counts_as_secure(void **state)
{
    static const char *const urls[] = { "http://localhost/", "http://x.localhost/", "http://127.8.9.1/",
                                        "http://[::1]/" };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_true(set(urls[i], "__Host-a=1; Secure; Path=/"));
        assert_sends(urls[i], "__Host-a=1");
    }
    assert_false(set("http://notlocalhost/", "a=1; Secure"));
    assert_false(set("http://128.0.0.1/", "a=1; Secure"));
}

static void prefixes_keep_what_they_promise(void **state)
{
    (void)state;
    assert_false(set("https://shop.test/", "__Secure-a=1"));
    assert_true(set("https://shop.test/", "__sEcUrE-a=1; Secure; Domain=shop.test"));
    assert_false(set("https://shop.test/", "__host-a=1; Path=/"));
    assert_false(set("https://shop.test/x/", "__Host-a=1; Secure"));
    assert_false(set("https://shop.test/", "__Host-a=1; Secure; Path=/; Domain=shop.test"));
    assert_true(set("https://shop.test/", "__Host-a=1; Secure; Path=/; Domain="));
    assert_false(set("https://shop.test/", "__Http-a=1; Secure"));
    assert_true(set("https://shop.test/", "__Http-a=1; Secure; HttpOnly"));
    assert_false(set("https://shop.test/", "__Host-Http-a=1; Secure; Path=/"));
    assert_true(set("https://shop.test/", "__Host-Http-a=1; Secure; Path=/; HttpOnly"));
}

static void same_site_none_and_partitioned_must_be_secure(void **state)
{
    (void)state;
    assert_false(set("https://shop.test/", "a=1; SameSite=None"));
    assert_true(set("https://shop.test/", "a=1; SameSite=None; Secure"));
    assert_int_equal(last_cookie()->same_site, SAME_SITE_NONE);
    assert_false(set("https://shop.test/", "b=1; Partitioned"));
    assert_true(set("https://shop.test/", "a=2; Partitioned; Secure"));
    assert_sends("https://shop.test/", "a=1; a=2");
}

static void a_cookie_that_was_only_sent_is_inferred(void **state)
{
    (void)state;
    sent("https://shop.test/deep/page", "old", "1");
    assert_true(last_cookie()->is_inferred);
    assert_true(last_cookie()->is_host_only);
    assert_true(last_cookie()->is_secure);
    assert_false(last_cookie()->is_persistent);
    assert_string_equal(last_cookie()->path, "/");
    sent("https://shop.test/", "old", "2");
    assert_sends("https://shop.test/", "old=2");
}

static void a_set_cookie_replaces_or_deletes_what_was_inferred(void **state)
{
    (void)state;
    sent("https://api.shop.test/", "a", "1");
    sent("https://api.shop.test/", "b", "1");
    sent("https://api.shop.test/", "c", "1");
    set("https://api.shop.test/x/y", "a=2");
    set("https://www.shop.test/", "b=2; Domain=shop.test");
    set("https://api.shop.test/x/y", "c=; Max-Age=0");
    assert_sends("https://api.shop.test/", "b=2");
    assert_sends("https://api.shop.test/x/", "a=2; b=2");
}

static void a_known_cookie_explains_what_is_sent(void **state)
{
    (void)state;
    set("https://www.shop.test/", "a=1; Domain=shop.test");
    set("https://www.shop.test/", "h=1; HttpOnly");
    sent("https://www.shop.test/", "a", "by script");
    sent("https://www.shop.test/", "h", "of another client");
    assert_sends("https://www.shop.test/", "a=by script; h=1");
    assert_false(last_cookie()->is_inferred);
    sent("http://other.test/", "a", "3");
    assert_sends("http://other.test/", "a=3");
}

static void one_inferred_cookie_serves_both_schemes(void **state)
{
    (void)state;
    sent("https://shop.test/", "a", "1");
    sent("http://shop.test/", "a", "1");
    assert_sends("http://shop.test/", "a=1");
    assert_sends("https://shop.test/", "a=1");
}

static void a_nameless_cookie_is_sent_as_its_value(void **state)
{
    (void)state;
    assert_true(set("http://shop.test/", "=v"));
    assert_sends("http://shop.test/", "v");
}

static void a_scope_is_a_domain_or_one_host(void **state)
{
    struct jar_scope domain, host, plain, wrong;
    struct err err;

    (void)state;
    assert_true(jar_scope_parse("shop.test", &domain, &err));
    assert_true(jar_scope_parse("https://api.shop.test", &host, &err));
    assert_true(jar_scope_parse("http://api.shop.test:8080/x", &plain, &err));
    set("https://shop.test/", "a=1; Domain=shop.test; Secure");
    assert_true(jar_scope_takes(&domain, last_cookie()));
    assert_true(jar_scope_takes(&host, last_cookie()));
    assert_false(jar_scope_takes(&plain, last_cookie()));
    set("https://www.shop.test/", "b=1");
    assert_true(jar_scope_takes(&domain, last_cookie()));
    assert_false(jar_scope_takes(&host, last_cookie()));
    set("https://eshop.test/", "c=1");
    assert_false(jar_scope_takes(&domain, last_cookie()));
    assert_true(jar_scope_parse("b\xc3\xbc"
                                "cher.example",
                                &domain, &err));
    assert_string_equal(domain.domains[0].host, "xn--bcher-kva.example");
    assert_false(jar_scope_parse("ftp://x.test", &wrong, &err));
    assert_false(jar_scope_parse("a b", &wrong, &err));
}

static void a_scope_may_be_several_domains_or_all(void **state)
{
    struct jar_scope some, all, wrong;
    char many[JAR_SCOPE_DOMAINS * 4 + 8] = "a.b";
    struct err err;

    (void)state;
    assert_true(jar_scope_parse("shop.test, https://api.other.test", &some, &err));
    assert_true(jar_scope_parse("*", &all, &err));
    set("https://www.shop.test/", "a=1");
    assert_true(jar_scope_takes(&some, last_cookie()));
    set("https://api.other.test/", "b=1");
    assert_true(jar_scope_takes(&some, last_cookie()));
    set("https://www.other.test/", "c=1");
    assert_false(jar_scope_takes(&some, last_cookie()));
    assert_true(jar_scope_takes(&all, last_cookie()));
    assert_false(jar_scope_parse("shop.test,,a.test", &wrong, &err));
    for (int i = 0; i < JAR_SCOPE_DOMAINS; i++)
        strcat(many, ",a.b");
    assert_false(jar_scope_parse(many, &wrong, &err));
    assert_int_equal(err.code, ERR_USAGE);
}

static void a_copy_holds_the_same_and_lives_by_itself(void **state)
{
    struct strbuf before = STRBUF_EMPTY, after = STRBUF_EMPTY;
    struct jar_request request = { .scheme = SPAN("https"), .host = SPAN("shop.test"), .path = SPAN("/") };
    struct jar *copy;

    (void)state;
    set("https://shop.test/", "a=1; Max-Age=9; Path=/");
    set("https://shop.test/", "b=2; Path=/");
    copy = jar_copy(jar);
    jar_for_url(copy, &request, NOW_US, &before);
    assert_string_equal(strbuf_text(&before), "a=1; b=2");
    set("https://shop.test/", "a=3; Path=/");
    set("https://shop.test/", "b=; Max-Age=0; Path=/");
    jar_for_url(copy, &request, NOW_US, &after);
    assert_string_equal(strbuf_text(&after), "a=1; b=2");
    jar_free(copy);
    strbuf_clear(&before);
    strbuf_clear(&after);
}

static void the_next_expiry_is_the_soonest_that_is_still_to_come(void **state)
{
    (void)state;
    assert_true(jar_next_expiry_us(jar, NOW_US) == UINT64_MAX);
    set("https://shop.test/", "session=1");
    assert_true(jar_next_expiry_us(jar, NOW_US) == UINT64_MAX);
    set("https://shop.test/", "late=1; Max-Age=100");
    set("https://shop.test/", "soon=1; Max-Age=10");
    assert_true(jar_next_expiry_us(jar, NOW_US) == NOW_US + 10 * SECOND);
    assert_true(jar_next_expiry_us(jar, NOW_US + 10 * SECOND) == NOW_US + 100 * SECOND);
    assert_true(jar_next_expiry_us(jar, NOW_US + 100 * SECOND) == UINT64_MAX);
}

static void each_observation_tells_what_it_did(void **state)
{
    const struct jar_cookie *cookie;

    (void)state;
    set("https://a.shop.test/x/y", "a=1; Domain=shop.test");
    assert_int_equal(jar_last_change(jar, &cookie), JAR_ADDED);
    assert_string_equal(cookie->domain, "shop.test");
    assert_string_equal(cookie->path, "/x");
    set("https://a.shop.test/x/y", "a=2; Domain=shop.test");
    assert_int_equal(jar_last_change(jar, &cookie), JAR_REPLACED);
    set("https://a.shop.test/x/y", "a=2; Domain=shop.test; Max-Age=0");
    assert_int_equal(jar_last_change(jar, &cookie), JAR_DELETED);
    assert_string_equal(cookie->path, "/x");
    assert_false(set("https://a.shop.test/", "a=1; Domain=test"));
    assert_int_equal(jar_last_change(jar, &cookie), JAR_IGNORED);
    assert_null(cookie);
    sent("https://a.shop.test/", "b", "1");
    assert_int_equal(jar_last_change(jar, &cookie), JAR_INFERRED);
    sent("https://a.shop.test/", "b", "1");
    assert_int_equal(jar_last_change(jar, &cookie), JAR_SENT);
    sent("https://a.shop.test/", "b", "2");
    assert_int_equal(jar_last_change(jar, &cookie), JAR_SCRIPTED);
    assert_true(span_eq(cookie->value, SPAN("2")));
}

#define jar_test(name) cmocka_unit_test_setup_teardown(name, make_jar, free_jar)

int main(void)
{
    const struct CMUnitTest tests[] = {
        jar_test(a_cookie_without_a_domain_is_for_its_host_only),
        jar_test(a_domain_cookie_is_for_all_below_its_domain),
        jar_test(a_public_suffix_has_no_cookies_but_its_own),
        jar_test(an_address_has_only_host_cookies),
        jar_test(names_in_other_scripts_are_compared_as_a_labels),
        jar_test(the_path_is_the_folder_of_the_request_when_none_is_given),
        jar_test(a_path_matches_whole_segments),
        jar_test(longer_paths_go_first_and_then_older_cookies),
        jar_test(max_age_wins_over_expires),
        jar_test(a_past_expiry_deletes_exactly_that_cookie),
        jar_test(replacing_a_cookie_keeps_when_it_was_created),
        jar_test(secure_cookies_stay_on_secure_connections),
        jar_test(plain_http_leaves_secure_cookies_alone),
        jar_test(a_loopback_host_counts_as_secure),
        jar_test(prefixes_keep_what_they_promise),
        jar_test(same_site_none_and_partitioned_must_be_secure),
        jar_test(a_cookie_that_was_only_sent_is_inferred),
        jar_test(a_set_cookie_replaces_or_deletes_what_was_inferred),
        jar_test(a_known_cookie_explains_what_is_sent),
        jar_test(one_inferred_cookie_serves_both_schemes),
        jar_test(a_nameless_cookie_is_sent_as_its_value),
        jar_test(a_scope_is_a_domain_or_one_host),
        jar_test(a_scope_may_be_several_domains_or_all),
        jar_test(a_copy_holds_the_same_and_lives_by_itself),
        jar_test(the_next_expiry_is_the_soonest_that_is_still_to_come),
        jar_test(each_observation_tells_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* url: authorities, URLs and their parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/url.h"

static void authority_is(const char *text, const char *host, unsigned port, bool is_ipv6)
{
    struct authority authority;
    struct err err = { 0 };

    assert_true(url_parse_authority(span_of(text), &authority, &err));
    assert_string_equal(authority.host, host);
    assert_int_equal(authority.port, port);
    assert_int_equal(authority.is_ipv6, is_ipv6);
}

static void authority_is_refused(struct span text)
{
    struct authority authority;
    struct err err = { 0 };

    assert_false(url_parse_authority(text, &authority, &err));
    assert_int_equal(err.code, ERR_URL);
    assert_true(err.text[0] != '\0');
}

static void an_authority_is_a_host_and_perhaps_a_port(void **state)
{
    (void)state;
    authority_is("example.com", "example.com", 0, false);
    authority_is("Example.COM:8080", "example.com", 8080, false);
    authority_is("example.com.:443", "example.com.", 443, false);
    authority_is("example.com:", "example.com", 0, false);
    authority_is("xn--bcher-kva.test:65535", "xn--bcher-kva.test", 65535, false);
    authority_is("my_host", "my_host", 0, false);
    authority_is("127.0.0.1:1", "127.0.0.1", 1, false);
    authority_is("[::1]", "::1", 0, true);
    authority_is("[::1]:", "::1", 0, true);
    authority_is("[2001:DB8::1]:443", "2001:db8::1", 443, true);
    authority_is("[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", 80, true);
}

static void what_is_no_authority_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       ":80",
                                       "user@host",
                                       "user:pw@host:80",
                                       "host:0",
                                       "host:65536",
                                       "host:x",
                                       "host:-1",
                                       "host:8 0",
                                       "host:80:80",
                                       "a b",
                                       "a/b",
                                       "a\tb",
                                       "[::1",
                                       "[::1]x",
                                       "[::1]]",
                                       "[]",
                                       "[::g]",
                                       "[fe80::1%25eth0]",
                                       "::1",
                                       "h\xc3\xb6st",
                                       "[127.0.0.1]",
                                       "a\\b",
                                       "a?b",
                                       "a#b",
                                       "host:99999999999999999999999" };
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        authority_is_refused(span_of(bad[i]));
    authority_is_refused(SPAN("[::1\0x]"));
    authority_is_refused(SPAN("a\0b"));
}

static void a_host_of_255_bytes_fits_and_one_more_does_not(void **state)
{
    char name[URL_HOST_BYTES];
    struct authority authority;
    struct err err = { 0 };
    (void)state;

    memset(name, 'a', sizeof name);
    assert_true(url_parse_authority(span_make(name, sizeof name - 1), &authority, &err));
    assert_int_equal(strlen(authority.host), URL_HOST_BYTES - 1);
    authority_is_refused(span_make(name, sizeof name));
}

static void url_is(const char *text, const char *scheme, const char *host, unsigned port, const char *target)
{
    struct url url;
    struct err err = { 0 };

    assert_true(url_parse(span_of(text), &url, &err));
    assert_true(span_eq(url.scheme, span_of(scheme)));
    assert_string_equal(url.authority.host, host);
    assert_int_equal(url.authority.port, port);
    assert_true(span_eq(url.target, span_of(target)));
    assert_true(span_starts(url.rest, url.target) && url.rest.ptr + url.rest.len == text + strlen(text));
}

static void a_url_is_taken_apart_as_it_came(void **state)
{
    (void)state;
    url_is("http://example.com/", "http", "example.com", 0, "/");
    url_is("HTTPS://Example.com:8443/A%20b?q=/?#frag", "HTTPS", "example.com", 8443, "/A%20b?q=/?");
    url_is("http://example.com", "http", "example.com", 0, "");
    url_is("http://example.com?q=1", "http", "example.com", 0, "?q=1");
    url_is("http://example.com#f", "http", "example.com", 0, "");
    url_is("ws://[::1]:9/chat", "ws", "::1", 9, "/chat");
    url_is("http://example.com/a//b/../c;d=@e", "http", "example.com", 0, "/a//b/../c;d=@e");
    url_is("http://example.com/\xc3\xbc", "http", "example.com", 0, "/\xc3\xbc");
}

static void what_is_no_url_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "/path",
                                       "example.com/",
                                       "http:/x",
                                       "http//x",
                                       "://x/",
                                       "http:///",
                                       "1ttp://x/",
                                       "ht tp://x/",
                                       "http://",
                                       "http://u@x/",
                                       "h_p://x/",
                                       "http://x:0/",
                                       "http://x/ y",
                                       "http://x/\r\n",
                                       "http://x/\x7f",
                                       "*" };
    struct url url;
    struct err err = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(url_parse(span_of(bad[i]), &url, &err));
        assert_int_equal(err.code, ERR_URL);
    }
}

static void a_target_is_split_at_its_first_question_mark(void **state)
{
    struct span path, query;
    (void)state;

    url_split_target(SPAN("/a/b?c?d"), &path, &query);
    assert_true(span_eq(path, SPAN("/a/b")) && span_eq(query, SPAN("c?d")));
    url_split_target(SPAN("/a?"), &path, &query);
    assert_true(span_eq(path, SPAN("/a")) && query.ptr != NULL && query.len == 0);
    url_split_target(SPAN("/a"), &path, &query);
    assert_true(span_eq(path, SPAN("/a")) && query.ptr == NULL);
    url_split_target(SPAN(""), &path, &query);
    assert_true(path.len == 0 && query.ptr == NULL);
}

static void an_authority_is_written_without_the_default_port(void **state)
{
    struct strbuf out = STRBUF_EMPTY;
    (void)state;

    url_add_authority(&out, SPAN("https"), "example.com", 443);
    strbuf_add_char(&out, ' ');
    url_add_authority(&out, SPAN("https"), "example.com", 80);
    strbuf_add_char(&out, ' ');
    url_add_authority(&out, SPAN("HTTP"), "::1", 80);
    strbuf_add_char(&out, ' ');
    url_add_authority(&out, SPAN("http"), "::1", 8080);
    strbuf_add_char(&out, ' ');
    url_add_authority(&out, SPAN("gopher"), "a", 70);
    strbuf_add_char(&out, ' ');
    url_add_authority(&out, SPAN("gopher"), "a", 0);
    assert_string_equal(strbuf_text(&out), "example.com example.com:80 [::1] [::1]:8080 a:70 a");
    strbuf_clear(&out);
}

static void default_ports_are_those_of_http_and_websocket(void **state)
{
    (void)state;
    assert_int_equal(url_default_port(SPAN("http")), 80);
    assert_int_equal(url_default_port(SPAN("HTTPS")), 443);
    assert_int_equal(url_default_port(SPAN("ws")), 80);
    assert_int_equal(url_default_port(SPAN("wss")), 443);
    assert_int_equal(url_default_port(SPAN("ftp")), 0);
    assert_int_equal(url_default_port(SPAN("")), 0);
}

static void addresses_are_told_from_names(void **state)
{
    (void)state;
    assert_true(url_host_is_ip("127.0.0.1"));
    assert_true(url_host_is_ip("::1"));
    assert_false(url_host_is_ip("localhost"));
    assert_false(url_host_is_ip("127.0.0.1.example"));
    assert_false(url_host_is_ip("[::1]"));
    assert_false(url_host_is_ip(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority_is_a_host_and_perhaps_a_port),
        cmocka_unit_test(what_is_no_authority_is_refused),
        cmocka_unit_test(a_host_of_255_bytes_fits_and_one_more_does_not),
        cmocka_unit_test(a_url_is_taken_apart_as_it_came),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(a_target_is_split_at_its_first_question_mark),
        cmocka_unit_test(an_authority_is_written_without_the_default_port),
        cmocka_unit_test(default_ports_are_those_of_http_and_websocket),
        cmocka_unit_test(addresses_are_told_from_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

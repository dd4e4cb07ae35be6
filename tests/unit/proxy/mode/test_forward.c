#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "proxy/base/strbuf.h"
#include "proxy/mode/forward.h"

static bool ask(const char *method, const char *target, enum forward_kind *kind, struct target *to,
                char *path, size_t path_size)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct strbuf scratch = STRBUF_EMPTY;
    struct span out = SPAN_NONE;
    struct err err;
    bool ok;

    head->method = span_of(method);
    head->target = span_of(target);
    ok = forward_target(head, &scratch, kind, to, &out, &err);
    if (ok && *kind != FORWARD_CONNECT)
        snprintf(path, path_size, "%.*s", SPAN_ARG(out));
    if (!ok)
        assert_true(err.code == ERR_URL || err.code == ERR_PROTO);
    strbuf_clear(&scratch);
    http_head_free(head);
    return ok;
}

static void an_absolute_target_names_the_origin(void **state)
{
    static const struct {
        const char *method, *target, *host, *path;
        uint16_t port;
        bool is_tls;
    } cases[] = {
        { "GET", "http://Example.COM/a?b", "example.com", "/a?b", 80, false },
        { "GET", "HTTP://x:81/", "x", "/", 81, false },
        { "GET", "https://x/", "x", "/", 443, true },
        { "GET", "http://x", "x", "/", 80, false },
        { "GET", "http://x?q", "x", "/?q", 80, false },
        { "OPTIONS", "http://x", "x", "*", 80, false },
        { "OPTIONS", "http://x/", "x", "/", 80, false },
        { "GET", "http://[::1]:8080/p", "::1", "/p", 8080, false },
        /* Whoever sends a fragment has it passed on: all after the authority is the client's to say. */
        { "GET", "http://x/a#f", "x", "/a#f", 80, false },
        { "GET", "http://x/a?b#c#d?e", "x", "/a?b#c#d?e", 80, false },
        { "GET", "http://x/#", "x", "/#", 80, false },
        { "GET", "http://x#f", "x", "/#f", 80, false },
        { "GET", "http://x?q#f", "x", "/?q#f", 80, false },
        { "OPTIONS", "http://x#f", "x", "/#f", 80, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum forward_kind kind;
        struct target to;
        char path[64];
        assert_true(ask(cases[i].method, cases[i].target, &kind, &to, path, sizeof path));
        assert_int_equal(kind, FORWARD_REQUEST);
        assert_string_equal(to.host, cases[i].host);
        assert_int_equal(to.port, cases[i].port);
        assert_int_equal(to.is_tls, cases[i].is_tls);
        assert_string_equal(path, cases[i].path);
    }
}

static void connect_asks_for_a_tunnel(void **state)
{
    enum forward_kind kind;
    struct target to;
    char path[64];

    (void)state;
    assert_true(ask("CONNECT", "Example.com:8443", &kind, &to, path, sizeof path));
    assert_int_equal(kind, FORWARD_CONNECT);
    assert_string_equal(to.host, "example.com");
    assert_int_equal(to.port, 8443);
    assert_false(ask("CONNECT", "example.com", &kind, &to, path, sizeof path));
    assert_false(ask("CONNECT", "example.com:0", &kind, &to, path, sizeof path));
    assert_false(ask("CONNECT", "http://example.com/", &kind, &to, path, sizeof path));
}

static void origin_form_is_meant_for_weir(void **state)
{
    enum forward_kind kind;
    struct target to;
    char path[64];

    (void)state;
    assert_true(ask("GET", "/ca.pem", &kind, &to, path, sizeof path));
    assert_int_equal(kind, FORWARD_SELF);
    assert_string_equal(path, "/ca.pem");
    assert_true(ask("OPTIONS", "*", &kind, &to, path, sizeof path));
    assert_int_equal(kind, FORWARD_SELF);
}

/* Of HTTP/2's :scheme and :authority, and perhaps Host. */
static bool ask_http2(const char *method, const char *scheme, const char *authority, const char *host,
                      enum forward_kind *kind, struct target *to)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct strbuf scratch = STRBUF_EMPTY;
    struct span path;
    struct err err;
    bool ok;

    head->version = HTTP_2;
    head->method = span_of(method);
    head->scheme = span_of(scheme);
    head->target = SPAN("/p");
    if (authority != NULL)
        head->authority = span_of(authority);
    if (host != NULL)
        assert_true(headers_add(&head->headers, SPAN("host"), span_of(host), &err));
    ok = forward_target(head, &scratch, kind, to, &path, &err);
    if (ok)
        assert_string_equal(*kind == FORWARD_CONNECT ? "" : "/p", path.len != 0 ? path.ptr : "");
    strbuf_clear(&scratch);
    http_head_free(head);
    return ok;
}

static void in_http2_scheme_and_authority_name_the_origin(void **state)
{
    enum forward_kind kind;
    struct target to;

    (void)state;
    assert_true(ask_http2("GET", "http", "A.test", NULL, &kind, &to));
    assert_int_equal(kind, FORWARD_REQUEST);
    assert_string_equal(to.host, "a.test");
    assert_int_equal(to.port, 80);
    assert_false(to.is_tls);
    assert_true(ask_http2("GET", "https", "[::1]:8443", "b", &kind, &to));
    assert_string_equal(to.host, "::1");
    assert_int_equal(to.port, 8443);
    assert_true(to.is_tls);
    assert_true(ask_http2("GET", "https", NULL, "b", &kind, &to));
    assert_string_equal(to.host, "b");
    assert_int_equal(to.port, 443);
    assert_true(ask_http2("CONNECT", "", "a:443", NULL, &kind, &to));
    assert_int_equal(kind, FORWARD_CONNECT);
    assert_int_equal(to.port, 443);
    assert_false(ask_http2("GET", "http", NULL, NULL, &kind, &to));
    assert_false(ask_http2("GET", "ftp", "a", NULL, &kind, &to));
    assert_false(ask_http2("GET", "http", "a:x", NULL, &kind, &to));
}

static void what_can_not_be_forwarded_is_refused(void **state)
{
    static const char *const wrong[] = { "ftp://x/", "http:///", "x", "", "http://x:99999/", "http://[::1/" };
    enum forward_kind kind;
    struct target to;
    char path[64];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ask("GET", wrong[i], &kind, &to, path, sizeof path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absolute_target_names_the_origin),
        cmocka_unit_test(connect_asks_for_a_tunnel),
        cmocka_unit_test(origin_form_is_meant_for_weir),
        cmocka_unit_test(in_http2_scheme_and_authority_name_the_origin),
        cmocka_unit_test(what_can_not_be_forwarded_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

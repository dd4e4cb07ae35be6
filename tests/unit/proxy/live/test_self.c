#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "proxy/live/self.h"
#include "tests/support/tls_pair.h"

struct fixture {
    struct tls_lab lab;
    struct live_shared shared;
    struct live live;
};

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    tls_lab_open(&fixture.lab);
    fixture.shared.ca = fixture.lab.ca;
    fixture.live.shared = &fixture.shared;
    fixture.shared.devices = devices_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    devices_free(fixture.shared.devices);
    tls_lab_close(&fixture.lab);
    return 0;
}

/* What weir answers; host: of the request, NULL for none. */
static struct http_head *ask(const char *request_target, const char *path, const char *host,
                             struct strbuf *out_body)
{
    struct http_head *request = http_head_new(HTTP_REQUEST), *answer;
    struct err err;

    request->method = SPAN("GET");
    request->target = span_of(request_target);
    request->framing.keeps_alive = true;
    if (host != NULL)
        assert_true(headers_add(&request->headers, SPAN("Host"), span_of(host), &err));
    answer = self_answer(&fixture.live, "192.0.2.7", span_of(path), request, out_body);
    http_head_free(request);
    return answer;
}

static void field_is(const struct http_head *head, const char *name, const char *expected)
{
    struct span value;

    assert_true(headers_find(&head->headers, span_of(name), &value));
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(value.ptr, expected, value.len);
}

/* Asks through the proxy: answered with 200 and a body of that length and type. */
static void get(const char *path, const char *type, struct strbuf *out_body)
{
    struct http_head *head = ask("http://weir.test/", path, "weir.test", out_body);
    char length[24];

    assert_int_equal(head->status, 200);
    assert_int_equal(head->framing.kind, BODY_LENGTH);
    assert_int_equal(head->framing.length, out_body->len);
    assert_true(head->framing.keeps_alive);
    snprintf(length, sizeof length, "%zu", out_body->len);
    field_is(head, "Content-Length", length);
    field_is(head, "Content-Type", type);
    field_is(head, "Cache-Control", "no-store"); /* a renewed CA must be had at once */
    http_head_free(head);
}

static void has(const struct strbuf *body, const char *text)
{
    if (strstr(strbuf_text(body), text) == NULL)
        fail_msg("no '%s' in '%s'", text, strbuf_text(body));
}

static void has_not(const struct strbuf *body, const char *text)
{
    if (strstr(strbuf_text(body), text) != NULL)
        fail_msg("'%s' in '%s'", text, strbuf_text(body));
}

static void the_ca_is_there_for_every_kind_of_device(void **state)
{
    struct strbuf body = STRBUF_EMPTY;

    (void)state;
    get("/ca.pem", "application/x-pem-file", &body);
    assert_true(span_eq(strbuf_span(&body), ca_pem(fixture.lab.ca)));
    has_not(&body, "PRIVATE");
    strbuf_reset(&body);
    get("/ca.crt", "application/x-x509-ca-cert", &body);
    assert_true(span_eq(strbuf_span(&body), ca_der(fixture.lab.ca)));
    strbuf_clear(&body);
}

static void a_profile_for_apples_devices_holds_the_certificate(void **state)
{
    struct strbuf body = STRBUF_EMPTY;
    struct span der = ca_der(fixture.lab.ca);
    const char *begin, *end;
    unsigned char decoded[4096];
    int len;

    (void)state;
    get("/ca.mobileconfig", "application/x-apple-aspen-config", &body);
    begin = strstr(strbuf_text(&body), "<data>");
    assert_non_null(begin);
    begin += strlen("<data>");
    end = strstr(begin, "</data>");
    assert_non_null(end);
    assert_true((size_t)(end - begin) < sizeof decoded);
    len = EVP_DecodeBlock(decoded, (const unsigned char *)begin, (int)(end - begin));
    assert_true(len >= (int)der.len && len < (int)der.len + 3); /* padding counts */
    assert_memory_equal(decoded, der.ptr, der.len);
    has(&body, ca_id(fixture.lab.ca)); /* a later download replaces this one */
    has(&body, "com.apple.security.root");
    strbuf_clear(&body);
}

static void a_file_is_offered_under_its_name(void **state)
{
    static const char *const names[][2] = { { "/ca.pem", "attachment; filename=\"weir-ca.pem\"" },
                                            { "/ca.crt", "attachment; filename=\"weir-ca.crt\"" },
                                            { "/ca.mobileconfig",
                                              "attachment; filename=\"weir.mobileconfig\"" } };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct strbuf body = STRBUF_EMPTY;
        struct http_head *head = ask("http://weir.test/", names[i][0], "weir.test", &body);
        field_is(head, "Content-Disposition", names[i][1]);
        http_head_free(head);
        strbuf_clear(&body);
    }
}

static void a_device_learns_whether_it_trusts_us(void **state)
{
    struct strbuf body = STRBUF_EMPTY;
    struct http_head *head;

    (void)state;
    get("/", "text/html; charset=utf-8", &body);
    has(&body, "This device trusts us: <b>not yet</b>");
    has(&body, ca_fingerprint_sha256(fixture.lab.ca));
    strbuf_reset(&body);
    get("/trust", "application/json", &body);
    assert_string_equal(strbuf_text(&body), "{\"trusts\": false}\n");

    devices_accepted(fixture.shared.devices, "192.0.2.8"); /* another one */
    strbuf_reset(&body);
    get("/trust", "application/json", &body);
    assert_string_equal(strbuf_text(&body), "{\"trusts\": false}\n");

    devices_accepted(fixture.shared.devices, "192.0.2.7");
    strbuf_reset(&body);
    get("/", "text/html; charset=utf-8", &body);
    has(&body, "This device trusts us: <b>yes</b>");
    strbuf_reset(&body);
    head = ask("/trust", "/trust", "weir.test", &body);
    assert_string_equal(strbuf_text(&body), "{\"trusts\": true}\n");
    field_is(head, "Access-Control-Allow-Origin", "*"); /* the page is http, the question https */
    http_head_free(head);
    strbuf_clear(&body);
}

static void a_device_without_a_proxy_is_told_how_to_set_one(void **state)
{
    struct strbuf body = STRBUF_EMPTY;

    (void)state;
    http_head_free(ask("/", "/", "192.0.2.1:8080", &body));
    has(&body, "server <b>192.0.2.1</b>, port <b>8080</b>");
    has_not(&body, "trusts us");
    strbuf_reset(&body);
    http_head_free(ask("/", "/", "192.0.2.1", &body));
    has(&body, "port <b>80</b>");
    strbuf_reset(&body);
    http_head_free(ask("/", "/", NULL, &body)); /* how it came is not known */
    has(&body, "trusts us");
    strbuf_reset(&body);
    http_head_free(ask("/", "/", "<script>", &body)); /* no host at all */
    has_not(&body, "<script>,");
    has(&body, "trusts us");
    strbuf_clear(&body);
}

static void query_and_fragment_do_not_matter(void **state)
{
    struct strbuf body = STRBUF_EMPTY;

    (void)state;
    get("/ca.pem?again=1", "application/x-pem-file", &body);
    strbuf_reset(&body);
    get("/#steps", "text/html; charset=utf-8", &body);
    strbuf_reset(&body);
    get("/trust#?", "application/json", &body);
    strbuf_clear(&body);
}

static void everything_else_is_a_loop(void **state)
{
    static const char *const paths[] = { "/x",          "",   "*",         "/ca.pem/", "/CA.PEM",
                                         "/ca-key.pem", "//", "/../ca.pem" };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct strbuf body = STRBUF_EMPTY;
        struct http_head *head = ask("http://weir.test/", paths[i], "weir.test", &body);
        assert_int_equal(head->status, 508);
        assert_int_equal(head->framing.length, body.len);
        has(&body, "http://weir.test/");
        http_head_free(head);
        strbuf_clear(&body);
    }
}

static void a_connection_that_does_not_go_on_is_said_to_close(void **state)
{
    struct http_head *request = http_head_new(HTTP_REQUEST), *head;
    struct strbuf body = STRBUF_EMPTY;

    (void)state;
    request->method = SPAN("GET");
    request->target = SPAN("/ca.pem");
    head = self_answer(&fixture.live, "192.0.2.7", SPAN("/ca.pem"), request, &body);
    assert_false(head->framing.keeps_alive);
    field_is(head, "Connection", "close");
    http_head_free(head);
    http_head_free(request);
    strbuf_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ca_is_there_for_every_kind_of_device),
        cmocka_unit_test(a_profile_for_apples_devices_holds_the_certificate),
        cmocka_unit_test(a_file_is_offered_under_its_name),
        cmocka_unit_test(a_device_learns_whether_it_trusts_us),
        cmocka_unit_test(a_device_without_a_proxy_is_told_how_to_set_one),
        cmocka_unit_test(query_and_fragment_do_not_matter),
        cmocka_unit_test(everything_else_is_a_loop),
        cmocka_unit_test(a_connection_that_does_not_go_on_is_said_to_close),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

/* framing: where a body ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/message.h"

struct field {
    const char *name, *value;
};
#define FIELDS(...)                                                                                          \
    (const struct field[])                                                                                   \
    {                                                                                                        \
        __VA_ARGS__ __VA_OPT__(, )                                                                           \
        {                                                                                                    \
            NULL, NULL                                                                                       \
        }                                                                                                    \
    }

static void add_fields(struct http_head *head, const struct field *fields)
{
    struct err err = { 0 };

    for (; fields->name != NULL; fields++)
        assert_true(headers_add(&head->headers, span_of(fields->name), span_of(fields->value), &err));
}

static struct http_head *request(enum http_version version, const char *method, const struct field *fields)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->version = version;
    head->method = span_of(method);
    add_fields(head, fields);
    return head;
}

static struct http_head *response(enum http_version version, int status, const struct field *fields)
{
    struct http_head *head = http_head_new(HTTP_RESPONSE);

    head->version = version;
    head->status = status;
    add_fields(head, fields);
    return head;
}

static void check(struct http_head *head, bool is_ok, enum body_kind kind, uint64_t length, bool keeps_alive)
{
    assert_true(is_ok);
    assert_int_equal(head->framing.kind, kind);
    assert_int_equal(head->framing.length, length);
    assert_int_equal(head->framing.keeps_alive, keeps_alive);
    http_head_free(head);
}

static void request_is(struct http_head *head, enum body_kind kind, uint64_t length, bool keeps_alive)
{
    struct err err = { 0 };

    check(head, framing_request(head, &err), kind, length, keeps_alive);
}

static void request_is_refused(enum http_version version, const char *method, const struct field *fields)
{
    struct http_head *head = request(version, method, fields);
    struct err err = { 0 };

    assert_false(framing_request(head, &err));
    assert_int_equal(err.code, ERR_PROTO);
    http_head_free(head);
}

static void response_is(struct http_head *head, const char *method, enum body_kind kind, uint64_t length,
                        bool keeps_alive)
{
    struct err err = { 0 };

    check(head, framing_response(head, span_of(method), &err), kind, length, keeps_alive);
}

static void response_is_refused(const struct field *fields)
{
    struct http_head *head = response(HTTP_1_1, 200, fields);
    struct err err = { 0 };

    assert_false(framing_response(head, SPAN("GET"), &err));
    assert_int_equal(err.code, ERR_PROTO);
    http_head_free(head);
}

static void a_request_has_no_body_unless_it_says_so(void **state)
{
    (void)state;
    request_is(request(HTTP_1_1, "GET", FIELDS()), BODY_NONE, 0, true);
    request_is(request(HTTP_1_1, "POST", FIELDS()), BODY_NONE, 0, true);
    request_is(request(HTTP_1_1, "POST", FIELDS({ "Content-Length", "0" })), BODY_NONE, 0, true);
    request_is(request(HTTP_1_1, "GET", FIELDS({ "content-length", "007" })), BODY_LENGTH, 7, true);
    request_is(request(HTTP_1_1, "POST", FIELDS({ "Content-Length", "9223372036854775807" })), BODY_LENGTH,
               INT64_MAX, true);
    request_is(request(HTTP_1_1, "GET", FIELDS({ "Transfer-Encoding", "Chunked" })), BODY_CHUNKED, 0, true);
    request_is(request(HTTP_1_1, "GET", FIELDS({ "Transfer-Encoding", "gzip , chunked" })), BODY_CHUNKED, 0,
               true);
    request_is(
        request(HTTP_1_1, "GET", FIELDS({ "Transfer-Encoding", "gzip" }, { "Transfer-Encoding", "chunked" })),
        BODY_CHUNKED, 0, true);
    request_is(request(HTTP_1_1, "GET", FIELDS({ "Transfer-Encoding", "x;a=\",\", chunked" })), BODY_CHUNKED,
               0, true);
    request_is(request(HTTP_1_1, "CONNECT", FIELDS({ "Content-Length", "0" })), BODY_NONE, 0, true);
}

static void ambiguous_requests_are_refused(void **state)
{
    static const char *const lengths[] = { "",
                                           "+5",
                                           "-5",
                                           "5,5",
                                           "5, 5",
                                           "5 5",
                                           "0x5",
                                           "5;",
                                           "18446744073709551616",
                                           "9223372036854775808",
                                           "a",
                                           "5.0",
                                           "\xd9\xa5" };
    static const char *const codings[] = { "",
                                           "identity",
                                           "xchunked",
                                           "chunked, chunked",
                                           "chunked, gzip",
                                           "gzip",
                                           "chunked;a=b",
                                           ",chunked",
                                           "chunked,",
                                           "chunked, identity",
                                           "chun ked",
                                           "\013chunked",
                                           "chunked\x0c",
                                           "\"chunked\"",
                                           "identity, chunked",
                                           "chunked,,gzip",
                                           "chunked;",
                                           "gzip, , chunked" };
    (void)state;

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        request_is_refused(HTTP_1_1, "POST", FIELDS({ "Content-Length", lengths[i] }));
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++)
        request_is_refused(HTTP_1_1, "POST", FIELDS({ "Transfer-Encoding", codings[i] }));
    request_is_refused(HTTP_1_1, "POST", FIELDS({ "Content-Length", "5" }, { "Content-Length", "5" }));
    request_is_refused(HTTP_1_1, "POST", FIELDS({ "Content-Length", "5" }, { "content-length", "6" }));
    request_is_refused(HTTP_1_1, "POST",
                       FIELDS({ "Content-Length", "5" }, { "Transfer-Encoding", "chunked" }));
    request_is_refused(HTTP_1_1, "POST",
                       FIELDS({ "Transfer-Encoding", "chunked" }, { "Content-Length", "0" }));
    request_is_refused(HTTP_1_1, "POST",
                       FIELDS({ "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "gzip" }));
    request_is_refused(HTTP_1_1, "POST",
                       FIELDS({ "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "" }));
    request_is_refused(HTTP_1_0, "POST", FIELDS({ "Transfer-Encoding", "chunked" }));
    request_is_refused(HTTP_1_1, "CONNECT", FIELDS({ "Content-Length", "5" }));
    request_is_refused(HTTP_1_1, "CONNECT", FIELDS({ "Transfer-Encoding", "chunked" }));
}

static void status_and_method_may_rule_out_a_body(void **state)
{
    const struct field *const both = FIELDS({ "Content-Length", "5" }, { "Transfer-Encoding", "chunked" });
    static const int without[] = { 100, 103, 199, 204, 304 };
    (void)state;

    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        response_is(response(HTTP_1_1, without[i], both), "GET", BODY_NONE, 0, true);
    response_is(response(HTTP_1_1, 200, both), "HEAD", BODY_NONE, 0, true);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Content-Length", "nonsense" })), "HEAD", BODY_NONE, 0,
                true);
    response_is(response(HTTP_1_1, 101, both), "GET", BODY_TUNNEL, 0, false);
    response_is(response(HTTP_1_1, 200, both), "CONNECT", BODY_TUNNEL, 0, false);
    response_is(response(HTTP_1_1, 299, FIELDS()), "CONNECT", BODY_TUNNEL, 0, false);
    response_is(response(HTTP_1_1, 407, FIELDS({ "Content-Length", "5" })), "CONNECT", BODY_LENGTH, 5, true);
    response_is(response(HTTP_1_1, 205, FIELDS({ "Content-Length", "0" })), "GET", BODY_NONE, 0, true);
}

static void a_response_lasts_until_the_close_when_nothing_is_said(void **state)
{
    (void)state;
    response_is(response(HTTP_1_1, 200, FIELDS()), "GET", BODY_UNTIL_CLOSE, 0, false);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Transfer-Encoding", "gzip" })), "GET", BODY_UNTIL_CLOSE, 0,
                false);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Transfer-Encoding", "xchunked" })), "GET", BODY_UNTIL_CLOSE,
                0, false);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Transfer-Encoding", "chunked, gzip" })), "GET",
                BODY_UNTIL_CLOSE, 0, false);
    response_is(response(HTTP_1_0, 200, FIELDS({ "Connection", "keep-alive" })), "GET", BODY_UNTIL_CLOSE, 0,
                false);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Transfer-Encoding", "identity" })), "GET", BODY_UNTIL_CLOSE,
                0, false);
    response_is(
        response(HTTP_1_1, 200, FIELDS({ "Transfer-Encoding", "identity" }, { "Content-Length", "5" })),
        "GET", BODY_LENGTH, 5, true);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Transfer-Encoding", ", chunked," })), "GET", BODY_CHUNKED,
                0, true);
    response_is(
        response(HTTP_1_0, 200, FIELDS({ "Transfer-Encoding", "chunked" }, { "Connection", "keep-alive" })),
        "GET", BODY_CHUNKED, 0, false);
}

static void ambiguous_responses_are_refused(void **state)
{
    (void)state;
    response_is_refused(FIELDS({ "Content-Length", "5" }, { "Content-Length", "6" }));
    response_is_refused(FIELDS({ "Content-Length", "5, 6" }));
    response_is_refused(FIELDS({ "Content-Length", "5," }, { "Content-Length", "6" }));
    response_is_refused(FIELDS({ "Content-Length", ",5" }));
    response_is_refused(FIELDS({ "Content-Length", "-1" }));
    response_is_refused(FIELDS({ "Content-Length", "" }));
    response_is_refused(FIELDS({ "Content-Length", "5 6" }));
    response_is_refused(FIELDS({ "Content-Length", "9223372036854775808" }));
    response_is_refused(FIELDS({ "Transfer-Encoding", "chunked, chunked" }));
    response_is_refused(FIELDS({ "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "chunked" }));
    response_is_refused(FIELDS({ "Transfer-Encoding", "chun ked" }));
    response_is_refused(FIELDS({ "Transfer-Encoding", "\013chunked" }));
}

/* The marks of all fields, as a string of '-' and 'h'. */
static const char *hops(const struct http_head *head)
{
    static char text[16];

    for (size_t i = 0; i < head->headers.count; i++)
        text[i] = head->headers.items[i].is_hop ? 'h' : '-';
    text[head->headers.count] = '\0';
    return text;
}

static void the_next_hop_gets_one_length_or_none(void **state)
{
    const struct {
        const struct field *fields;
        const char *hops;
    } rows[] = {
        { FIELDS({ "Content-Length", "5" }), "-" },
        { FIELDS({ "Content-Length", "5" }, { "A", "b" }, { "Content-Length", "05" }), "--h" },
        { FIELDS({ "Content-Length", "5, 5" }), "h-" },
        { FIELDS({ "Content-Length", "5,5" }, { "Content-Length", "5" }), "h-" },
        { FIELDS({ "Content-Length", "5" }, { "Transfer-Encoding", "chunked" }), "h-" },
        { FIELDS({ "Transfer-Encoding", "gzip" }, { "Content-Length", "x" }), "-h" },
    };
    struct err err = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_head *head = response(HTTP_1_1, 200, rows[i].fields);
        assert_true(framing_response(head, SPAN("GET"), &err));
        assert_string_equal(hops(head), rows[i].hops);
        if (i == 2)
            assert_true(span_eq(headers_line(&head->headers, 1), SPAN("Content-Length: 5")));
        http_head_free(head);
    }
}

static void the_connection_goes_on_as_version_and_connection_say(void **state)
{
    (void)state;
    request_is(request(HTTP_1_1, "GET", FIELDS({ "Connection", "a, Close" })), BODY_NONE, 0, false);
    request_is(request(HTTP_1_1, "GET", FIELDS({ "Connection", "closed" })), BODY_NONE, 0, true);
    request_is(request(HTTP_1_0, "GET", FIELDS()), BODY_NONE, 0, false);
    request_is(request(HTTP_1_0, "GET", FIELDS({ "Connection", "Keep-Alive" })), BODY_NONE, 0, true);
    request_is(request(HTTP_1_0, "GET", FIELDS({ "Connection", "keep-alive, close" })), BODY_NONE, 0, false);
    request_is(request(HTTP_1_0, "GET", FIELDS({ "Proxy-Connection", "keep-alive" })), BODY_NONE, 0, false);
    request_is(request(HTTP_1_1, "GET", FIELDS({ "Proxy-Connection", "close" })), BODY_NONE, 0, false);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Content-Length", "1" }, { "Connection", "close" })), "GET",
                BODY_LENGTH, 1, false);
    response_is(response(HTTP_1_1, 200, FIELDS({ "Content-Length", "1" }, { "Proxy-Connection", "close" })),
                "GET", BODY_LENGTH, 1, true);
    response_is(response(HTTP_1_0, 200, FIELDS({ "Content-Length", "1" }, { "Connection", "keep-alive" })),
                "GET", BODY_LENGTH, 1, true);
}

static uint64_t idle_s(const char *keep_alive)
{
    struct http_head *head =
        response(HTTP_1_1, 200, FIELDS({ "Content-Length", "1" }, { "Keep-Alive", keep_alive }));
    uint64_t idle_s = framing_idle_s(head);

    http_head_free(head);
    return idle_s;
}

static void an_origin_may_say_how_long_it_waits(void **state)
{
    (void)state;
    assert_int_equal(idle_s("timeout=5"), 5);
    assert_int_equal(idle_s("max=100 , Timeout=75"), 75);
    assert_int_equal(idle_s("max=5"), 0);
    assert_int_equal(idle_s("timeout=soon, timeout"), 0);
    assert_int_equal(idle_s("timeout=99999999999999999999"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_no_body_unless_it_says_so),
        cmocka_unit_test(ambiguous_requests_are_refused),
        cmocka_unit_test(status_and_method_may_rule_out_a_body),
        cmocka_unit_test(a_response_lasts_until_the_close_when_nothing_is_said),
        cmocka_unit_test(ambiguous_responses_are_refused),
        cmocka_unit_test(the_next_hop_gets_one_length_or_none),
        cmocka_unit_test(the_connection_goes_on_as_version_and_connection_say),
        cmocka_unit_test(an_origin_may_say_how_long_it_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

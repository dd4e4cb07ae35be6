/* message: heads that weir makes, reasons, methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/message.h"

static void a_response_is_made_from_its_status(void **state)
{
    struct http_head *head = http_head_response(502);
    (void)state;

    assert_int_equal(head->role, HTTP_RESPONSE);
    assert_int_equal(head->version, HTTP_1_1);
    assert_int_equal(head->status, 502);
    assert_string_equal(head->start_line, "HTTP/1.1 502 Bad Gateway");
    assert_true(span_eq(head->reason, SPAN("Bad Gateway")));
    http_head_free(head);

    head = http_head_response(299);
    assert_string_equal(head->start_line, "HTTP/1.1 299 ");
    assert_true(head->reason.len == 0);
    http_head_free(head);
    http_head_free(NULL);
}

static void reasons_are_those_of_the_registry(void **state)
{
    (void)state;
    assert_string_equal(http_reason(100), "Continue");
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(413), "Content Too Large");
    assert_string_equal(http_reason(511), "Network Authentication Required");
    assert_string_equal(http_reason(0), "");
    assert_string_equal(http_reason(599), "");
}

static void interim_is_1xx_but_101(void **state)
{
    struct http_head head = { .role = HTTP_RESPONSE, .status = 100 };
    (void)state;

    assert_true(http_is_interim(&head));
    head.status = 199;
    assert_true(http_is_interim(&head));
    head.status = 101;
    assert_false(http_is_interim(&head));
    head.status = 200;
    assert_false(http_is_interim(&head));
    head.role = HTTP_REQUEST;
    head.status = 100;
    assert_false(http_is_interim(&head));
}

static void methods_are_safe_or_idempotent_by_name_and_case(void **state)
{
    (void)state;
    assert_true(http_method_is_safe(SPAN("GET")) && http_method_is_idempotent(SPAN("GET")));
    assert_true(!http_method_is_safe(SPAN("PUT")) && http_method_is_idempotent(SPAN("PUT")));
    assert_true(!http_method_is_safe(SPAN("DELETE")) && http_method_is_idempotent(SPAN("DELETE")));
    assert_true(!http_method_is_safe(SPAN("POST")) && !http_method_is_idempotent(SPAN("POST")));
    assert_true(!http_method_is_safe(SPAN("PATCH")) && !http_method_is_idempotent(SPAN("PATCH")));
    assert_true(!http_method_is_safe(SPAN("CONNECT")) && !http_method_is_idempotent(SPAN("CONNECT")));
    assert_true(!http_method_is_safe(SPAN("get")) && !http_method_is_idempotent(SPAN("get")));
    assert_true(!http_method_is_safe(SPAN("")) && !http_method_is_idempotent(SPAN("FROBNICATE")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_made_from_its_status),
        cmocka_unit_test(reasons_are_those_of_the_registry),
        cmocka_unit_test(interim_is_1xx_but_101),
        cmocka_unit_test(methods_are_safe_or_idempotent_by_name_and_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

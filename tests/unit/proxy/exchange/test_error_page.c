#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "proxy/exchange/error_page.h"

static struct http_head *request_that_accepts(const char *accept, bool keeps_alive)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct err err;

    if (accept != NULL)
        assert_true(headers_add(&head->headers, SPAN("Accept"), span_of(accept), &err));
    head->framing.keeps_alive = keeps_alive;
    return head;
}

static void check(const struct http_head *request, const char *type, const char *page, bool says_close)
{
    struct http_head *head = http_head_response(502);
    struct strbuf body = STRBUF_EMPTY;
    struct span value;
    char length[24];

    error_page(head, &body, request, 502, "a <b> & \"c\"");
    assert_true(headers_find(&head->headers, SPAN("Content-Type"), &value));
    assert_true(span_starts(value, span_of(type)));
    assert_non_null(strstr(strbuf_text(&body), page));
    snprintf(length, sizeof length, "%zu", body.len);
    assert_true(headers_find(&head->headers, SPAN("Content-Length"), &value));
    assert_true(span_eq(value, span_of(length)));
    assert_int_equal(head->framing.kind, BODY_LENGTH);
    assert_int_equal(head->framing.length, body.len);
    assert_int_equal(headers_has_token(&head->headers, SPAN("Connection"), SPAN("close")), says_close);
    assert_int_equal(head->framing.keeps_alive, !says_close);
    strbuf_clear(&body);
    http_head_free(head);
}

static void programs_are_told_in_text(void **state)
{
    struct http_head *request = request_that_accepts("*/*", true);

    (void)state;
    check(request, "text/plain", "weir: a <b> & \"c\"\n", false);
    http_head_free(request);
}

static void browsers_are_told_in_a_page_that_is_escaped(void **state)
{
    struct http_head *request = request_that_accepts("text/html,*/*;q=0.8", true);

    (void)state;
    check(request, "text/html", "<p>a &lt;b&gt; &amp; &quot;c&quot;</p>", false);
    http_head_free(request);
}

static void the_connection_closes_when_the_request_was_the_last_or_none(void **state)
{
    struct http_head *request = request_that_accepts(NULL, false);

    (void)state;
    check(request, "text/plain", "weir: ", true);
    check(NULL, "text/plain", "weir: ", true);
    http_head_free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_are_told_in_text),
        cmocka_unit_test(browsers_are_told_in_a_page_that_is_escaped),
        cmocka_unit_test(the_connection_closes_when_the_request_was_the_last_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

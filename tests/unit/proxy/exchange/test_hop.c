#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proxy/exchange/hop.h"

/* A head of that role with lines "Name: value", separated by \n. */
static struct http_head *head_of(enum http_role role, const char *method, const char *lines)
{
    struct http_head *head = http_head_new(role);
    struct span rest = span_of(lines), line;
    struct err err;

    head->method = span_of(method);
    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        assert_true(headers_add(&head->headers, span_sub(line, 0, colon),
                                span_trim(span_from(line, colon + 1)), &err));
    }
    return head;
}

/* What the next hop gets: fields that stay, then what is added, a line each. */
static void passes_from(bool is_proxied, const char *method, const char *lines, struct span host_line,
                        const char *expected)
{
    struct http_head *head = head_of(HTTP_REQUEST, method, lines);
    struct strbuf got = STRBUF_EMPTY;
    struct hop hop;

    hop_init(&hop);
    hop_request(&hop, head, host_line, is_proxied);
    for (size_t i = 0; i < head->headers.count; i++) {
        if (head->headers.items[i].is_hop)
            continue;
        strbuf_add(&got, headers_line(&head->headers, i));
        strbuf_add_str(&got, "\r\n");
    }
    strbuf_add(&got, strbuf_span(&hop.extra));
    assert_string_equal(strbuf_text(&got), expected);
    strbuf_clear(&got);
    hop_clear(&hop);
    http_head_free(head);
}

static void passes(const char *method, const char *lines, struct span host_line, const char *expected)
{
    passes_from(true, method, lines, host_line, expected);
}

static void credentials_for_a_proxy_behind_the_origin_are_its_own(void **state)
{
    (void)state;
    passes_from(false, "GET", "Host: a\nProxy-Connection: keep-alive\nProxy-Authorization: Basic x",
                SPAN_NONE, "Host: a\r\nProxy-Authorization: Basic x\r\n");
}

static void what_concerns_the_proxy_stays_with_it(void **state)
{
    (void)state;
    passes("GET", "Host: a\nProxy-Connection: keep-alive\nProxy-Authorization: Basic x\nKeep-Alive: 5\nX: y",
           SPAN_NONE, "Host: a\r\nX: y\r\n");
}

static void fields_that_connection_lists_are_not_passed_on(void **state)
{
    (void)state;
    passes("GET", "Connection: close, X-A , ,x-b\nX-A: 1\nX-B: 2\nx-a: 3\nX-C: 4", SPAN_NONE,
           "X-C: 4\r\nConnection: close\r\n");
}

static void connection_cannot_remove_what_gives_the_message_its_meaning(void **state)
{
    (void)state;
    passes("POST",
           "Connection: Host, Content-Length, Transfer-Encoding, Trailer\nHost: a\nContent-Length: "
           "1\nTrailer: t",
           SPAN_NONE, "Host: a\r\nContent-Length: 1\r\nTrailer: t\r\n");
}

static void connection_passes_as_it_was_when_all_of_it_does(void **state)
{
    (void)state;
    passes("GET", "CONNECTION: Keep-Alive\nX: y", SPAN_NONE, "CONNECTION: Keep-Alive\r\nX: y\r\n");
}

static void upgrades_pass_but_h2c(void **state)
{
    (void)state;
    passes("GET", "Connection: Upgrade\nUpgrade: websocket", SPAN_NONE,
           "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    passes("GET", "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x", SPAN_NONE, "");
    passes("GET", "Upgrade: websocket", SPAN_NONE, "");
}

static void te_passes_for_trailers_only(void **state)
{
    (void)state;
    passes("GET", "TE: trailers\nConnection: TE", SPAN_NONE, "TE: trailers\r\nConnection: TE\r\n");
    passes("GET", "TE: gzip, trailers\nConnection: TE", SPAN_NONE, "");
}

static void max_forwards_counts_down_to_us(void **state)
{
    struct http_head *head = head_of(HTTP_REQUEST, "TRACE", "Max-Forwards: 0");
    struct hop hop;

    (void)state;
    passes("OPTIONS", "Max-Forwards: 3", SPAN_NONE, "Max-Forwards: 2\r\n");
    passes("GET", "Max-Forwards: 3", SPAN_NONE, "Max-Forwards: 3\r\n");
    passes("TRACE", "Max-Forwards: x", SPAN_NONE, "Max-Forwards: x\r\n");
    hop_init(&hop);
    hop_request(&hop, head, SPAN_NONE, true);
    assert_true(hop.is_last);
    hop_clear(&hop);
    http_head_free(head);
}

static void host_is_what_the_target_says(void **state)
{
    (void)state;
    passes("GET", "Host: wrong\nX: y\nhost: again", SPAN("right:81"), "X: y\r\nHost: right:81\r\n");
}

/* What the client gets of a response's fields, and whether the record says that they were edited. */
static void answers(const char *lines, const char *expected, bool is_edited)
{
    struct http_head *head = head_of(HTTP_RESPONSE, "", lines);
    struct strbuf got = STRBUF_EMPTY;
    struct hop hop;

    hop_init(&hop);
    hop_response(&hop, head);
    for (size_t i = 0; i < head->headers.count; i++) {
        if (head->headers.items[i].is_hop)
            continue;
        strbuf_add(&got, headers_line(&head->headers, i));
        strbuf_add_str(&got, "\r\n");
    }
    strbuf_add(&got, strbuf_span(&hop.extra));
    assert_string_equal(strbuf_text(&got), expected);
    assert_int_equal(hop.edits_alt_svc, is_edited);
    strbuf_clear(&got);
    hop_clear(&hop);
    http_head_free(head);
}

static void offers_of_http3_are_not_passed_on(void **state)
{
    (void)state;
    answers("Alt-Svc: h3=\":443\"; ma=86400\nX: y", "X: y\r\n", true);
    answers("alt-svc: h3=\":443\", h3-29=\":443\"; ma=1, quic=\":443\"; v=\"46,43\"", "", true);
    answers("Alt-Svc: h3=\":443\", h2=\"a.test:443\"; ma=60,H3=\"b:1\"",
            "Alt-Svc: h2=\"a.test:443\"; ma=60\r\n", true);
}

static void other_alternatives_pass_as_they_came(void **state)
{
    (void)state;
    answers("Alt-Svc: clear", "Alt-Svc: clear\r\n", false);
    answers("Alt-Svc: h2=\"a.test:443\" ,http/1.1=\":8000\"",
            "Alt-Svc: h2=\"a.test:443\" ,http/1.1=\":8000\"\r\n", false);
    answers("Alt-Svc: h2=\":1\"; x=\"a,h3=\\\"b\"", "Alt-Svc: h2=\":1\"; x=\"a,h3=\\\"b\"\r\n", false);
    answers("X-Alt-Svc: h3=\":443\"", "X-Alt-Svc: h3=\":443\"\r\n", false);
}

static void a_response_keeps_upgrade_and_loses_keep_alive(void **state)
{
    struct http_head *head = head_of(HTTP_RESPONSE, "", "Upgrade: h2\nKeep-Alive: timeout=5\nX: y");
    struct hop hop;

    (void)state;
    hop_init(&hop);
    hop_response(&hop, head);
    assert_false(head->headers.items[0].is_hop);
    assert_true(head->headers.items[1].is_hop);
    assert_false(head->headers.items[2].is_hop);
    hop_clear(&hop);
    http_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_for_a_proxy_behind_the_origin_are_its_own),
        cmocka_unit_test(what_concerns_the_proxy_stays_with_it),
        cmocka_unit_test(fields_that_connection_lists_are_not_passed_on),
        cmocka_unit_test(connection_cannot_remove_what_gives_the_message_its_meaning),
        cmocka_unit_test(connection_passes_as_it_was_when_all_of_it_does),
        cmocka_unit_test(upgrades_pass_but_h2c),
        cmocka_unit_test(te_passes_for_trailers_only),
        cmocka_unit_test(max_forwards_counts_down_to_us),
        cmocka_unit_test(host_is_what_the_target_says),
        cmocka_unit_test(offers_of_http3_are_not_passed_on),
        cmocka_unit_test(other_alternatives_pass_as_they_came),
        cmocka_unit_test(a_response_keeps_upgrade_and_loses_keep_alive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

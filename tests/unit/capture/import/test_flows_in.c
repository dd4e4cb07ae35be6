#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tests/support/imported.h"

/* --- writing them -------------------------------------------------------------------------------------- */

/* "LENGTH:" content and the type, content being all that was added since start. */
static void enclose(struct strbuf *out, size_t start, char type)
{
    char *content = mem_spandup(span_from(strbuf_span(out), start));
    size_t len = out->len - start;

    out->len = start;
    strbuf_printf(out, "%zu:", len);
    strbuf_add(out, span_make(content, len));
    strbuf_add_char(out, type);
    mem_free(content);
}

static void put(struct strbuf *out, const char *text, char type)
{
    size_t start = out->len;

    strbuf_add_str(out, text);
    enclose(out, start, type);
}

static void member(struct strbuf *out, const char *key, const char *text, char type)
{
    put(out, key, ';');
    put(out, text, type);
}

/* A list of values, each written as its type and its text; ends in NULL. */
static void list(struct strbuf *out, const char *const *values)
{
    size_t start = out->len;

    for (; *values != NULL; values++)
        put(out, *values + 1, (*values)[0]);
    enclose(out, start, ']');
}

static void put_headers(struct strbuf *out)
{
    size_t start;

    put(out, "headers", ';');
    start = out->len;
    list(out, (const char *const[]){ ",Host", ",a.test", NULL });
    list(out, (const char *const[]){ ",X-Odd", ",\xff", NULL });
    enclose(out, start, ']');
}

static void put_request(struct strbuf *out)
{
    size_t start;

    put(out, "request", ';');
    start = out->len;
    member(out, "http_version", "HTTP/1.1", ',');
    put_headers(out);
    member(out, "content", "a=1", ',');
    member(out, "trailers", "", '~');
    member(out, "timestamp_start", "1795317328.5", '^');
    member(out, "timestamp_end", "1795317328.6", '^');
    member(out, "host", "192.0.2.7", ';');
    member(out, "port", "8443", '#');
    member(out, "method", "POST", ',');
    member(out, "scheme", "https", ',');
    member(out, "authority", "", ',');
    member(out, "path", "/p?q", ',');
    enclose(out, start, '}');
}

static void put_response(struct strbuf *out, const char *status)
{
    size_t start;

    put(out, "response", ';');
    start = out->len;
    member(out, "http_version", "HTTP/2.0", ',');
    put_headers(out);
    member(out, "content", "hello", ',');
    member(out, "timestamp_start", "1795317329.0", '^');
    member(out, "timestamp_end", "1795317329.25", '^');
    member(out, "status_code", status, '#');
    member(out, "reason", "Fine", ',');
    enclose(out, start, '}');
}

static void put_connection(struct strbuf *out, const char *key, const char *address_key)
{
    size_t start;

    put(out, key, ';');
    start = out->len;
    member(out, "id", key, ';');
    put(out, address_key, ';');
    list(out, (const char *const[]){ ";2001:db8::1", "#443", "#0", "#0", NULL });
    member(out, "timestamp_start", "1795317328.0", '^');
    member(out, "timestamp_tcp_setup", "1795317328.7", '^');
    member(out, "timestamp_tls_setup", "1795317328.9", '^');
    member(out, "tls_version", "TLSv1.3", ';');
    member(out, "cipher", "TLS_AES_256_GCM_SHA384", ';');
    member(out, "sni", "a.test", ';');
    member(out, "alpn", "h2", ',');
    enclose(out, start, '}');
}

static void put_websocket(struct strbuf *out)
{
    size_t start, messages;

    put(out, "websocket", ';');
    start = out->len;
    put(out, "messages", ';');
    messages = out->len;
    list(out, (const char *const[]){ "#1", "!true", ",hi", "^1795317330.5", "!false", NULL });
    list(out, (const char *const[]){ "#2", "!false", ",\xff\x01", "^1795317331.5", "!false", NULL });
    list(out, (const char *const[]){ "#9", NULL });
    enclose(out, messages, ']');
    member(out, "closed_by_client", "false", '!');
    member(out, "close_code", "1001", '#');
    member(out, "close_reason", "bye", ';');
    member(out, "timestamp_end", "1795317332", '#');
    enclose(out, start, '}');
}

enum { WITH_RESPONSE = 1, WITH_WEBSOCKET = 2, WITH_ERROR = 4 };
static void put_flow(struct strbuf *out, const char *type, unsigned parts, const char *peer_key)
{
    size_t start = out->len, error;

    member(out, "type", type, ';');
    member(out, "version", "20", '#');
    put_request(out);
    if ((parts & WITH_RESPONSE) != 0)
        put_response(out, (parts & WITH_WEBSOCKET) != 0 ? "101" : "201");
    else
        member(out, "response", "", '~');
    if ((parts & WITH_WEBSOCKET) != 0)
        put_websocket(out);
    if ((parts & WITH_ERROR) != 0) {
        put(out, "error", ';');
        error = out->len;
        member(out, "msg", "connection refused", ';');
        enclose(out, error, '}');
    }
    put_connection(out, "client_conn", "address");
    put_connection(out, "server_conn", peer_key);
    enclose(out, start, '}');
}

static void import(struct imported *world, struct strbuf *flows)
{
    imported_add(world, strbuf_span(flows), NULL);
    strbuf_clear(flows);
    if (!world->ok)
        fail_msg("%s", world->err.text);
}

/* --- tests --------------------------------------------------------------------------------------------- */

static void a_flow_becomes_an_exchange(void **state)
{
    static const char *const peer_keys[] = { "ip_address", "peername" }; /* older and newer files */

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct imported world = { 0 };
        struct strbuf flows = STRBUF_EMPTY, body = STRBUF_EMPTY;

        put_flow(&flows, "http", WITH_RESPONSE, peer_keys[i]);
        import(&world, &flows);
        assert_int_equal(
            imported_number(
                &world,
                "SELECT count(*) FROM exchange WHERE method = 'POST' AND scheme = 'https' AND "
                "host = 'a.test' AND port = 8443 AND path = '/p' AND query = 'q' AND status = 201 AND "
                "reason = 'Fine' AND request_version = 11 AND response_version = 20 AND state = 1 AND "
                "started_us = 1795317328500000 AND t_accepted = -500000 AND t_connect_start = -500000 AND "
                "t_connect_end = 200000 AND t_tls_end = 400000 AND t_sent_first = 400000 AND "
                "t_sent_last = 400000 AND t_received_first = 500000 AND t_done = 750000 AND "
                "client_addr = '[2001:db8::1]:443' AND origin_addr = '[2001:db8::1]:443' AND flags = 4 AND "
                "request_headers = '[[\"Host\",\"a.test\"],[\"X-Odd\",\"\u00ff\"]]'"),
            1);
        assert_int_equal(imported_number(&world, "SELECT count(*) FROM tls WHERE facts = "
                                                 "'{\"version\":\"TLSv1.3\",\"cipher\":"
                                                 "\"TLS_AES_256_GCM_SHA384\",\"alpn\":\"h2\",\"sni\":"
                                                 "\"a.test\"}'"),
                         2);
        imported_body(&world, HTTP_REQUEST, &body);
        assert_string_equal(strbuf_text(&body), "a=1");
        strbuf_clear(&body);
        imported_body(&world, HTTP_RESPONSE, &body);
        assert_string_equal(strbuf_text(&body), "hello");
        strbuf_clear(&body);
        imported_clear(&world);
    }
}

static void a_flow_without_a_response_has_failed(void **state)
{
    struct imported world = { 0 };
    struct strbuf flows = STRBUF_EMPTY;

    (void)state;
    put_flow(&flows, "http", WITH_ERROR, "ip_address");
    import(&world, &flows);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM exchange WHERE state = 2 AND "
                                             "status IS NULL AND error = 'connection refused'"),
                     1);
    imported_clear(&world);
}

static void messages_of_a_websocket_are_told(void **state)
{
    struct imported world = { 0 };
    struct strbuf flows = STRBUF_EMPTY;

    (void)state;
    put_flow(&flows, "http", WITH_RESPONSE | WITH_WEBSOCKET, "ip_address");
    import(&world, &flows);
    assert_int_equal(imported_number(&world, "SELECT messages FROM exchange WHERE flags & 32"), 3);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM message WHERE "
                                             "(n = 1 AND direction = 0 AND kind = 'text' AND payload = "
                                             "x'6869' AND time_us = 1795317330500000) OR "
                                             "(n = 2 AND direction = 1 AND kind = 'binary' AND payload = "
                                             "x'ff01') OR (n = 3 AND direction = 1 AND kind = 'close' AND "
                                             "close_code = 1001 AND payload = x'627965')"),
                     3);
    assert_int_equal(world.report.reasons[IMPORT_BAD_MESSAGE].count, 1);
    imported_clear(&world);
}

static void other_flows_are_counted(void **state)
{
    struct imported world = { 0 };
    struct strbuf flows = STRBUF_EMPTY;

    (void)state;
    put_flow(&flows, "dns", 0, "ip_address");
    put_flow(&flows, "http", WITH_RESPONSE, "ip_address");
    import(&world, &flows);
    assert_int_equal(world.report.exchanges, 1);
    assert_int_equal(world.report.reasons[IMPORT_OTHER_FLOW].count, 1);
    assert_string_equal(world.report.reasons[IMPORT_OTHER_FLOW].first, "flow 1, of type 'dns'");
    imported_clear(&world);
}

static void damage_is_told_and_the_rest_imported(void **state)
{
    struct imported world = { 0 };
    struct strbuf flows = STRBUF_EMPTY;
    size_t first_len;

    (void)state;
    put_flow(&flows, "http", WITH_RESPONSE, "ip_address");
    first_len = flows.len;
    put_flow(&flows, "http", WITH_RESPONSE, "ip_address");
    put_flow(&flows, "http", WITH_RESPONSE, "ip_address");
    flows.ptr[first_len] = 'x';
    import(&world, &flows);
    assert_int_equal(world.report.exchanges, 2);
    assert_int_equal(world.report.damage_count, 1);
    assert_non_null(strstr(world.report.damages[0], "flow 2: no length"));
    imported_clear(&world);
}

static void of_a_cut_file_the_whole_flows_are_imported(void **state)
{
    struct strbuf flows = STRBUF_EMPTY;
    struct imported world = { 0 };
    size_t first_len;

    (void)state;
    put_flow(&flows, "http", 0, "ip_address");
    first_len = flows.len;
    put_flow(&flows, "http", WITH_RESPONSE, "ip_address");
    for (size_t len = 8; len < flows.len; len += len < 40 || len + 40 > flows.len ? 1 : 37) {
        imported_add(&world, span_sub(strbuf_span(&flows), 0, len), NULL);
        assert_true(world.ok);
        assert_int_equal(world.report.exchanges, len >= first_len);
        assert_int_equal(world.report.damage_count, len != first_len);
    }
    strbuf_clear(&flows);
    imported_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_becomes_an_exchange),
        cmocka_unit_test(a_flow_without_a_response_has_failed),
        cmocka_unit_test(messages_of_a_websocket_are_told),
        cmocka_unit_test(other_flows_are_counted),
        cmocka_unit_test(damage_is_told_and_the_rest_imported),
        cmocka_unit_test(of_a_cut_file_the_whole_flows_are_imported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* messages: which splitter an exchange's heads ask for, and content codings around it. What the splitters
 * tell is in tests/playbook. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define ZLIB_CONST /* inputs are const */
#include <zlib.h>

#include "tests/support/message_script.h"

#define LIMIT 100

/* fields: "name: value" lines. */
static void add_fields(struct http_head *head, const char *fields)
{
    struct span rest = span_of(fields), line;
    struct err err;

    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':');
        assert_true(headers_add(&head->headers, span_sub(line, 0, colon),
                                span_trim(span_from(line, colon + 1)), &err));
    }
}

static struct http_head *request(const char *method, const char *protocol, const char *fields)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->method = span_of(method);
    head->target = SPAN("/");
    head->protocol = span_of(protocol);
    add_fields(head, fields);
    return head;
}

static struct http_head *response(int status, const char *fields)
{
    struct http_head *head = http_head_response(status);

    add_fields(head, fields);
    return head;
}

/* Takes both heads. What messages tell of bytes, in the direction; "none" where there are none. */
static void assert_told(struct http_head *ask, struct http_head *answer, enum http_role direction,
                        struct span bytes, const char *expected)
{
    struct strbuf text = STRBUF_EMPTY;
    struct messages *messages = messages_new(ask, answer, direction, LIMIT, message_script_sink, &text);

    http_head_free(ask);
    http_head_free(answer);
    if (messages == NULL) {
        strbuf_add_str(&text, "none");
    } else {
        for (; bytes.len != 0; bytes = span_from(bytes, 1))
            messages_feed(messages, span_sub(bytes, 0, 1));
        messages_finish(messages);
        if (messages_lost_bytes(messages) != 0)
            strbuf_printf(&text, "lost %u\n", (unsigned)messages_lost_bytes(messages));
    }
    messages_free(messages);
    assert_string_equal(strbuf_text(&text), expected);
    strbuf_clear(&text);
}

static void an_upgrade_to_websocket_is_one_both_ways(void **state)
{
    (void)state;
    assert_told(request("GET", NULL, "Upgrade: websocket"), response(101, "Upgrade: WebSocket"),
                HTTP_RESPONSE, SPAN("\x81\x02hi"), "text 2 'hi'\n");
    assert_told(request("GET", NULL, "Upgrade: websocket"), response(101, "Upgrade: websocket"), HTTP_REQUEST,
                SPAN("\x81\x82\0\0\0\0hi"), "text 2 'hi'\n");
}

static void an_extended_connect_is_a_websocket(void **state)
{
    (void)state;
    assert_told(request("CONNECT", "websocket", ""), response(200, ""), HTTP_RESPONSE, SPAN("\x81\x02hi"),
                "text 2 'hi'\n");
    assert_told(request("CONNECT", "websocket", ""), response(404, ""), HTTP_RESPONSE, SPAN("\x81\x02hi"),
                "none");
    assert_told(request("CONNECT", "connect-udp", ""), response(200, ""), HTTP_RESPONSE, SPAN("\x81\x02hi"),
                "none");
    assert_told(request("CONNECT", NULL, ""), response(200, ""), HTTP_RESPONSE, SPAN("\x81\x02hi"), "none");
}

static void other_upgrades_and_refusals_are_none(void **state)
{
    (void)state;
    assert_told(request("GET", NULL, ""), response(101, "Upgrade: h2c"), HTTP_RESPONSE, SPAN("x"), "none");
    assert_told(request("GET", NULL, "Upgrade: websocket"), response(200, "Upgrade: websocket"),
                HTTP_RESPONSE, SPAN("x"), "none");
    assert_told(request("GET", NULL, "Upgrade: websocket"), NULL, HTTP_REQUEST, SPAN("x"), "none");
    assert_told(request("GET", NULL, "Upgrade: websocket"), response(103, "Upgrade: websocket"), HTTP_REQUEST,
                SPAN("x"), "none");
}

static void the_extensions_agreed_on_are_those_of_the_answer(void **state)
{
    (void)state;
    assert_told(request("GET", NULL, ""),
                response(101, "Upgrade: websocket\nSec-WebSocket-Extensions: x-first\n"
                              "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12"),
                HTTP_RESPONSE, SPAN("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
                "text 5 'Hello' wire=7 compressed\n");
    assert_told(request("GET", NULL, "Sec-WebSocket-Extensions: permessage-deflate"),
                response(101, "Upgrade: websocket"), HTTP_RESPONSE, SPAN("\xc1\x01\x00"),
                "fault 'a frame with a reserved bit that no extension uses'\nlost 3\n");
}

static void an_event_stream_is_one_in_the_response_alone(void **state)
{
    (void)state;
    assert_told(request("GET", NULL, ""), response(200, "Content-Type: Text/Event-Stream; charset=utf-8"),
                HTTP_RESPONSE, SPAN("data: a\n\n"), "event 1 'a' type=message\n");
    assert_told(request("POST", NULL, "Content-Type: text/event-stream"), NULL, HTTP_REQUEST,
                SPAN("data: a\n\n"), "none");
    assert_told(request("GET", NULL, ""), response(404, "Content-Type: text/event-stream"), HTTP_RESPONSE,
                SPAN("data: a\n\n"), "none");
    assert_told(request("GET", NULL, ""), response(200, "Content-Type: text/event-streams"), HTTP_RESPONSE,
                SPAN("data: a\n\n"), "none");
    assert_told(request("GET", NULL, ""), response(200, ""), HTTP_RESPONSE, SPAN("data: a\n\n"), "none");
    assert_told(request("GET", NULL, ""), NULL, HTTP_RESPONSE, SPAN("data: a\n\n"), "none");
}

static void a_grpc_request_needs_no_response(void **state)
{
    (void)state;
    assert_told(request("POST", NULL, "content-type: application/grpc\ngrpc-encoding: deflate"), NULL,
                HTTP_REQUEST,
                SPAN("\x01\x00\x00\x00\x0d\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00\x05\x8c\x01\xf5"),
                "grpc 5 'Hello' wire=13 compressed\n");
}

static void each_side_of_grpc_has_its_own_encoding(void **state)
{
    (void)state;
    assert_told(request("POST", NULL, "content-type: application/grpc\ngrpc-encoding: deflate"),
                response(200, "content-type: application/grpc+proto"), HTTP_RESPONSE,
                SPAN("\x00\x00\x00\x00\x01z"), "grpc 1 'z'\n");
    assert_told(request("POST", NULL, "content-type: application/grpc\ngrpc-encoding: deflate"),
                response(200, "content-type: application/grpc\ngrpc-encoding: x"), HTTP_RESPONSE,
                SPAN("\x01\x00\x00\x00\x01z"),
                "grpc 1 'z' compressed undecoded (it is in a grpc-encoding that weir does not know)\n");
    assert_told(request("POST", NULL, "content-type: application/grpc"),
                response(200, "content-type: text/html"), HTTP_RESPONSE, SPAN("<html>"), "none");
}

static void the_forms_of_grpc_are_told_apart(void **state)
{
    (void)state;
    assert_told(request("POST", NULL, "content-type: application/grpc-web+proto"), NULL, HTTP_REQUEST,
                SPAN("\x80\x00\x00\x00\x01z"), "trailers 1 'z'\n");
    assert_told(request("POST", NULL, "content-type: application/grpc-web-text+proto; x=y"), NULL,
                HTTP_REQUEST, SPAN("AAAAAAF6"), "grpc 1 'z'\n");
    assert_told(request("POST", NULL, "content-type: application/grpcx"), NULL, HTTP_REQUEST,
                SPAN("AAAAAAF6"), "none");
}

static void add_gzip(struct strbuf *out, struct span text)
{
    z_stream zlib = { .next_in = (const Bytef *)text.ptr, .avail_in = (uInt)text.len };
    unsigned char buffer[4096];

    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    do {
        zlib.next_out = buffer;
        zlib.avail_out = sizeof buffer;
        deflate(&zlib, Z_SYNC_FLUSH);
        strbuf_add(out, span_make(buffer, sizeof buffer - zlib.avail_out));
    } while (zlib.avail_out == 0);
    deflateEnd(&zlib);
}

static void events_inside_a_content_coding_are_told_as_they_come(void **state)
{
    struct http_head *ask = request("GET", NULL, "");
    struct http_head *answer = response(200, "Content-Type: text/event-stream\nContent-Encoding: gzip");
    struct strbuf wire = STRBUF_EMPTY, text = STRBUF_EMPTY;
    struct messages *messages = messages_new(ask, answer, HTTP_RESPONSE, LIMIT, message_script_sink, &text);
    (void)state;

    add_gzip(&wire, SPAN("data: a\n\ndata: b"));
    messages_feed(messages, strbuf_span(&wire));
    assert_string_equal(strbuf_text(&text), "event 1 'a' type=message\n"); /* before the coding's end */
    messages_finish(messages);
    assert_string_equal(strbuf_text(&text),
                        "event 1 'a' type=message\nevent 1 'b' type=message incomplete\n");
    messages_free(messages);
    http_head_free(ask);
    http_head_free(answer);
    strbuf_clear(&wire);
    strbuf_clear(&text);
}

static void a_content_coding_that_cannot_be_decoded_is_one_fault(void **state)
{
    (void)state;
    assert_told(
        request("GET", NULL, ""), response(200, "Content-Type: text/event-stream\nContent-Encoding: gzip"),
        HTTP_RESPONSE, SPAN("data: a\n\n"),
        "fault 'the content coding can't be decoded: damaged gzip: incorrect header check'\nlost 7\n");
    assert_told(request("GET", NULL, ""),
                response(200, "Content-Type: text/event-stream\nContent-Encoding: x"), HTTP_RESPONSE,
                SPAN("data: a\n\n"),
                "fault 'the content coding can't be decoded: unknown content coding 'x''\nlost 9\n");
    assert_told(request("GET", NULL, ""),
                response(200, "Content-Type: text/event-stream\nContent-Encoding: identity"), HTTP_RESPONSE,
                SPAN("data: a\n\n"), "event 1 'a' type=message\n");
}

static void a_bomb_in_a_content_coding_is_one_fault(void **state)
{
    struct http_head *ask = request("GET", NULL, "");
    struct http_head *answer = response(200, "Content-Type: text/event-stream\nContent-Encoding: gzip");
    struct strbuf zeros = STRBUF_EMPTY, wire = STRBUF_EMPTY, text = STRBUF_EMPTY;
    struct messages *messages = messages_new(ask, answer, HTTP_RESPONSE, LIMIT, message_script_sink, &text);
    (void)state;

    for (unsigned i = 0; i < 1000 * 1000; i++)
        strbuf_add_char(&zeros, 'd');
    add_gzip(&wire, strbuf_span(&zeros));
    messages_feed(messages, strbuf_span(&wire));
    messages_feed(messages, SPAN("more"));
    messages_finish(messages);
    assert_string_equal(strbuf_text(&text),
                        "fault 'the content coding can't be decoded: it grows without end'\n");
    assert_int_equal(messages_lost_bytes(messages), 4);
    messages_free(messages);
    http_head_free(ask);
    http_head_free(answer);
    strbuf_clear(&zeros);
    strbuf_clear(&wire);
    strbuf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upgrade_to_websocket_is_one_both_ways),
        cmocka_unit_test(an_extended_connect_is_a_websocket),
        cmocka_unit_test(other_upgrades_and_refusals_are_none),
        cmocka_unit_test(the_extensions_agreed_on_are_those_of_the_answer),
        cmocka_unit_test(an_event_stream_is_one_in_the_response_alone),
        cmocka_unit_test(a_grpc_request_needs_no_response),
        cmocka_unit_test(each_side_of_grpc_has_its_own_encoding),
        cmocka_unit_test(the_forms_of_grpc_are_told_apart),
        cmocka_unit_test(events_inside_a_content_coding_are_told_as_they_come),
        cmocka_unit_test(a_content_coding_that_cannot_be_decoded_is_one_fault),
        cmocka_unit_test(a_bomb_in_a_content_coding_is_one_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* h1_write: the very bytes that go out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/h1_write.h"

struct written {
    struct evbuffer *out;
    struct h1_writer writer;
    struct http_head *head;
};

static void begin(struct written *written, struct http_head *head, enum body_kind kind)
{
    head->framing.kind = kind;
    *written = (struct written){ .out = evbuffer_new(), .head = head };
}

static void add(struct http_head *head, const char *name, const char *value)
{
    struct err err = { 0 };

    assert_true(headers_add(&head->headers, span_of(name), span_of(value), &err));
}

/* What was written since the last time. */
static void is(struct written *written, const char *expected)
{
    size_t len = evbuffer_get_length(written->out);

    assert_int_equal(len, strlen(expected));
    if (len != 0)
        assert_memory_equal(evbuffer_pullup(written->out, -1), expected, len);
    evbuffer_drain(written->out, len);
}

static void done(struct written *written)
{
    http_head_free(written->head);
    evbuffer_free(written->out);
}

static struct http_head *request(void)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->method = SPAN("GET");
    head->target = SPAN("http://a/b");
    add(head, "Host", "a");
    return head;
}

static void a_request_goes_out_with_the_target_it_is_given(void **state)
{
    struct written written;
    (void)state;

    begin(&written, request(), BODY_NONE);
    h1_write_request(&written.writer, written.out, written.head, SPAN("/b"), SPAN_NONE);
    is(&written, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    h1_write_request(&written.writer, written.out, written.head, SPAN("/b"), SPAN("X: 1\r\nY: 2\r\n"));
    is(&written, "GET /b HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n");
    h1_write_end(&written.writer, written.out, NULL);
    is(&written, "");
    done(&written);
}

static void a_field_that_is_replaced_keeps_its_place_and_its_name(void **state)
{
    struct http_head *head = request();
    struct written written;
    (void)state;

    add(head, "X", "1");
    add(head, "CONNECTION", "a, b");
    add(head, "connection", "c");
    add(head, "Hosts", "y");
    head->headers.items[0].is_hop = head->headers.items[2].is_hop = head->headers.items[3].is_hop = true;
    begin(&written, head, BODY_NONE);
    h1_write_request(&written.writer, written.out, head, SPAN("/"),
                     SPAN("Z: 1\r\nConnection: a\r\nhost: b\r\n"));
    is(&written, "GET / HTTP/1.1\r\nHost: b\r\nX: 1\r\nCONNECTION: a\r\nHosts: y\r\nZ: 1\r\n\r\n");
    done(&written);
}

static void the_version_is_the_heads_own_or_1_1(void **state)
{
    struct written written;
    (void)state;

    begin(&written, request(), BODY_NONE);
    written.head->version = HTTP_1_0;
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    is(&written, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    written.head->version = HTTP_2;
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    is(&written, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    done(&written);
}

static void fields_of_this_hop_stay_here(void **state)
{
    struct http_head *head = http_head_response(200);
    struct written written;
    (void)state;

    add(head, "Connection", "a");
    add(head, "A", "1");
    add(head, "B", "2");
    add(head, "Keep-Alive", "x");
    add(head, "Upgrade", "y");
    add(head, "C", "");
    add(head, "Connection", "b");
    head->headers.items[0].is_hop = head->headers.items[3].is_hop = true;
    head->headers.items[4].is_hop = head->headers.items[6].is_hop = true;
    begin(&written, head, BODY_NONE);
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: \r\n\r\n");
    for (size_t i = 0; i < head->headers.count; i++)
        head->headers.items[i].is_hop = true;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 200 OK\r\n\r\n");
    done(&written);
}

static void lines_go_out_as_they_came_in_the_order_of_the_fields(void **state)
{
    struct http_head *head = http_head_response(204);
    struct header first;
    struct err err = { 0 };
    struct written written;
    (void)state;

    assert_true(headers_add_line(&head->headers, SPAN("a:  1 "), 1, 4, 1, &err));
    assert_true(headers_add_line(&head->headers, SPAN("B:2"), 1, 2, 1, &err));
    begin(&written, head, BODY_NONE);
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 204 No Content\r\na:  1 \r\nB:2\r\n\r\n");
    first = head->headers.items[0];
    head->headers.items[0] = head->headers.items[1];
    head->headers.items[1] = first;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 204 No Content\r\nB:2\r\na:  1 \r\n\r\n");
    done(&written);
}

static void a_reason_is_written_as_it_came(void **state)
{
    struct http_head *head = http_head_response(404);
    struct written written;
    (void)state;

    begin(&written, head, BODY_NONE);
    head->reason = SPAN("");
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 404 \r\n\r\n");
    head->reason = SPAN_NONE;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 404\r\n\r\n");
    head->version = HTTP_2;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 404 Not Found\r\n\r\n");
    head->status = 499;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 499 \r\n\r\n");
    head->status = 404;
    head->version = HTTP_1_0;
    head->reason = SPAN("No\xf6");
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.0 404 No\xf6\r\n\r\n");
    done(&written);
}

static void a_body_with_a_length_passes(void **state)
{
    struct written written;
    (void)state;

    begin(&written, request(), BODY_LENGTH);
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    evbuffer_drain(written.out, evbuffer_get_length(written.out));
    h1_write_chunk(&written.writer, written.out, 5, SPAN("5"));
    h1_write_body(&written.writer, written.out, SPAN("hel"));
    is(&written, "hel");
    h1_write_body(&written.writer, written.out, SPAN("lo"));
    h1_write_end(&written.writer, written.out, &written.head->headers);
    is(&written, "lo");
    done(&written);
}

static void a_small_body_lies_in_one_block_with_its_head(void **state)
{
    static const char body[4000];
    struct written written;
    (void)state;

    begin(&written, request(), BODY_LENGTH);
    written.head->framing.length = sizeof body;
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    is(&written, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    h1_write_body(&written.writer, written.out, span_make(body, sizeof body / 2));
    h1_write_body(&written.writer, written.out, span_make(body, sizeof body / 2));
    assert_int_equal(evbuffer_peek(written.out, -1, NULL, NULL, 0), 1);
    evbuffer_drain(written.out, evbuffer_get_length(written.out));
    done(&written);
}

static void untold_chunks_are_made_one_a_piece(void **state)
{
    struct headers trailers;
    struct written written;
    struct err err = { 0 };
    (void)state;

    begin(&written, request(), BODY_CHUNKED);
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    evbuffer_drain(written.out, evbuffer_get_length(written.out));
    h1_write_body(&written.writer, written.out, SPAN("hello, world"));
    is(&written, "c\r\nhello, world\r\n");
    h1_write_body(&written.writer, written.out, SPAN(""));
    is(&written, "");
    headers_init(&trailers, 0, 0);
    assert_true(headers_add(&trailers, SPAN("Sum"), SPAN("1"), &err));
    assert_true(headers_add(&trailers, SPAN("Host"), SPAN("b"), &err));
    trailers.items[1].is_hop = true;
    h1_write_end(&written.writer, written.out, &trailers);
    is(&written, "0\r\nSum: 1\r\n\r\n");
    headers_clear(&trailers);
    done(&written);
}

static void told_chunks_go_out_as_they_came_and_at_once(void **state)
{
    struct written written;
    (void)state;

    begin(&written, request(), BODY_CHUNKED);
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    evbuffer_drain(written.out, evbuffer_get_length(written.out));
    h1_write_chunk(&written.writer, written.out, 5, SPAN("005 ;x=y"));
    is(&written, "005 ;x=y\r\n");
    h1_write_body(&written.writer, written.out, SPAN("hel"));
    is(&written, "hel");
    h1_write_body(&written.writer, written.out, SPAN(""));
    is(&written, "");
    h1_write_body(&written.writer, written.out, SPAN("lo"));
    is(&written, "lo\r\n");
    h1_write_chunk(&written.writer, written.out, 0, SPAN("00;end"));
    is(&written, "00;end\r\n");
    h1_write_end(&written.writer, written.out, NULL);
    is(&written, "\r\n");

    /* The same writer serves the next message. */
    h1_write_request(&written.writer, written.out, written.head, SPAN("/"), SPAN_NONE);
    evbuffer_drain(written.out, evbuffer_get_length(written.out));
    h1_write_end(&written.writer, written.out, NULL);
    is(&written, "0\r\n\r\n");
    done(&written);
}

static struct http_head *request_of_2(void)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->version = HTTP_2;
    head->method = SPAN("POST");
    head->target = SPAN("/b");
    head->scheme = SPAN("https");
    head->authority = SPAN("a:1");
    return head;
}

static void a_request_of_http2_gets_a_host_and_its_framing(void **state)
{
    struct http_head *head = request_of_2();
    struct written written;
    (void)state;

    add(head, "accept", "*/*");
    begin(&written, head, BODY_CHUNKED);
    h1_write_request(&written.writer, written.out, head, SPAN("/b"), SPAN("X: 1\r\n"));
    is(&written,
       "POST /b HTTP/1.1\r\nHost: a:1\r\naccept: */*\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n");
    h1_write_body(&written.writer, written.out, SPAN("hi"));
    h1_write_end(&written.writer, written.out, NULL);
    is(&written, "2\r\nhi\r\n0\r\n\r\n");
    head->framing.kind = BODY_LENGTH;
    add(head, "content-length", "2");
    h1_write_request(&written.writer, written.out, head, SPAN("/b"), SPAN_NONE);
    is(&written, "POST /b HTTP/1.1\r\nHost: a:1\r\naccept: */*\r\ncontent-length: 2\r\n\r\n");
    done(&written);
}

static void a_host_of_http2_is_enough(void **state)
{
    struct http_head *head = request_of_2();
    struct written written;
    (void)state;

    add(head, "accept", "*/*");
    add(head, "host", "b");
    begin(&written, head, BODY_NONE);
    h1_write_request(&written.writer, written.out, head, SPAN("/"), SPAN_NONE);
    is(&written, "POST / HTTP/1.1\r\naccept: */*\r\nhost: b\r\n\r\n");
    head->headers.items[1].is_hop = true;
    h1_write_request(&written.writer, written.out, head, SPAN("/"), SPAN("Host: c\r\n"));
    is(&written, "POST / HTTP/1.1\r\nHost: c\r\naccept: */*\r\n\r\n");
    h1_write_request(&written.writer, written.out, head, SPAN("/"), SPAN_NONE);
    is(&written, "POST / HTTP/1.1\r\nHost: a:1\r\naccept: */*\r\n\r\n");
    done(&written);
}

static void cookie_crumbs_become_one_field(void **state)
{
    struct http_head *head = request_of_2();
    struct written written;
    (void)state;

    add(head, "cookie", "a=1");
    add(head, "b", "2");
    add(head, "cookie", "c=3");
    add(head, "cookie", "d=4");
    add(head, "te", "trailers");
    head->headers.items[2].is_hop = true;
    begin(&written, head, BODY_NONE);
    h1_write_request(&written.writer, written.out, head, SPAN("/"), SPAN_NONE);
    is(&written, "POST / HTTP/1.1\r\nHost: a:1\r\ncookie: a=1; d=4\r\nb: 2\r\nte: trailers\r\n"
                 "Connection: TE\r\n\r\n");
    head->headers.items[4].is_hop = true;
    h1_write_request(&written.writer, written.out, head, SPAN("/"), SPAN_NONE);
    is(&written, "POST / HTTP/1.1\r\nHost: a:1\r\ncookie: a=1; d=4\r\nb: 2\r\n\r\n");
    done(&written);
}

static void a_response_of_http2_is_framed_for_who_gets_it(void **state)
{
    struct http_head *head = http_head_new(HTTP_RESPONSE);
    struct written written;
    (void)state;

    head->version = HTTP_2;
    head->status = 200;
    add(head, "a", "1");
    begin(&written, head, BODY_CHUNKED);
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 200 OK\r\na: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    written.writer.peer = HTTP_1_0;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 200 OK\r\na: 1\r\nConnection: close\r\n\r\n");
    h1_write_body(&written.writer, written.out, SPAN("hi"));
    h1_write_end(&written.writer, written.out, NULL);
    is(&written, "hi");
    assert_int_equal(written.writer.kind, BODY_UNTIL_CLOSE);
    written.writer.peer = HTTP_1_1;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 200 OK\r\na: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    head->status = 204;
    head->framing.kind = BODY_NONE;
    h1_write_response(&written.writer, written.out, head, SPAN_NONE);
    is(&written, "HTTP/1.1 204 No Content\r\na: 1\r\n\r\n");
    done(&written);
}

static void a_trailer_section_of_http2_follows_the_chunks(void **state)
{
    struct http_head *head = request_of_2();
    struct written written;
    (void)state;

    add(head, "sum", "1");
    begin(&written, head, BODY_CHUNKED);
    h1_write_request(&written.writer, written.out, head, SPAN("/"), SPAN_NONE);
    evbuffer_drain(written.out, evbuffer_get_length(written.out));
    h1_write_end(&written.writer, written.out, &head->headers);
    is(&written, "0\r\nsum: 1\r\n\r\n");
    done(&written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_with_the_target_it_is_given),
        cmocka_unit_test(a_field_that_is_replaced_keeps_its_place_and_its_name),
        cmocka_unit_test(the_version_is_the_heads_own_or_1_1),
        cmocka_unit_test(fields_of_this_hop_stay_here),
        cmocka_unit_test(lines_go_out_as_they_came_in_the_order_of_the_fields),
        cmocka_unit_test(a_reason_is_written_as_it_came),
        cmocka_unit_test(a_body_with_a_length_passes),
        cmocka_unit_test(a_small_body_lies_in_one_block_with_its_head),
        cmocka_unit_test(untold_chunks_are_made_one_a_piece),
        cmocka_unit_test(told_chunks_go_out_as_they_came_and_at_once),
        cmocka_unit_test(a_request_of_http2_gets_a_host_and_its_framing),
        cmocka_unit_test(a_host_of_http2_is_enough),
        cmocka_unit_test(cookie_crumbs_become_one_field),
        cmocka_unit_test(a_response_of_http2_is_framed_for_who_gets_it),
        cmocka_unit_test(a_trailer_section_of_http2_follows_the_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

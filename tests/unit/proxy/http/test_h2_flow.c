/* h2: windows, what waits, and whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/h2_teller.h"

#define BIG_BYTES (4 * H2_STREAM_WINDOW_BYTES)

struct flow {
    struct h2_teller client, server;
    struct evbuffer *pipe;
    char *big;
};

static void begin(struct flow *flow)
{
    static const struct h2_options options = { .limits = { 64 * 1024, 1000 } };

    *flow = (struct flow){ .pipe = evbuffer_new(), .big = mem_calloc(BIG_BYTES, 1) };
    h2_teller_init(&flow->client, H2_TO_ORIGIN, &options);
    h2_teller_init(&flow->server, H2_TO_CLIENT, &options);
    flow->client.is_quiet = flow->server.is_quiet = true;
}

static void done(struct flow *flow)
{
    h2_teller_clear(&flow->client);
    h2_teller_clear(&flow->server);
    evbuffer_free(flow->pipe);
    mem_free(flow->big);
}

static size_t carry(struct flow *flow, struct h2 *from, struct h2 *to, size_t limit)
{
    struct err err;
    size_t len;

    h2_write(from, flow->pipe, limit);
    len = evbuffer_get_length(flow->pipe);
    if (len != 0)
        assert_true(h2_feed(to, span_make(evbuffer_pullup(flow->pipe, -1), len), &err));
    evbuffer_drain(flow->pipe, len);
    return len;
}

static void settle(struct flow *flow)
{
    while (carry(flow, flow->client.h2, flow->server.h2, SIZE_MAX) +
               carry(flow, flow->server.h2, flow->client.h2, SIZE_MAX) !=
           0)
        ;
}

/* So many requests with big bodies that have begun; settled, nothing of the bodies sent. */
static void begin_uploads(struct flow *flow, size_t count)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct err err;

    head->method = SPAN("POST");
    head->framing.kind = BODY_CHUNKED;
    assert_true(headers_add(&head->headers, SPAN("Host"), SPAN("a"), &err));
    settle(flow);
    for (size_t i = 0; i < count; i++)
        assert_non_null(h2_teller_request(&flow->client, head, SPAN("/"), SPAN_NONE));
    settle(flow);
    http_head_free(head);
}

static void upload(struct flow *flow, size_t i, size_t count)
{
    h2_send_body(flow->client.streams[i]->stream, span_make(flow->big, count));
}

static void a_held_stream_stops_at_its_window_and_the_others_go_on(void **state)
{
    struct flow flow;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, 2);
    h2_set_reading(flow.server.streams[0]->stream, false);
    upload(&flow, 0, BIG_BYTES);
    upload(&flow, 1, BIG_BYTES);
    settle(&flow);
    assert_int_equal(flow.server.streams[0]->body_bytes, H2_STREAM_WINDOW_BYTES);
    assert_int_equal(h2_unsent(flow.client.streams[0]->stream), BIG_BYTES - H2_STREAM_WINDOW_BYTES);
    assert_int_equal(flow.server.streams[1]->body_bytes, BIG_BYTES);
    assert_int_equal(h2_unsent(flow.client.streams[1]->stream), 0);
    h2_set_reading(flow.server.streams[0]->stream, true);
    settle(&flow);
    assert_int_equal(flow.server.streams[0]->body_bytes, BIG_BYTES);
    done(&flow);
}

static void many_held_streams_hold_the_connection_until_one_is_read(void **state)
{
    const size_t held = H2_BUFFERED_BYTES / H2_STREAM_WINDOW_BYTES;
    struct flow flow;
    size_t before;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, held + 17);
    for (size_t i = 0; i < held; i++) {
        assert_false(h2_is_full(flow.server.h2));
        h2_set_reading(flow.server.streams[i]->stream, false);
        upload(&flow, i, 2 * H2_STREAM_WINDOW_BYTES);
        settle(&flow);
        assert_int_equal(flow.server.streams[i]->body_bytes, H2_STREAM_WINDOW_BYTES);
    }
    assert_true(h2_is_full(flow.server.h2));
    /* The connection's window is what is left; then it waits. */
    for (size_t i = held; i < held + 17; i++)
        upload(&flow, i, BIG_BYTES);
    settle(&flow);
    before = 0;
    for (size_t i = held; i < held + 17; i++)
        before += flow.server.streams[i]->body_bytes;
    assert_in_range(before, 1, 16 * H2_STREAM_WINDOW_BYTES);
    h2_set_reading(flow.server.streams[0]->stream, true);
    assert_false(h2_is_full(flow.server.h2));
    settle(&flow);
    for (size_t i = held; i < held + 17; i++)
        assert_int_equal(flow.server.streams[i]->body_bytes, BIG_BYTES);
    done(&flow);
}

static void a_held_stream_that_ends_gives_back_what_it_held(void **state)
{
    const size_t held = H2_BUFFERED_BYTES / H2_STREAM_WINDOW_BYTES;
    struct flow flow;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, held + 1);
    for (size_t i = 0; i < held; i++) {
        h2_set_reading(flow.server.streams[i]->stream, false);
        upload(&flow, i, H2_STREAM_WINDOW_BYTES);
    }
    settle(&flow);
    for (size_t i = 0; i < held; i++)
        h2_leave(flow.client.streams[i]->stream, H2_CANCEL);
    for (int i = 0; i < 5; i++)
        upload(&flow, held, BIG_BYTES);
    settle(&flow);
    assert_int_equal(flow.server.streams[held]->body_bytes, 5 * BIG_BYTES);
    done(&flow);
}

static void a_stream_that_was_left_is_read_to_no_one(void **state)
{
    struct flow flow;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, 2);
    h2_set_reading(flow.server.streams[0]->stream, false);
    upload(&flow, 0, BIG_BYTES);
    settle(&flow);
    h2_leave(flow.server.streams[0]->stream, H2_CANCEL);
    settle(&flow);
    assert_null(flow.client.streams[0]->stream);
    assert_int_equal(flow.server.streams[0]->body_bytes, H2_STREAM_WINDOW_BYTES);
    done(&flow);
}

static void writing_stops_near_the_limit_and_goes_on_later(void **state)
{
    struct flow flow;
    size_t len, all = 0;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, 1);
    upload(&flow, 0, H2_STREAM_WINDOW_BYTES);
    h2_write(flow.client.h2, flow.pipe, 1000);
    len = evbuffer_get_length(flow.pipe);
    assert_in_range(len, 1000, 1000 + 9 + 16384);
    assert_false(h2_write(flow.client.h2, flow.pipe, 1000));
    assert_int_equal(evbuffer_get_length(flow.pipe), len);
    do {
        len = carry(&flow, flow.client.h2, flow.server.h2, 40000);
        assert_true(len <= 40000 + 9 + 16384);
        all += len;
    } while (len != 0);
    assert_int_equal(flow.server.streams[0]->body_bytes, H2_STREAM_WINDOW_BYTES);
    assert_in_range(all, H2_STREAM_WINDOW_BYTES, H2_STREAM_WINDOW_BYTES + 1000);
    done(&flow);
}

static void downloads_in_turns(struct flow *flow, size_t count)
{
    struct http_head *head = http_head_response(200);

    head->framing.kind = BODY_CHUNKED;
    for (size_t i = 0; i < count; i++) {
        h2_send_response(flow->server.streams[i]->stream, head, SPAN_NONE);
        h2_send_body(flow->server.streams[i]->stream, span_make(flow->big, H2_STREAM_WINDOW_BYTES));
    }
    http_head_free(head);
    while (carry(flow, flow->server.h2, flow->client.h2, 16384) != 0) {
        size_t least = SIZE_MAX, most = 0;
        for (size_t i = 0; i < count; i++) {
            size_t bytes = flow->client.streams[i]->body_bytes;
            least = bytes < least ? bytes : least;
            most = bytes > most ? bytes : most;
        }
        assert_true(most - least <= 2 * 16384);
    }
}

static void streams_take_turns_in_both_directions(void **state)
{
    struct flow flow;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, 4);
    downloads_in_turns(&flow, 4);
    for (size_t i = 0; i < 4; i++)
        upload(&flow, i, H2_STREAM_WINDOW_BYTES);
    while (carry(&flow, flow.client.h2, flow.server.h2, 16384) != 0)
        assert_true(flow.server.streams[0]->body_bytes <= flow.server.streams[3]->body_bytes + 2 * 16384 &&
                    flow.server.streams[3]->body_bytes <= flow.server.streams[0]->body_bytes + 2 * 16384);
    done(&flow);
}

static void a_drained_stream_says_so_once(void **state)
{
    struct flow flow;
    struct told_stream *up;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, 1);
    up = flow.client.streams[0];
    upload(&flow, 0, H2_STREAM_WINDOW_BYTES / 4);
    settle(&flow);
    assert_int_equal(up->drained, 0);
    upload(&flow, 0, H2_STREAM_WINDOW_BYTES);
    while (h2_unsent(up->stream) >= H2_STREAM_WINDOW_BYTES / 2) {
        assert_int_equal(up->drained, 0);
        carry(&flow, flow.client.h2, flow.server.h2, 1);
        carry(&flow, flow.server.h2, flow.client.h2, SIZE_MAX);
    }
    assert_int_equal(up->drained, 1);
    settle(&flow);
    assert_int_equal(up->drained, 1);
    done(&flow);
}

static void control_frames_do_not_wait_behind_a_body(void **state)
{
    struct flow flow;
    struct strbuf ping = STRBUF_EMPTY;
    struct err err;
    (void)state;

    begin(&flow);
    begin_uploads(&flow, 1);
    upload(&flow, 0, H2_STREAM_WINDOW_BYTES);
    h2_write(flow.client.h2, flow.pipe, 1); /* a body under way */
    evbuffer_drain(flow.pipe, evbuffer_get_length(flow.pipe));
    h2_frame(&ping, 6, 0, 0, SPAN("12345678"));
    assert_true(h2_feed(flow.client.h2, strbuf_span(&ping), &err));
    h2_write(flow.client.h2, flow.pipe, 1);
    assert_memory_equal(evbuffer_pullup(flow.pipe, 17),
                        "\0\0\x08\x06\x01\0\0\0\0"
                        "12345678",
                        17);
    strbuf_clear(&ping);
    done(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_stream_stops_at_its_window_and_the_others_go_on),
        cmocka_unit_test(many_held_streams_hold_the_connection_until_one_is_read),
        cmocka_unit_test(a_held_stream_that_ends_gives_back_what_it_held),
        cmocka_unit_test(a_stream_that_was_left_is_read_to_no_one),
        cmocka_unit_test(writing_stops_near_the_limit_and_goes_on_later),
        cmocka_unit_test(streams_take_turns_in_both_directions),
        cmocka_unit_test(a_drained_stream_says_so_once),
        cmocka_unit_test(control_frames_do_not_wait_behind_a_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

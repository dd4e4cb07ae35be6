/* h2: two of them talk to each other in memory. What single frames do is in the playbook; floods, limits and
 * windows are in test_h2_guard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/h2_teller.h"

struct talk {
    struct h2_teller client; /* plays the client: an h2 towards origins */
    struct h2_teller server;
    struct evbuffer *pipe;
    struct strbuf taken;
};

static const struct h2_options usual = { .limits = { 64 * 1024, 1000 }, .offers_connect = true };

static void begin_as(struct talk *talk, const struct h2_options *to_origin)
{
    *talk = (struct talk){ .pipe = evbuffer_new() };
    h2_teller_init(&talk->client, H2_TO_ORIGIN, to_origin);
    h2_teller_init(&talk->server, H2_TO_CLIENT, &usual);
}

static void begin(struct talk *talk)
{
    begin_as(talk, &usual);
}

static void done(struct talk *talk)
{
    h2_teller_clear(&talk->client);
    h2_teller_clear(&talk->server);
    evbuffer_free(talk->pipe);
    strbuf_clear(&talk->taken);
}

/* What one has written goes to the other; how many bytes. */
static size_t carry(struct talk *talk, struct h2 *from, struct h2 *to)
{
    struct err err;
    size_t len;

    h2_write(from, talk->pipe, SIZE_MAX);
    len = evbuffer_get_length(talk->pipe);
    if (len != 0)
        assert_true(h2_feed(to, span_make(evbuffer_pullup(talk->pipe, -1), len), &err));
    evbuffer_drain(talk->pipe, len);
    return len;
}

static void settle(struct talk *talk)
{
    while (carry(talk, talk->client.h2, talk->server.h2) + carry(talk, talk->server.h2, talk->client.h2) != 0)
        ;
}

static void told(struct talk *talk, struct h2_teller *teller, const char *expected)
{
    assert_string_equal(h2_teller_take(teller, &talk->taken), expected);
}

static void add(struct headers *headers, const char *name, const char *value)
{
    struct err err;

    assert_true(headers_add(headers, span_of(name), span_of(value), &err));
}

static struct http_head *request_of_1(const char *method, enum body_kind kind)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->method = span_of(method);
    head->target = SPAN("/");
    head->framing.kind = kind;
    add(&head->headers, "Host", "a");
    return head;
}

static struct told_stream *ask(struct talk *talk, const char *method, enum body_kind kind)
{
    struct http_head *head = request_of_1(method, kind);
    struct told_stream *told_stream = h2_teller_request(&talk->client, head, SPAN("/"), SPAN_NONE);

    http_head_free(head);
    return told_stream;
}

static void answer(struct told_stream *stream, int status, enum body_kind kind)
{
    struct http_head *head = http_head_response(status);

    head->framing.kind = kind;
    h2_send_response(stream->stream, head, SPAN_NONE);
    http_head_free(head);
}

static void a_request_and_its_answer_pass(void **state)
{
    struct talk talk;
    struct told_stream *asked;
    (void)state;

    begin(&talk);
    asked = ask(&talk, "POST", BODY_CHUNKED);
    h2_send_body(asked->stream, SPAN("hello"));
    h2_send_end(asked->stream, NULL);
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=POST scheme=https authority=a target=/ chunked\n1 body hello\n1 end\n");
    answer(talk.server.streams[0], 200, BODY_CHUNKED);
    h2_send_body(talk.server.streams[0]->stream, SPAN("hi"));
    settle(&talk);
    told(&talk, &talk.client, "1 response 200 chunked\n1 body hi\n");
    h2_send_end(talk.server.streams[0]->stream, NULL);
    settle(&talk);
    told(&talk, &talk.client, "1 end\n1 closed NO_ERROR\n");
    told(&talk, &talk.server, "1 closed NO_ERROR\n");
    assert_true(h2_is_idle(talk.client.h2));
    assert_true(h2_is_idle(talk.server.h2));
    done(&talk);
}

static void trailers_pass_both_ways(void **state)
{
    struct talk talk;
    struct told_stream *asked;
    struct headers trailers;
    (void)state;

    begin(&talk);
    headers_init(&trailers, 0, 0);
    add(&trailers, "Sum", "1");
    add(&trailers, "Gone", "2");
    add(&trailers, "Key", "3");
    trailers.items[1].is_hop = true;
    trailers.items[2].is_sensitive = true;
    asked = ask(&talk, "POST", BODY_CHUNKED);
    h2_send_body(asked->stream, SPAN("x"));
    h2_send_end(asked->stream, &trailers);
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=POST scheme=https authority=a target=/ chunked\n1 body x\n1 end with trailers\n"
         "  sum: 1\n  key: 3 [never-indexed]\n");
    answer(talk.server.streams[0], 200, BODY_CHUNKED); /* and no body at all, as gRPC does */
    h2_send_end(talk.server.streams[0]->stream, &trailers);
    settle(&talk);
    told(&talk, &talk.client,
         "1 response 200 chunked\n1 end with trailers\n  sum: 1\n  key: 3 [never-indexed]\n1 closed "
         "NO_ERROR\n");
    headers_clear(&trailers);
    done(&talk);
}

static void a_message_without_a_body_ends_with_its_head(void **state)
{
    struct talk talk;
    struct told_stream *asked;
    (void)state;

    begin(&talk);
    asked = ask(&talk, "GET", BODY_NONE);
    h2_send_body(asked->stream, SPAN("never sent"));
    h2_send_end(asked->stream, NULL);
    settle(&talk);
    told(&talk, &talk.server, "1 request method=GET scheme=https authority=a target=/ none\n1 end\n");
    answer(talk.server.streams[0], 204, BODY_NONE);
    h2_send_end(talk.server.streams[0]->stream, NULL);
    settle(&talk);
    told(&talk, &talk.client, "1 response 204 none\n1 end\n1 closed NO_ERROR\n");
    done(&talk);
}

static void interim_responses_come_before_the_final_one(void **state)
{
    struct talk talk;
    (void)state;

    begin(&talk);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    answer(talk.server.streams[0], 103, BODY_NONE);
    answer(talk.server.streams[0], 103, BODY_NONE);
    settle(&talk);
    told(&talk, &talk.client, "1 response 103 none\n1 response 103 none\n");
    answer(talk.server.streams[0], 200, BODY_NONE);
    settle(&talk);
    told(&talk, &talk.client, "1 response 200 none\n1 end\n1 closed NO_ERROR\n");
    done(&talk);
}

static void what_answers_head_has_no_body(void **state)
{
    struct talk talk;
    struct http_head *head = http_head_response(200);
    (void)state;

    begin(&talk);
    ask(&talk, "HEAD", BODY_NONE);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    add(&head->headers, "Content-Length", "5");
    head->framing.kind = BODY_LENGTH; /* END_STREAM does not come with the head */
    h2_send_response(talk.server.streams[0]->stream, head, SPAN_NONE);
    h2_send_response(talk.server.streams[1]->stream, head, SPAN_NONE);
    settle(&talk);
    told(&talk, &talk.client,
         "1 response 200 none\n  content-length: 5\n2 response 200 length=5\n  content-length: 5\n");
    http_head_free(head);
    done(&talk);
}

static void a_head_of_http1_loses_what_http2_forbids(void **state)
{
    static const char *const fields[][2] = {
        { "Connection", "x" },
        { "Keep-Alive", "x" },
        { "Proxy-Connection", "x" },
        { "TE", "gzip, Trailers" },
        { "Upgrade", "x" },
        { "HTTP2-Settings", "x" },
        { "Transfer-Encoding", "x" },
        { "Cookie", "a=1; b=2; c=345678901" },
        { "X-Hop", "x" },
        { "Accept", "*/*" },
    };
    struct http_head *head = request_of_1("GET", BODY_NONE);
    struct h2_options options = usual;
    struct talk talk;
    (void)state;

    options.scheme = "http";
    begin_as(&talk, &options);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        add(&head->headers, fields[i][0], fields[i][1]);
    head->headers.items[9].is_hop = true;
    h2_teller_request(&talk.client, head, SPAN("/x"), SPAN("Connection: y\r\nMax-Forwards: 4\r\n"));
    h2_teller_request(&talk.client, head, SPAN("/y"), SPAN("host: b:1\r\n"));
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=GET scheme=http authority=a target=/x none\n"
         "  te: trailers\n  cookie: a=1; b=2; c=345678901\n  accept: */*\n  max-forwards: 4\n1 end\n"
         "2 request method=GET scheme=http authority=b:1 target=/y none\n"
         "  te: trailers\n  cookie: a=1; b=2; c=345678901\n  accept: */*\n2 end\n");
    http_head_free(head);
    done(&talk);
}

static void a_head_of_http2_goes_out_as_it_came(void **state)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct h2_profile profile = { .pseudo_order = "psam" };
    struct h2_options options = usual;
    struct talk talk;
    (void)state;

    options.profile = &profile;
    begin_as(&talk, &options);
    head->version = HTTP_2;
    head->method = SPAN("GET");
    head->scheme = SPAN("ftp");
    head->authority = SPAN("b");
    add(&head->headers, "z", "1");
    add(&head->headers, "host", "c");
    add(&head->headers, "cookie", "a=1");
    add(&head->headers, "cookie", "b=2345678901234567890");
    add(&head->headers, "a", "");
    head->headers.items[2].is_sensitive = true;
    h2_teller_request(&talk.client, head, SPAN("/x"), SPAN_NONE);
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=GET scheme=ftp authority=b target=/x none\n"
         "  z: 1\n  host: c\n  cookie: a=1 [never-indexed]\n  cookie: b=2345678901234567890\n  a: \n1 end\n");
    assert_memory_equal(h2_seen_profile(talk.server.h2)->pseudo_order, "psam", 4);
    http_head_free(head);
    done(&talk);
}

static void whose_host_is_replaced_its_scheme_is_too(void **state)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct h2_options options = usual;
    struct talk talk;
    (void)state;

    options.scheme = "https";
    begin_as(&talk, &options);
    head->version = HTTP_2;
    head->method = SPAN("GET");
    head->scheme = SPAN("http");
    head->authority = SPAN("proxy:8080");
    h2_teller_request(&talk.client, head, SPAN("/x"), SPAN("Host: origin\r\n"));
    settle(&talk);
    told(&talk, &talk.server, "1 request method=GET scheme=https authority=origin target=/x none\n1 end\n");
    http_head_free(head);
    done(&talk);
}

static void an_extended_connect_opens_a_tunnel(void **state)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct told_stream *asked;
    struct talk talk;
    (void)state;

    begin(&talk);
    assert_false(h2_takes_connect(talk.client.h2));
    settle(&talk);
    assert_true(h2_takes_connect(talk.client.h2));
    head->version = HTTP_2;
    head->method = SPAN("CONNECT");
    head->scheme = SPAN("https");
    head->authority = SPAN("a");
    head->protocol = SPAN("websocket");
    head->framing.kind = BODY_CHUNKED;
    asked = h2_teller_request(&talk.client, head, SPAN("/ws"), SPAN_NONE);
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=CONNECT scheme=https authority=a target=/ws protocol=websocket chunked\n");
    answer(talk.server.streams[0], 200, BODY_CHUNKED);
    h2_send_body(talk.server.streams[0]->stream, SPAN("down"));
    h2_send_body(asked->stream, SPAN("up"));
    settle(&talk);
    told(&talk, &talk.client, "1 response 200 tunnel\n1 body down\n");
    told(&talk, &talk.server, "1 body up\n");
    http_head_free(head);
    done(&talk);
}

static void extended_connect_may_be_offered_later(void **state)
{
    static const struct h2_options plain = { .limits = { 64 * 1024, 1000 } };
    struct talk talk = { .pipe = evbuffer_new() };
    struct http_head *head = request_of_1("CONNECT", BODY_CHUNKED);
    (void)state;

    head->protocol = SPAN("websocket");
    h2_teller_init(&talk.client, H2_TO_ORIGIN, &usual);
    h2_teller_init(&talk.server, H2_TO_CLIENT, &plain);
    settle(&talk);
    assert_false(h2_takes_connect(talk.client.h2));
    h2_offer_connect(talk.server.h2);
    settle(&talk);
    assert_true(h2_takes_connect(talk.client.h2));
    h2_teller_request(&talk.client, head, SPAN("/ws"), SPAN_NONE);
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=CONNECT scheme=https authority=a target=/ws protocol=websocket chunked\n");
    http_head_free(head);
    done(&talk);
}

static void a_plain_connect_has_no_scheme_and_no_path(void **state)
{
    struct http_head *head = request_of_1("CONNECT", BODY_CHUNKED);
    struct talk talk;
    (void)state;

    begin(&talk);
    h2_teller_request(&talk.client, head, SPAN("a:1"), SPAN_NONE);
    settle(&talk);
    told(&talk, &talk.server, "1 request method=CONNECT authority=a chunked\n");
    http_head_free(head);
    done(&talk);
}

static void who_leaves_resets_with_its_code(void **state)
{
    struct talk talk;
    struct told_stream *asked;
    (void)state;

    begin(&talk);
    asked = ask(&talk, "POST", BODY_CHUNKED);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    h2_leave(asked->stream, H2_CANCEL);
    h2_leave(talk.server.streams[1]->stream, H2_INTERNAL_ERROR);
    settle(&talk);
    told(&talk, &talk.server,
         "1 request method=POST scheme=https authority=a target=/ chunked\n1 closed CANCEL\n"
         "2 request method=GET scheme=https authority=a target=/ none\n2 end\n");
    told(&talk, &talk.client, "2 closed INTERNAL_ERROR\n");
    assert_int_equal(h2_stream_count(talk.client.h2) + h2_stream_count(talk.server.h2), 0);
    done(&talk);
}

static void what_was_ended_still_goes_when_its_owner_leaves(void **state)
{
    struct talk talk;
    struct told_stream *asked, *served;
    (void)state;

    begin(&talk);
    asked = ask(&talk, "POST", BODY_CHUNKED);
    settle(&talk);
    served = talk.server.streams[0];
    answer(served, 403, BODY_CHUNKED);
    h2_send_body(served->stream, SPAN("no"));
    h2_send_end(served->stream, NULL);
    h2_leave(served->stream, H2_NO_ERROR);
    h2_send_body(asked->stream, SPAN("late"));
    settle(&talk);
    told(&talk, &talk.client, "1 response 403 chunked\n1 body no\n1 end\n1 closed NO_ERROR\n");
    told(&talk, &talk.server, "1 request method=POST scheme=https authority=a target=/ chunked\n");
    assert_true(h2_is_idle(talk.server.h2));
    done(&talk);
}

static void what_there_is_of_an_answer_goes_before_its_reset(void **state)
{
    struct talk talk;
    struct told_stream *served;
    (void)state;

    begin(&talk);
    ask(&talk, "GET", BODY_NONE);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    served = talk.server.streams[0];
    answer(served, 200, BODY_CHUNKED);
    h2_send_body(served->stream, SPAN("half"));
    h2_leave(served->stream, H2_INTERNAL_ERROR);
    served = talk.server.streams[1];
    answer(served, 200, BODY_CHUNKED); /* not even a byte of its body */
    h2_leave(served->stream, H2_CANCEL);
    settle(&talk);
    told(&talk, &talk.client,
         "1 response 200 chunked\n1 body half\n1 closed INTERNAL_ERROR\n2 response 200 chunked\n2 closed "
         "CANCEL\n");
    assert_true(h2_is_idle(talk.server.h2));
    done(&talk);
}

static void a_reset_without_error_that_cuts_is_a_cut(void **state)
{
    struct talk talk;
    (void)state;

    begin(&talk);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    answer(talk.server.streams[0], 200, BODY_CHUNKED);
    settle(&talk);
    h2_leave(talk.server.streams[0]->stream, H2_NO_ERROR);
    settle(&talk);
    told(&talk, &talk.client, "1 response 200 chunked\n1 closed CANCEL\n");
    done(&talk);
}

static void a_request_that_was_not_sent_is_taken_back(void **state)
{
    struct talk talk;
    struct told_stream *asked;
    (void)state;

    begin(&talk);
    asked = ask(&talk, "GET", BODY_NONE);
    h2_leave(asked->stream, H2_CANCEL);
    settle(&talk);
    told(&talk, &talk.server, "");
    told(&talk, &talk.client, "");
    assert_true(h2_is_idle(talk.client.h2));
    done(&talk);
}

static void a_refused_stream_says_so(void **state)
{
    struct talk talk;
    (void)state;

    begin(&talk);
    ask(&talk, "GET", BODY_NONE);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    h2_leave(talk.server.streams[0]->stream, H2_REFUSED_STREAM);
    answer(talk.server.streams[1], 200, BODY_CHUNKED);
    settle(&talk);
    h2_leave(talk.server.streams[1]->stream, H2_REFUSED_STREAM); /* a lie: it has answered */
    settle(&talk);
    told(&talk, &talk.client,
         "1 closed REFUSED_STREAM refused\n2 response 200 chunked\n2 closed REFUSED_STREAM\n");
    done(&talk);
}

static void a_shut_down_connection_ends_what_there_is(void **state)
{
    struct talk talk;
    (void)state;

    begin(&talk);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    h2_shutdown(talk.server.h2);
    h2_shutdown(talk.server.h2);
    ask(&talk, "GET", BODY_NONE); /* on its way when GOAWAY is */
    carry(&talk, talk.client.h2, talk.server.h2);
    assert_false(h2_is_used_up(talk.client.h2));
    carry(&talk, talk.server.h2, talk.client.h2);
    told(&talk, &talk.client, "2 closed REFUSED_STREAM refused\ngoaway NO_ERROR\n");
    assert_true(h2_is_used_up(talk.client.h2));
    assert_false(h2_has_room(talk.client.h2));
    assert_null(ask(&talk, "GET", BODY_NONE));
    answer(talk.server.streams[0], 200, BODY_NONE);
    settle(&talk);
    told(&talk, &talk.client, "1 response 200 none\n1 end\n1 closed NO_ERROR\n");
    assert_true(h2_is_idle(talk.server.h2));
    assert_true(h2_is_idle(talk.client.h2));
    done(&talk);
}

static void requests_that_wait_for_a_stream_are_refused_by_goaway_at_once(void **state)
{
    struct talk talk;
    (void)state;

    begin(&talk);
    settle(&talk);
    for (int i = 0; i < H2_MAX_STREAMS; i++) {
        assert_true(h2_has_room(talk.client.h2));
        ask(&talk, "GET", BODY_NONE);
    }
    assert_false(h2_has_room(talk.client.h2));
    assert_false(h2_is_used_up(talk.client.h2));
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    assert_int_equal(talk.server.count, H2_MAX_STREAMS);
    h2_shutdown(talk.server.h2);
    settle(&talk);
    told(&talk, &talk.client, "101 closed REFUSED_STREAM refused\ngoaway NO_ERROR\n");
    for (int i = 0; i < H2_MAX_STREAMS; i++)
        answer(talk.server.streams[i], 204, BODY_NONE);
    settle(&talk);
    assert_true(h2_is_idle(talk.client.h2));
    done(&talk);
}

static void what_a_client_shows_of_itself_is_seen_and_shown_again(void **state)
{
    struct h2_profile profile = {
        .settings = { { 1, 65536 }, { 2, 1 }, { 0x4a4a, 7 }, { 4, 131072 }, { 6, 262144 } },
        .setting_count = 5,
        .window_increment = 15663105,
        .pseudo_order = "mpas"
    };
    struct h2_options options = usual;
    struct talk talk;
    (void)state;

    options.profile = &profile;
    begin_as(&talk, &options);
    carry(&talk, talk.client.h2, talk.server.h2);
    assert_null(h2_seen_profile(talk.server.h2));
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    profile.settings[1].value = 0; /* pushes are asked of nobody */
    assert_memory_equal(h2_seen_profile(talk.server.h2), &profile, sizeof profile);
    done(&talk);
}

static void a_profile_that_makes_no_sense_is_not_shown(void **state)
{
    struct h2_profile profile = { .settings = { { 4, UINT32_MAX } },
                                  .setting_count = 1,
                                  .pseudo_order = "xx" };
    struct h2_options options = usual;
    struct talk talk;
    (void)state;

    options.profile = &profile;
    begin_as(&talk, &options);
    ask(&talk, "GET", BODY_NONE);
    settle(&talk);
    assert_memory_equal(h2_seen_profile(talk.server.h2)->pseudo_order, "masp", 4);
    done(&talk);
}

static void the_frames_of_a_stream_are_counted(void **state)
{
    struct talk talk;
    struct told_stream *asked;
    uint64_t head_bytes;
    (void)state;

    begin(&talk);
    asked = ask(&talk, "POST", BODY_CHUNKED);
    settle(&talk);
    head_bytes = h2_wire_bytes(talk.server.streams[0]->stream);
    assert_true(head_bytes > 9 && head_bytes < 40);
    h2_send_body(asked->stream, SPAN("hello"));
    settle(&talk);
    assert_int_equal(h2_wire_bytes(talk.server.streams[0]->stream), head_bytes + 9 + 5);
    done(&talk);
}

/* What a profile does not say is on by default (RFC 9113 §6.5.2). */
static void a_push_is_refused_also_under_a_profile_that_leaves_pushes_on(void **state)
{
    struct h2_profile profile = { .pseudo_order = "masp" };
    struct h2_options options = usual;
    struct strbuf frames = STRBUF_EMPTY;
    struct talk talk;
    struct err err;
    size_t len;
    (void)state;

    options.profile = &profile;
    begin_as(&talk, &options);
    ask(&talk, "GET", BODY_NONE);
    h2_write(talk.client.h2, talk.pipe, SIZE_MAX);
    evbuffer_drain(talk.pipe, evbuffer_get_length(talk.pipe));
    h2_frame(&frames, 4, 0, 0, SPAN_NONE);
    h2_frame(&frames, 5, 4, 1,
             SPAN("\0\0\0\x02\x82\x87\x84\x01\x01"
                  "a"));
    assert_true(h2_feed(talk.client.h2, strbuf_span(&frames), &err));
    h2_write(talk.client.h2, talk.pipe, SIZE_MAX);
    len = evbuffer_get_length(talk.pipe);
    assert_true(len >= 13);
    assert_memory_equal(evbuffer_pullup(talk.pipe, -1) + len - 13, "\0\0\x04\x03\0\0\0\0\x02\0\0\0\x08", 13);
    evbuffer_drain(talk.pipe, len);
    strbuf_clear(&frames);
    done(&talk);
}

static void errors_have_names(void **state)
{
    (void)state;
    assert_string_equal(h2_error_name(H2_CANCEL), "CANCEL");
    assert_string_equal(h2_error_name(H2_NO_ERROR), "NO_ERROR");
    assert_string_equal(h2_error_name(99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_answer_pass),
        cmocka_unit_test(trailers_pass_both_ways),
        cmocka_unit_test(a_message_without_a_body_ends_with_its_head),
        cmocka_unit_test(interim_responses_come_before_the_final_one),
        cmocka_unit_test(what_answers_head_has_no_body),
        cmocka_unit_test(a_head_of_http1_loses_what_http2_forbids),
        cmocka_unit_test(a_head_of_http2_goes_out_as_it_came),
        cmocka_unit_test(whose_host_is_replaced_its_scheme_is_too),
        cmocka_unit_test(an_extended_connect_opens_a_tunnel),
        cmocka_unit_test(extended_connect_may_be_offered_later),
        cmocka_unit_test(a_plain_connect_has_no_scheme_and_no_path),
        cmocka_unit_test(who_leaves_resets_with_its_code),
        cmocka_unit_test(what_was_ended_still_goes_when_its_owner_leaves),
        cmocka_unit_test(what_there_is_of_an_answer_goes_before_its_reset),
        cmocka_unit_test(a_reset_without_error_that_cuts_is_a_cut),
        cmocka_unit_test(a_request_that_was_not_sent_is_taken_back),
        cmocka_unit_test(a_refused_stream_says_so),
        cmocka_unit_test(a_shut_down_connection_ends_what_there_is),
        cmocka_unit_test(requests_that_wait_for_a_stream_are_refused_by_goaway_at_once),
        cmocka_unit_test(what_a_client_shows_of_itself_is_seen_and_shown_again),
        cmocka_unit_test(a_profile_that_makes_no_sense_is_not_shown),
        cmocka_unit_test(the_frames_of_a_stream_are_counted),
        cmocka_unit_test(a_push_is_refused_also_under_a_profile_that_leaves_pushes_on),
        cmocka_unit_test(errors_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

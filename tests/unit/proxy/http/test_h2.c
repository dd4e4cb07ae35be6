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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_answer_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

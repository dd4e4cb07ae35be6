/* Which exchanges have messages, and that both directions' are numbered as they ended. */
#include "capture/splitter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/base/strbuf.h"
#include "tests/support/recording.h"

/* "hi" from the client (masked with zeros), "yo" from the origin. */
#define HI SPAN("\x81\x82\0\0\0\0hi")
#define YO SPAN("\x81\x02yo")

static const char *const grpc[] = { "Content-Type: application/grpc", NULL };
static const char *const sse[] = { "Content-Type: text/event-stream; charset=utf-8", NULL };
static const char *const wants_websocket[] = { "Connection: Upgrade", "Upgrade: websocket",
                                               "Sec-WebSocket-Version: 13",
                                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", NULL };
static const char *const is_websocket[] = { "Connection: Upgrade", "Upgrade: websocket",
                                            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", NULL };

/* "1>hi 2<yo ": number, direction, payload. */
static void note(void *self, const struct message *message, enum http_role direction, uint32_t n)
{
    strbuf_printf(self, "%u%c%.*s ", n, direction == HTTP_REQUEST ? '>' : '<', SPAN_ARG(message->payload));
}

static struct splitter *at_request(const char *method, const char *const *lines, const char *protocol,
                                   struct strbuf *notes)
{
    struct http_head *head = test_request(method, "/", lines);
    struct splitter *splitter;

    if (protocol != NULL) {
        head->version = HTTP_2;
        head->protocol = span_of(protocol);
    }
    splitter = splitter_at_request(head, UINT64_MAX, note, notes);
    http_head_free(head); /* nothing of it is used afterwards */
    return splitter;
}

static struct splitter *at_response(struct splitter *splitter, int status, const char *const *lines,
                                    struct strbuf *notes)
{
    struct http_head *head = test_response(status, lines);

    splitter = splitter_at_response(splitter, head, UINT64_MAX, note, notes);
    http_head_free(head);
    return splitter;
}

static void an_ordinary_exchange_has_none(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;

    (void)state;
    assert_null(
        at_request("POST", (const char *const[]){ "Content-Type: application/json", NULL }, NULL, &notes));
    assert_null(at_response(NULL, 200, (const char *const[]){ "Content-Type: text/html", NULL }, &notes));
    assert_null(at_response(NULL, 204, NULL, &notes));
}

static void an_upgrade_that_is_not_taken_has_none(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;
    struct splitter *splitter = at_request("GET", wants_websocket, NULL, &notes);

    (void)state;
    assert_non_null(splitter);
    splitter_finish(splitter, HTTP_REQUEST); /* a GET has ended before its answer */
    assert_null(at_response(splitter, 200, (const char *const[]){ "Content-Type: text/html", NULL }, &notes));
}

static void check_websocket(struct splitter *splitter, struct strbuf *notes)
{
    assert_non_null(splitter);
    assert_true(splitter_is_upgrade(splitter));
    splitter_feed(splitter, HTTP_REQUEST, HI);
    splitter_feed(splitter, HTTP_RESPONSE, YO);
    splitter_feed(splitter, HTTP_RESPONSE, YO);
    splitter_feed(splitter, HTTP_REQUEST, HI);
    assert_string_equal(strbuf_text(notes), "1>hi 2<yo 3<yo 4>hi ");
    splitter_free(splitter);
    strbuf_clear(notes);
}

static void a_websocket_over_http_1_begins_with_its_101(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;
    struct splitter *splitter = at_request("GET", wants_websocket, NULL, &notes);

    (void)state;
    splitter_finish(splitter, HTTP_REQUEST);
    check_websocket(at_response(splitter, 101, is_websocket, &notes), &notes);
}

static void a_websocket_over_http_2_begins_with_its_200(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;
    struct splitter *splitter = at_request("CONNECT", NULL, "websocket", &notes);

    (void)state;
    check_websocket(at_response(splitter, 200, NULL, &notes), &notes);
}

static void a_grpc_request_that_ends_before_its_answer_is_no_upgrade(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;
    struct splitter *splitter = at_request("POST", grpc, NULL, &notes);

    (void)state;
    splitter_feed(splitter, HTTP_REQUEST, SPAN("\0\0\0\0\003ask"));
    splitter_finish(splitter, HTTP_REQUEST);
    splitter = at_response(splitter, 200, grpc, &notes);
    assert_non_null(splitter);
    assert_false(splitter_is_upgrade(splitter));
    splitter_feed(splitter, HTTP_REQUEST, SPAN("\0\0\0\0\004more")); /* its end was told: this is nothing */
    splitter_feed(splitter, HTTP_RESPONSE, SPAN("\0\0\0\0\006answer"));
    splitter_finish(splitter, HTTP_RESPONSE);
    splitter_finish(splitter, HTTP_RESPONSE);
    assert_string_equal(strbuf_text(&notes), "1>ask 2<answer ");
    splitter_free(splitter);
    strbuf_clear(&notes);
}

static void a_grpc_request_is_split_before_anything_answers(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;
    struct splitter *splitter = at_request("POST", grpc, NULL, &notes);

    (void)state;
    splitter_feed(splitter, HTTP_REQUEST, SPAN("\0\0\0\0\003one\0\0\0\0\003two\0\0"));
    assert_string_equal(strbuf_text(&notes), "1>one 2>two ");
    splitter = at_response(splitter, 503, (const char *const[]){ "Content-Type: text/plain", NULL }, &notes);
    splitter_feed(splitter, HTTP_RESPONSE, SPAN("\0\0\0\0\003no!"));
    splitter_feed(splitter, HTTP_REQUEST, SPAN("\0\0\005three"));
    assert_string_equal(strbuf_text(&notes), "1>one 2>two 3>three ");
    splitter_free(splitter);
    strbuf_clear(&notes);
}

static void events_are_found_at_the_response(void **state)
{
    struct strbuf notes = STRBUF_EMPTY;
    struct splitter *splitter;

    (void)state;
    assert_null(at_request("GET", NULL, NULL, &notes));
    splitter = at_response(NULL, 200, sse, &notes);
    assert_non_null(splitter);
    assert_false(splitter_is_upgrade(splitter));
    splitter_feed(splitter, HTTP_RESPONSE, SPAN("data: a\n\ndata: b\n"));
    assert_string_equal(strbuf_text(&notes), "1<a ");
    splitter_feed(splitter, HTTP_RESPONSE, SPAN("\n"));
    assert_string_equal(strbuf_text(&notes), "1<a 2<b ");
    splitter_free(splitter);
    strbuf_clear(&notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_exchange_has_none),
        cmocka_unit_test(an_upgrade_that_is_not_taken_has_none),
        cmocka_unit_test(a_websocket_over_http_1_begins_with_its_101),
        cmocka_unit_test(a_websocket_over_http_2_begins_with_its_200),
        cmocka_unit_test(a_grpc_request_that_ends_before_its_answer_is_no_upgrade),
        cmocka_unit_test(a_grpc_request_is_split_before_anything_answers),
        cmocka_unit_test(events_are_found_at_the_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

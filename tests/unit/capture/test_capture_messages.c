/* Messages from the tap to the store, through recorder, queue and writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/capture.h"
#include "capture/filter.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

static const char *const wants_websocket[] = { "Connection: Upgrade", "Upgrade: websocket", NULL };
static const char *const is_websocket[] = { "Connection: Upgrade", "Upgrade: websocket", NULL };
static const char *const sse[] = { "Content-Type: text/event-stream", NULL };

struct world {
    struct test_folder folder;
    struct capture *capture;
    struct recorder *recorder;
    int64_t session;
    struct strbuf said;   /* of all messages of the first exchange */
    struct record record; /* its numbers; the spans are gone */
};

static int set_up(void **state)
{
    *state = mem_new(struct world);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    test_folder_remove(&world->folder);
    strbuf_clear(&world->said);
    mem_free(world);
    return 0;
}

static void start(struct world *world, struct capture_options options)
{
    struct err err;

    test_folder_make(&world->folder);
    if (!capture_start(world->folder.store, &options, &world->capture, &err))
        fail_msg("%s", err.text);
    world->session = capture_session(world->capture);
    world->recorder = capture_recorder(world->capture, test_no_wake, NULL);
}

/* "text>5:hello " : kind, direction, size, what is kept of it, and its flags when there are any. */
static bool note_message(void *self, const struct record_message *message, struct err *err)
{
    struct world *world = self;
    uint64_t age_us = clock_wall_us() - message->time_us;

    (void)err;
    assert_true(age_us < 60 * UINT64_C(1000000));
    strbuf_printf(&world->said, "%s%c%llu:%.*s", record_message_kind_name(message->kind),
                  message->direction == HTTP_REQUEST ? '>' : '<', (unsigned long long)message->size,
                  SPAN_ARG(message->payload));
    if (message->payload.ptr == NULL)
        strbuf_add_str(&world->said, "NONE");
    if (message->close_code != 0)
        strbuf_printf(&world->said, "=%d", message->close_code);
    if (message->flags != 0)
        strbuf_printf(&world->said, "!%u", message->flags);
    strbuf_add_char(&world->said, ' ');
    return true;
}

static void note_record(void *self, struct store *store, const struct record *record)
{
    struct world *world = self;
    struct err err;

    assert_int_equal(record->seq, 1);
    world->record = *record;
    if (!store_messages(store, record->session, record->seq, 1, note_message, world, &err))
        fail_msg("%s", err.text);
}

static void end(struct world *world)
{
    struct capture_summary summary;
    struct err err;

    recorder_free(world->recorder);
    if (!capture_end(world->capture, &summary, &err))
        fail_msg("%s", err.text);
    test_each(world->folder.store, world->session, note_record, world);
}

static void begin_websocket(struct world *world, struct test_exchange *x)
{
    test_begin(x, world->recorder, "GET", "a.test", "/", wants_websocket);
    tap_end(&x->line, HTTP_REQUEST, NULL);
    test_respond(x, 101, is_websocket);
    x->exchange.flags |= TAP_UPGRADED;
}

static void what_a_websocket_says_is_in_the_store(void **state)
{
    struct world *world = *state;
    struct test_exchange x;

    start(world, (struct capture_options){ 0 });
    begin_websocket(world, &x);
    test_upgraded(&x, HTTP_REQUEST, SPAN("\x81\x85\0\0\0\0hel"));
    test_upgraded(&x, HTTP_RESPONSE, SPAN("\x89\x00\x82\x03yes"));
    test_upgraded(&x, HTTP_REQUEST, SPAN("lo"));
    test_upgraded(&x, HTTP_REQUEST,
                  SPAN("\x88\x85\0\0\0\0\x03\xe8"
                       "bye"));
    test_end(&x, TAP_DONE);
    end(world);
    assert_string_equal(strbuf_text(&world->said), "ping<0: binary<3:yes text>5:hello close>3:bye=1000 ");
    assert_int_equal(world->record.messages, 4);
    assert_int_equal(world->record.request_body.bytes, 0);
}

static void a_websocket_over_http_2_has_messages_and_no_body(void **state)
{
    struct world *world = *state;
    struct http_head *head = test_request("CONNECT", "/chat", NULL);
    struct test_exchange x;

    start(world, (struct capture_options){ 0 });
    head->version = HTTP_2;
    head->protocol = SPAN("websocket");
    test_begin_head(&x, world->recorder, head, "a.test");
    test_respond(&x, 200, NULL);
    test_body(&x, HTTP_REQUEST, SPAN("\x81\x82\0\0\0\0hi"));
    test_body(&x, HTTP_RESPONSE, SPAN("\x81\x02yo"));
    test_end(&x, TAP_DONE);
    end(world);
    assert_string_equal(strbuf_text(&world->said), "text>2:hi text<2:yo ");
    assert_int_equal(world->record.request_body.kept, 0);
    assert_int_equal(world->record.response_body.kept, 0);
    assert_int_equal(world->record.response_body.bytes, 4);
    assert_int_equal(
        test_count(world->folder.store,
                   "SELECT count(*) FROM exchange WHERE protocol = 'websocket' AND path = '/chat'"),
        1);
}

static void events_are_kept_beside_their_body(void **state)
{
    struct world *world = *state;
    struct test_exchange x;

    start(world, (struct capture_options){ 0 });
    test_begin(&x, world->recorder, "GET", "a.test", "/", NULL);
    tap_end(&x.line, HTTP_REQUEST, NULL);
    test_respond(&x, 200, sse);
    test_body(&x, HTTP_RESPONSE, SPAN("data: one\n\nda"));
    test_body(&x, HTTP_RESPONSE, SPAN("ta: two\n\ndata: never sent"));
    test_end(&x, TAP_ABORTED);
    end(world);
    assert_int_equal(world->record.state, RECORD_ABORTED);
    assert_int_equal(world->record.response_body.kept, 11 + 2 + 9 + 16);
    assert_true(strncmp(strbuf_text(&world->said), "event<3:one event<3:two ", 24) == 0);
}

static void without_bodies_messages_keep_sizes_alone(void **state)
{
    struct world *world = *state;
    struct test_exchange x;

    start(world, (struct capture_options){ .no_bodies = true });
    begin_websocket(world, &x);
    test_upgraded(&x, HTTP_RESPONSE, SPAN("\x81\x05hello"));
    test_end(&x, TAP_DONE);
    end(world);
    assert_string_equal(strbuf_text(&world->said), "text<5:NONE!1 ");
}

static void a_message_is_cut_where_bodies_are(void **state)
{
    struct world *world = *state;
    struct test_exchange x;

    start(world, (struct capture_options){ .max_body = 3 });
    begin_websocket(world, &x);
    test_upgraded(&x, HTTP_RESPONSE, SPAN("\x81\x05hello\x81\x03two"));
    test_end(&x, TAP_DONE);
    end(world);
    assert_string_equal(strbuf_text(&world->said), "text<5:hel!1 text<3:two ");
}

static void no_message_is_kept_above_a_mebibyte(void **state)
{
    enum { BYTES = 2 * 1024 * 1024 };
    struct world *world = *state;
    char *bytes = mem_zalloc(BYTES);
    struct test_exchange x;

    memset(bytes, 'x', BYTES);
    start(world, (struct capture_options){ 0 });
    begin_websocket(world, &x);
    test_upgraded(&x, HTTP_RESPONSE, SPAN("\x81\x7f\0\0\0\0\0\x20\0\0"));
    test_upgraded(&x, HTTP_RESPONSE, span_make(bytes, BYTES));
    test_end(&x, TAP_DONE);
    end(world);
    assert_int_equal(test_count(world->folder.store, "SELECT length(payload) FROM message"), 1024 * 1024);
    assert_int_equal(test_count(world->folder.store, "SELECT size FROM message"), BYTES);
    assert_int_equal(test_count(world->folder.store, "SELECT flags FROM message"), 1);
    mem_free(bytes);
}

static void a_late_no_of_the_filter_takes_the_messages_out(void **state)
{
    struct world *world = *state;
    struct filter *filter = NULL;
    struct test_exchange x;
    uint64_t until_us;
    struct err err;

    assert_true(filter_parse("time:>3600s", &filter, &err));
    start(world, (struct capture_options){ .filter = filter });
    begin_websocket(world, &x);
    for (int i = 0; i < 3000; i++) /* more than a piece, so that some are in the store before the no */
        test_upgraded(&x, HTTP_RESPONSE, SPAN("\x81\x01x"));
    until_us = clock_mono_us() + 10 * UINT64_C(1000000);
    while (test_count(world->folder.store, "SELECT count(*) FROM message") == 0)
        assert_true(clock_mono_us() < until_us);
    test_end(&x, TAP_DONE);
    end(world);
    assert_int_equal(test_count(world->folder.store, "SELECT count(*) FROM message"), 0);
    filter_unref(filter);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_a_websocket_says_is_in_the_store),
        TEST(a_websocket_over_http_2_has_messages_and_no_body),
        TEST(events_are_kept_beside_their_body),
        TEST(without_bodies_messages_keep_sizes_alone),
        TEST(a_message_is_cut_where_bodies_are),
        TEST(no_message_is_kept_above_a_mebibyte),
        TEST(a_late_no_of_the_filter_takes_the_messages_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

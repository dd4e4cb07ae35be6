/* What people and programs are shown of messages: see golden/messages.*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "capture/store/store_write.h"
#include "proxy/base/mem.h"
#include "tests/support/golden.h"
#include "tests/support/recording.h"
#include "tests/support/shop_descriptors.h"
#include "tools/show_messages.h"

/* 2026-11-21T20:14:00Z: any fixed time does. */
#define STARTED_US (1795292040ull * 1000000)

struct world {
    struct test_folder folder;
    struct store *store;
    int64_t session;
    uint32_t count;
    struct record record;
};

static void must(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

static int set_up(void **state)
{
    struct world *world = mem_new(struct world);
    struct session_row row;
    uint32_t last_seq;
    struct err err;

    setenv("TZ", "UTC", 1);
    tzset();
    test_folder_make(&world->folder);
    must(store_open(world->folder.store, STORE_WRITE, &world->store, &err), &err);
    must(store_session_start(world->store, &(struct store_session_start){ "talk", "", "{}" }, &row, &last_seq,
                             &err),
         &err);
    world->session = row.id;
    session_row_clear(&row);
    world->record =
        (struct record){ .seq = 1, .path = SPAN("/a.B/C"), .request_type = SPAN("application/grpc") };
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    store_close(world->store);
    test_folder_remove(&world->folder);
    mem_free(world);
    return 0;
}

static void say(struct world *world, struct record_message message)
{
    struct err err;

    message.n = ++world->count;
    message.time_us = STARTED_US + message.n * 1500000ull;
    must(store_begin(world->store, &err), &err);
    must(store_add_message(world->store, world->session, 1, &message, &err), &err);
    must(store_commit(world->store, &err), &err);
}

#define FROM_CLIENT(KIND, TEXT)                                                                              \
    .direction = HTTP_REQUEST, .kind = KIND, .payload = SPAN(TEXT), .size = sizeof(TEXT) - 1,                \
    .wire_size = sizeof(TEXT) - 1
#define FROM_ORIGIN(KIND, TEXT)                                                                              \
    .direction = HTTP_RESPONSE, .kind = KIND, .payload = SPAN(TEXT), .size = sizeof(TEXT) - 1,               \
    .wire_size = sizeof(TEXT) - 1

static void say_all(struct world *world)
{
    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_TEXT, "hello\nthere") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_TEXT, "{\"a\":[1,2],\"b\":{}}") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_TEXT, "{not JSON") });
    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_BINARY, "\0\1\2 binary \xff\xfe and more") });
    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_PING, "") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_PONG, "p") });
    say(world, (struct record_message){ .direction = HTTP_RESPONSE,
                                        .kind = MESSAGE_TEXT,
                                        .size = 70,
                                        .wire_size = 30,
                                        .flags = RECORD_MESSAGE_TRUNCATED | RECORD_MESSAGE_COMPRESSED });
    say(world, (struct record_message){ .direction = HTTP_RESPONSE,
                                        .kind = MESSAGE_TEXT,
                                        .payload = SPAN("only \xff"),
                                        .size = 70,
                                        .wire_size = 70,
                                        .flags = RECORD_MESSAGE_TRUNCATED | RECORD_MESSAGE_INCOMPLETE |
                                                 RECORD_MESSAGE_BAD_UTF8,
                                        .note = SPAN("a note") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_EVENT, "tick"), .event_type = SPAN("message"),
                                        .event_id = SPAN("7"), .has_retry = true, .retry_ms = 3000 });
    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_GRPC, "\x08\x96\x01") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_GRPC, "\x08\x96\x01"),
                                        .flags = RECORD_MESSAGE_UNDECODED | RECORD_MESSAGE_COMPRESSED });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_TRAILERS, "grpc-status: 0\r\n") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_CLOSE, "bye"), .close_code = 1001 });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_FAULT, "reserved bits are set") });
}

static char *shown(struct world *world, struct message_show show)
{
    char *text = NULL;
    size_t size;
    struct err err;

    show.store = world->store;
    show.session = world->session;
    show.record = &world->record;
    show.out = open_memstream(&text, &size);
    must(message_show_all(&show, &err), &err);
    fclose(show.out);
    assert_int_equal(show.last, world->count);
    return text;
}

static void people_are_shown_what_was_said(void **state)
{
    struct world *world = *state;
    char *text;

    say_all(world);
    text = shown(world, (struct message_show){ .last = 0 });
    golden_compare(text, "tests/unit/tools/golden/messages.txt");
    free(text);
}

static void programs_get_an_object_a_line(void **state)
{
    struct world *world = *state;
    char *text;

    say_all(world);
    text = shown(world, (struct message_show){ .is_json = true });
    golden_compare(text, "tests/unit/tools/golden/messages.jsonl");
    free(text);
}

/* Orders.Place takes an Order (customer is 2) and gives an Ack (ok is 1): which it is follows from the
 * direction. */
static void a_schema_gives_names_by_direction(void **state)
{
    struct world *world = *state;
    struct protobuf_schema *schema = NULL;
    char *text;
    struct err err;

    must(protobuf_schema_parse(shop_descriptors_span(), &schema, &err), &err);
    world->record.path = SPAN("/shop.Orders/Place");
    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_GRPC, "\x12\x03"
                                                                  "Zoe") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_GRPC, "\x08\x01") });
    text = shown(world, (struct message_show){ .schema = schema });
    assert_non_null(strstr(text, "-> grpc, 5 bytes\n    {\n      \"customer\": \"Zoe\"\n    }\n"));
    assert_non_null(strstr(text, "<- grpc, 2 bytes\n    {\n      \"ok\": true\n    }\n"));
    free(text);
    protobuf_schema_free(schema);
}

static void a_terminal_obeys_nothing_of_it(void **state)
{
    struct world *world = *state;
    char *text;

    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_EVENT, "a\x9b"
                                                                   "b\xe2\x80\xae"
                                                                   "c\n"),
                                        .event_type = SPAN("\x1b[31m") });
    say(world, (struct record_message){ FROM_ORIGIN(MESSAGE_CLOSE, "\x1b]0;x\x07"), .close_code = 1000 });
    text = shown(world, (struct message_show){ .is_tty = true });
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\x9b'));
    assert_null(strstr(text, "\xe2\x80\xae"));
    free(text);
}

static void what_was_shown_is_not_shown_again(void **state)
{
    struct world *world = *state;
    char *text;

    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_TEXT, "one") });
    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_TEXT, "two") });
    text = shown(world, (struct message_show){ .last = 1 });
    assert_null(strstr(text, "one"));
    assert_non_null(strstr(text, "two"));
    free(text);
}

/* Nothing has to be waited for: the session is not being recorded any more. */
static void following_ends_with_the_session(void **state)
{
    struct world *world = *state;
    struct message_show show = {
        .store = world->store, .session = world->session, .record = &world->record, .is_json = true
    };
    char *text = NULL;
    size_t size;
    struct err err;

    say(world, (struct record_message){ FROM_CLIENT(MESSAGE_TEXT, "last") });
    must(store_session_end(world->store, world->session, &err), &err);
    show.out = open_memstream(&text, &size);
    must(message_show_follow(&show, &err), &err);
    fclose(show.out);
    assert_non_null(strstr(text, "last"));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(people_are_shown_what_was_said),    TEST(programs_get_an_object_a_line),
        TEST(a_schema_gives_names_by_direction), TEST(a_terminal_obeys_nothing_of_it),
        TEST(what_was_shown_is_not_shown_again), TEST(following_ends_with_the_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

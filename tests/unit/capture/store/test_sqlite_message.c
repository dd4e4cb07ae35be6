/* Messages in the store: what was written is what is read, in order, from anywhere, and goes with its owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tests/support/store_world.h"

static void insert_exchange(struct world *world, uint32_t seq, uint32_t messages)
{
    struct store_exchange row = {
        .session = world->session,
        .seq = seq,
        .state = RECORD_DONE,
        .client_addr = SPAN("192.0.2.1:40000"),
        .origin_addr = SPAN(""),
        .method = SPAN("CONNECT"),
        .scheme = SPAN("https"),
        .host = SPAN("a.test"),
        .port = 443,
        .path = SPAN("/chat"),
        .protocol = SPAN("websocket"),
        .request_version = 20,
        .request_headers = SPAN("[]"),
        .messages = messages,
    };
    struct err err;

    must(store_insert_exchange(world->store, &row, &err), &err);
}

/* count messages of size bytes, told from both sides in turns. */
static void write_messages(struct world *world, uint32_t seq, uint32_t count, size_t size)
{
    char *payload = mem_zalloc(size + 1);
    struct err err;

    must(store_begin(world->store, &err), &err);
    insert_exchange(world, seq, count);
    for (uint32_t n = 1; n <= count; n++) {
        struct record_message message = {
            .n = n,
            .time_us = 1000 + n,
            .direction = n % 2 != 0 ? HTTP_REQUEST : HTTP_RESPONSE,
            .kind = MESSAGE_BINARY,
            .payload = span_make(payload, size),
            .size = size,
            .wire_size = size,
        };
        payload[0] = (char)n;
        must(store_add_message(world->store, world->session, seq, &message, &err), &err);
    }
    must(store_commit(world->store, &err), &err);
    mem_free(payload);
}

struct seen {
    uint32_t next, stop_at;
    unsigned count;
    size_t size;
};

static bool see(void *self, const struct record_message *message, struct err *err)
{
    struct seen *seen = self;

    (void)err;
    assert_int_equal(message->n, seen->next);
    assert_int_equal(message->time_us, 1000 + message->n);
    assert_int_equal(message->direction, message->n % 2 != 0 ? HTTP_REQUEST : HTTP_RESPONSE);
    assert_int_equal(message->payload.len, seen->size);
    assert_int_equal(message->payload.ptr[0], (char)message->n);
    seen->next++;
    seen->count++;
    return message->n != seen->stop_at;
}

static void messages_come_in_order_however_many_there_are(void **state)
{
    struct world *world = *state;
    struct seen seen = { .next = 1, .size = 3 };
    struct err err;

    write_messages(world, 1, 1000, 3);
    write_messages(world, 2, 5, 3);
    must(store_messages(world->store, world->session, 1, 1, see, &seen, &err), &err);
    assert_int_equal(seen.count, 1000);
    seen = (struct seen){ .next = 1, .size = 3 };
    must(store_messages(world->store, world->session, 2, 1, see, &seen, &err), &err);
    assert_int_equal(seen.count, 5);
}

static void reading_begins_and_stops_where_it_is_told_to(void **state)
{
    struct world *world = *state;
    struct seen seen = { .next = 700, .stop_at = 703, .size = 1 };
    struct err err;

    write_messages(world, 1, 1000, 1);
    assert_false(store_messages(world->store, world->session, 1, 700, see, &seen, &err));
    assert_int_equal(seen.count, 4);
    seen = (struct seen){ .next = 1001, .size = 1 };
    must(store_messages(world->store, world->session, 1, 1001, see, &seen, &err), &err);
    must(store_messages(world->store, world->session, 9, 1, see, &seen, &err), &err);
    assert_int_equal(seen.count, 0);
}

static void long_messages_are_read_whole(void **state)
{
    struct world *world = *state;
    struct seen seen = { .next = 1, .size = 700 * 1024 };
    struct err err;

    write_messages(world, 1, 5, seen.size);
    must(store_messages(world->store, world->session, 1, 1, see, &seen, &err), &err);
    assert_int_equal(seen.count, 5);
}

static void write_one(struct world *world, const struct record_message *message)
{
    struct err err;

    must(store_begin(world->store, &err), &err);
    must(store_add_message(world->store, world->session, 1, message, &err), &err);
    must(store_commit(world->store, &err), &err);
}

static bool see_event(void *self, const struct record_message *message, struct err *err)
{
    (void)err;
    ++*(int *)self;
    if (message->n == 2) {
        assert_int_equal(message->kind, MESSAGE_CLOSE);
        assert_null(message->payload.ptr);
        assert_int_equal(message->size, 3);
        assert_int_equal(message->close_code, 1001);
        assert_int_equal(message->event_type.len, 0);
        assert_int_equal(message->event_id.len, 0);
        assert_int_equal(message->note.len, 0);
        assert_false(message->has_retry);
        return true;
    }
    assert_int_equal(message->kind, MESSAGE_EVENT);
    assert_non_null(message->payload.ptr);
    assert_int_equal(message->payload.len, 0);
    assert_true(span_eq(message->event_type, SPAN("gr\xc3\xbc\xc3\x9f")));
    assert_true(span_eq(message->event_id, SPAN("7")));
    assert_true(span_eq(message->note, SPAN("a note")));
    assert_true(message->has_retry);
    assert_int_equal(message->retry_ms, 0);
    assert_int_equal(message->wire_size, 99);
    assert_int_equal(message->flags, RECORD_MESSAGE_TRUNCATED | RECORD_MESSAGE_BAD_UTF8);
    return true;
}

static void all_that_is_known_of_a_message_is_kept(void **state)
{
    struct world *world = *state;
    struct strbuf type = STRBUF_EMPTY;
    int count = 0;
    struct err err;

    record_text_add(&type, SPAN("gr\xc3\xbc\xc3\x9f"));
    write_one(world, &(struct record_message){ .n = 1,
                                               .kind = MESSAGE_EVENT,
                                               .direction = HTTP_RESPONSE,
                                               .payload = SPAN(""),
                                               .size = 50,
                                               .wire_size = 99,
                                               .flags = RECORD_MESSAGE_TRUNCATED | RECORD_MESSAGE_BAD_UTF8,
                                               .event_type = strbuf_span(&type),
                                               .event_id = SPAN("7"),
                                               .has_retry = true,
                                               .note = SPAN("a note") });
    write_one(world,
              &(struct record_message){ .n = 2, .kind = MESSAGE_CLOSE, .size = 3, .close_code = 1001 });
    must(store_messages(world->store, world->session, 1, 1, see_event, &count, &err), &err);
    assert_int_equal(count, 2);
    strbuf_clear(&type);
}

static void see_record(void *self, struct store *store, const struct record *record)
{
    (void)store;
    ++*(int *)self;
    assert_int_equal(record->messages, 3);
    assert_true(span_eq(record->protocol, SPAN("websocket")));
    assert_true(span_eq(record->path, SPAN("/chat")));
}

static void a_record_says_how_many_it_has_and_of_what_protocol(void **state)
{
    struct world *world = *state;
    int count = 0;

    write_messages(world, 1, 3, 1);
    test_each(world->folder.store, world->session, see_record, &count);
    assert_int_equal(count, 1);
}

static int64_t messages_left(struct world *world)
{
    return test_count(world->folder.store, "SELECT count(*) FROM message");
}

static void messages_go_with_their_exchange(void **state)
{
    struct world *world = *state;
    bool was_there = false;
    struct err err;

    write_messages(world, 1, 40, 10);
    write_messages(world, 2, 7, 10);
    must(store_begin(world->store, &err), &err);
    must(store_delete_exchange(world->store, world->session, 1, &was_there, &err), &err);
    must(store_commit(world->store, &err), &err);
    assert_true(was_there);
    assert_int_equal(messages_left(world), 7);
}

static void messages_go_with_their_session(void **state)
{
    struct world *world = *state;
    struct err err;

    write_messages(world, 1, 300, 100 * 1024);
    write_messages(world, 2, 20, 10);
    must(store_session_end(world->store, world->session, &err), &err);
    must(store_session_delete(world->store, world->session, &err), &err);
    assert_int_equal(messages_left(world), 0);
    assert_int_equal(test_count(world->folder.store, "SELECT count(*) FROM exchange"), 0);
    assert_int_equal(test_count(world->folder.store, "PRAGMA freelist_count"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_world_set_up, store_world_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(messages_come_in_order_however_many_there_are),
        TEST(reading_begins_and_stops_where_it_is_told_to),
        TEST(long_messages_are_read_whole),
        TEST(all_that_is_known_of_a_message_is_kept),
        TEST(a_record_says_how_many_it_has_and_of_what_protocol),
        TEST(messages_go_with_their_exchange),
        TEST(messages_go_with_their_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

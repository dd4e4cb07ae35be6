#include "capture/recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/piece.h"
#include "capture/roster.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"

#define MAX_BYTES ((size_t)1024 * 1024)

/* A recorder whose queue the test empties. */
struct world {
    struct recorder_shared *shared;
    struct recorder *recorder;
    int wakes;
};

static void count_wake(void *self)
{
    ((struct world *)self)->wakes++;
}

static void tell_room(void *self)
{
    recorder_shared_wake(self);
}

static void start(struct world *world)
{
    static char name[] = "s";
    const struct session_row main = { .id = 1, .name = name };
    const struct roster_options options = { .filter = "", .options = "{}" };

    world->shared = mem_new(struct recorder_shared);
    recorder_shared_init(world->shared);
    world->shared->queue = queue_new(MAX_BYTES, 3600 * UINT64_C(1000000));
    queue_on_room(world->shared->queue, tell_room, world->shared);
    world->shared->roster = roster_new(&options, &main, 0);
    world->recorder = recorder_new(world->shared, count_wake, world);
}

struct taken {
    unsigned pieces, marks, messages;
    uint64_t bytes, payload;
};

/* Takes all pieces as the writer would, and frees them. */
static struct taken drain(struct world *world)
{
    struct taken taken = { 0 };
    bool is_closed;
    struct queue_item *items =
        queue_take(world->shared->queue, &(struct queue_linger){ SIZE_MAX, SIZE_MAX, 0 }, 0, &is_closed);
    size_t weight = 0;

    while (items != NULL) {
        struct exchange_piece *piece = (struct exchange_piece *)items;
        struct entry *entry = piece->entry;
        bool is_last = (piece->marks & PIECE_LAST) != 0;
        items = items->next;
        taken.pieces++;
        taken.marks |= piece->marks;
        taken.bytes += piece->bodies[0].len + piece->bodies[1].len;
        taken.messages += (unsigned)piece->message_count;
        for (size_t i = 0; i < piece->message_count; i++)
            taken.payload += piece_message(piece, i).payload.len;
        weight += piece->base.item.bytes;
        piece_free(&piece->base);
        if (is_last)
            mem_free(entry);
    }
    queue_done(world->shared->queue, weight);
    return taken;
}

static void end(struct world *world)
{
    drain(world);
    recorder_free(world->recorder);
    queue_free(world->shared->queue);
    roster_free(world->shared->roster);
    recorder_shared_clear(world->shared);
    mem_free(world->shared);
}

static void a_small_exchange_is_one_piece(void **state)
{
    struct world world = { 0 };
    struct taken taken;

    (void)state;
    start(&world);
    test_exchange(world.recorder, "a.test", "/", SPAN("small"));
    taken = drain(&world);
    assert_int_equal(taken.pieces, 1);
    assert_int_equal(taken.marks, PIECE_REQUEST | PIECE_RESPONSE | PIECE_TAKEN | PIECE_LAST);
    assert_int_equal(taken.bytes, 5);
    end(&world);
}

static void tick_after_30_ms(struct world *world)
{
    uint64_t until_us = clock_mono_us() + 30000;

    while (clock_mono_us() < until_us)
        ;
    recorder_tick(world->recorder);
}

static void a_request_is_queued_by_the_tick_before_anything_answers(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;

    (void)state;
    start(&world);
    test_begin(&x, world.recorder, "GET", "a.test", "/", NULL);
    tick_after_30_ms(&world);
    assert_int_equal(drain(&world).marks, PIECE_REQUEST | PIECE_TAKEN);
    test_end(&x, TAP_ABORTED);
    end(&world);
}

/* The store numbers exchanges as their first pieces come. */
static void exchanges_are_queued_in_the_order_in_which_they_began(void **state)
{
    static const char *const paths[] = { "/0", "/1", "/2" };
    struct world world = { 0 };
    struct test_exchange x[3];
    struct queue_item *items;
    size_t weight = 0, begun = 0;
    bool is_closed;

    (void)state;
    start(&world);
    for (int i = 0; i < 3; i++)
        test_begin(&x[i], world.recorder, "GET", "a.test", paths[i], NULL);
    test_end(&x[1], TAP_DONE); /* before the first, and without the third */
    test_end(&x[0], TAP_DONE);
    test_end(&x[2], TAP_DONE);
    items = queue_take(world.shared->queue, &(struct queue_linger){ SIZE_MAX, SIZE_MAX, 0 }, 0, &is_closed);
    while (items != NULL) {
        struct exchange_piece *piece = (struct exchange_piece *)items;
        items = items->next;
        weight += piece->base.item.bytes;
        if (piece->marks & PIECE_REQUEST)
            assert_true(span_eq(piece_text(piece, piece->path), span_of(paths[begun++])));
        if (piece->marks & PIECE_LAST)
            mem_free(piece->entry);
        piece_free(&piece->base);
    }
    assert_int_equal(begun, 3);
    queue_done(world.shared->queue, weight);
    end(&world);
}

static void a_big_body_stays_within_the_bound_and_goes_on_when_there_is_room(void **state)
{
    static char chunk[64 * 1024];
    struct world world = { 0 };
    struct test_exchange x;
    uint64_t told = 0, kept = 0;
    size_t most = 0;

    (void)state;
    start(&world);
    test_begin(&x, world.recorder, "GET", "a.test", "/", NULL);
    test_respond(&x, 200, NULL);
    while (told < 64 * MAX_BYTES) {
        enum tap_answer answer = test_body(&x, HTTP_RESPONSE, span_make(chunk, sizeof chunk));
        size_t bytes = queue_bytes(world.shared->queue);
        told += sizeof chunk;
        most = bytes > most ? bytes : most;
        if (answer == TAP_GO)
            continue;
        assert_int_equal(x.resumed, 0);
        assert_int_equal(world.wakes, 0);
        kept += drain(&world).bytes;
        assert_int_equal(world.wakes, 1);
        recorder_resume(world.recorder);
        assert_int_equal(x.resumed, 1);
        world.wakes = x.resumed = 0;
    }
    assert_true(most > MAX_BYTES && most < MAX_BYTES + 2 * STORE_PIECE_BYTES);
    test_end(&x, TAP_DONE);
    kept += drain(&world).bytes;
    assert_int_equal(kept, told);
    end(&world);
}

static void nobody_is_woken_who_did_not_wait_or_is_gone(void **state)
{
    static char chunk[64 * 1024];
    struct world world = { 0 };
    struct test_exchange x;

    (void)state;
    start(&world);
    test_exchange(world.recorder, "a.test", "/", SPAN("small"));
    drain(&world);
    assert_int_equal(world.wakes, 0);
    test_begin(&x, world.recorder, "GET", "a.test", "/", NULL);
    while (test_body(&x, HTTP_REQUEST, span_make(chunk, sizeof chunk)) == TAP_GO)
        ;
    test_end(&x, TAP_ABORTED);
    drain(&world);
    recorder_resume(world.recorder);
    assert_int_equal(x.resumed, 0);
    end(&world);
}

static const char *const wants_websocket[] = { "Connection: Upgrade", "Upgrade: websocket", NULL };
static const char *const is_websocket[] = { "Connection: Upgrade", "Upgrade: websocket", NULL };

static void begin_websocket(struct test_exchange *x, struct world *world)
{
    test_begin(x, world->recorder, "GET", "a.test", "/", wants_websocket);
    tap_end(&x->line, HTTP_REQUEST, NULL);
    test_respond(x, 101, is_websocket);
}

static void a_flood_of_tiny_messages_shares_pieces(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;
    struct taken taken;

    (void)state;
    start(&world);
    begin_websocket(&x, &world);
    for (int i = 0; i < 10000; i++)
        test_upgraded(&x, HTTP_RESPONSE, SPAN("\x81\x01x"));
    test_end(&x, TAP_DONE);
    taken = drain(&world);
    assert_int_equal(taken.messages, 10000);
    assert_int_equal(taken.payload, 10000);
    assert_true(taken.pieces < 10);
    end(&world);
}

static void held_messages_are_queued_by_the_tick(void **state)
{
    struct world world = { 0 };
    struct test_exchange x;

    (void)state;
    start(&world);
    begin_websocket(&x, &world);
    test_upgraded(&x, HTTP_RESPONSE, SPAN("\x81\x01x"));
    assert_int_equal(drain(&world).messages, 0);
    recorder_tick(world.recorder);
    assert_int_equal(drain(&world).messages, 0);
    tick_after_30_ms(&world);
    assert_int_equal(drain(&world).messages, 1);
    test_end(&x, TAP_ABORTED);
    end(&world);
}

static void messages_slow_their_exchange_down_like_bodies(void **state)
{
    static char frame[32 * 1024 + 4] = { '\x82', '\x7e', '\x80', '\0' };
    struct world world = { 0 };
    struct test_exchange x;
    uint64_t told = 0, kept = 0;
    size_t most = 0;

    (void)state;
    start(&world);
    begin_websocket(&x, &world);
    for (int i = 0; i < 500; i++) {
        enum tap_answer answer = test_upgraded(&x, HTTP_RESPONSE, span_make(frame, sizeof frame));
        size_t bytes = queue_bytes(world.shared->queue);
        told += 32 * 1024;
        most = bytes > most ? bytes : most;
        if (answer == TAP_GO)
            continue;
        kept += drain(&world).payload;
        recorder_resume(world.recorder);
        assert_int_equal(x.resumed, 1);
        x.resumed = 0;
    }
    assert_true(most > MAX_BYTES && most < MAX_BYTES + 4 * STORE_PIECE_BYTES);
    test_end(&x, TAP_DONE);
    kept += drain(&world).payload;
    assert_int_equal(kept, told);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_exchange_is_one_piece),
        cmocka_unit_test(a_request_is_queued_by_the_tick_before_anything_answers),
        cmocka_unit_test(exchanges_are_queued_in_the_order_in_which_they_began),
        cmocka_unit_test(a_big_body_stays_within_the_bound_and_goes_on_when_there_is_room),
        cmocka_unit_test(nobody_is_woken_who_did_not_wait_or_is_gone),
        cmocka_unit_test(a_flood_of_tiny_messages_shares_pieces),
        cmocka_unit_test(held_messages_are_queued_by_the_tick),
        cmocka_unit_test(messages_slow_their_exchange_down_like_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

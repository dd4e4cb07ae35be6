#include "proxy/base/queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <cmocka.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

struct note {
    struct queue_item item;
    int number;
};

static const struct queue_linger AT_ONCE = { 1, 1, 0 };
static uint64_t fake_now_us = 1000;

static uint64_t fake_clock(void)
{
    return fake_now_us;
}

static struct note *note_new(int number, size_t bytes)
{
    struct note *note = mem_new(struct note);

    note->number = number;
    note->item.bytes = bytes;
    return note;
}

static size_t free_items(struct queue_item *items)
{
    size_t bytes = 0;

    while (items != NULL) {
        struct queue_item *next = items->next;
        bytes += items->bytes;
        mem_free(items);
        items = next;
    }
    return bytes;
}

static struct queue_item *take_all(struct queue *queue)
{
    bool is_closed;

    return queue_take(queue, &(struct queue_linger){ SIZE_MAX, SIZE_MAX, 0 }, 0, &is_closed);
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    struct queue *queue = queue_new(100, 1000000);
    struct queue_item *items;
    int number = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(queue_offer(queue, &note_new(i, 1)->item), QUEUE_TAKEN);
    items = take_all(queue);
    for (struct queue_item *item = items; item != NULL; item = item->next)
        assert_int_equal(((struct note *)item)->number, number++);
    assert_int_equal(number, 3);
    queue_done(queue, free_items(items));
    assert_int_equal(queue_bytes(queue), 0);
    queue_free(queue);
}

static void an_offer_over_the_bound_in_bytes_is_refused_and_a_push_is_not(void **state)
{
    struct queue *queue = queue_new(10, 1000000);
    struct note *refused = note_new(2, 1);
    bool is_over;

    (void)state;
    assert_true(queue_push(queue, &note_new(1, 11)->item, &is_over));
    assert_true(is_over);
    assert_int_equal(queue_offer(queue, &refused->item), QUEUE_FULL);
    assert_true(queue_push(queue, &refused->item, &is_over));
    queue_done(queue, free_items(take_all(queue)));
    assert_false(queue_is_over(queue));
    queue_free(queue);
}

static void what_is_taken_but_not_done_still_counts(void **state)
{
    struct queue *queue = queue_new(10, 1000000);
    struct queue_item *items;
    bool is_over;

    (void)state;
    queue_push(queue, &note_new(1, 11)->item, &is_over);
    items = take_all(queue);
    assert_true(queue_is_over(queue));
    queue_done(queue, free_items(items));
    assert_false(queue_is_over(queue));
    queue_free(queue);
}

static void an_old_item_makes_the_queue_over_even_when_it_is_taken(void **state)
{
    struct queue *queue;
    struct queue_item *items;

    (void)state;
    clock_replace(fake_clock, NULL);
    queue = queue_new(1000, 150);
    queue_offer(queue, &note_new(1, 1)->item);
    fake_now_us += 150;
    assert_false(queue_is_over(queue));
    fake_now_us += 1;
    assert_true(queue_is_over(queue));
    items = take_all(queue);
    assert_true(queue_is_over(queue));
    queue_done(queue, free_items(items));
    assert_false(queue_is_over(queue));
    queue_free(queue);
    clock_replace(NULL, NULL);
}

static void count_room(void *self)
{
    ++*(int *)self;
}

static void room_is_told_once_and_only_to_those_who_were_refused(void **state)
{
    struct queue *queue = queue_new(10, 1000000);
    int told = 0;
    bool is_over;

    (void)state;
    queue_on_room(queue, count_room, &told);
    queue_push(queue, &note_new(1, 3)->item, &is_over);
    queue_done(queue, free_items(take_all(queue)));
    assert_int_equal(told, 0);

    queue_push(queue, &note_new(1, 6)->item, &is_over);
    queue_push(queue, &note_new(2, 6)->item, &is_over);
    assert_true(is_over);
    for (int i = 0; i < 2; i++) {
        bool is_closed;
        queue_done(queue, free_items(queue_take(queue, &AT_ONCE, 0, &is_closed)));
        assert_int_equal(told, i); /* at 6 of 10 there is no room yet */
    }
    queue_free(queue);
}

static void a_bound_can_become_another(void **state)
{
    struct queue *queue = queue_new(10, 1000000);

    (void)state;
    queue_offer(queue, &note_new(1, 6)->item);
    assert_false(queue_is_over(queue));
    queue_set_max_bytes(queue, 5);
    assert_true(queue_is_over(queue));
    queue_done(queue, free_items(take_all(queue)));
    queue_free(queue);
}

static void a_take_stops_at_enough_bytes(void **state)
{
    struct queue *queue = queue_new(100, 1000000);
    bool is_closed;

    (void)state;
    for (int i = 0; i < 4; i++)
        queue_offer(queue, &note_new(i, 3)->item);
    assert_int_equal(free_items(queue_take(queue, &(struct queue_linger){ 1, 5, 0 }, 0, &is_closed)), 6);
    assert_int_equal(queue_bytes(queue), 12);
    assert_int_equal(free_items(take_all(queue)), 6);
    queue_done(queue, 12);
    queue_free(queue);
}

#define AN_HOUR_US 3600000000ULL

static void a_take_does_not_wait_when_there_are_enough_items_or_bytes(void **state)
{
    static const struct queue_linger by_items = { 2, 50, AN_HOUR_US }, by_bytes = { 50, 12, AN_HOUR_US };
    struct queue *queue = queue_new(100, AN_HOUR_US);
    bool is_closed;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct queue_linger *linger = i == 0 ? &by_items : &by_bytes;
        queue_offer(queue, &note_new(1, 6)->item);
        assert_false(queue_has_enough(queue, linger));
        queue_offer(queue, &note_new(2, 6)->item);
        assert_true(queue_has_enough(queue, linger));
        assert_int_equal(free_items(queue_take(queue, linger, 0, &is_closed)), 12);
        assert_false(queue_has_enough(queue, linger));
        queue_done(queue, 12);
    }
    queue_free(queue);
}

static void a_closed_queue_refuses_and_drains(void **state)
{
    struct queue *queue = queue_new(100, 1000000);
    struct note *late = note_new(2, 1);
    struct queue_item *items;
    bool is_over, is_closed;

    (void)state;
    queue_offer(queue, &note_new(1, 1)->item);
    queue_close(queue);
    assert_int_equal(queue_offer(queue, &late->item), QUEUE_CLOSED);
    assert_false(queue_push(queue, &late->item, &is_over));
    mem_free(late);
    items = queue_take(queue, &AT_ONCE, 1000000, &is_closed);
    assert_non_null(items);
    assert_false(is_closed);
    queue_done(queue, free_items(items));
    assert_null(queue_take(queue, &AT_ONCE, 1000000, &is_closed));
    assert_true(is_closed);
    queue_free(queue);
}

static void a_wake_ends_the_wait_without_items(void **state)
{
    struct queue *queue = queue_new(100, 1000000);
    bool is_closed;

    (void)state;
    queue_wake(queue);
    assert_null(queue_take(queue, &AT_ONCE, 60000000, &is_closed));
    assert_false(is_closed);
    queue_free(queue);
}

#define PRODUCERS 4
#define EACH      20000

struct producer {
    struct queue *queue;
    int number;
};

static void *produce(void *arg)
{
    struct producer *producer = arg;
    bool is_over;

    for (int i = 0; i < EACH; i++)
        queue_push(producer->queue, &note_new(producer->number * EACH + i, 64)->item, &is_over);
    return NULL;
}

static void producers_on_many_threads_keep_each_their_order(void **state)
{
    struct queue *queue = queue_new(64 << 20, 1000000);
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    int next[PRODUCERS] = { 0 }, total = 0;
    bool is_closed = false;

    (void)state;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ queue, i };
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    while (total < PRODUCERS * EACH) {
        struct queue_item *items =
            queue_take(queue, &(struct queue_linger){ 512, 4096, 1000 }, 1000000, &is_closed);
        for (struct queue_item *item = items; item != NULL; item = item->next, total++) {
            int number = ((struct note *)item)->number;
            assert_int_equal(number % EACH, next[number / EACH]++);
        }
        queue_done(queue, free_items(items));
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(an_offer_over_the_bound_in_bytes_is_refused_and_a_push_is_not),
        cmocka_unit_test(what_is_taken_but_not_done_still_counts),
        cmocka_unit_test(an_old_item_makes_the_queue_over_even_when_it_is_taken),
        cmocka_unit_test(room_is_told_once_and_only_to_those_who_were_refused),
        cmocka_unit_test(a_bound_can_become_another),
        cmocka_unit_test(a_take_stops_at_enough_bytes),
        cmocka_unit_test(a_take_does_not_wait_when_there_are_enough_items_or_bytes),
        cmocka_unit_test(a_closed_queue_refuses_and_drains),
        cmocka_unit_test(a_wake_ends_the_wait_without_items),
        cmocka_unit_test(producers_on_many_threads_keep_each_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

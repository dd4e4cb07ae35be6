/* queue: a bounded line of items, many producers, one consumer.
 *
 * Bounded in bytes and in age: when the oldest item has waited too long the queue answers QUEUE_FULL as if
 * it were out of room. Offering never waits. The item is the queue's from QUEUE_TAKEN on; every item has a
 * struct queue_item as its first member. Threads: queue_offer any, queue_take* the consumer's. */
#ifndef WEIR_BASE_QUEUE_H
#define WEIR_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum queue_answer { QUEUE_TAKEN, QUEUE_FULL, QUEUE_CLOSED };

struct queue_item {
    struct queue_item *next; /* the queue's */
    size_t bytes;            /* what the item weighs; set before the offer */
    uint64_t offered_us;     /* the queue's */
};

struct queue;

struct queue *queue_new(size_t max_bytes, uint64_t max_age_us);
void queue_free(struct queue *queue); /* must be empty; NULL is fine */

/* On QUEUE_TAKEN item belongs to the consumer. On QUEUE_FULL it stays the caller's, who tries again after
 * the consumer has called on_room (see queue_on_room). After queue_close always QUEUE_CLOSED. */
enum queue_answer queue_offer(struct queue *queue, struct queue_item *item);
/* Takes the item even when the queue is over its bounds (its producer pauses afterwards): for what must not
 * be split or refused. *out_over tells whether the queue is over a bound now. False: closed. */
bool queue_push(struct queue *queue, struct queue_item *item, bool *out_over);

/* Over a bound now? If so on_room will be called. Any thread. */
bool queue_is_over(struct queue *queue);

/* Another bound in bytes, when it is known better than at the beginning. Any thread. */
void queue_set_max_bytes(struct queue *queue, size_t max_bytes);

/* Called on the consumer's thread, from inside queue_take or queue_done, when a queue that was found over its
 * bounds is under half of them again. Set once, before the first offer. */
void queue_on_room(struct queue *queue, void (*on_room)(void *self), void *self);

/* When the items inside are worth taking: so many of them, or of their bytes, or the oldest has waited so
 * long. */
struct queue_linger {
    size_t enough_items, enough_bytes;
    uint64_t linger_us;
};
/* Waits until the items are worth taking, or the queue is closed or woken, or timeout_us have passed while it
 * was empty; then takes items, oldest first and linked by next, until they weigh enough_bytes. NULL: none
 * came, or the queue is closed and empty (*out_closed). A producer wakes the consumer only for the first
 * item and for enough of them, so that a batch costs two wake-ups however many items it has. Items count
 * against the bounds until queue_done. */
struct queue_item *queue_take(struct queue *queue, const struct queue_linger *linger, uint64_t timeout_us,
                              bool *out_closed);
/* Items of that weight, which were taken, are dealt with. The consumer's thread. */
void queue_done(struct queue *queue, size_t bytes);

/* No more offers; what is inside can still be taken. Any thread. */
void queue_close(struct queue *queue);
/* Wakes the consumer from its wait. Any thread. */
void queue_wake(struct queue *queue);

size_t queue_bytes(struct queue *queue); /* any thread */
/* Whether queue_take would find enough items or bytes now. */
bool queue_has_enough(struct queue *queue, const struct queue_linger *linger);

#endif

/* One short lock. It is held for a few instructions by everybody, never while waiting for anything. */
#include "proxy/base/queue.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    size_t max_bytes;
    uint64_t max_age_us;

    struct queue_item *first, *last;
    size_t items, bytes;      /* inside, not taken */
    size_t taken_bytes;       /* taken, not done */
    uint64_t taken_oldest_us; /* when the oldest of those was offered */

    bool is_awaited;                   /* the consumer waits, until there is enough: */
    size_t wanted_items, wanted_bytes; /* either */
    bool was_over;                     /* somebody was told so: on_room is owed */
    bool is_closed, is_woken;
    void (*on_room)(void *self);
    void *on_room_self;
};

struct queue *queue_new(size_t max_bytes, uint64_t max_age_us)
{
    struct queue *queue = mem_new(struct queue);
    pthread_condattr_t attr;

    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->ready, &attr);
    pthread_condattr_destroy(&attr);
    queue->max_bytes = max_bytes;
    queue->max_age_us = max_age_us;
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    assert(queue->first == NULL);
    pthread_cond_destroy(&queue->ready);
    pthread_mutex_destroy(&queue->lock);
    mem_free(queue);
}

static uint64_t age_us(const struct queue *queue, uint64_t now_us)
{
    uint64_t oldest_us = queue->taken_bytes != 0 ? queue->taken_oldest_us
                         : queue->first != NULL  ? queue->first->offered_us
                                                 : now_us;

    return now_us > oldest_us ? now_us - oldest_us : 0;
}

static bool is_over(struct queue *queue, uint64_t now_us)
{
    bool over =
        queue->bytes + queue->taken_bytes > queue->max_bytes || age_us(queue, now_us) > queue->max_age_us;

    queue->was_over = queue->was_over || over;
    return over;
}

/* Unlocks, and pays the debt of on_room when there is one. */
static void unlock_and_tell(struct queue *queue)
{
    bool has_room = queue->was_over && queue->bytes + queue->taken_bytes <= queue->max_bytes / 2 &&
                    age_us(queue, clock_mono_us()) <= queue->max_age_us / 2;

    if (has_room)
        queue->was_over = false;
    pthread_mutex_unlock(&queue->lock);
    if (has_room && queue->on_room != NULL)
        queue->on_room(queue->on_room_self);
}

static void append(struct queue *queue, struct queue_item *item, uint64_t now_us)
{
    item->next = NULL;
    item->offered_us = now_us;
    if (queue->first == NULL)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
    queue->items++;
    queue->bytes += item->bytes;
    if (queue->is_awaited && (queue->items >= queue->wanted_items || queue->bytes >= queue->wanted_bytes)) {
        queue->is_awaited = false;
        pthread_cond_signal(&queue->ready);
    }
}

enum queue_answer queue_offer(struct queue *queue, struct queue_item *item)
{
    uint64_t now_us = clock_mono_us();
    enum queue_answer answer = QUEUE_TAKEN;

    pthread_mutex_lock(&queue->lock);
    if (queue->is_closed)
        answer = QUEUE_CLOSED;
    else if (is_over(queue, now_us))
        answer = QUEUE_FULL;
    else
        append(queue, item, now_us);
    pthread_mutex_unlock(&queue->lock);
    return answer;
}

bool queue_push(struct queue *queue, struct queue_item *item, bool *out_over)
{
    uint64_t now_us = clock_mono_us();
    bool is_open;

    pthread_mutex_lock(&queue->lock);
    is_open = !queue->is_closed;
    if (is_open) {
        append(queue, item, now_us);
        *out_over = is_over(queue, now_us);
    }
    pthread_mutex_unlock(&queue->lock);
    return is_open;
}

bool queue_is_over(struct queue *queue)
{
    uint64_t now_us = clock_mono_us();
    bool over;

    pthread_mutex_lock(&queue->lock);
    over = is_over(queue, now_us);
    pthread_mutex_unlock(&queue->lock);
    return over;
}

void queue_set_max_bytes(struct queue *queue, size_t max_bytes)
{
    pthread_mutex_lock(&queue->lock);
    queue->max_bytes = max_bytes;
    pthread_mutex_unlock(&queue->lock);
}

void queue_on_room(struct queue *queue, void (*on_room)(void *self), void *self)
{
    queue->on_room = on_room;
    queue->on_room_self = self;
}

/* Waits until the real monotonic clock, which a test can't replace, has gone on by wait_us. */
static void wait_for(struct queue *queue, size_t wanted_items, size_t wanted_bytes, uint64_t wait_us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_us / 1000000);
    until.tv_nsec += (long)(wait_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    queue->is_awaited = true;
    queue->wanted_items = wanted_items;
    queue->wanted_bytes = wanted_bytes;
    pthread_cond_timedwait(&queue->ready, &queue->lock, &until);
    queue->is_awaited = false;
}

static bool has_enough(const struct queue *queue, const struct queue_linger *linger)
{
    return queue->items >= linger->enough_items || queue->bytes >= linger->enough_bytes;
}

static void wait_until_worth(struct queue *queue, const struct queue_linger *linger, uint64_t timeout_us)
{
    uint64_t started_us = clock_mono_us();

    for (;;) {
        uint64_t now_us = clock_mono_us();
        if (queue->is_closed || queue->is_woken || has_enough(queue, linger))
            return;
        if (queue->first == NULL) {
            if (now_us - started_us >= timeout_us)
                return;
            wait_for(queue, 1, 0, timeout_us - (now_us - started_us));
        } else {
            uint64_t waited_us = now_us > queue->first->offered_us ? now_us - queue->first->offered_us : 0;
            if (waited_us >= linger->linger_us)
                return;
            wait_for(queue, linger->enough_items, linger->enough_bytes, linger->linger_us - waited_us);
        }
    }
}

struct queue_item *queue_take(struct queue *queue, const struct queue_linger *linger, uint64_t timeout_us,
                              bool *out_closed)
{
    struct queue_item *items, *last = NULL;
    size_t bytes = 0;

    pthread_mutex_lock(&queue->lock);
    wait_until_worth(queue, linger, timeout_us);
    queue->is_woken = false;
    items = queue->first;
    if (items != NULL && queue->taken_bytes == 0)
        queue->taken_oldest_us = items->offered_us;
    while (queue->first != NULL && bytes < linger->enough_bytes) {
        last = queue->first;
        queue->first = last->next;
        bytes += last->bytes;
        queue->items--;
    }
    if (last != NULL)
        last->next = NULL;
    queue->bytes -= bytes;
    queue->taken_bytes += bytes;
    *out_closed = queue->is_closed && items == NULL;
    unlock_and_tell(queue);
    return items;
}

void queue_done(struct queue *queue, size_t bytes)
{
    pthread_mutex_lock(&queue->lock);
    assert(bytes <= queue->taken_bytes);
    queue->taken_bytes -= bytes;
    unlock_and_tell(queue);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&queue->lock);
}

void queue_wake(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_woken = true;
    pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_bytes(struct queue *queue)
{
    size_t bytes;

    pthread_mutex_lock(&queue->lock);
    bytes = queue->bytes + queue->taken_bytes;
    pthread_mutex_unlock(&queue->lock);
    return bytes;
}

bool queue_has_enough(struct queue *queue, const struct queue_linger *linger)
{
    bool enough;

    pthread_mutex_lock(&queue->lock);
    enough = has_enough(queue, linger);
    pthread_mutex_unlock(&queue->lock);
    return enough;
}

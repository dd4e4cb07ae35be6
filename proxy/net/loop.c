/* A turn is one event_base_loop(EVLOOP_ONCE), then everything that was deferred in it. libevent's own clock
 * is coarse and may run a few milliseconds behind, so a timer looks at ours when it wakes, and goes on
 * waiting if it is early. */
#include "proxy/net/loop.h"

#include <pthread.h>

#include <event2/event.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* A timer this late was not late by itself: the process was stopped (SIGSTOP, a debugger, a machine that
 * stood still). What arrived meanwhile has not been read, since a wait that a stop has ended tells of
 * nothing, and gets so much time to come first. */
#define LATE_US  1000000
#define GRACE_US 100000

struct deferred {
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    struct event_base *base;
    bool is_stopped;
    uint64_t now_us; /* 0: not read in this turn yet */
    struct deferred *deferred;
    size_t deferred_count, deferred_cap;
    LIST_HEAD(, loop_orphan) orphans;
    char read_buffer[LOOP_READ_BYTES];
};

/* Memory that cannot fail is what mem promises: from here on event_new, evbuffer_add and the like keep it. */
static void use_mem(void)
{
    event_set_mem_functions(mem_alloc, mem_realloc, mem_free);
}

struct loop *loop_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct loop *loop = mem_new(struct loop);
    struct event_config *config;

    pthread_once(&once, use_mem);
    config = event_config_new();
    /* No locks: a loop belongs to its thread. Not libevent's changelist either: when an edge-triggered event
     * of a descriptor makes way for a level-triggered one in the same turn, it registers an edge (2.1.12),
     * and a FIN behind bytes is never heard of. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

/* Deferred functions may defer others: the array can move, so it is read anew for each. */
static void run_deferred(struct loop *loop)
{
    for (size_t i = 0; i < loop->deferred_count; i++) {
        struct deferred next = loop->deferred[i];
        next.fn(next.arg);
    }
    loop->deferred_count = 0;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (!LIST_EMPTY(&loop->orphans))
        LIST_FIRST(&loop->orphans)->on_loop_end(LIST_FIRST(&loop->orphans));
    run_deferred(loop);
    if (loop->base != NULL)
        event_base_free(loop->base);
    mem_free(loop->deferred);
    mem_free(loop);
}

void loop_turn(struct loop *loop)
{
    /* What was deferred outside of a turn must not wait for one that may never come. */
    bool has_deferred = loop->deferred_count != 0;

    run_deferred(loop);
    loop->now_us = 0;
    event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | (has_deferred ? EVLOOP_NONBLOCK : 0));
    run_deferred(loop);
    loop->now_us = 0;
}

void loop_run(struct loop *loop)
{
    while (!loop->is_stopped)
        loop_turn(loop);
    loop->is_stopped = false;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

uint64_t loop_now_us(struct loop *loop)
{
    if (loop->now_us == 0)
        loop->now_us = clock_mono_us();
    return loop->now_us;
}

void loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    if (loop->deferred_count == loop->deferred_cap) {
        loop->deferred_cap = loop->deferred_cap != 0 ? loop->deferred_cap * 2 : 64;
        loop->deferred = mem_realloc(loop->deferred, loop->deferred_cap * sizeof *loop->deferred);
    }
    loop->deferred[loop->deferred_count++] = (struct deferred){ fn, arg };
}

void loop_adopt(struct loop *loop, struct loop_orphan *orphan)
{
    LIST_INSERT_HEAD(&loop->orphans, orphan, entry);
}

void loop_orphan_ended(struct loop_orphan *orphan)
{
    LIST_REMOVE(orphan, entry);
}

bool loop_has_busy_orphans(const struct loop *loop)
{
    const struct loop_orphan *orphan;

    LIST_FOREACH (orphan, &loop->orphans, entry)
        if (orphan->is_busy)
            return true;
    return false;
}

char *loop_read_buffer(struct loop *loop)
{
    return loop->read_buffer;
}

static void timer_wake(struct loop_timer *timer, uint64_t now_us)
{
    uint64_t wait_us = timer->due_us > now_us ? timer->due_us - now_us : 0;
    struct timeval wait = { .tv_sec = (time_t)(wait_us / 1000000),
                            .tv_usec = (suseconds_t)(wait_us % 1000000) };

    timer->armed_us = timer->due_us;
    event_add(timer->event, &wait);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;
    uint64_t now_us = loop_now_us(timer->loop);

    (void)fd;
    (void)what;
    timer->armed_us = 0;
    if (timer->due_us == 0)
        return;
    if (timer->due_us > now_us) {
        timer_wake(timer, now_us);
        return;
    }
    if (!timer->was_late && now_us - timer->due_us > LATE_US) {
        timer->was_late = true;
        timer->due_us = now_us + GRACE_US;
        timer_wake(timer, now_us);
        return;
    }
    timer->due_us = 0;
    timer->on_time(timer->self);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*on_time)(void *self), void *self)
{
    *timer = (struct loop_timer){ .loop = loop, .on_time = on_time, .self = self };
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_us)
{
    uint64_t now_us = loop_now_us(timer->loop);

    timer->due_us = now_us + delay_us;
    timer->was_late = false;
    if (timer->armed_us != 0 && timer->armed_us <= timer->due_us)
        return;
    if (timer->event == NULL)
        timer->event = evtimer_new(timer->loop->base, timer_cb, timer);
    timer_wake(timer, now_us);
}

void loop_timer_off(struct loop_timer *timer)
{
    timer->due_us = 0;
}

void loop_timer_clear(struct loop_timer *timer)
{
    if (timer->event != NULL)
        event_free(timer->event);
    timer->event = NULL;
    timer->due_us = 0;
    timer->armed_us = 0;
}

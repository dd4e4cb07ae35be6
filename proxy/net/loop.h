/* loop: one event_base: a worker's turn of the wheel, its timers and its deferred frees.
 *
 * Nothing on a loop blocks. Nobody is freed inside their own callback: loop_defer frees at the end of the
 * turn. All functions belong to the loop's thread unless they say otherwise. */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct event_base;
struct event;
struct loop;

struct loop *loop_new(void);       /* NULL: no descriptor left for it. Makes libevent's memory that of mem */
void loop_free(struct loop *loop); /* ends its orphans, runs what is still deferred; NULL is fine */
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_turn(struct loop *loop); /* waits until something happens, and deals with it */
void loop_stop(struct loop *loop); /* from the loop's own thread: mailbox_post it from others */
struct event_base *loop_base(struct loop *loop);

/* The monotonic clock, read once a turn: what one turn does happens at one time. */
uint64_t loop_now_us(struct loop *loop);

/* Calls fn(arg) at the end of this turn, after all callbacks that are under way, in the order of deferring.
 * fn may defer more: it is called in the same turn. */
void loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg);

/* Something whose owner has left it to the loop, to end by itself in time. One that is still there when the
 * loop is freed is ended by on_loop_end, which takes it out. */
struct loop_orphan {
    LIST_ENTRY(loop_orphan) entry;
    void (*on_loop_end)(struct loop_orphan *orphan);
    bool is_busy; /* whoever is about to stop the loop does well to wait for it */
};
void loop_adopt(struct loop *loop, struct loop_orphan *orphan);
void loop_orphan_ended(struct loop_orphan *orphan);
bool loop_has_busy_orphans(const struct loop *loop);

/* The loop's own buffer for reading, LOOP_READ_BYTES long: what is in it lasts until the callback that was
 * given it returns. */
#define LOOP_READ_BYTES (64 * 1024)
char *loop_read_buffer(struct loop *loop);

/* A timer that is cheap to push back: setting it later, or off, costs a store, no system call, and no heap
 * operation while it is armed already. It is called once, never early, from the loop. */
struct loop_timer {
    struct loop *loop;
    struct event *event;
    void (*on_time)(void *self);
    void *self;
    uint64_t due_us;   /* 0: off */
    uint64_t armed_us; /* when the event wakes us to look at due_us; 0: it is not pending */
    bool was_late;     /* it has been given GRACE_US */
};
void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*on_time)(void *self), void *self);
void loop_timer_set(struct loop_timer *timer, uint64_t delay_us); /* from now; replaces what was set */
void loop_timer_off(struct loop_timer *timer);
void loop_timer_clear(struct loop_timer *timer); /* off, and its memory freed; also fine on a zeroed one */

#endif

/* recorder: the tap's listener on one worker: turns events into pieces and queues them for the writer.
 *
 * What an exchange tells is queued at each full 256 KiB of a body, at its end, when one that began later is
 * queued first, and whenever something was held for 25 to 75 ms (recorder_tick): so a small exchange mostly
 * costs one piece, and what a client has received is with the writer soon. A body's bytes are copied once,
 * here. Messages (WebSocket, server-sent events, gRPC) are split off by a splitter and held in the same way,
 * so that many travel together; those of an upgrade are no body, those of the others are kept besides it.
 *
 * Bounded: when the queue is over its bounds, on_body answers TAP_SLOWER and the exchange goes on after
 * recorder_resume. Nothing that was told is dropped here.
 *
 * Threads: all on the worker's, but what recorders share (struct recorder_shared), which is made for that. */
#ifndef WEIR_CAPTURE_RECORDER_H
#define WEIR_CAPTURE_RECORDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "capture/keep.h"
#include "capture/seen_cookies.h"
#include "proxy/base/queue.h"
#include "proxy/exchange/tap.h"

struct filter;
struct recorder;
struct roster;

/* What a batch that has come into the store may have changed there. */
enum capture_news { CAPTURE_NEW_COOKIES = 1 << 0, CAPTURE_NEW_EXCHANGES = 1 << 1 };

/* What the recorders of a capture have in common. Zeroed, then recorder_shared_init. */
struct recorder_shared {
    struct queue *queue;
    size_t max_queue_bytes; /* the bound of the queue as it was made: the writer only goes below it */
    struct filter *filter;  /* NULL takes everything */
    bool no_bodies, skip_media, cookies_only;
    /* The writer's, see capture_options. */
    struct keep keep;
    void (*on_commit)(void *self, unsigned news);
    void *on_commit_self;
    uint64_t max_body; /* 0: no limit */
    atomic_bool is_paused;
    struct roster *roster; /* the sessions, with their counters */
    struct seen_cookies seen_cookies;
    pthread_mutex_t lock; /* of the list, for as long as one takes a step */
    LIST_HEAD(, recorder) recorders;
};
void recorder_shared_init(struct recorder_shared *shared);
void recorder_shared_clear(struct recorder_shared *shared);
/* Any thread: the queue has room. Calls wake of each recorder that has somebody waiting for it. */
void recorder_shared_wake(struct recorder_shared *shared);

/* shared outlives the recorder. wake(wake_self) must not call recorders. */
struct recorder *recorder_new(struct recorder_shared *shared, void (*wake)(void *self), void *wake_self);
void recorder_free(struct recorder *recorder); /* after the last on_done; NULL is fine */

extern const struct tap_listener recorder_listener; /* its self is a struct recorder */

/* To be called every 50 ms on the worker's loop: queues what was held long enough. */
void recorder_tick(struct recorder *recorder);
/* Exchanges that were told TAP_SLOWER go on. */
void recorder_resume(struct recorder *recorder);
#endif

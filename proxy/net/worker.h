/* worker: a thread with a loop, a mailbox, a resolver and its own listening sockets.
 *
 * Connections live and die on the worker that owns them. One with clearly more clients than the least busy
 * one hands a just accepted socket over by mailbox. Loops run on after workers_stop_accepting, until
 * workers_join; mailboxes take messages until workers_join returns, but one that comes after on_stop may find
 * nobody: who posts to worker_mailbox() ends before. */
#ifndef WEIR_NET_WORKER_H
#define WEIR_NET_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "proxy/base/err.h"
#include "proxy/net/listener.h"
#include "proxy/net/loop.h"
#include "proxy/net/mailbox.h"
#include "proxy/net/resolve.h"

struct worker;
struct workers;

struct worker_events {
    /* On the worker's thread, before its first connection; what it returns is `self` of the others and
     * worker_self(). */
    void *(*on_start)(void *arg, struct worker *worker);
    /* A client; listener is the index of its listening socket. fd is the callee's. */
    void (*on_client)(void *self, int fd, const struct address *client, uint64_t accepted_us,
                      unsigned listener);
    void (*on_stop)(void *self); /* on the worker's thread, after its loop ended */
};

/* As many as there are cores this process may use (cores.h). */
unsigned worker_default_count(void);

/* Starts count threads, weir-worker-0 and so on. fds[listener * count + worker] are theirs from now on, also
 * when this fails (ERR_SYS). Signals are blocked in them. */
bool workers_start(unsigned count, const int *fds, unsigned listeners, const struct worker_events *events,
                   void *arg, struct workers **out_workers, struct err *err);
void workers_stop_accepting(struct workers *workers); /* any thread; closes the listening sockets */
/* Calls fn(self) on every worker's thread, unless it stops before. Any thread. */
void workers_post(struct workers *workers, void (*fn)(void *self));
void workers_join(struct workers *workers); /* stops the loops, waits for the threads, frees; NULL is fine */
unsigned workers_count(const struct workers *workers);
struct worker *workers_get(struct workers *workers, unsigned i);

struct loop *worker_loop(struct worker *worker);
struct mailbox *worker_mailbox(struct worker *worker); /* post from any thread */
struct resolver *worker_resolver(struct worker *worker);
void *worker_self(struct worker *worker);
unsigned worker_index(const struct worker *worker);
void worker_client_closed(
    struct worker *worker); /* for each on_client, once its connection is gone: keeps the count */

#endif

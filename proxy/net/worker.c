/* A worker's loop and mailbox are made before and freed after all threads, because each worker posts to the
 * others; all else of it lives on its own thread. */
#include "proxy/net/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/base/mem.h"
#include "proxy/net/cores.h"

/* "Clearly more clients" than the least busy: handing over costs a wake-up of another thread, so small
 * differences are left to even themselves out. */
#define MORE_THAN(least) ((least) + (least) / 4 + 4)

struct accepter { /* one listening socket of a worker */
    struct worker *worker;
    unsigned listener;
    int fd;
    struct listener *accepting; /* NULL: closed */
};

struct worker {
    struct workers *workers;
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct mailbox *mailbox;
    struct resolver *resolver;
    void *self;
    bool is_stopped; /* on_stop was called */
    atomic_uint clients;
    struct accepter *accepters;
};

struct workers {
    unsigned count, started, listeners;
    const struct worker_events *events;
    void *arg;
    struct worker *list;
};

/* A client on its way to another worker. */
struct handover {
    struct worker *to;
    int fd;
    struct address client;
    uint64_t accepted_us;
    unsigned listener;
};

static void arrive(void *arg)
{
    struct handover *handover = arg;
    struct worker *worker = handover->to;

    if (worker->is_stopped)
        close(handover->fd);
    else
        worker->workers->events->on_client(worker->self, handover->fd, &handover->client,
                                           handover->accepted_us, handover->listener);
    mem_free(handover);
}

static struct worker *choose(struct worker *worker)
{
    struct workers *workers = worker->workers;
    struct worker *least = worker;
    unsigned fewest = atomic_load_explicit(&worker->clients, memory_order_relaxed);
    unsigned own = fewest;

    for (unsigned i = 0; i < workers->count; i++) {
        unsigned clients = atomic_load_explicit(&workers->list[i].clients, memory_order_relaxed);
        if (clients < fewest) {
            fewest = clients;
            least = &workers->list[i];
        }
    }
    return own > MORE_THAN(fewest) ? least : worker;
}

static void accept_client(void *self, int fd, const struct address *client, uint64_t accepted_us)
{
    struct accepter *accepter = self;
    struct worker *worker = accepter->worker;
    struct worker *to = choose(worker);
    struct handover *handover;

    atomic_fetch_add_explicit(&to->clients, 1, memory_order_relaxed);
    if (to == worker) {
        worker->workers->events->on_client(worker->self, fd, client, accepted_us, accepter->listener);
        return;
    }
    handover = mem_new(struct handover);
    *handover = (struct handover){ to, fd, *client, accepted_us, accepter->listener };
    mailbox_post(to->mailbox, arrive, handover);
}

static void close_listeners(void *arg)
{
    struct worker *worker = arg;

    for (unsigned i = 0; i < worker->workers->listeners; i++) {
        listener_free(worker->accepters[i].accepting);
        worker->accepters[i].accepting = NULL;
    }
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    struct workers *workers = worker->workers;
    char name[16];

    snprintf(name, sizeof name, "weir-worker-%u", worker->index % 1000);
    pthread_setname_np(pthread_self(), name);
    worker->resolver = resolver_new(worker->loop);
    worker->self = workers->events->on_start(workers->arg, worker);
    for (unsigned i = 0; i < workers->listeners; i++) {
        struct accepter *accepter = &worker->accepters[i];
        accepter->accepting = listener_new(worker->loop, accepter->fd, accept_client, accepter);
    }
    loop_run(worker->loop);
    close_listeners(worker);
    workers->events->on_stop(worker->self);
    worker->is_stopped = true;
    resolver_free(worker->resolver);
    worker->resolver = NULL;
    return NULL;
}

unsigned worker_default_count(void)
{
    return cores_usable();
}

/* The threads inherit the mask, so that signals find the main thread. */
static int start_thread(struct worker *worker)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static bool worker_init(struct worker *worker, struct workers *workers, unsigned index, const int *fds)
{
    worker->workers = workers;
    worker->index = index;
    worker->accepters = mem_array(struct accepter, workers->listeners);
    for (unsigned i = 0; i < workers->listeners; i++)
        worker->accepters[i] = (struct accepter){ worker, i, fds[i * workers->count + index], NULL };
    worker->loop = loop_new();
    worker->mailbox = worker->loop != NULL ? mailbox_new(worker->loop) : NULL;
    return worker->mailbox != NULL;
}

bool workers_start(unsigned count, const int *fds, unsigned listeners, const struct worker_events *events,
                   void *arg, struct workers **out_workers, struct err *err)
{
    struct workers *workers = mem_new(struct workers);
    int error = 0;

    workers->count = count;
    workers->listeners = listeners;
    workers->events = events;
    workers->arg = arg;
    workers->list = mem_array(struct worker, count);
    for (unsigned i = 0; i < count; i++) {
        errno = 0;
        if (!worker_init(&workers->list[i], workers, i, fds) && error == 0)
            error = errno != 0 ? errno : EMFILE;
    }
    while (error == 0 && workers->started < count) {
        error = start_thread(&workers->list[workers->started]);
        workers->started += error == 0;
    }
    if (error != 0) {
        workers_join(workers);
        return err_sys(err, error, "starting %u workers", count);
    }
    *out_workers = workers;
    return true;
}

void workers_stop_accepting(struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++)
        mailbox_post(workers->list[i].mailbox, close_listeners, &workers->list[i]);
}

struct errand {
    struct worker *worker;
    void (*fn)(void *self);
};

static void do_errand(void *arg)
{
    struct errand *errand = arg;

    if (!errand->worker->is_stopped)
        errand->fn(errand->worker->self);
    mem_free(errand);
}

void workers_post(struct workers *workers, void (*fn)(void *self))
{
    for (unsigned i = 0; i < workers->count; i++) {
        struct errand *errand = mem_new(struct errand);
        *errand = (struct errand){ &workers->list[i], fn };
        mailbox_post(workers->list[i].mailbox, do_errand, errand);
    }
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

void workers_join(struct workers *workers)
{
    if (workers == NULL)
        return;
    for (unsigned i = 0; i < workers->started; i++)
        mailbox_post(workers->list[i].mailbox, stop_loop, workers->list[i].loop);
    for (unsigned i = 0; i < workers->started; i++)
        pthread_join(workers->list[i].thread, NULL);
    for (unsigned i = workers->started; i < workers->count; i++) {
        for (unsigned k = 0; k < workers->listeners; k++)
            close(workers->list[i].accepters[k].fd);
    }
    for (unsigned i = 0; i < workers->count; i++)
        mailbox_free(workers->list[i].mailbox);
    for (unsigned i = 0; i < workers->count; i++) {
        loop_free(workers->list[i].loop);
        mem_free(workers->list[i].accepters);
    }
    mem_free(workers->list);
    mem_free(workers);
}

unsigned workers_count(const struct workers *workers)
{
    return workers->count;
}

struct worker *workers_get(struct workers *workers, unsigned i)
{
    return &workers->list[i];
}

struct loop *worker_loop(struct worker *worker)
{
    return worker->loop;
}

struct mailbox *worker_mailbox(struct worker *worker)
{
    return worker->mailbox;
}

struct resolver *worker_resolver(struct worker *worker)
{
    return worker->resolver;
}

void *worker_self(struct worker *worker)
{
    return worker->self;
}

unsigned worker_index(const struct worker *worker)
{
    return worker->index;
}

void worker_client_closed(struct worker *worker)
{
    atomic_fetch_sub_explicit(&worker->clients, 1, memory_order_relaxed);
}

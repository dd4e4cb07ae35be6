#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "proxy/net/worker.h"

#define COUNT   3
#define CLIENTS 60
/* Fewer than make a worker without clients as busy as one that has its share of them. */
#define NEWCOMERS 12

/* What the workers did, and the main thread's waiting for it. */
struct yard {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int started, stopped, errands, clients;
    int clients_of[COUNT], of_listener[2];
    int fds[2 * CLIENTS];
    bool wrong_thread, signals_open;
    char names[COUNT][16];
    struct workers *workers;
    struct address bound[2];
};

struct hand { /* self of a worker */
    struct yard *yard;
    struct worker *worker;
    pthread_t thread;
};

static void *on_start(void *arg, struct worker *worker)
{
    struct hand *hand = calloc(1, sizeof *hand);
    sigset_t blocked;

    hand->yard = arg;
    hand->worker = worker;
    hand->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    pthread_mutex_lock(&hand->yard->lock);
    hand->yard->started++;
    hand->yard->signals_open |= !sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM);
    pthread_getname_np(pthread_self(), hand->yard->names[worker_index(worker)], 16);
    pthread_cond_signal(&hand->yard->changed);
    pthread_mutex_unlock(&hand->yard->lock);
    return hand;
}

static void check_thread(const struct hand *hand)
{
    if (!pthread_equal(hand->thread, pthread_self()) || worker_self(hand->worker) != hand ||
        worker_loop(hand->worker) == NULL || worker_resolver(hand->worker) == NULL)
        hand->yard->wrong_thread = true;
}

static void on_client(void *self, int fd, const struct address *client, uint64_t accepted_us,
                      unsigned listener)
{
    struct hand *hand = self;
    struct yard *yard = hand->yard;

    pthread_mutex_lock(&yard->lock);
    check_thread(hand);
    yard->wrong_thread |= client->len == 0 || accepted_us == 0;
    yard->fds[yard->clients++] = fd;
    yard->clients_of[worker_index(hand->worker)]++;
    yard->of_listener[listener]++;
    pthread_cond_signal(&yard->changed);
    pthread_mutex_unlock(&yard->lock);
}

static void on_stop(void *self)
{
    struct hand *hand = self;

    pthread_mutex_lock(&hand->yard->lock);
    check_thread(hand);
    hand->yard->stopped++;
    pthread_mutex_unlock(&hand->yard->lock);
    free(hand);
}

static void errand(void *self)
{
    struct hand *hand = self;

    pthread_mutex_lock(&hand->yard->lock);
    check_thread(hand);
    hand->yard->errands++;
    pthread_cond_signal(&hand->yard->changed);
    pthread_mutex_unlock(&hand->yard->lock);
}

static const struct worker_events events = { on_start, on_client, on_stop };

static void wait_until(struct yard *yard, const int *number, int least)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&yard->lock);
    while (*number < least) {
        if (pthread_cond_timedwait(&yard->changed, &yard->lock, &end) == ETIMEDOUT) {
            pthread_mutex_unlock(&yard->lock);
            fail_msg("%d of %d in 20 s", *number, least);
        }
    }
    pthread_mutex_unlock(&yard->lock);
}

static void open_yard(struct yard *yard, unsigned count)
{
    struct address want;
    struct err err;
    int fds[2 * COUNT];

    memset(yard, 0, sizeof *yard);
    pthread_mutex_init(&yard->lock, NULL);
    pthread_cond_init(&yard->changed, NULL);
    assert_true(address_parse("127.0.0.1", 0, &want));
    for (unsigned i = 0; i < 2; i++)
        assert_true(listen_bind(&want, count, fds + i * count, &yard->bound[i], &err));
    assert_true(workers_start(count, fds, 2, &events, yard, &yard->workers, &err));
}

static void close_yard(struct yard *yard)
{
    workers_join(yard->workers);
    for (int i = 0; i < yard->clients; i++)
        close(yard->fds[i]);
    pthread_mutex_destroy(&yard->lock);
    pthread_cond_destroy(&yard->changed);
}

static int knock(const struct yard *yard, int listener)
{
    const struct address *at = &yard->bound[listener];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (const struct sockaddr *)&at->sa, at->len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void workers_start_run_errands_and_stop_on_their_own_threads(void **state)
{
    struct yard yard;

    (void)state;
    open_yard(&yard, COUNT);
    assert_int_equal(workers_count(yard.workers), COUNT);
    assert_int_equal(worker_index(workers_get(yard.workers, 2)), 2);
    workers_post(yard.workers, errand);
    wait_until(&yard, &yard.errands, COUNT);
    workers_join(yard.workers);
    yard.workers = NULL;
    assert_int_equal(yard.started, COUNT);
    assert_int_equal(yard.stopped, COUNT);
    assert_false(yard.wrong_thread);
    assert_false(yard.signals_open);
    assert_string_equal(yard.names[1], "weir-worker-1");
    close_yard(&yard);
}

static void clients_of_each_listener_arrive(void **state)
{
    struct yard yard;
    int fds[2 * CLIENTS];

    (void)state;
    open_yard(&yard, COUNT);
    for (int i = 0; i < 2 * CLIENTS; i++)
        fds[i] = knock(&yard, i % 2);
    wait_until(&yard, &yard.clients, 2 * CLIENTS);
    assert_int_equal(yard.of_listener[0], CLIENTS);
    assert_int_equal(yard.of_listener[1], CLIENTS);
    assert_false(yard.wrong_thread);
    for (int i = 0; i < 2 * CLIENTS; i++)
        close(fds[i]);
    close_yard(&yard);
}

/* The system spreads connections by a hash of their addresses; handing over makes that even. */
static void no_worker_has_clearly_more_clients_than_another(void **state)
{
    struct yard yard;
    int fds[2 * CLIENTS];
    int most = 0, least = 2 * CLIENTS;

    (void)state;
    open_yard(&yard, COUNT);
    for (int i = 0; i < 2 * CLIENTS; i++) {
        fds[i] = knock(&yard, 0);
        wait_until(&yard, &yard.clients, i + 1);
    }
    for (int i = 0; i < COUNT; i++) {
        most = yard.clients_of[i] > most ? yard.clients_of[i] : most;
        least = yard.clients_of[i] < least ? yard.clients_of[i] : least;
    }
    assert_true(most <= least + least / 4 + 5);
    for (int i = 0; i < 2 * CLIENTS; i++)
        close(fds[i]);
    close_yard(&yard);
}

static void client_that_is_gone_counts_no_more(void **state)
{
    struct yard yard;
    int fds[CLIENTS + NEWCOMERS];
    int first, second;

    (void)state;
    open_yard(&yard, 2);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = knock(&yard, 0);
        wait_until(&yard, &yard.clients, i + 1);
    }
    first = yard.clients_of[0];
    second = yard.clients_of[1];
    for (int i = 0; i < first; i++)
        worker_client_closed(workers_get(yard.workers, 0));
    /* The first worker is idle now: whoever comes goes there. */
    for (int i = CLIENTS; i < CLIENTS + NEWCOMERS; i++) {
        fds[i] = knock(&yard, 0);
        wait_until(&yard, &yard.clients, i + 1);
    }
    assert_int_equal(yard.clients_of[0], first + NEWCOMERS);
    assert_int_equal(yard.clients_of[1], second);
    for (int i = 0; i < CLIENTS + NEWCOMERS; i++)
        close(fds[i]);
    close_yard(&yard);
}

static void stopped_accepting_means_nobody_listens_but_loops_run_on(void **state)
{
    struct yard yard;
    int fd;

    (void)state;
    open_yard(&yard, COUNT);
    fd = knock(&yard, 0);
    wait_until(&yard, &yard.clients, 1);
    workers_stop_accepting(yard.workers);
    workers_post(yard.workers, errand);
    wait_until(&yard, &yard.errands, COUNT);
    assert_int_equal(knock(&yard, 0), -1);
    assert_int_equal(knock(&yard, 1), -1);
    close(fd);
    close_yard(&yard);
    workers_join(NULL);
}

static void joining_while_clients_arrive_loses_no_descriptor(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct yard yard;
        int fds[CLIENTS];

        open_yard(&yard, COUNT);
        for (int i = 0; i < CLIENTS; i++)
            fds[i] = knock(&yard, i % 2);
        close_yard(&yard);
        assert_int_equal(yard.stopped, COUNT);
        for (int i = 0; i < CLIENTS; i++) {
            char byte;
            assert_true(recv(fds[i], &byte, 1, 0) <= 0); /* closed or reset: not left open */
            close(fds[i]);
        }
    }
}

static void there_is_at_least_one_worker(void **state)
{
    (void)state;
    assert_in_range(worker_default_count(), 1, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_start_run_errands_and_stop_on_their_own_threads),
        cmocka_unit_test(clients_of_each_listener_arrive),
        cmocka_unit_test(no_worker_has_clearly_more_clients_than_another),
        cmocka_unit_test(client_that_is_gone_counts_no_more),
        cmocka_unit_test(stopped_accepting_means_nobody_listens_but_loops_run_on),
        cmocka_unit_test(joining_while_clients_arrive_loses_no_descriptor),
        cmocka_unit_test(there_is_at_least_one_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

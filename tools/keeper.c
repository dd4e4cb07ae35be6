#include "tools/keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/mem.h"
#include "tools/pace.h"

/* When work that failed is tried again: its reason (a full disk, a folder that is gone) may take a person. */
#define RETRY_US (1000 * 1000)

/* Of a thread that others go before. */
#define HUMBLE_NICE 10

struct keeper {
    struct keeper_options options;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* of what follows; never held while working */
    pthread_cond_t changed;
    struct pace pace;
    uint64_t again_us;
    bool is_ending;
};

struct keeper *keeper_new(const struct keeper_options *options)
{
    struct keeper *keeper = mem_new(struct keeper);
    pthread_condattr_t monotonic;

    keeper->options = *options;
    keeper->pace = (struct pace){ .least_us = options->least_rest_us, .factor = options->rest_factor };
    keeper->again_us = UINT64_MAX;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return keeper;
}

static void wait_until(struct keeper *keeper, uint64_t due_us)
{
    struct timespec due = { (time_t)(due_us / 1000000), (long)(due_us % 1000000 * 1000) };

    if (due_us == UINT64_MAX)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    else
        pthread_cond_timedwait(&keeper->changed, &keeper->lock, &due);
}

/* Locked, but for the work itself. */
static void work(struct keeper *keeper, uint64_t now_us)
{
    uint64_t again_us = UINT64_MAX, end_us;
    bool ok;

    pace_begin(&keeper->pace);
    pthread_mutex_unlock(&keeper->lock);
    ok = keeper->options.work(keeper->options.self, &again_us);
    end_us = clock_mono_us();
    pthread_mutex_lock(&keeper->lock);
    pace_end(&keeper->pace, now_us, end_us);
    keeper->again_us = again_us;
    if (!ok)
        keeper->again_us =
            keeper->pace.rested_us > end_us + RETRY_US ? keeper->pace.rested_us : end_us + RETRY_US;
}

static void *run(void *self)
{
    struct keeper *keeper = self;

    if (keeper->options.is_humble)
        setpriority(PRIO_PROCESS, 0, HUMBLE_NICE); /* 0 is this thread alone, on Linux */
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_ending) {
        uint64_t now_us = clock_mono_us(), due_us = pace_due_us(&keeper->pace);

        due_us = keeper->again_us < due_us ? keeper->again_us : due_us;
        if (now_us < due_us)
            wait_until(keeper, due_us);
        else
            work(keeper, now_us);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

void keeper_start(struct keeper *keeper)
{
    if (pthread_create(&keeper->thread, NULL, run, keeper) != 0) {
        log_error("keeper", "no thread for keeping a file up to date");
        abort();
    }
    keeper->has_thread = true;
}

void keeper_ask(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    pace_ask(&keeper->pace);
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_end(struct keeper *keeper)
{
    if (!keeper->has_thread)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_ending = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    keeper->has_thread = false;
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    keeper_end(keeper);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    mem_free(keeper);
}

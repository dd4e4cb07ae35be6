#include "tests/support/fast_time.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <event2/event.h>

#include "proxy/base/clock.h"

static unsigned speed = 1;
static uint64_t real_start_us, fast_start_us;
static atomic_ulong adds;

static uint64_t real_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t fast_us(void)
{
    return fast_start_us + (real_us() - real_start_us) * speed;
}

void fast_time(unsigned factor)
{
    uint64_t now_us = clock_mono_us(); /* never goes back */

    speed = factor;
    real_start_us = real_us();
    fast_start_us = now_us;
    clock_replace(fast_us, NULL);
}

unsigned long fast_time_event_adds(void)
{
    return adds;
}

int event_add(struct event *event, const struct timeval *timeout)
{
    static int (*_Atomic real_add)(struct event *, const struct timeval *);
    struct timeval shorter;

    if (real_add == NULL)
        real_add = (int (*)(struct event *, const struct timeval *))dlsym(RTLD_NEXT, "event_add");
    adds++;
    if (timeout == NULL || speed == 1)
        return real_add(event, timeout);
    uint64_t us = ((uint64_t)timeout->tv_sec * 1000000 + (uint64_t)timeout->tv_usec) / speed;
    shorter.tv_sec = (time_t)(us / 1000000);
    shorter.tv_usec = (suseconds_t)(us % 1000000);
    return real_add(event, &shorter);
}

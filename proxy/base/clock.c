#include "proxy/base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t real_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t real_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

static uint64_t (*mono_clock)(void) = real_mono_us;
static uint64_t (*wall_clock)(void) = real_wall_us;

uint64_t clock_mono_us(void)
{
    return mono_clock();
}

uint64_t clock_wall_us(void)
{
    return wall_clock();
}

void clock_replace(uint64_t (*mono_us)(void), uint64_t (*wall_us)(void))
{
    mono_clock = mono_us != NULL ? mono_us : real_mono_us;
    wall_clock = wall_us != NULL ? wall_us : real_wall_us;
}

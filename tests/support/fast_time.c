#include "tests/support/fast_time.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned speed = 1;
static uint64_t real_start_ns, fast_start_ns;

static uint64_t real_ns(void)
{
    struct timespec now;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t fast_ns(void)
{
    return fast_start_ns + (real_ns() - real_start_ns) * speed;
}

void fast_time(unsigned factor)
{
    fast_start_ns = fast_ns();
    real_start_ns = real_ns();
    speed = factor;
}

int clock_gettime(clockid_t id, struct timespec *out_now)
{
    uint64_t now_ns;

    if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, id, out_now);
    now_ns = fast_ns();
    out_now->tv_sec = (time_t)(now_ns / 1000000000);
    out_now->tv_nsec = (long)(now_ns % 1000000000);
    return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    int shorter_ms = timeout_ms > 0 ? (int)(((unsigned)timeout_ms + speed - 1) / speed) : timeout_ms;

    return (int)syscall(SYS_epoll_pwait, fd, events, max, shorter_ms, NULL, 0);
}

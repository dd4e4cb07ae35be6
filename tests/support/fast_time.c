#include "tests/support/fast_time.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_uint speed = 1;
static uint64_t real_start_ns, fast_start_ns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* weir's threads ask, too */

static uint64_t real_ns(void)
{
    struct timespec now;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t fast_ns_locked(void)
{
    return fast_start_ns + (real_ns() - real_start_ns) * speed;
}

static uint64_t fast_ns(void)
{
    uint64_t now_ns;

    pthread_mutex_lock(&lock);
    now_ns = fast_ns_locked();
    pthread_mutex_unlock(&lock);
    return now_ns;
}

void fast_time(unsigned factor)
{
    pthread_mutex_lock(&lock);
    fast_start_ns = fast_ns_locked();
    real_start_ns = real_ns();
    speed = factor;
    pthread_mutex_unlock(&lock);
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

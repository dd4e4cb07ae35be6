/* clock: put in front of a program with LD_PRELOAD, sets its clocks, as a person, NTP or a stop of the whole
 * program does.
 *
 * WEIR_TEST_CLOCK names a file of two int64: what is added, in microseconds, to the time of day and to the
 * monotonic clocks. It is mapped, so what a test writes there is the time from then on. What waits for a
 * moment of the monotonic clock is told of the real one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offsets; /* NULL: the clocks are right */

__attribute__((constructor)) static void map_offsets(void)
{
    const char *path = getenv("WEIR_TEST_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped;

    if (fd < 0)
        return;
    mapped = mmap(NULL, 2 * sizeof *offsets, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        offsets = mapped;
}

static void add(struct timespec *time, int64_t us)
{
    int64_t ns = time->tv_nsec + us % 1000000 * 1000;

    time->tv_sec += (time_t)(us / 1000000);
    if (ns < 0) {
        ns += 1000000000;
        time->tv_sec--;
    } else if (ns >= 1000000000) {
        ns -= 1000000000;
        time->tv_sec++;
    }
    time->tv_nsec = ns;
}

int clock_gettime(clockid_t id, struct timespec *out_time)
{
    long failed = syscall(SYS_clock_gettime, id, out_time);

    if (failed != 0 || offsets == NULL)
        return (int)failed;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        add(out_time, offsets[0]);
    else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME)
        add(out_time, offsets[1]);
    return 0;
}

time_t time(time_t *out_time)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out_time != NULL)
        *out_time = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *out_time, void *zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out_time = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
    return 0;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec really = *until;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    if (offsets != NULL)
        add(&really, -offsets[1]);
    return real(cond, mutex, &really);
}

/* leaves: what leaf_cache costs with so many hosts, by itself: `scale --leaves`.
 *
 *     bench_leaves FOLDER HOSTS...       FOLDER gets a CA
 *
 * A row of Markdown for each: CPU time of the first look for each host, which forges its leaf, and of looking
 * again in the same order; memory; and what two threads cost each other that do nothing but look. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "certs/ca.h"
#include "certs/leaf_cache.h"

/* As the proxy has it. */
#define MAX_LEAVES 10000

/* Of looks again: where all of them find something, and where none does. */
#define FOUND_LOOKS  400000
#define FORGED_LOOKS 5000

struct looking {
    struct leaf_cache *cache;
    size_t hosts, looks, first;
    double cpu_us; /* of a look */
    long waits;    /* how often the thread had to wait */
};

static double thread_cpu_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static long waits_so_far(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static void *look(void *self)
{
    struct looking *looking = self;
    double used_us = thread_cpu_us();
    long waits = waits_so_far();

    for (size_t i = 0; i < looking->looks; i++) {
        struct leaf *leaf;
        struct err err;
        char host[48];
        snprintf(host, sizeof host, "h%zu.hosts.test", (looking->first + i) % looking->hosts);
        if (!leaf_cache_get(looking->cache, host, KEY_EC, &leaf, &err)) {
            fprintf(stderr, "bench_leaves: %s\n", err.text);
            exit(1);
        }
        leaf_unref(leaf);
    }
    looking->cpu_us = (thread_cpu_us() - used_us) / (double)looking->looks;
    looking->waits = waits_so_far() - waits;
    return NULL;
}

static void look_by_two(struct looking *one, struct looking *other)
{
    pthread_t threads[2];

    if (pthread_create(&threads[0], NULL, look, one) != 0 ||
        pthread_create(&threads[1], NULL, look, other) != 0)
        abort();
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void measure(struct ca *ca, size_t hosts)
{
    struct leaf_cache *cache = leaf_cache_new(ca, MAX_LEAVES);
    struct looking first = { .cache = cache, .hosts = hosts, .looks = hosts }, again = first, one, other;
    size_t before = mallinfo2().uordblks, bytes;

    look(&first);
    bytes = mallinfo2().uordblks - before;
    again.looks = hosts <= MAX_LEAVES ? FOUND_LOOKS : FORGED_LOOKS;
    look(&again);
    one = other = again;
    one.first = again.looks; /* where the last ended */
    other.first = again.looks + hosts / 2;
    look_by_two(&one, &other);
    printf("| %zu | %.1f µs | %.2f µs | %zu | %.1f MiB | %.2f µs | %.1f in 1,000 |\n", hosts, first.cpu_us,
           again.cpu_us, leaf_cache_count(cache), (double)bytes / (1 << 20), (one.cpu_us + other.cpu_us) / 2,
           (double)(one.waits + other.waits) * 1000 / (double)(one.looks + other.looks));
    fflush(stdout);
    leaf_cache_free(cache);
}

int main(int count, char **arguments)
{
    struct ca *ca;
    struct err err;
    bool is_created;

    if (count < 3 || !ca_open(arguments[1], KEY_EC, &ca, &is_created, &err)) {
        fprintf(stderr, "usage: bench_leaves FOLDER HOSTS...\n");
        return 2;
    }
    puts("| hosts | CPU of a leaf, first | again | leaves kept | memory | again, by two threads | waits |\n"
         "|---|---|---|---|---|---|---|");
    for (int i = 2; i < count; i++)
        measure(ca, strtoul(arguments[i], NULL, 10));
    ca_unref(ca);
    return 0;
}

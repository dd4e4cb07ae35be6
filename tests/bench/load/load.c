/* load: a closed-loop HTTP/1.1 load generator for proxies.
 *
 * Each connection sends one request at a time and waits for the whole response before it sends the next.
 * Every response is checked: status 200, its length, and with --crc the CRC-32 that the origin announces. One
 * line of JSON on stdout tells the result. A run always ends: -d bounds it in time, -n in requests, --timeout
 * each request, --max-errors the failures. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "tests/bench/load/options.h"
#include "tests/bench/load/worker.h"

/* Until so many are parked, or as many of them as did not fail. */
static void wait_for_parked(struct run *run, int count, uint64_t until_us)
{
    while (clock_mono_us() < until_us && !atomic_load(&run->is_stopping) &&
           atomic_load(&run->parked) + atomic_load(&run->errors) < count)
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
}

/* Of so many connections. It is counted from when each has had an answer, for the proxy may have had to
 * connect to the origin for it; it ends when they are parked again. */
static void run_burst(struct run *run, int size)
{
    int parked = atomic_load(&run->parked) + (int)atomic_load(&run->errors);
    uint64_t ends_us;

    atomic_store(&run->burst_ends_us, UINT64_MAX);
    atomic_store(&run->burst_met, 0);
    atomic_store(&run->burst_left, size);
    while (atomic_load(&run->burst_met) < size && !atomic_load(&run->is_stopping) &&
           atomic_load(&run->errors) == 0)
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    printf("{\"met\":%d}\n", atomic_load(&run->burst_met));
    fflush(stdout);
    ends_us = clock_mono_us() + (uint64_t)(run->options->burst_s * 1e6);
    atomic_store(&run->burst_requests, 0);
    atomic_store(&run->burst_ends_us, ends_us);
    while (clock_mono_us() < ends_us && !atomic_load(&run->is_stopping))
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    wait_for_parked(run, parked, ends_us + (uint64_t)(run->options->timeout_s * 1e6));
    printf("{\"parked\":%d,\"requests\":%ld}\n", atomic_load(&run->parked),
           atomic_load(&run->burst_requests));
    fflush(stdout);
}

/* With --hold: waits until all connections are parked, says so, then keeps them until stdin ends or the time
 * is over. */
static void hold_connections(struct run *run)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    char line[16];

    setvbuf(stdin, NULL, _IONBF, 0); /* poll does not know of lines that stdio has */
    wait_for_parked(run, run->options->connections, run->ends_us);
    printf("{\"parked\":%d}\n", atomic_load(&run->parked));
    fflush(stdout);
    while (poll(&input, 1, (int)(run->options->hold_s * 1000)) > 0 &&
           fgets(line, sizeof line, stdin) != NULL && run->options->burst_s > 0)
        run_burst(run, atoi(line));
    atomic_store(&run->is_stopping, true);
}

static void add_up(struct worker *sum, const struct worker *worker)
{
    samples_add_all(&sum->latency, &worker->latency);
    samples_add_all(&sum->setup, &worker->setup);
    for (int error = 0; error < LOAD_ERRORS; error++)
        sum->errors[error] += worker->errors[error];
    sum->done += worker->done;
    sum->drained += worker->drained;
    sum->opened += worker->opened;
    sum->resumed += worker->resumed;
    sum->dropped += worker->dropped;
    sum->bytes_in += worker->bytes_in;
    sum->bytes_out += worker->bytes_out;
    if (worker->last_done_us > sum->last_done_us)
        sum->last_done_us = worker->last_done_us;
}

static void print_errors(const struct run *run, const struct worker *sum)
{
    const char *comma = "";

    printf("\"errors\":{");
    for (int error = 0; error < LOAD_ERRORS; error++) {
        if (sum->errors[error] == 0)
            continue;
        printf("%s\"%s\":%ld", comma, load_error_texts[error], sum->errors[error]);
        comma = ",";
    }
    printf("},\"first_error\":\"");
    for (const char *p = run->first_error; *p != '\0'; p++)
        putchar(*p == '"' || *p == '\\' || (unsigned char)*p < ' ' ? ' ' : *p);
    printf("\",");
}

static void print_times(const char *name, struct samples *samples)
{
    samples_sort(samples);
    printf(",\"%sp50_us\":%u,\"%sp90_us\":%u,\"%sp99_us\":%u,\"%smax_us\":%u", name,
           samples_percentile(samples, .5), name, samples_percentile(samples, .9), name,
           samples_percentile(samples, .99), name, samples_percentile(samples, 1));
}

static void report(const struct run *run, struct worker *sum)
{
    double seconds = sum->last_done_us > run->started_us ? (double)(sum->last_done_us - run->started_us) / 1e6
                                                         : run->options->duration_s;

    printf("{\"requests\":%ld,\"drained\":%ld,", sum->done, sum->drained);
    print_errors(run, sum);
    printf("\"seconds\":%.3f,\"rps\":%.1f,\"mbps\":%.2f,", seconds, (double)sum->done / seconds,
           (double)(sum->bytes_in + sum->bytes_out) / seconds / 1e6);
    printf("\"connections\":%ld,\"resumed\":%ld,\"dropped\":%ld,\"tls\":\"%s\"", sum->opened, sum->resumed,
           sum->dropped, run->tls);
    print_times("", &sum->latency);
    print_times("setup_", &sum->setup);
    puts("}");
}

static void start(struct run *run, struct worker *workers)
{
    const struct load_options *options = run->options;
    int each = options->connections / options->threads, more = options->connections % options->threads;

    for (int i = 0; i < options->threads; i++)
        worker_init(&workers[i], run, each + (i < more ? 1 : 0));
    run->started_us = clock_mono_us();
    run->ends_us = run->started_us + (uint64_t)(options->duration_s * 1e6);
    for (int i = 0; i < options->threads; i++)
        if (!worker_start(&workers[i]))
            abort();
}

int main(int count, char **arguments)
{
    struct load_options options;
    struct run run = { .options = &options, .notes = PTHREAD_MUTEX_INITIALIZER };
    struct worker sum = { .run = &run };
    struct worker *workers;

    load_options_parse(count, arguments, &options);
    signal(SIGPIPE, SIG_IGN);
    workers = mem_array(struct worker, (size_t)options.threads);
    start(&run, workers);
    if (options.hold_s > 0)
        hold_connections(&run);
    for (int i = 0; i < options.threads; i++) {
        worker_join(&workers[i]);
        add_up(&sum, &workers[i]);
    }
    report(&run, &sum);
    for (int i = 0; i < options.threads; i++)
        worker_clear(&workers[i]);
    samples_clear(&sum.latency);
    samples_clear(&sum.setup);
    mem_free(workers);
    return 0;
}

#include "tests/bench/load/samples.h"

#include <stdlib.h>

#include "proxy/base/mem.h"

#define FIRST_CAPACITY 4096

void samples_add(struct samples *samples, uint64_t us)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity != 0 ? samples->capacity * 2 : FIRST_CAPACITY;
        samples->us = mem_realloc(samples->us, samples->capacity * sizeof *samples->us);
    }
    samples->us[samples->count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void samples_add_all(struct samples *samples, const struct samples *others)
{
    for (size_t i = 0; i < others->count; i++)
        samples_add(samples, others->us[i]);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void samples_sort(struct samples *samples)
{
    if (samples->count != 0)
        qsort(samples->us, samples->count, sizeof *samples->us, by_value);
}

uint32_t samples_percentile(const struct samples *samples, double part)
{
    size_t at = (size_t)(part * (double)samples->count);

    if (samples->count == 0)
        return 0;
    return samples->us[at < samples->count ? at : samples->count - 1];
}

void samples_clear(struct samples *samples)
{
    mem_free(samples->us);
    *samples = (struct samples){ .us = NULL };
}

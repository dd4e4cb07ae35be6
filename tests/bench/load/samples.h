/* samples: how long things took, and percentiles of that. A thread's own; added up when the threads have
 * ended. */
#ifndef WEIR_BENCH_LOAD_SAMPLES_H
#define WEIR_BENCH_LOAD_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint32_t *us;
    size_t count, capacity;
};

void samples_add(struct samples *samples, uint64_t us);
void samples_add_all(struct samples *samples, const struct samples *others);
void samples_sort(struct samples *samples);
/* Of sorted samples; part: 0 to 1. 0 where there are none. */
uint32_t samples_percentile(const struct samples *samples, double part);
void samples_clear(struct samples *samples);

#endif

/* pace: how soon something may be done again that is asked for again and again.
 *
 * At once when it has rested long enough: for least_us, and for factor times as long as it took, so that what
 * costs much is done seldom. What is asked for meanwhile is one. Knows no clock: times are its caller's. */
#ifndef WEIR_TOOLS_PACE_H
#define WEIR_TOOLS_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t least_us;
    unsigned factor;
    bool is_asked;
    uint64_t rested_us; /* from then on it may be done */
};

void pace_ask(struct pace *pace);
/* When it is to be done; UINT64_MAX: nobody has asked. */
uint64_t pace_due_us(const struct pace *pace);
/* Around doing it: what is asked for between the two is done again. */
void pace_begin(struct pace *pace);
void pace_end(struct pace *pace, uint64_t began_us, uint64_t now_us);

#endif

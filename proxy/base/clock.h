/* clock: what time it is. Wait on the monotonic clock, show the wall clock.
 *
 * Both in microseconds. A test may put its own clock in place, before any thread starts. Any thread. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_us(void);
uint64_t clock_wall_us(void); /* since 1970 */

/* NULL for both brings the real clocks back. */
void clock_replace(uint64_t (*mono_us)(void), uint64_t (*wall_us)(void));

#endif

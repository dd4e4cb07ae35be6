/* fast_time: a clock that runs faster than time, so that minutes can be tested in a moment.
 *
 * Speeds up clock_mono_us and whatever libevent waits for, as long as it is on: event_add is put in front of
 * libevent's own. Not while other threads run. */
#ifndef WEIR_TESTS_FAST_TIME_H
#define WEIR_TESTS_FAST_TIME_H

void fast_time(unsigned factor); /* 1: as everybody else */

/* How many times libevent was asked to wait for something. */
unsigned long fast_time_event_adds(void);

#endif

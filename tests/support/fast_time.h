/* fast_time: a clock that runs faster than time, so that minutes can be tested in a moment.
 *
 * Puts itself in front of the C library's clock_gettime (the monotonic clocks) and epoll_wait, so weir,
 * libevent and c-ares all live faster. Once sped up the clock is ahead for good, but runs as others do after
 * fast_time(1). Not while other threads run. */
#ifndef WEIR_TESTS_FAST_TIME_H
#define WEIR_TESTS_FAST_TIME_H

void fast_time(unsigned factor);

#endif

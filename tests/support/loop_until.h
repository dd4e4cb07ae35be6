/* loop_until: turns a loop until something has happened. */
#ifndef WEIR_TESTS_LOOP_UNTIL_H
#define WEIR_TESTS_LOOP_UNTIL_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Runs the loop until *flag is not 0; false: it was not within a minute. */
bool loop_until(struct loop *loop, const volatile int *flag);
/* Runs it for so long. For what must not happen: nothing to wait for. */
void loop_for(struct loop *loop, uint64_t us);

#endif

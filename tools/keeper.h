/* keeper: a thread that does a piece of work whenever somebody has asked for it, at a measured pace.
 *
 * Threads: keeper_ask any, and it never waits for the work; the work runs on the keeper's own; the rest is
 * the owner's. */
#ifndef WEIR_TOOLS_KEEPER_H
#define WEIR_TOOLS_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

struct keeper_options {
    uint64_t least_rest_us; /* see pace.h */
    unsigned rest_factor;
    bool is_humble; /* with a lower priority than all other threads */
    /* False: it is tried again after a while. *out_again_us: when it is to be done without being asked
     * (monotonic); never, if it is left alone. */
    bool (*work)(void *self, uint64_t *out_again_us);
    void *self;
};

/* No thread yet: what is asked for is done after keeper_start. */
struct keeper *keeper_new(const struct keeper_options *options);
void keeper_start(struct keeper *keeper);
void keeper_ask(struct keeper *keeper);
/* Waits for the work under way and begins no other. Also of one that was never started, or has ended. */
void keeper_end(struct keeper *keeper);
void keeper_free(struct keeper *keeper); /* ends it; NULL is fine */

#endif

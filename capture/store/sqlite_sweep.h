/* sqlite_sweep: takes out what exchanges that are gone have left behind in a session: cookies that the jar
 * does not need, events from before the oldest exchange, handshakes that nobody refers to.
 *
 * One at a time on a handle, over as many short batches as it takes; exchanges may be recorded in between. It
 * reads all that is kept, so begin it rarely. After a failure it is of no more use: free it. */
#ifndef WEIR_CAPTURE_STORE_SQLITE_SWEEP_H
#define WEIR_CAPTURE_STORE_SQLITE_SWEEP_H

#include "capture/store/sqlite.h"

struct sweep;

/* NULL: one is under way on this handle. */
struct sweep *sweep_new(struct store *store, int64_t session);
void sweep_free(struct sweep *sweep); /* NULL is fine */
/* One batch, until about until_us. */
bool sweep_step(struct sweep *sweep, uint64_t until_us, bool *out_done, struct err *err);

/* Handshakes that are in use: a bit for each number from first to last. */
struct tls_marks {
    int64_t first, last;
    unsigned char *bits; /* owned by the sweep */
};
static inline void tls_mark(struct tls_marks *marks, int64_t id)
{
    if (id >= marks->first && id <= marks->last)
        marks->bits[(id - marks->first) / 8] |= (unsigned char)(1 << (id - marks->first) % 8);
}

#endif

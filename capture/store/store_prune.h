/* store_prune: taking the oldest exchanges out of a session, so that what is kept stays within a limit.
 *
 * Out go exchanges that are over, those with the lowest numbers first; one under way stays until it has
 * ended. With them go their messages, the bodies that nobody else uses, and, in a sweep now and then, what
 * only they needed: facts of TLS handshakes, events from before the oldest that is kept, and observations of
 * cookies that later ones have made needless, so that the session's jar stays as it is. What passed is still
 * counted in the session's totals, and its row says how many exchanges went. Numbers are never given twice.
 *
 * All of it goes in short batches of its own, each whole: whoever reads meanwhile sees an exchange with all
 * that belongs to it or not at all, and what is killed in between goes on later. The handle is one of
 * STORE_WRITE; its thread. Fails with ERR_STORE; the step may be taken again. */
#ifndef WEIR_CAPTURE_STORE_STORE_PRUNE_H
#define WEIR_CAPTURE_STORE_STORE_PRUNE_H

#include "capture/keep.h"
#include "capture/store/store.h"

struct store_pruner;

/* Of a session whose lock this handle holds and in which nothing is under way. Of keep->bytes an exchange
 * takes what its row would in a file of its own: its texts, the kept bytes of its bodies and messages, and
 * 512 bytes (128 for a message). Bodies that several exchanges share count for each, so the file is rather
 * smaller than larger. */
bool store_pruner_new(struct store *store, int64_t session, const struct keep *keep,
                      struct store_pruner **out_pruner, struct err *err);
void store_pruner_free(struct store_pruner *pruner); /* NULL is fine */

/* An exchange that readers see is over and in the store. Each is told once, and none that was over
 * before the pruner was made. */
void store_pruner_note(struct store_pruner *pruner, uint32_t seq);

/* Works for about budget_us, between batches. *out_more: there is more to do now. */
bool store_pruner_step(struct store_pruner *pruner, uint64_t budget_us, bool *out_more, struct err *err);
/* From now on the sweep is due as soon as anything went since the last: for the end of a capture. */
void store_pruner_hurry(struct store_pruner *pruner);

/* Gives pages that nothing uses back to the file system, in short batches, until the clock (clock_mono_us)
 * says until_us or at most spare_bytes are left. */
bool store_give_back(struct store *store, uint64_t spare_bytes, uint64_t until_us, struct err *err);

struct store_pruned {
    uint64_t taken, left; /* exchanges */
    uint64_t freed_bytes; /* by which the file is smaller */
    bool is_deleted;      /* none was left, and the session is gone */
};
/* All at once for a session that nobody records, and everything that is free is given back. ERR_FOUND: it is
 * being recorded. */
bool store_prune_session(struct store *store, int64_t session, const struct keep *keep,
                         struct store_pruned *out_pruned, struct err *err);

#endif

/* pruning: when a capture takes old exchanges out of its sessions (store_prune.h does it): between the
 * writer's batches, for far less time than those take, longer when nothing is to be recorded. In a rest of a
 * second it gives room in the file back.
 *
 * A failure is no loss to what is recorded: it is logged, and tried again later. The writer's thread. */
#ifndef WEIR_CAPTURE_PRUNING_H
#define WEIR_CAPTURE_PRUNING_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/keep.h"
#include "capture/roster.h"

struct pruning {
    struct store *store;
    struct roster *roster;
    struct keep keep;
    unsigned next; /* whose turn among the sessions it is */
    bool has_more; /* to do now */
    uint64_t again_us;
};

/* All are borrowed. */
void pruning_init(struct pruning *pruning, struct store *store, struct roster *roster,
                  const struct keep *keep);

/* The session was started, and nothing is recorded into it yet. ERR_STORE; may be called again. */
bool pruning_begin(struct pruning *pruning, struct roster_session *session, struct err *err);

/* Not in a batch. is_idle: nothing has come to be recorded for as long as pruning_wait_us said. */
void pruning_work(struct pruning *pruning, bool is_idle);
/* How long to wait for something to record: idle_us, or less while there is more to do. */
uint64_t pruning_wait_us(const struct pruning *pruning, uint64_t idle_us);

/* What is still due, for at most a second (unless the store fails), and the end for all sessions. */
void pruning_end(struct pruning *pruning, bool is_failing);

#endif

#include "capture/pruning.h"

#include "capture/store/store_prune.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"

/* A batch's pause; and one when there is nothing to record, after which the next comes soon. */
#define BUSY_US 10000
#define IDLE_US 20000
#define SOON_US 1000

/* Once it failed it is tried again after this. */
#define AGAIN_US 2000000

/* At the end of a capture nobody waits longer for what is still due; the next one takes it up. */
#define LAST_US 1000000

/* Room in the file that a busy hour uses again: what is free above it goes back. */
#define SPARE_BYTES ((uint64_t)4 * 1024 * 1024)

void pruning_init(struct pruning *pruning, struct store *store, struct roster *roster,
                  const struct keep *keep)
{
    *pruning = (struct pruning){ .store = store, .roster = roster, .keep = *keep };
}

bool pruning_begin(struct pruning *pruning, struct roster_session *session, struct err *err)
{
    return !keep_is_limited(&pruning->keep) ||
           store_pruner_new(pruning->store, session->id, &pruning->keep, &session->pruner, err);
}

static void put_off(struct pruning *pruning, const struct err *err)
{
    log_warn("store", "old exchanges can't be taken out", LOG_S("why", err->text));
    pruning->again_us = clock_mono_us() + AGAIN_US;
    pruning->has_more = false;
}

/* A turn for each session, as far as the time goes. */
static bool take_turns(struct pruning *pruning, uint64_t budget_us, struct err *err)
{
    uint64_t until_us = clock_mono_us() + budget_us, now_us;
    unsigned count = roster_count(pruning->roster), left = count;

    pruning->has_more = false;
    for (; left != 0 && (now_us = clock_mono_us()) < until_us; left--) {
        struct roster_session *session = roster_at(pruning->roster, pruning->next++ % count);
        bool more = false;
        if (session->pruner != NULL && !store_pruner_step(session->pruner, until_us - now_us, &more, err))
            return false;
        pruning->has_more = pruning->has_more || more;
    }
    pruning->has_more = pruning->has_more || left != 0;
    return true;
}

void pruning_work(struct pruning *pruning, bool is_idle)
{
    bool is_at_rest = is_idle && !pruning->has_more; /* so it has waited for all of idle_us */
    struct err err;

    if (!keep_is_limited(&pruning->keep) || clock_mono_us() < pruning->again_us)
        return;
    if (!take_turns(pruning, is_idle ? IDLE_US : BUSY_US, &err) ||
        (is_at_rest && !pruning->has_more &&
         !store_give_back(pruning->store, SPARE_BYTES, clock_mono_us() + IDLE_US, &err)))
        put_off(pruning, &err);
}

uint64_t pruning_wait_us(const struct pruning *pruning, uint64_t idle_us)
{
    return pruning->has_more ? SOON_US : idle_us;
}

static bool work_to_end(struct pruning *pruning, struct err *err)
{
    uint64_t until_us = clock_mono_us() + LAST_US;

    for (unsigned i = 0; i < roster_count(pruning->roster); i++)
        if (roster_at(pruning->roster, i)->pruner != NULL)
            store_pruner_hurry(roster_at(pruning->roster, i)->pruner);
    do {
        if (!take_turns(pruning, IDLE_US, err))
            return false;
        store_checkpoint(pruning->store);
    } while (pruning->has_more && clock_mono_us() < until_us);
    return store_give_back(pruning->store, 0, until_us, err);
}

void pruning_end(struct pruning *pruning, bool is_failing)
{
    struct err err;

    if (keep_is_limited(&pruning->keep) && !is_failing && !work_to_end(pruning, &err))
        put_off(pruning, &err);
    for (unsigned i = 0; i < roster_count(pruning->roster); i++) {
        store_pruner_free(roster_at(pruning->roster, i)->pruner);
        roster_at(pruning->roster, i)->pruner = NULL;
    }
}

/* What is kept is counted along: what an exchange takes is added when it ends and taken off when it goes, so
 * that a step which has nothing to do costs a comparison. `from` is a number below which nothing is left that
 * could go; it falls back when an old exchange ends. */
#include "capture/store/store_prune.h"

#include "capture/store/sqlite_sweep.h"
#include "capture/store/sqlite_take.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* A sweep reads all that is kept: one is due when as much has gone, and at least so much. */
#define LEAST_SWEEP 1000

/* One batch of store_prune_session: others who write wait for no more than a few of them. */
#define BATCH_US 20000

/* What the exchange whose row it is takes, as the header says. */
#define ROW_BYTES     "512"
#define MESSAGE_BYTES "128"
#define TEXT(column)  " + coalesce(length(" #column "), 0)"
#define COST                                                                                                 \
    ROW_BYTES                                                                                                \
    " + request_kept + response_kept" TEXT(path) TEXT(query) TEXT(request_headers) TEXT(response_headers)    \
        TEXT(request_trailers) TEXT(response_trailers) TEXT(interim) TEXT(reason)                            \
            TEXT(error) " + iif("                                                                            \
                        "messages = 0, 0, (SELECT coalesce(sum(" MESSAGE_BYTES                               \
                        TEXT(payload) "), 0) FROM message"                                                   \
                                      " WHERE message.exchange = exchange.id))"

struct progress {
    uint64_t count, bytes; /* of exchanges that are over and in the store; bytes only when they are limited */
    uint64_t taken, unswept;
    uint32_t from, last_taken;
    uint64_t due_us; /* wall clock: before that none is too old */
    bool has_told;   /* the session has its event */
};

struct store_pruner {
    struct store *store;
    int64_t session;
    struct keep keep;
    struct progress now;
    /* Bytes of what was there before: added up from counted_id to count_until_id, before anything goes. */
    int64_t counted_id, count_until_id;
    uint32_t *ended; /* owned: numbers of which the bytes have yet to be added */
    size_t ended_count, ended_cap;
    bool has_leftovers, is_hurried;
    bool ages_all; /* all that are too old go first, whatever their place among the others */
    struct sweep *sweep;
};

/* --- what is there ------------------------------------------------------------------------------------- */

static bool read_start(struct store_pruner *pruner, struct err *err)
{
    static const char READ[] =
        "SELECT exchanges, (SELECT max(id) FROM exchange WHERE exchange.id BETWEEN ? AND ?) FROM session"
        " WHERE id = ?";
    struct query query = query_begin(pruner->store, READ);

    query_int(&query, exchange_id(pruner->session, 0));
    query_int(&query, exchange_id(pruner->session, UINT32_MAX));
    query_int(&query, pruner->session);
    if (query_step(&query)) {
        pruner->now.count = (uint64_t)query_column_int(&query, 0);
        pruner->count_until_id = query_column_int(&query, 1); /* 0 for NULL: there is none */
    }
    return query_end(&query, err);
}

bool store_pruner_new(struct store *store, int64_t session, const struct keep *keep,
                      struct store_pruner **out_pruner, struct err *err)
{
    struct store_pruner *pruner = mem_new(struct store_pruner);

    pruner->store = store;
    pruner->session = session;
    pruner->keep = *keep;
    pruner->has_leftovers = true; /* there may be some of a weir before this one */
    pruner->counted_id = exchange_id(session, 0);
    if (keep->age_us == 0)
        pruner->now.due_us = UINT64_MAX;
    if (!read_start(pruner, err)) {
        store_pruner_free(pruner);
        return false;
    }
    if (keep->bytes == 0)
        pruner->counted_id = pruner->count_until_id;
    *out_pruner = pruner;
    return true;
}

void store_pruner_free(struct store_pruner *pruner)
{
    if (pruner == NULL)
        return;
    sweep_free(pruner->sweep);
    mem_free(pruner->ended);
    mem_free(pruner);
}

void store_pruner_note(struct store_pruner *pruner, uint32_t seq)
{
    struct progress *now = &pruner->now;

    now->count++;
    if (pruner->keep.age_us != 0 && (seq < now->from || now->due_us == UINT64_MAX))
        now->due_us = 0;
    if (seq < now->from)
        now->from = seq;
    if (pruner->keep.bytes == 0)
        return;
    if (pruner->ended_count == pruner->ended_cap) {
        pruner->ended_cap = pruner->ended_cap != 0 ? pruner->ended_cap * 2 : 256;
        pruner->ended = mem_realloc(pruner->ended, pruner->ended_cap * sizeof pruner->ended[0]);
    }
    pruner->ended[pruner->ended_count++] = seq;
}

void store_pruner_hurry(struct store_pruner *pruner)
{
    pruner->is_hurried = true;
}

static bool is_counted(const struct store_pruner *pruner)
{
    return pruner->counted_id >= pruner->count_until_id;
}

static bool count_slice(struct store_pruner *pruner, struct err *err)
{
    static const char COUNT[] = "SELECT id, " COST " FROM exchange WHERE id > ? AND id <= ? AND state <> 0"
                                " AND provisional = 0 ORDER BY id LIMIT 64";
    struct query query = query_begin(pruner->store, COUNT);
    int64_t last_id = pruner->counted_id;
    uint64_t bytes = 0;
    int count = 0;

    query_int(&query, pruner->counted_id);
    query_int(&query, pruner->count_until_id);
    for (; count < TAKE_ROWS && query_step(&query); count++) {
        last_id = query_column_int(&query, 0);
        bytes += (uint64_t)query_column_int(&query, 1);
    }
    if (!query_end(&query, err))
        return false;
    pruner->now.bytes += bytes;
    pruner->counted_id = count < TAKE_ROWS ? pruner->count_until_id : last_id;
    return true;
}

static bool count_ended(struct store_pruner *pruner, uint64_t until_us, struct err *err)
{
    static const char COUNT[] = "SELECT " COST " FROM exchange WHERE id = ?";
    size_t done = 0;
    bool ok = true;

    /* The newest first: in whatever order, and so nothing has to be moved. */
    while (ok && pruner->ended_count != 0 && (++done % TAKE_ROWS != 0 || clock_mono_us() < until_us)) {
        struct query query = query_begin(pruner->store, COUNT);
        uint64_t bytes = 0;
        query_int(&query, exchange_id(pruner->session, pruner->ended[pruner->ended_count - 1]));
        if (query_step(&query))
            bytes = (uint64_t)query_column_int(&query, 0);
        ok = query_end(&query, err);
        pruner->now.bytes += ok ? bytes : 0;
        pruner->ended_count -= ok;
    }
    return ok;
}

static bool is_over(const struct store_pruner *pruner, uint64_t now_us)
{
    const struct keep *keep = &pruner->keep;
    const struct progress *now = &pruner->now;

    return (keep->count != 0 && now->count > keep->count) || (keep->bytes != 0 && now->bytes > keep->bytes) ||
           now_us >= now->due_us;
}

/* --- leftovers ----------------------------------------------------------------------------------------- */

static bool leftover_batch(struct store_pruner *pruner, uint64_t until_us, struct err *err)
{
    struct store *store = pruner->store;
    bool more;

    if (store_begin(store, err) && sqlite_purge_leftovers(store, pruner->session, until_us, &more, err) &&
        store_commit(store, err)) {
        pruner->has_leftovers = more;
        return true;
    }
    store_rollback(store);
    return false;
}

/* --- exchanges ----------------------------------------------------------------------------------------- */

struct candidate {
    struct going going;
    uint64_t started_us, cost;
};

static bool find_candidates(struct store_pruner *pruner, uint64_t before_us, struct candidate *rows,
                            size_t *out_count, struct err *err)
{
    static const char FIND[] =
        "SELECT " GOING_COLUMNS ", started_us, iif(?, " COST ", 0) FROM exchange"
        " WHERE id BETWEEN ? AND ? AND state <> 0 AND provisional = 0 AND started_us < ? ORDER BY id LIMIT "
        "64";
    struct query query = query_begin(pruner->store, FIND);

    *out_count = 0;
    query_int(&query, pruner->keep.bytes != 0);
    query_int(&query, exchange_id(pruner->session, pruner->now.from));
    query_int(&query, exchange_id(pruner->session, UINT32_MAX));
    query_int(&query, (int64_t)before_us);
    while (query_step(&query) && *out_count < TAKE_ROWS)
        rows[(*out_count)++] = (struct candidate){
            .going = going_read(&query),
            .started_us = (uint64_t)query_column_int(&query, GOING_COLUMN_COUNT),
            .cost = (uint64_t)query_column_int(&query, GOING_COLUMN_COUNT + 1),
        };
    return query_end(&query, err);
}

static uint64_t less(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

/* These were found one after the other, and by the same words. */
static bool take_rows(struct store_pruner *pruner, uint64_t before_us, const struct going *rows, size_t count,
                      struct err *err)
{
    static const char TAKE[] = "DELETE FROM exchange WHERE id BETWEEN ? AND ? AND state <> 0"
                               " AND provisional = 0 AND started_us < ?";
    struct query query;

    if (count == 0)
        return true;
    if (!sqlite_take_parts(pruner->store, pruner->session, rows, count, &pruner->has_leftovers, err))
        return false;
    query = query_begin(pruner->store, TAKE);
    query_int(&query, exchange_id(pruner->session, rows[0].seq));
    query_int(&query, exchange_id(pruner->session, rows[count - 1].seq));
    query_int(&query, (int64_t)before_us);
    return query_run(&query, err);
}

static void count_out(struct progress *now, const struct candidate *row)
{
    now->count = less(now->count, 1);
    now->bytes = less(now->bytes, row->cost);
    now->from = row->going.seq + 1;
    now->last_taken = row->going.seq > now->last_taken ? row->going.seq : now->last_taken;
    now->taken++;
    now->unswept++;
}

/* There is none left from `from` on. */
static void come_to_end(struct store_pruner *pruner)
{
    pruner->now.due_us = UINT64_MAX;
    if (pruner->ages_all) {
        pruner->ages_all = false;
        pruner->now.from = 0;
        return;
    }
    pruner->now.count = pruner->now.bytes = 0;
}

/* The first that stays says when to look again. */
static void look_at_age(struct store_pruner *pruner, const struct candidate *row, uint64_t now_us)
{
    uint64_t due_us = row->started_us + pruner->keep.age_us;

    if (pruner->keep.age_us == 0 || pruner->ages_all || pruner->now.due_us > now_us)
        return;
    pruner->now.from = row->going.seq;
    pruner->now.due_us = due_us <= now_us ? 0 : due_us;
}

/* No more at once than one large exchange is. */
static bool take_slice(struct store_pruner *pruner, uint64_t now_us, struct err *err)
{
    uint64_t before_us = pruner->ages_all ? less(now_us, pruner->keep.age_us) : INT64_MAX, kept = 0;
    struct candidate rows[TAKE_ROWS];
    struct going going[TAKE_ROWS];
    size_t count, taken = 0;

    if (!find_candidates(pruner, before_us, rows, &count, err))
        return false;
    if (count == 0)
        come_to_end(pruner);
    for (; taken < count && kept < TAKE_LARGE_BYTES; taken++) {
        look_at_age(pruner, &rows[taken], now_us);
        if (!is_over(pruner, now_us))
            break;
        count_out(&pruner->now, &rows[taken]);
        going[taken] = rows[taken].going;
        kept += going_is_large(&going[taken]) ? 0 : going[taken].kept;
    }
    return take_rows(pruner, before_us, going, taken, err);
}

static bool tell(struct store_pruner *pruner, uint64_t now_us, struct err *err)
{
    struct event_row event = { .time_us = now_us, .kind = SPAN("pruned") };
    struct strbuf text = STRBUF_EMPTY;
    bool ok;

    strbuf_add_str(&text, "the oldest exchanges are taken out from now on: --keep-last ");
    keep_add_text(&text, &pruner->keep);
    event.text = strbuf_span(&text);
    ok = store_add_event(pruner->store, pruner->session, &event, err);
    strbuf_clear(&text);
    pruner->now.has_told = true;
    return ok;
}

static bool write_progress(struct store_pruner *pruner, const struct progress *before, struct err *err)
{
    static const char WRITE[] = "UPDATE session SET exchanges = exchanges - ?1, pruned = pruned + ?1,"
                                " pruned_seq = max(pruned_seq, ?2) WHERE id = ?3";
    struct query query = query_begin(pruner->store, WRITE);

    query_int(&query, (int64_t)(pruner->now.taken - before->taken));
    query_int(&query, pruner->now.last_taken);
    query_int(&query, pruner->session);
    return query_run(&query, err);
}

static bool take_batch(struct store_pruner *pruner, uint64_t now_us, uint64_t until_us, struct err *err)
{
    struct progress before = pruner->now;
    bool ages_all = pruner->ages_all, ok = store_begin(pruner->store, err);

    while (ok && is_over(pruner, now_us) && clock_mono_us() < until_us)
        ok = take_slice(pruner, now_us, err);
    if (ok && pruner->now.taken != before.taken)
        ok = write_progress(pruner, &before, err) && (before.has_told || tell(pruner, now_us, err));
    if (ok && store_commit(pruner->store, err))
        return true;
    store_rollback(pruner->store);
    pruner->now = before;
    pruner->ages_all = ages_all;
    return false;
}

/* --- a step -------------------------------------------------------------------------------------------- */

static bool wants_sweep(const struct store_pruner *pruner)
{
    uint64_t kept = pruner->now.count, unswept = pruner->now.unswept;

    if (pruner->sweep != NULL)
        return true;
    return pruner->is_hurried ? unswept != 0 : unswept >= LEAST_SWEEP && unswept >= kept;
}

static bool sweep_batch(struct store_pruner *pruner, uint64_t until_us, struct err *err)
{
    bool is_done = false, ok;

    if (pruner->sweep == NULL) {
        pruner->sweep = sweep_new(pruner->store, pruner->session);
        if (pruner->sweep == NULL)
            return true; /* another session's turn */
        pruner->now.unswept = 0;
    }
    ok = sweep_step(pruner->sweep, until_us, &is_done, err);
    if (!ok || is_done) {
        sweep_free(pruner->sweep);
        pruner->sweep = NULL;
    }
    return ok;
}

static bool has_more(const struct store_pruner *pruner, uint64_t now_us)
{
    return !is_counted(pruner) || pruner->ended_count != 0 || is_over(pruner, now_us) ||
           pruner->has_leftovers || wants_sweep(pruner);
}

bool store_pruner_step(struct store_pruner *pruner, uint64_t budget_us, bool *out_more, struct err *err)
{
    uint64_t now_us = clock_wall_us(), until_us = clock_mono_us() + budget_us;

    while (!is_counted(pruner) && clock_mono_us() < until_us)
        if (!count_slice(pruner, err))
            return false;
    if (pruner->ended_count != 0 && !count_ended(pruner, until_us, err))
        return false;
    if (is_counted(pruner) && pruner->ended_count == 0 && is_over(pruner, now_us) &&
        clock_mono_us() < until_us && !take_batch(pruner, now_us, until_us, err))
        return false;
    if (pruner->has_leftovers && clock_mono_us() < until_us && !leftover_batch(pruner, until_us, err))
        return false;
    if (wants_sweep(pruner) && clock_mono_us() < until_us && !sweep_batch(pruner, until_us, err))
        return false;
    *out_more = has_more(pruner, now_us);
    return true;
}

/* --- a session that nobody records --------------------------------------------------------------------- */

static bool page_bytes(struct store *store, int64_t *out_bytes, struct err *err)
{
    int64_t pages = 0, size = 0;

    if (!sqlite_int(store, "PRAGMA page_count", &pages, err) ||
        !sqlite_int(store, "PRAGMA page_size", &size, err))
        return false;
    *out_bytes = pages * size;
    return true;
}

static bool run_pruner(struct store *store, struct store_pruner *pruner, struct err *err)
{
    bool more = true, ok = true;

    pruner->ages_all = pruner->keep.age_us != 0;
    store_pruner_hurry(pruner);
    while (ok && more) {
        ok = store_pruner_step(pruner, BATCH_US, &more, err);
        sqlite_let_others();
        store_checkpoint(store);
    }
    return ok;
}

static bool prune_locked(struct store *store, int64_t session, const struct keep *keep,
                         struct store_pruned *out_pruned, struct err *err)
{
    struct store_pruner *pruner;
    int64_t before = 0, after = 0;
    bool ok;

    if (!page_bytes(store, &before, err) || !store_pruner_new(store, session, keep, &pruner, err))
        return false;
    ok = run_pruner(store, pruner, err);
    *out_pruned = (struct store_pruned){ .taken = pruner->now.taken, .left = pruner->now.count };
    out_pruned->is_deleted = out_pruned->taken != 0 && out_pruned->left == 0;
    store_pruner_free(pruner);
    if (!ok || (out_pruned->is_deleted && !sqlite_delete_session(store, session, err)) ||
        !sqlite_orphan_cookies(store, session, err) || !store_give_back(store, 0, UINT64_MAX, err) ||
        !page_bytes(store, &after, err))
        return false;
    out_pruned->freed_bytes = before > after ? (uint64_t)(before - after) : 0;
    return true;
}

bool store_prune_session(struct store *store, int64_t session, const struct keep *keep,
                         struct store_pruned *out_pruned, struct err *err)
{
    bool taken, ok;

    if (!sqlite_lock_session(store, session, &taken, err))
        return false;
    if (!taken)
        return err_set(err, ERR_FOUND, "session %lld is being recorded: end it first", (long long)session);
    ok = prune_locked(store, session, keep, out_pruned, err);
    sqlite_unlock_session(store, session);
    return ok;
}

/* What is done to a session when nobody records it: mending what kill -9 left, and taking it out. Everything
 * goes in short batches, so that those who record into the same store hardly wait. */
#include <stdlib.h>
#include <string.h>

#include "capture/filter.h"
#include "capture/store/sqlite.h"
#include "capture/store/sqlite_take.h"
#include "capture/store/store_prune.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* A batch stops here: others who write wait for no more than a few of them. */
#define BATCH_US 20000

/* Rows that are looked up at once. */
#define SLICE_ROWS 64

/* Pages that are given back to the file system in one batch: 4 MiB. */
#define VACUUM_PAGES "256"

struct unsettled {
    uint32_t seq;
    bool is_open, is_provisional;
    uint64_t bytes[2];
};

static bool find_unsettled(struct store *store, int64_t session, struct unsettled *rows, size_t *out_count,
                           struct err *err)
{
    static const char FIND[] =
        "SELECT seq, state = 0, provisional, request_bytes, response_bytes FROM exchange"
        " WHERE session = ? AND (state = 0 OR provisional = 1) LIMIT 64";
    struct query query = query_begin(store, FIND);

    *out_count = 0;
    query_int(&query, session);
    while (query_step(&query) && *out_count < SLICE_ROWS) {
        rows[(*out_count)++] = (struct unsettled){
            .seq = (uint32_t)query_column_int(&query, 0),
            .is_open = query_column_int(&query, 1) != 0,
            .is_provisional = query_column_int(&query, 2) != 0,
            .bytes = { (uint64_t)query_column_int(&query, 3), (uint64_t)query_column_int(&query, 4) },
        };
    }
    return query_end(&query, err);
}

static bool mend_row(struct store *store, int64_t session, const struct unsettled *row,
                     const struct filter *filter, const char *why, struct store_totals *totals,
                     struct err *err)
{
    bool is_taken = true, was_there;

    if (row->is_open) {
        totals->errors++;
        totals->bytes[0] += row->bytes[0];
        totals->bytes[1] += row->bytes[1];
    }
    if (row->is_provisional && !store_exchange_matches(store, session, row->seq, filter, &is_taken, err))
        return false;
    if (!is_taken) {
        totals->filtered++;
        return store_delete_exchange(store, session, row->seq, &was_there, err);
    }
    totals->exchanges += row->is_provisional;
    return store_settle_exchange(store, session, row->seq, why, err);
}

bool sqlite_orphan_cookies(struct store *store, int64_t session, struct err *err)
{
    static const char ORPHAN[] = "UPDATE cookie SET seq = 0 WHERE session = ?1 AND seq <> 0 AND NOT EXISTS"
                                 " (SELECT 1 FROM exchange WHERE exchange.id = (?1 << 32) + cookie.seq)";
    struct query query = query_begin(store, ORPHAN);

    query_int(&query, session);
    return query_run(&query, err);
}

static bool mend_slice(struct store *store, int64_t session, const struct filter *filter, const char *why,
                       bool *out_more, struct err *err)
{
    static const char ADD[] = "UPDATE session SET exchanges = exchanges + ?, filtered = filtered + ?,"
                              " errors = errors + ?, request_bytes = request_bytes + ?,"
                              " response_bytes = response_bytes + ? WHERE id = ?";
    struct unsettled rows[SLICE_ROWS];
    struct store_totals totals = { 0 };
    uint64_t started_us = clock_mono_us();
    struct query query;
    size_t count;

    if (!find_unsettled(store, session, rows, &count, err))
        return false;
    *out_more = count != 0;
    for (size_t i = 0; i < count && clock_mono_us() - started_us < BATCH_US; i++)
        if (!mend_row(store, session, &rows[i], filter, why, &totals, err))
            return false;
    query = query_begin(store, ADD);
    query_int(&query, (int64_t)totals.exchanges);
    query_int(&query, (int64_t)totals.filtered);
    query_int(&query, (int64_t)totals.errors);
    query_int(&query, (int64_t)totals.bytes[0]);
    query_int(&query, (int64_t)totals.bytes[1]);
    query_int(&query, session);
    return query_run(&query, err);
}

/* Runs one batch of the steps below. */
static bool in_batch(struct store *store, bool ok, struct err *err)
{
    if (ok && store_commit(store, err))
        return true;
    store_rollback(store);
    return false;
}

static bool find_filter(struct store *store, int64_t session, struct filter **out_filter, struct err *err)
{
    static const char FIND_FILTER[] = "SELECT filter FROM session WHERE id = ?";
    struct query query = query_begin(store, FIND_FILTER);
    char *text = NULL;
    bool ok;

    query_int(&query, session);
    if (query_step(&query))
        text = mem_spandup(query_column_text(&query, 0));
    ok = query_end(&query, err) && (filter_parse(text != NULL ? text : "", out_filter, err) ||
                                    err_add(err, "the filter of session %lld", (long long)session));
    mem_free(text);
    return ok;
}

bool sqlite_settle_session(struct store *store, int64_t session, const char *why, struct err *err)
{
    struct filter *filter = NULL;
    bool more = true, ok = find_filter(store, session, &filter, err);

    while (ok && more)
        ok = store_begin(store, err) &&
             in_batch(store, mend_slice(store, session, filter, why, &more, err), err);
    filter_unref(filter);
    return ok && store_begin(store, err) && in_batch(store, sqlite_orphan_cookies(store, session, err), err);
}

static bool mend_session(struct store *store, int64_t session, struct err *err)
{
    return sqlite_settle_session(store, session, "interrupted: weir was killed while this was under way",
                                 err) &&
           store_set_state(store, session, SESSION_INTERRUPTED, err);
}

/* --- taking out ---------------------------------------------------------------------------------------- */

static bool find_last(struct store *store, int64_t session, struct going *rows, size_t *out_count,
                      struct err *err)
{
    static const char LAST[] =
        "SELECT " GOING_COLUMNS " FROM exchange WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 64";
    struct query query = query_begin(store, LAST);
    uint64_t kept = 0;

    *out_count = 0;
    query_int(&query, exchange_id(session, 0));
    query_int(&query, exchange_id(session, UINT32_MAX));
    while (*out_count < TAKE_ROWS && kept < TAKE_LARGE_BYTES && query_step(&query)) {
        struct going *row = &rows[(*out_count)++];
        *row = going_read(&query);
        kept += going_is_large(row) ? 0 : row->kept;
    }
    return query_end(&query, err);
}

static bool take_last(struct store *store, int64_t session, bool *out_leftovers, bool *out_more,
                      struct err *err)
{
    static const char TAKE[] = "DELETE FROM exchange WHERE id BETWEEN ? AND ?";
    struct going rows[TAKE_ROWS];
    struct query query;
    size_t count;

    if (!find_last(store, session, rows, &count, err))
        return false;
    *out_more = count != 0;
    if (count == 0)
        return true;
    if (!sqlite_take_parts(store, session, rows, count, out_leftovers, err))
        return false;
    query = query_begin(store, TAKE);
    query_int(&query, exchange_id(session, rows[count - 1].seq));
    query_int(&query, exchange_id(session, rows[0].seq));
    return query_run(&query, err);
}

static bool purge_exchanges(struct store *store, int64_t session, bool *out_leftovers, bool *out_more,
                            struct err *err)
{
    uint64_t until_us = clock_mono_us() + BATCH_US;

    do {
        if (!take_last(store, session, out_leftovers, out_more, err))
            return false;
    } while (*out_more && clock_mono_us() < until_us);
    return true;
}

/* The session's rows of another table, some at a time. */
static bool purge_table(struct store *store, const char *sql, int64_t session, bool *out_more,
                        struct err *err)
{
    struct query query = query_begin(store, sql);

    query_int(&query, session);
    if (!query_run(&query, err))
        return false;
    *out_more = sqlite3_changes(store->db) != 0;
    return true;
}

bool store_give_back(struct store *store, uint64_t spare_bytes, uint64_t until_us, struct err *err)
{
    int64_t left = 0, before = INT64_MAX, page_bytes = 1;

    if (!sqlite_int(store, "PRAGMA page_size", &page_bytes, err) ||
        !sqlite_int(store, "PRAGMA freelist_count", &left, err))
        return false;
    while ((uint64_t)(left * page_bytes) > spare_bytes && left < before && clock_mono_us() < until_us) {
        before = left;
        if (!sqlite_exec(store, "PRAGMA incremental_vacuum(" VACUUM_PAGES ")", err) ||
            !sqlite_int(store, "PRAGMA freelist_count", &left, err))
            return false;
        sqlite_let_others();
        store_checkpoint(store);
    }
    return true;
}

static bool purge_leftovers(struct store *store, int64_t session, struct err *err)
{
    bool more = true, ok = true;

    while (ok && more) {
        ok = store_begin(store, err) &&
             in_batch(store, sqlite_purge_leftovers(store, session, clock_mono_us() + BATCH_US, &more, err),
                      err);
        sqlite_let_others();
    }
    return ok;
}

/* The newest first, and each time the file is cut: its end is what became free then. Taken from the front it
 * would be cut when everything is free, and SQLite looks through a list of all that is free for each page
 * that it cuts off. */
static bool purge_all_exchanges(struct store *store, int64_t session, struct err *err)
{
    bool more = true, leftovers = true, ok = true;

    while (ok && more) {
        ok = store_begin(store, err) &&
             in_batch(store, purge_exchanges(store, session, &leftovers, &more, err), err) &&
             (!leftovers || purge_leftovers(store, session, err));
        leftovers = false;
        sqlite_let_others();
        ok = ok && store_give_back(store, 0, UINT64_MAX, err);
        store_checkpoint(store);
    }
    return ok;
}

bool sqlite_purge_session(struct store *store, int64_t session, struct err *err)
{
    static const char COOKIES[] =
        "DELETE FROM cookie WHERE id IN (SELECT id FROM cookie WHERE session = ? LIMIT 2000)";
    static const char EVENTS[] =
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE session = ? LIMIT 2000)";
    static const char HANDSHAKES[] = "DELETE FROM tls WHERE id IN (SELECT id FROM tls"
                                     " WHERE id >> 32 = ?1 AND id BETWEEN ?1 << 32 AND ((?1 + 1) << 32) - 1"
                                     " LIMIT 2000)";
    static const char HOSTS[] = "DELETE FROM host WHERE session = ?";
    static const char SESSION[] = "DELETE FROM session WHERE id = ?";
    const char *const tables[] = { COOKIES, EVENTS, HANDSHAKES, HOSTS, SESSION };
    bool more, ok = purge_all_exchanges(store, session, err);

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (more = true; ok && more;) {
            ok = store_begin(store, err) &&
                 in_batch(store, purge_table(store, tables[i], session, &more, err), err);
            sqlite_let_others();
        }
    return ok && store_give_back(store, 0, UINT64_MAX, err);
}

bool sqlite_delete_session(struct store *store, int64_t session, struct err *err)
{
    /* Its name is free for others at once. */
    static const char HIDE[] = "UPDATE session SET state = 'deleted', name = uid WHERE id = ?";
    struct query query = query_begin(store, HIDE);

    query_int(&query, session);
    return query_run(&query, err) && sqlite_purge_session(store, session, err);
}

/* --- both ---------------------------------------------------------------------------------------------- */

struct patient {
    int64_t session;
    bool is_deleted;
};

static bool find_patients(struct store *store, struct patient **out_patients, size_t *out_count,
                          struct err *err)
{
    static const char FIND[] = "SELECT id, state = 'deleted' FROM session"
                               " WHERE state IN ('recording', 'paused', 'deleted')";
    struct query query = query_begin(store, FIND);

    *out_patients = NULL;
    *out_count = 0;
    while (query_step(&query)) {
        *out_patients = mem_realloc(*out_patients, (*out_count + 1) * sizeof **out_patients);
        (*out_patients)[(*out_count)++] = (struct patient){
            query_column_int(&query, 0),
            query_column_int(&query, 1) != 0,
        };
    }
    return query_end(&query, err);
}

/* The state once the lock is held: another weir may have mended, continued or ended it meanwhile. */
static bool still_needs_it(struct store *store, const struct patient *patient, bool *out_needs,
                           struct err *err)
{
    static const char LOOK[] = "SELECT state IN ('recording', 'paused', 'deleted') FROM session WHERE id = ?";
    struct query query = query_begin(store, LOOK);

    query_int(&query, patient->session);
    *out_needs = query_step(&query) && query_column_int(&query, 0) != 0;
    return query_end(&query, err);
}

static bool treat(struct store *store, const struct patient *patient, unsigned *mended, struct err *err)
{
    bool taken, needs, ok;

    if (!sqlite_lock_session(store, patient->session, &taken, err))
        return false;
    if (!taken)
        return true;
    ok = still_needs_it(store, patient, &needs, err);
    if (ok && needs && patient->is_deleted) {
        ok = sqlite_purge_session(store, patient->session, err);
    } else if (ok && needs) {
        ok = mend_session(store, patient->session, err);
        *mended += ok;
    }
    sqlite_unlock_session(store, patient->session);
    return ok;
}

/* What a pruner had not come to when it was killed. */
static bool mend_leftovers(struct store *store, struct err *err)
{
    static const char NEXT[] = "SELECT exchange >> 32 FROM leftover WHERE exchange >> 32 > ? LIMIT 1";
    int64_t session = 0;
    bool taken, more, ok = true;

    while (ok) {
        struct query query = query_begin(store, NEXT);
        query_int(&query, session);
        more = query_step(&query);
        session = more ? query_column_int(&query, 0) : session;
        if (!query_end(&query, err) || !more)
            return !more && query.statement != NULL;
        ok = sqlite_lock_session(store, session, &taken, err);
        while (ok && taken && more)
            ok =
                store_begin(store, err) &&
                in_batch(store,
                         sqlite_purge_leftovers(store, session, clock_mono_us() + BATCH_US, &more, err), err);
        if (taken)
            sqlite_unlock_session(store, session);
    }
    return false;
}

bool store_mend(struct store *store, unsigned *out_mended, struct err *err)
{
    struct patient *patients;
    size_t count;
    unsigned mended = 0;
    bool ok = find_patients(store, &patients, &count, err);

    for (size_t i = 0; ok && i < count; i++)
        ok = treat(store, &patients[i], &mended, err);
    mem_free(patients);
    ok = ok && mend_leftovers(store, err);
    if (ok)
        *out_mended = mended;
    return ok;
}

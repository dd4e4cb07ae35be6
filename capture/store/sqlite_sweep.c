/* Each phase goes through a table of its own in slices, from where the last one ended; only cookies that may
 * be needless are held from one to the next, in jar_thin. */
#include "capture/store/sqlite_sweep.h"

#include "capture/jar_thin.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* Rows that are looked at before the clock is: a millisecond. */
#define SLICE_ROWS 128

/* Observations reach the store a little out of order, the latest after the two seconds in which a store that
 * fails is tried again; younger ones wait for the next sweep. */
#define SETTLED_AFTER_US (10 * 1000 * 1000)

/* Strands of cookies that are finished in a slice. */
#define SLICE_STRANDS 16

/* Numbers in the bitmap: 8 MiB of them. The oldest come first; the rest is for another sweep. */
#define MAX_MARKS (INT64_C(1) << 26)

enum phase { SWEEP_COOKIES, SWEEP_STRANDS, SWEEP_EVENTS, SWEEP_MARKS, SWEEP_HANDSHAKES, SWEEP_DONE };

struct sweep {
    struct store *store;
    int64_t session;
    enum phase phase;
    int64_t after_id, after_us; /* of the phase's table */
    int64_t settled_us, oldest_us;
    struct jar_thin *thin;
    uint64_t thinned_us;         /* cookies from before that are known to it */
    int64_t orphans[SLICE_ROWS]; /* cookie.id, of one slice */
    size_t orphan_count;
    struct tls_marks marks;
};

struct sweep *sweep_new(struct store *store, int64_t session)
{
    struct sweep *sweep;

    if (store->sweep != NULL)
        return NULL;
    sweep = mem_new(struct sweep);
    sweep->store = store;
    sweep->session = session;
    sweep->settled_us = (int64_t)clock_wall_us() - SETTLED_AFTER_US;
    sweep->thin = jar_thin_new();
    store->sweep = sweep;
    return sweep;
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    jar_thin_free(sweep->thin);
    sweep->store->sweep = NULL;
    sweep->store->tls_marks = NULL;
    mem_free(sweep->marks.bits);
    mem_free(sweep);
}

static void next_phase(struct sweep *sweep)
{
    sweep->phase++;
    sweep->after_id = sweep->after_us = 0;
}

static bool run_for(struct store *store, const char *sql, int64_t id, struct err *err)
{
    struct query query = query_begin(store, sql);

    query_int(&query, id);
    return query_run(&query, err);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

static bool add_bytes(const struct query *query, int column, struct strbuf *bytes)
{
    strbuf_reset(bytes);
    return record_bytes_add(bytes, query_column_text(query, column));
}

/* False: no more can be looked at this time. */
static bool look_at_cookie(struct sweep *sweep, const struct query *query, struct strbuf texts[3])
{
    struct cookie_row row = {
        .seq = (uint32_t)query_column_int(query, 1),
        .source = query_column_int(query, 2) == COOKIE_SET ? COOKIE_SET : COOKIE_SENT,
        .time_us = (uint64_t)query_column_int(query, 3),
        .name = query_column_bytes(query, 7),
        .value = query_column_bytes(query, 8),
        .line = query_column_bytes(query, 9),
    };
    bool stays = query_column_int(query, 10) != 0;

    sweep->after_us = (int64_t)row.time_us;
    sweep->after_id = query_column_int(query, 0);
    for (int i = 0; i < 3; i++)
        if (!add_bytes(query, 4 + i, &texts[i]))
            return true; /* damaged: whoever reads cookies says so */
    row.scheme = strbuf_span(&texts[0]);
    row.host = strbuf_span(&texts[1]);
    row.path = strbuf_span(&texts[2]);
    if (!stays && row.seq != 0)
        sweep->orphans[sweep->orphan_count++] = sweep->after_id;
    sweep->thinned_us = row.time_us;
    return jar_thin_add(sweep->thin, sweep->after_id, &row, stays);
}

static bool take_cookies(struct sweep *sweep, struct err *err)
{
    static const char ORPHAN[] = "UPDATE cookie SET seq = 0 WHERE id = ?";
    static const char TAKE[] = "DELETE FROM cookie WHERE id = ?";
    int64_t id;

    for (size_t i = 0; i < sweep->orphan_count; i++)
        if (!run_for(sweep->store, ORPHAN, sweep->orphans[i], err))
            return false;
    while (jar_thin_next(sweep->thin, &id))
        if (!run_for(sweep->store, TAKE, id, err))
            return false;
    sweep->orphan_count = 0;
    return true;
}

static bool sweep_cookies(struct sweep *sweep, struct err *err)
{
    static const char READ[] =
        "SELECT id, seq, source, time_us, scheme, host, path, name, value, line, seq <> 0 AND EXISTS"
        " (SELECT 1 FROM exchange WHERE exchange.id = (cookie.session << 32) + cookie.seq) FROM cookie"
        " WHERE session = ? AND (time_us, id) > (?, ?) AND time_us < ? ORDER BY time_us, id LIMIT 128";
    struct query query = query_begin(sweep->store, READ);
    struct strbuf texts[3] = { STRBUF_EMPTY, STRBUF_EMPTY, STRBUF_EMPTY };
    size_t count = 0;
    bool ok, goes_on = true;

    query_int(&query, sweep->session);
    query_int(&query, sweep->after_us);
    query_int(&query, sweep->after_id);
    query_int(&query, sweep->settled_us);
    for (; count < SLICE_ROWS && goes_on && query_step(&query); count++)
        goes_on = look_at_cookie(sweep, &query, texts);
    ok = query_end(&query, err) && take_cookies(sweep, err);
    for (int i = 0; i < 3; i++)
        strbuf_clear(&texts[i]);
    if (goes_on && count < SLICE_ROWS)
        sweep->thinned_us = (uint64_t)sweep->settled_us;
    if (!goes_on || count < SLICE_ROWS)
        next_phase(sweep);
    return ok;
}

static bool sweep_strands(struct sweep *sweep, struct err *err)
{
    int count = 0;

    while (count < SLICE_STRANDS && jar_thin_finish(sweep->thin, sweep->thinned_us))
        count++;
    if (count < SLICE_STRANDS)
        next_phase(sweep);
    return take_cookies(sweep, err);
}

/* --- events -------------------------------------------------------------------------------------------- */

static bool find_oldest(struct sweep *sweep, struct err *err)
{
    static const char OLDEST[] =
        "SELECT started_us FROM exchange WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1";
    struct query query = query_begin(sweep->store, OLDEST);

    sweep->oldest_us = sweep->settled_us;
    query_int(&query, exchange_id(sweep->session, 0));
    query_int(&query, exchange_id(sweep->session, UINT32_MAX));
    if (query_step(&query))
        sweep->oldest_us = query_column_int(&query, 0);
    return query_end(&query, err);
}

/* What says that something is missing stays. */
static bool sweep_events(struct sweep *sweep, struct err *err)
{
    static const char READ[] = "SELECT id, time_us < ?2 AND kind NOT IN ('pruned', 'incomplete') FROM event"
                               " WHERE session = ?1 AND id > ?3 ORDER BY id LIMIT 128";
    static const char TAKE[] = "DELETE FROM event WHERE id = ?";
    int64_t needless[SLICE_ROWS];
    struct query query;
    size_t count = 0, needless_count = 0;

    if (sweep->after_id == 0 && !find_oldest(sweep, err))
        return false;
    query = query_begin(sweep->store, READ);
    query_int(&query, sweep->session);
    query_int(&query, sweep->oldest_us);
    query_int(&query, sweep->after_id);
    for (; count < SLICE_ROWS && query_step(&query); count++) {
        sweep->after_id = query_column_int(&query, 0);
        if (query_column_int(&query, 1) != 0)
            needless[needless_count++] = sweep->after_id;
    }
    if (!query_end(&query, err))
        return false;
    for (size_t i = 0; i < needless_count; i++)
        if (!run_for(sweep->store, TAKE, needless[i], err))
            return false;
    if (count < SLICE_ROWS)
        next_phase(sweep);
    return true;
}

/* --- handshakes ---------------------------------------------------------------------------------------- */

static bool find_edge(struct sweep *sweep, const char *sql, int64_t *out_id, struct err *err)
{
    struct query query = query_begin(sweep->store, sql);

    query_int(&query, exchange_id(sweep->session, 0));
    query_int(&query, exchange_id(sweep->session, UINT32_MAX));
    *out_id = query_step(&query) ? query_column_int(&query, 0) : 0;
    return query_end(&query, err);
}

/* From now on store_add_tls marks what it is asked for, too, so that no exchange is missed that is recorded
 * or gets its handshake behind the place where this walk is. */
static bool begin_marks(struct sweep *sweep, struct err *err)
{
    static const char FIRST[] = "SELECT id FROM tls WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1";
    static const char LAST[] = "SELECT id FROM tls WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1";
    struct tls_marks *marks = &sweep->marks;

    if (!find_edge(sweep, FIRST, &marks->first, err) || !find_edge(sweep, LAST, &marks->last, err))
        return false;
    sweep->after_id = exchange_id(sweep->session, 0);
    if (marks->first == 0) {
        sweep->phase = SWEEP_DONE;
        return true;
    }
    if (marks->last - marks->first >= MAX_MARKS)
        marks->last = marks->first + MAX_MARKS - 1;
    marks->bits = mem_array(unsigned char, (size_t)(marks->last - marks->first) / 8 + 1);
    sweep->store->tls_marks = marks;
    return true;
}

static bool sweep_marks(struct sweep *sweep, struct err *err)
{
    static const char READ[] =
        "SELECT id, coalesce(client_tls, 0), coalesce(origin_tls, 0) FROM exchange WHERE id > ? AND id <= ?"
        " ORDER BY id LIMIT 128";
    struct query query;
    size_t count = 0;

    if (sweep->marks.bits == NULL && (!begin_marks(sweep, err) || sweep->phase == SWEEP_DONE))
        return sweep->phase == SWEEP_DONE;
    query = query_begin(sweep->store, READ);
    query_int(&query, sweep->after_id);
    query_int(&query, exchange_id(sweep->session, UINT32_MAX));
    for (; count < SLICE_ROWS && query_step(&query); count++) {
        sweep->after_id = query_column_int(&query, 0);
        tls_mark(&sweep->marks, query_column_int(&query, 1));
        tls_mark(&sweep->marks, query_column_int(&query, 2));
    }
    if (!query_end(&query, err))
        return false;
    if (count < SLICE_ROWS) {
        next_phase(sweep);
        sweep->after_id = sweep->marks.first - 1;
    }
    return true;
}

static bool is_marked(const struct tls_marks *marks, int64_t id)
{
    return (marks->bits[(id - marks->first) / 8] & 1 << (id - marks->first) % 8) != 0;
}

static bool sweep_handshakes(struct sweep *sweep, struct err *err)
{
    static const char READ[] = "SELECT id FROM tls WHERE id > ? AND id <= ? ORDER BY id LIMIT 128";
    static const char TAKE[] = "DELETE FROM tls WHERE id = ?";
    struct query query = query_begin(sweep->store, READ);
    int64_t ids[SLICE_ROWS];
    size_t count = 0;

    query_int(&query, sweep->after_id);
    query_int(&query, sweep->marks.last);
    while (count < SLICE_ROWS && query_step(&query))
        ids[count++] = query_column_int(&query, 0);
    if (!query_end(&query, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (is_marked(&sweep->marks, ids[i]))
            continue;
        if (!run_for(sweep->store, TAKE, ids[i], err))
            return false;
        sqlite_forget_tls(sweep->store, ids[i]);
    }
    if (count < SLICE_ROWS)
        next_phase(sweep);
    else
        sweep->after_id = ids[count - 1];
    return true;
}

/* --- all of it ----------------------------------------------------------------------------------------- */

static bool sweep_slice(struct sweep *sweep, struct err *err)
{
    static bool (*const phases[])(struct sweep *, struct err *) = {
        [SWEEP_COOKIES] = sweep_cookies, [SWEEP_STRANDS] = sweep_strands,       [SWEEP_EVENTS] = sweep_events,
        [SWEEP_MARKS] = sweep_marks,     [SWEEP_HANDSHAKES] = sweep_handshakes,
    };

    return phases[sweep->phase](sweep, err);
}

bool sweep_step(struct sweep *sweep, uint64_t until_us, bool *out_done, struct err *err)
{
    bool ok = store_begin(sweep->store, err);

    do {
        ok = ok && (sweep->phase == SWEEP_DONE || sweep_slice(sweep, err));
    } while (ok && sweep->phase != SWEEP_DONE && clock_mono_us() < until_us);
    if (!ok || !store_commit(sweep->store, err)) {
        store_rollback(sweep->store);
        return false;
    }
    *out_done = sweep->phase == SWEEP_DONE;
    return true;
}

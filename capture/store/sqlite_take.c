/* Bodies are mostly numbered in the order of their exchanges, so those of a slice are a few runs of numbers.
 * What of a run is shared, or a list, stays behind when the run is deleted, and goes one by one. */
#include "capture/store/sqlite_take.h"

#include <stdlib.h>

#include "capture/store/store_write.h"
#include "proxy/base/clock.h"

#define LARGE_MESSAGES 2000

/* Taken off an exchange at once: up to 16 MiB, mostly far less. */
#define TRIM_MESSAGES 16

struct going going_read(const struct query *query)
{
    return (struct going){ .seq = (uint32_t)query_column_int(query, 0),
                           .kept = (uint64_t)query_column_int(query, 1),
                           .messages = (uint64_t)query_column_int(query, 2),
                           .bodies = { query_column_int(query, 3), query_column_int(query, 4) } };
}

bool going_is_large(const struct going *going)
{
    return going->kept > TAKE_LARGE_BYTES || going->messages > LARGE_MESSAGES;
}

/* --- what is usual ------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Numbers that follow each other; one that several exchanges use is there several times. */
static bool take_run(struct store *store, const int64_t *bodies, size_t count, struct err *err)
{
    static const char TAKE[] = "DELETE FROM body WHERE id BETWEEN ? AND ? AND refs = 1 AND bytes IS NOT NULL";
    int64_t first = bodies[0], last = bodies[count - 1];
    struct query query = query_begin(store, TAKE);

    query_int(&query, first);
    query_int(&query, last);
    if (!query_run(&query, err))
        return false;
    sqlite_note_dropped_body(store, last);
    if (sqlite3_changes(store->db) == last - first + 1)
        return true;
    for (size_t i = 0; i < count; i++)
        if (!store_drop_body(store, bodies[i], err))
            return false;
    return true;
}

static bool take_bodies(struct store *store, const struct going *rows, size_t count, struct err *err)
{
    int64_t bodies[TAKE_ROWS * 2];
    size_t body_count = 0, from = 0;

    for (size_t i = 0; i < count; i++)
        for (int side = 0; side < 2; side++)
            if (rows[i].bodies[side] != 0 && !going_is_large(&rows[i]))
                bodies[body_count++] = rows[i].bodies[side];
    if (!sqlite_settle_shares(store, err))
        return false;
    if (body_count != 0)
        qsort(bodies, body_count, sizeof bodies[0], by_number);
    for (size_t to = 1; to <= body_count; to++) {
        if (to < body_count && bodies[to] - bodies[to - 1] <= 1)
            continue;
        if (!take_run(store, bodies + from, to - from, err))
            return false;
        from = to;
    }
    return true;
}

/* The row goes, too: it would be seen without what it refers to. */
static bool leave_over(struct store *store, int64_t exchange, struct err *err)
{
    static const char LEAVE[] = "INSERT INTO leftover (exchange, request_body, response_body)"
                                " SELECT id, request_body, response_body FROM exchange WHERE id = ?";
    static const char TAKE[] = "DELETE FROM exchange WHERE id = ?";
    const char *const both[] = { LEAVE, TAKE };

    for (int i = 0; i < 2; i++) {
        struct query query = query_begin(store, both[i]);
        query_int(&query, exchange);
        if (!query_run(&query, err))
            return false;
    }
    return true;
}

bool sqlite_take_parts(struct store *store, int64_t session, const struct going *rows, size_t count,
                       bool *out_leftovers, struct err *err)
{
    bool more;

    for (size_t i = 0; i < count; i++) {
        if (going_is_large(&rows[i])) {
            *out_leftovers = true;
            if (!leave_over(store, exchange_id(session, rows[i].seq), err))
                return false;
        } else if (rows[i].messages != 0 &&
                   !sqlite_trim_messages(store, session, rows[i].seq, -1, &more, err)) {
            return false;
        }
    }
    return take_bodies(store, rows, count, err);
}

/* --- leftovers ----------------------------------------------------------------------------------------- */

struct leftover {
    int64_t exchange;
    int64_t bodies[2];
};

/* exchange 0: there is none. */
static bool find_leftover(struct store *store, int64_t session, struct leftover *out_leftover,
                          struct err *err)
{
    static const char FIND[] = "SELECT exchange, coalesce(request_body, 0), coalesce(response_body, 0)"
                               " FROM leftover WHERE exchange BETWEEN ? AND ? ORDER BY exchange LIMIT 1";
    struct query query = query_begin(store, FIND);

    *out_leftover = (struct leftover){ 0 };
    query_int(&query, exchange_id(session, 0));
    query_int(&query, exchange_id(session, UINT32_MAX));
    if (query_step(&query))
        *out_leftover = (struct leftover){ query_column_int(&query, 0),
                                           { query_column_int(&query, 1), query_column_int(&query, 2) } };
    return query_end(&query, err);
}

/* *out_done false: the time was up. */
static bool purge_leftover(struct store *store, int64_t session, const struct leftover *leftover,
                           uint64_t until_us, bool *out_done, struct err *err)
{
    static const char TAKE[] = "DELETE FROM leftover WHERE exchange = ?";
    struct query query;
    bool more = true;

    *out_done = false;
    while (more) {
        if (!sqlite_trim_messages(store, session, (uint32_t)leftover->exchange, TRIM_MESSAGES, &more, err))
            return false;
        if (clock_mono_us() >= until_us)
            return true;
    }
    for (int side = 0; side < 2; side++) {
        for (more = leftover->bodies[side] != 0; more;) {
            if (!sqlite_trim_body(store, leftover->bodies[side], &more, err))
                return false;
            if (clock_mono_us() >= until_us)
                return true;
        }
    }
    for (int side = 0; side < 2; side++)
        if (leftover->bodies[side] != 0 && !store_drop_body(store, leftover->bodies[side], err))
            return false;
    query = query_begin(store, TAKE);
    query_int(&query, leftover->exchange);
    *out_done = true;
    return query_run(&query, err);
}

bool sqlite_purge_leftovers(struct store *store, int64_t session, uint64_t until_us, bool *out_more,
                            struct err *err)
{
    struct leftover leftover;
    bool is_done = true;

    *out_more = true;
    while (is_done && clock_mono_us() < until_us) {
        if (!find_leftover(store, session, &leftover, err))
            return false;
        *out_more = leftover.exchange != 0;
        if (!*out_more)
            return true;
        if (!purge_leftover(store, session, &leftover, until_us, &is_done, err))
            return false;
    }
    return true;
}

/* What is needless among cookies is found by replaying them into a jar: of each of its cookies the row that
 * made it and the row that gave it its value are held, and what came between goes. A row of an exchange that
 * is kept takes part and stays. Cookies of one name have a say in what becomes of each other, where their
 * domains meet; so a row that stays pins those that the others had then, for the next replay to judge it
 * alike. That is not proved for what no site does: of random mixes of three names on hosts below each other,
 * with and without TLS, set, deleted and scripted at every turn, one in hundreds still came out otherwise. */
#include "capture/store/sqlite_sweep.h"

#include <string.h>

#include "capture/jar_follow.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* Rows that are looked at before the clock is: a millisecond. */
#define SLICE_ROWS 128

/* Observations reach the store a little out of order, the latest after the two seconds in which a store that
 * fails is tried again; younger ones wait for the next sweep. */
#define SETTLED_AFTER_US (10 * 1000 * 1000)

/* Cookies that are held at once: more than any jar, and no more memory than that whoever sets them. */
#define MAX_HELD 16384

/* Numbers in the bitmap: 8 MiB of them. The oldest come first; the rest is for another sweep. */
#define MAX_MARKS (INT64_C(1) << 26)

struct held_row {
    int64_t id; /* 0: none */
    bool stays; /* its exchange is kept, or it is pinned */
    bool is_secure;
};

/* A cookie of the jar, and where it comes from. */
struct held {
    struct held *next;   /* of that name */
    char *domain, *path; /* owned */
    bool is_host_only, is_partitioned;
    bool has_rest;   /* rows of it stay that came before the first, */
    bool has_middle; /* or after it, before the last */
    bool was_secure; /* by the row before the last that stays */
    struct held_row first, last, script;
};

struct held_name {
    char *name; /* owned */
    struct held *first;
    UT_hash_handle hh;
};

enum phase { SWEEP_COOKIES, SWEEP_EVENTS, SWEEP_MARKS, SWEEP_HANDSHAKES, SWEEP_DONE };

struct sweep {
    struct store *store;
    int64_t session;
    enum phase phase;
    int64_t after_id, after_us; /* of the phase's table */
    int64_t settled_us, oldest_us;
    struct jar *jar;
    struct held_name *held;
    size_t held_count;
    int64_t needless[SLICE_ROWS * 4], orphans[SLICE_ROWS]; /* cookie.id, of one slice */
    size_t needless_count, orphan_count;
    struct tls_marks marks;
};

static void forget_cookies(struct sweep *sweep)
{
    struct held_name *name, *tmp;

    HASH_ITER (hh, sweep->held, name, tmp) {
        for (struct held *held = name->first, *next; held != NULL; held = next) {
            next = held->next;
            mem_free(held->domain);
            mem_free(held->path);
            mem_free(held);
        }
        HASH_DEL(sweep->held, name);
        mem_free(name->name);
        mem_free(name);
    }
    jar_free(sweep->jar);
    sweep->jar = NULL;
}

struct sweep *sweep_new(struct store *store, int64_t session)
{
    struct sweep *sweep;

    if (store->sweep != NULL)
        return NULL;
    sweep = mem_new(struct sweep);
    sweep->store = store;
    sweep->session = session;
    sweep->settled_us = (int64_t)clock_wall_us() - SETTLED_AFTER_US;
    sweep->jar = jar_new();
    store->sweep = sweep;
    return sweep;
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    forget_cookies(sweep);
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

static struct held_name *name_of(struct sweep *sweep, struct span name)
{
    struct held_name *of;

    HASH_FIND(hh, sweep->held, name.ptr != NULL ? name.ptr : "", name.len, of);
    if (of == NULL) {
        of = mem_new(struct held_name);
        of->name = mem_spandup(name);
        HASH_ADD_KEYPTR(hh, sweep->held, of->name, name.len, of);
    }
    return of;
}

static struct held *hold(struct sweep *sweep, struct held_name *name, const struct jar_cookie *cookie)
{
    struct held *held = name->first;

    while (held != NULL &&
           !(held->is_host_only == cookie->is_host_only && held->is_partitioned == cookie->is_partitioned &&
             strcmp(held->domain, cookie->domain) == 0 && strcmp(held->path, cookie->path) == 0))
        held = held->next;
    if (held == NULL) {
        held = mem_new(struct held);
        held->domain = mem_strdup(cookie->domain);
        held->path = mem_strdup(cookie->path);
        held->is_host_only = cookie->is_host_only;
        held->is_partitioned = cookie->is_partitioned;
        held->next = name->first;
        name->first = held;
        sweep->held_count++;
    }
    return held;
}

static bool is_below(struct span host, struct span domain)
{
    return host.len > domain.len && host.ptr[host.len - domain.len - 1] == '.' &&
           span_ieq(span_from(host, host.len - domain.len), domain);
}

/* Whether the cookie can have a say in what becomes of an observation there; rather yes than no. */
static bool meets(const struct held *held, const struct cookie_row *row)
{
    struct span domain = span_of(held->domain);

    if (span_ieq(row->host, domain))
        return true;
    if (held->is_host_only && span_ieq(row->scheme, SPAN("https")) && row->line.len == 0)
        return false;
    return is_below(row->host, domain) || is_below(domain, row->host);
}

/* held: the one that the row is about, or NULL. */
static void pin_others(struct held_name *name, const struct held *held, const struct cookie_row *row)
{
    for (struct held *other = name->first; other != NULL; other = other->next)
        if (other != held && meets(other, row))
            other->first.stays = other->last.stays = other->script.stays = true;
}

/* False: it stays. */
static bool let_go(struct sweep *sweep, const struct held_row *row)
{
    if (row->id == 0)
        return true;
    if (!row->stays)
        sweep->needless[sweep->needless_count++] = row->id;
    return !row->stays;
}

static void let_all_go(struct sweep *sweep, struct held *held)
{
    bool all = let_go(sweep, &held->first);

    if (held->last.id != held->first.id)
        all = let_go(sweep, &held->last) && all;
    all = let_go(sweep, &held->script) && all;
    held->has_rest = held->has_rest || held->has_middle || !all;
    held->has_middle = false;
}

/* The row has been put into the jar. */
static void judge(struct sweep *sweep, struct held_row place, const struct cookie_row *row)
{
    const struct jar_cookie *cookie;
    enum jar_change change = jar_last_change(sweep->jar, &cookie);
    struct held_name *name;
    struct held *held = NULL;

    if ((change == JAR_IGNORED || change == JAR_SENT) && let_go(sweep, &place))
        return;
    name = name_of(sweep, cookie != NULL ? cookie->name : row->name);
    if (cookie != NULL)
        held = hold(sweep, name, cookie);
    place.is_secure = cookie != NULL && cookie->is_secure;
    pin_others(name, held, row);
    switch (change) {
    case JAR_IGNORED:
    case JAR_SENT:
        if (held != NULL) /* it stays: so must what explains it */
            held->first.stays = held->last.stays = held->script.stays = true;
        return;
    case JAR_SCRIPTED:
        held->has_middle = !let_go(sweep, &held->script) || held->has_middle;
        held->script = place;
        return;
    case JAR_REPLACED:
        /* The row before stands for it then, so it must shut out the same cookies from plain http. */
        held->last.stays = held->last.stays || held->last.is_secure != held->was_secure;
        if (held->last.id != held->first.id && !let_go(sweep, &held->last)) {
            held->was_secure = held->last.is_secure;
            held->has_middle = true;
        }
        held->has_middle = !let_go(sweep, &held->script) || held->has_middle;
        break;
    case JAR_ADDED:
    case JAR_INFERRED:
    case JAR_DELETED:
        /* A deletion is needed as long as there is something before it. */
        held->first.stays = held->first.stays || held->has_rest;
        if (held->last.is_secure != held->was_secure && (held->first.stays || held->has_middle))
            held->last.stays = true;
        let_all_go(sweep, held);
        held->first = place;
        held->was_secure = place.is_secure;
        break;
    }
    held->last = place;
    held->script = (struct held_row){ 0 };
}

static bool add_bytes(const struct query *query, int column, struct strbuf *bytes)
{
    strbuf_reset(bytes);
    return record_bytes_add(bytes, query_column_text(query, column));
}

static void look_at_cookie(struct sweep *sweep, const struct query *query, struct strbuf texts[3])
{
    struct held_row place = { .id = query_column_int(query, 0) };
    struct cookie_row row = {
        .seq = (uint32_t)query_column_int(query, 1),
        .source = query_column_int(query, 2) == COOKIE_SET ? COOKIE_SET : COOKIE_SENT,
        .time_us = (uint64_t)query_column_int(query, 3),
        .name = query_column_bytes(query, 7),
        .value = query_column_bytes(query, 8),
        .line = query_column_bytes(query, 9),
    };
    struct err ignored; /* a cookie that no client would take */

    sweep->after_us = (int64_t)row.time_us;
    sweep->after_id = place.id;
    place.stays = query_column_int(query, 10) != 0;
    for (int i = 0; i < 3; i++)
        if (!add_bytes(query, 4 + i, &texts[i]))
            return; /* damaged: whoever reads cookies says so */
    row.scheme = strbuf_span(&texts[0]);
    row.host = strbuf_span(&texts[1]);
    row.path = strbuf_span(&texts[2]);
    (void)jar_add_row(sweep->jar, &row, &ignored);
    if (!place.stays && row.seq != 0)
        sweep->orphans[sweep->orphan_count++] = place.id;
    judge(sweep, place, &row);
}

static bool take_cookies(struct sweep *sweep, struct err *err)
{
    static const char ORPHAN[] = "UPDATE cookie SET seq = 0 WHERE id = ?";
    static const char TAKE[] = "DELETE FROM cookie WHERE id = ?";

    for (size_t i = 0; i < sweep->orphan_count; i++)
        if (!run_for(sweep->store, ORPHAN, sweep->orphans[i], err))
            return false;
    for (size_t i = 0; i < sweep->needless_count; i++)
        if (!run_for(sweep->store, TAKE, sweep->needless[i], err))
            return false;
    sweep->orphan_count = sweep->needless_count = 0;
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
    bool ok;

    query_int(&query, sweep->session);
    query_int(&query, sweep->after_us);
    query_int(&query, sweep->after_id);
    query_int(&query, sweep->settled_us);
    for (; count < SLICE_ROWS && query_step(&query); count++)
        look_at_cookie(sweep, &query, texts);
    ok = query_end(&query, err) && take_cookies(sweep, err);
    for (int i = 0; i < 3; i++)
        strbuf_clear(&texts[i]);
    if (count < SLICE_ROWS || sweep->held_count > MAX_HELD) {
        forget_cookies(sweep);
        next_phase(sweep);
    }
    return ok;
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
    struct query query;
    size_t count = 0;

    if (sweep->after_id == 0 && !find_oldest(sweep, err))
        return false;
    query = query_begin(sweep->store, READ);
    query_int(&query, sweep->session);
    query_int(&query, sweep->oldest_us);
    query_int(&query, sweep->after_id);
    for (; count < SLICE_ROWS && query_step(&query); count++) {
        sweep->after_id = query_column_int(&query, 0);
        if (query_column_int(&query, 1) != 0)
            sweep->needless[sweep->needless_count++] = sweep->after_id;
    }
    if (!query_end(&query, err))
        return false;
    for (size_t i = 0; i < sweep->needless_count; i++)
        if (!run_for(sweep->store, TAKE, sweep->needless[i], err))
            return false;
    sweep->needless_count = 0;
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
        [SWEEP_COOKIES] = sweep_cookies,
        [SWEEP_EVENTS] = sweep_events,
        [SWEEP_MARKS] = sweep_marks,
        [SWEEP_HANDSHAKES] = sweep_handshakes,
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

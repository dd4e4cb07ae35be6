/* Sessions: finding, starting, ending, renaming them. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/store/sqlite.h"
#include "capture/store/store_write.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* As many names as fit in an error of one line. */
#define MAX_NAMES_SHOWN 5

static const char *const state_names[] = { "recording", "paused", "ended", "interrupted" };

const char *session_state_name(enum session_state state)
{
    return state_names[state];
}

static enum session_state state_of(struct span name)
{
    for (unsigned i = 0; i < sizeof state_names / sizeof state_names[0]; i++)
        if (span_eq(name, span_of(state_names[i])))
            return (enum session_state)i;
    return SESSION_INTERRUPTED;
}

void session_row_clear(struct session_row *row)
{
    mem_free(row->name);
    mem_free(row->incomplete);
    mem_free(row->filter);
    mem_free(row->options);
    *row = (struct session_row){ .id = 0 };
}

#define SESSION_COLUMNS                                                                                      \
    "id, uid, name, state, started_us, ended_us, exchanges, seen, filtered, errors,"                         \
    " (SELECT count(*) FROM host WHERE host.session = session.id), request_bytes, response_bytes,"           \
    " incomplete, filter, options, pruned"

static void read_row(const struct query *query, struct session_row *row)
{
    struct span uid = query_column_text(query, 1), incomplete = query_column_text(query, 13);

    *row = (struct session_row){
        .id = query_column_int(query, 0),
        .name = mem_spandup(query_column_text(query, 2)),
        .state = state_of(query_column_text(query, 3)),
        .started_us = (uint64_t)query_column_int(query, 4),
        .ended_us = (uint64_t)query_column_int(query, 5),
        .exchanges = (uint64_t)query_column_int(query, 6),
        .seen = (uint64_t)query_column_int(query, 7),
        .filtered = (uint64_t)query_column_int(query, 8),
        .errors = (uint64_t)query_column_int(query, 9),
        .hosts = (uint64_t)query_column_int(query, 10),
        .request_bytes = (uint64_t)query_column_int(query, 11),
        .response_bytes = (uint64_t)query_column_int(query, 12),
        .incomplete = incomplete.ptr != NULL ? mem_spandup(incomplete) : NULL,
        .filter = mem_spandup(query_column_text(query, 14)),
        .options = mem_spandup(query_column_text(query, 15)),
        .pruned = (uint64_t)query_column_int(query, 16),
    };
    memcpy(row->uid, uid.ptr, uid.len < sizeof row->uid ? uid.len : sizeof row->uid - 1);
}

/* A state that says recording is believed only while somebody holds the lock. */
static void settle_state(struct store *store, struct session_row *row)
{
    if (row->state != SESSION_RECORDING && row->state != SESSION_PAUSED)
        return;
    if (sqlite_session_is_locked(store, row->id))
        row->ended_us = 0;
    else
        row->state = SESSION_INTERRUPTED;
}

bool store_sessions(struct store *store, bool (*each)(void *self, const struct session_row *row), void *self,
                    struct err *err)
{
    static const char ALL[] =
        "SELECT " SESSION_COLUMNS " FROM session WHERE state <> 'deleted' ORDER BY started_us, id";
    struct query query = query_begin(store, ALL);
    struct session_row *rows = NULL;
    size_t count = 0;
    bool ok;

    /* First all of them, so that nobody's terminal keeps a snapshot open. */
    while (query_step(&query)) {
        rows = mem_realloc(rows, (count + 1) * sizeof *rows);
        read_row(&query, &rows[count++]);
    }
    ok = query_end(&query, err);
    for (size_t i = 0, goes_on = ok; i < count; i++) {
        settle_state(store, &rows[i]);
        goes_on = goes_on && each(self, &rows[i]);
        session_row_clear(&rows[i]);
    }
    mem_free(rows);
    return ok;
}

static bool find_by(struct store *store, const char *sql, struct span text, struct session_row *out_row,
                    bool *out_found, struct err *err)
{
    struct query query = query_begin(store, sql);

    if (text.ptr != NULL && sqlite3_bind_parameter_count(query.statement) != 0)
        query_text(&query, text);
    *out_found = query_step(&query);
    if (*out_found)
        read_row(&query, out_row);
    if (!query_end(&query, err)) {
        if (*out_found)
            session_row_clear(out_row);
        return false;
    }
    if (*out_found)
        settle_state(store, out_row);
    return true;
}

static bool fail_not_found(struct store *store, const char *which, struct err *err)
{
    static const char NAMES[] = "SELECT name FROM session WHERE state <> 'deleted' ORDER BY max(started_us, "
                                "coalesce(ended_us, 0)) DESC";
    struct strbuf names = STRBUF_EMPTY;
    struct query query = query_begin(store, NAMES);
    int count = 0;

    while (query_step(&query) && count++ < MAX_NAMES_SHOWN) {
        strbuf_add_str(&names, count > 1 ? ", '" : "'");
        strbuf_add(&names, query_column_text(&query, 0));
        strbuf_add_char(&names, '\'');
    }
    if (count > MAX_NAMES_SHOWN)
        strbuf_add_str(&names, ", ...");
    if (query_end(&query, err)) {
        if (count == 0)
            err_set(err, ERR_FOUND, "store '%s' has no session: record one with 'weir capture'", store->path);
        else
            err_set(err, ERR_FOUND, "no session '%s': there is %s", which, strbuf_text(&names));
    }
    strbuf_clear(&names);
    return false;
}

bool store_find_session(struct store *store, const char *which, struct session_row *out_row, struct err *err)
{
    static const char LATEST[] = "SELECT " SESSION_COLUMNS " FROM session WHERE state <> 'deleted' "
                                 "ORDER BY max(started_us, coalesce(ended_us, 0)) DESC, id DESC LIMIT 1";
    static const char BY_ID[] =
        "SELECT " SESSION_COLUMNS " FROM session WHERE state <> 'deleted' AND id = CAST(? AS INTEGER)";
    static const char BY_NAME[] =
        "SELECT " SESSION_COLUMNS " FROM session WHERE state <> 'deleted' AND name = ?";
    const char *name = which != NULL ? which : "latest";
    const char *sql = strcmp(name, "latest") == 0                                     ? LATEST
                      : name[0] != '\0' && strspn(name, "0123456789") == strlen(name) ? BY_ID
                                                                                      : BY_NAME;
    bool found;

    if (!find_by(store, sql, span_of(name), out_row, &found, err))
        return false;
    return found || fail_not_found(store, name, err);
}

/* --- starting ------------------------------------------------------------------------------------------ */

static void default_name(uint64_t now_us, unsigned attempt, char out_name[48])
{
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm local;
    size_t len;

    localtime_r(&seconds, &local);
    len = strftime(out_name, 40, "%Y-%m-%d %H:%M:%S", &local);
    if (attempt > 1)
        sqlite3_snprintf((int)(48 - len), out_name + len, " (%u)", attempt);
}

static bool name_is_taken(struct store *store, struct span name, int64_t but, bool *out_taken,
                          struct err *err)
{
    static const char TAKEN[] = "SELECT 1 FROM session WHERE name = ? AND id <> ?";
    struct query query = query_begin(store, TAKEN);

    query_text(&query, name);
    query_int(&query, but);
    *out_taken = query_step(&query);
    return query_end(&query, err);
}

static bool insert_session(struct store *store, const struct store_session_start *start, int64_t *out_id,
                           struct err *err)
{
    static const char INSERT[] = "INSERT INTO session (uid, name, state, started_us, filter, options) VALUES "
                                 "(?, ?, 'recording', ?, ?, ?)";
    struct uid_maker maker = { .left = 0 };
    unsigned char uid[UID_BYTES];
    char uid_as_text[UID_TEXT_BYTES], made_name[48];
    const char *name = start->name;
    uint64_t now_us = clock_wall_us();
    struct query query;
    bool taken = name == NULL;

    for (unsigned attempt = 1; taken; attempt++) {
        default_name(now_us, attempt, made_name);
        name = made_name;
        if (!name_is_taken(store, span_of(name), 0, &taken, err))
            return false;
    }
    uid_make(&maker, now_us, uid);
    uid_text(uid, uid_as_text);
    query = query_begin(store, INSERT);
    query_text(&query, span_of(uid_as_text));
    query_text(&query, span_of(name));
    query_int(&query, (int64_t)now_us);
    query_text(&query, span_of(start->filter));
    query_text(&query, span_of(start->options));
    if (!query_run(&query, err))
        return false;
    *out_id = sqlite3_last_insert_rowid(store->db);
    return true;
}

static bool find_id(struct store *store, const char *name, int64_t *out_id, struct err *err)
{
    static const char FIND_ID[] = "SELECT id FROM session WHERE state <> 'deleted' AND name = ?";
    struct query query = query_begin(store, FIND_ID);

    query_text(&query, span_of(name));
    *out_id = query_step(&query) ? query_column_int(&query, 0) : 0;
    return query_end(&query, err);
}

static bool reopen_session(struct store *store, int64_t session, const struct store_session_start *start,
                           struct err *err)
{
    static const char REOPEN[] =
        "UPDATE session SET state = 'recording', filter = ?, options = ? WHERE id = ?";
    struct query query = query_begin(store, REOPEN);

    query_text(&query, span_of(start->filter));
    query_text(&query, span_of(start->options));
    query_int(&query, session);
    return query_run(&query, err);
}

/* The highest number below session in a table whose ids begin with the session's. */
static bool last_number(struct store *store, const char *sql, int64_t session, uint32_t *out_number,
                        struct err *err)
{
    struct query query = query_begin(store, sql);

    query_int(&query, exchange_id(session, 0));
    query_int(&query, exchange_id(session, UINT32_MAX));
    *out_number = query_step(&query) ? (uint32_t)query_column_int(&query, 0) : 0;
    return query_end(&query, err);
}

static bool find_pruned_seq(struct store *store, int64_t session, uint32_t *out_seq, struct err *err)
{
    static const char FIND_PRUNED[] = "SELECT pruned_seq FROM session WHERE id = ?";
    struct query query = query_begin(store, FIND_PRUNED);

    query_int(&query, session);
    *out_seq = query_step(&query) ? (uint32_t)query_column_int(&query, 0) : 0;
    return query_end(&query, err);
}

static void add_tls_base(struct store *store, int64_t session, uint32_t last_tls)
{
    size_t i = 0;

    while (i < store->tls_base_count && store->tls_bases[i].session != session)
        i++;
    if (i == store->tls_base_count)
        store->tls_bases =
            mem_realloc(store->tls_bases, ++store->tls_base_count * sizeof store->tls_bases[0]);
    store->tls_bases[i] = (struct tls_base){ session, exchange_id(session, last_tls) };
}

static bool start_in_batch(struct store *store, const struct store_session_start *start, int64_t *out_id,
                           uint32_t *out_last_seq, struct err *err)
{
    static const char LAST_SEQ[] =
        "SELECT id FROM exchange WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1";
    static const char LAST_TLS[] = "SELECT id FROM tls WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1";
    uint32_t last_tls, pruned_seq;
    bool taken;

    *out_id = 0;
    if (start->name != NULL && !find_id(store, start->name, out_id, err))
        return false;
    if (*out_id != 0 ? !reopen_session(store, *out_id, start, err)
                     : !insert_session(store, start, out_id, err))
        return false;
    if (!sqlite_lock_session(store, *out_id, &taken, err))
        return false;
    if (!taken)
        return err_set(err, ERR_FOUND, "session '%s' is being recorded: give another name", start->name);
    if (!last_number(store, LAST_SEQ, *out_id, out_last_seq, err) ||
        !last_number(store, LAST_TLS, *out_id, &last_tls, err) ||
        !find_pruned_seq(store, *out_id, &pruned_seq, err)) {
        sqlite_unlock_session(store, *out_id);
        return false;
    }
    if (pruned_seq > *out_last_seq)
        *out_last_seq = pruned_seq;
    add_tls_base(store, *out_id, last_tls);
    return true;
}

bool store_session_start(struct store *store, const struct store_session_start *start,
                         struct session_row *out_row, uint32_t *out_last_seq, struct err *err)
{
    char id_text[24];
    int64_t id;

    if (!store_begin(store, err))
        return false;
    if (!start_in_batch(store, start, &id, out_last_seq, err)) {
        store_rollback(store);
        return false;
    }
    if (!store_commit(store, err)) {
        store_rollback(store);
        sqlite_unlock_session(store, id);
        return false;
    }
    sqlite3_snprintf(sizeof id_text, id_text, "%lld", (long long)id);
    return store_find_session(store, id_text, out_row, err);
}

/* --- afterwards ---------------------------------------------------------------------------------------- */

bool store_session_end(struct store *store, int64_t session, struct err *err)
{
    static const char END[] = "UPDATE session SET state = 'ended', ended_us = ? WHERE id = ?";
    struct query query;

    if (!sqlite_settle_session(store, session, "weir ended while this was under way", err))
        return false;
    query = query_begin(store, END);
    query_int(&query, (int64_t)clock_wall_us());
    query_int(&query, session);
    if (!query_run(&query, err))
        return false;
    sqlite_unlock_session(store, session);
    return true;
}

bool store_session_rename(struct store *store, int64_t session, const char *name, struct err *err)
{
    static const char RENAME[] = "UPDATE session SET name = ? WHERE id = ? AND state <> 'deleted'";
    struct query query;
    bool taken;

    if (!name_is_taken(store, span_of(name), session, &taken, err))
        return false;
    if (taken)
        return err_set(err, ERR_FOUND, "there is already a session '%s'", name);
    query = query_begin(store, RENAME);
    query_text(&query, span_of(name));
    query_int(&query, session);
    return query_run(&query, err);
}

bool store_session_delete(struct store *store, int64_t session, struct err *err)
{
    bool taken, ok;

    if (!sqlite_lock_session(store, session, &taken, err))
        return false;
    if (!taken)
        return err_set(err, ERR_FOUND, "session %lld is being recorded: end it first", (long long)session);
    ok = sqlite_delete_session(store, session, err);
    sqlite_unlock_session(store, session);
    return ok;
}

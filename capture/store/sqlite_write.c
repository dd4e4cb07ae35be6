/* What is recorded: rows of a batch. */
#include <string.h>

#include "capture/filter.h"
#include "capture/store/sqlite.h"
#include "capture/store/sqlite_sweep.h"
#include "capture/store/store_write.h"

/* Makes of a session's number something that parts hashes of different sessions (2^64 by the golden ratio).
 */
#define SESSION_STEP UINT64_C(0x9e3779b97f4a7c15)

static void bind_constant(struct query *query, const struct store_exchange *row)
{
    query_int(query, exchange_id(row->session, row->seq));
    query_int(query, row->session);
    query_int(query, row->seq);
    query_bytes(query, span_make(row->uid, UID_BYTES));
    query_int(query, (int64_t)row->started_us);
    query_text(query, row->client_addr);
    query_text(query, row->method);
    query_text(query, row->scheme);
    query_text(query, row->host);
    query_int(query, row->port);
    query_text(query, row->path);
    query_text(query, row->query);
    query_text(query, row->protocol);
    query_int(query, row->request_version);
    query_text(query, row->request_headers);
    query_text(query, row->request_type);
    query_int_or_null(query, row->client_tls, 0);
}

static void bind_changing(struct query *query, const struct store_exchange *row)
{
    query_int(query, row->state);
    query_int(query, row->is_provisional);
    for (int i = 0; i < TAP_T_COUNT; i++)
        query_int_or_null(query, row->times[i], TAP_NEVER);
    query_text(query, row->origin_addr);
    query_int(query, row->response_version);
    query_int_or_null(query, row->status, 0);
    query_text(query, row->reason);
    query_text(query, row->response_headers);
    query_text(query, row->response_type);
    query_text(query, row->interim);
    for (int side = 0; side < 2; side++) {
        query_text(query, row->trailers[side]);
        query_int_or_null(query, row->bodies[side], 0);
        query_int(query, (int64_t)row->bytes[side]);
        query_int(query, (int64_t)row->kept[side]);
        query_int(query, (int64_t)row->wire_bytes[side]);
    }
    query_int(query, (int64_t)row->tunnel_sent_bytes);
    query_int(query, (int64_t)row->tunnel_received_bytes);
    query_int_or_null(query, row->origin_tls, 0);
    query_text(query, row->error);
    query_int(query, row->attempts);
    query_int(query, row->flags);
    query_int(query, row->messages);
}

bool store_insert_exchange(struct store *store, const struct store_exchange *row, struct err *err)
{
    static const char INSERT[] =
        "INSERT INTO exchange (id, session, seq, uid, started_us, client_addr, method, scheme, host, port, "
        "path,"
        " query, protocol, request_version, request_headers, request_type, client_tls,"
        " state, provisional, t_accepted, t_dns_start, t_dns_end, t_connect_start, t_connect_end, "
        "t_tls_start,"
        " t_tls_end, t_sent_first, t_sent_last, t_received_first, t_received_last, t_done, origin_addr,"
        " response_version, status, reason, response_headers, response_type, interim,"
        " request_trailers, request_body, request_bytes, request_kept, request_wire_bytes,"
        " response_trailers, response_body, response_bytes, response_kept, response_wire_bytes,"
        " tunnel_sent_bytes, tunnel_received_bytes, origin_tls, error, attempts, flags, messages)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?, ?,?,?,?,?,?, ?,?,?,?,?,?,?,?, ?,?,?,?,?,?,?, ?,?,?,?,?,?, ?,?,?,?,?,"
        " ?,?,?,?,?, ?,?,?,?,?,?,?)";
    struct query query = query_begin(store, INSERT);

    bind_constant(&query, row);
    bind_changing(&query, row);
    return query_run(&query, err);
}

bool store_update_exchange(struct store *store, const struct store_exchange *row, struct err *err)
{
    static const char UPDATE[] =
        "UPDATE exchange SET state = ?, provisional = ?, t_accepted = ?, t_dns_start = ?, t_dns_end = ?,"
        " t_connect_start = ?, t_connect_end = ?, t_tls_start = ?, t_tls_end = ?, t_sent_first = ?,"
        " t_sent_last = ?, t_received_first = ?, t_received_last = ?, t_done = ?, origin_addr = ?,"
        " response_version = coalesce(nullif(?, 0), response_version), status = coalesce(?, status),"
        " reason = coalesce(?, reason), response_headers = coalesce(?, response_headers),"
        " response_type = coalesce(?, response_type), interim = coalesce(?, interim),"
        " request_trailers = coalesce(?, request_trailers), request_body = coalesce(?, request_body),"
        " request_bytes = ?, request_kept = ?, request_wire_bytes = ?,"
        " response_trailers = coalesce(?, response_trailers), response_body = coalesce(?, response_body),"
        " response_bytes = ?, response_kept = ?, response_wire_bytes = ?,"
        " tunnel_sent_bytes = ?, tunnel_received_bytes = ?, origin_tls = coalesce(?, origin_tls),"
        " error = coalesce(?, error), attempts = ?, flags = ?, messages = ? WHERE id = ?";
    struct query query = query_begin(store, UPDATE);

    bind_changing(&query, row);
    query_int(&query, exchange_id(row->session, row->seq));
    return query_run(&query, err);
}

bool store_delete_exchange(struct store *store, int64_t session, uint32_t seq, bool *out_was_there,
                           struct err *err)
{
    static const char DELETE_EXCHANGE[] =
        "DELETE FROM exchange WHERE id = ? RETURNING request_body, response_body";
    struct query query = query_begin(store, DELETE_EXCHANGE);
    int64_t bodies[2] = { 0, 0 };
    bool more;

    *out_was_there = false;
    query_int(&query, exchange_id(session, seq));
    while (query_step(&query)) {
        *out_was_there = true;
        bodies[0] = query_column_int(&query, 0);
        bodies[1] = query_column_int(&query, 1);
    }
    if (!query_end(&query, err))
        return false;
    for (int side = 0; side < 2; side++)
        if (bodies[side] != 0 && !store_drop_body(store, bodies[side], err))
            return false;
    return sqlite_trim_messages(store, session, seq, -1, &more, err);
}

bool store_exchange_matches(struct store *store, int64_t session, uint32_t seq, const struct filter *filter,
                            bool *out_matches, struct err *err)
{
    struct filter_sql condition;
    struct strbuf sql = STRBUF_EMPTY;
    sqlite3_stmt *statement = NULL;
    bool ok;

    filter_to_sql(filter, &condition);
    strbuf_printf(&sql, "SELECT count(*) FROM exchange WHERE id = ? AND (%s)", strbuf_text(&condition.where));
    ok = sqlite3_prepare_v2(store->db, strbuf_text(&sql), -1, &statement, NULL) == SQLITE_OK;
    if (ok) {
        sqlite3_bind_int64(statement, 1, exchange_id(session, seq));
        sqlite_bind_filter(statement, 2, &condition);
        ok = sqlite3_step(statement) == SQLITE_ROW;
    }
    if (ok)
        *out_matches = sqlite3_column_int(statement, 0) != 0;
    else
        sqlite_fail(store, err);
    sqlite3_finalize(statement);
    strbuf_clear(&sql);
    filter_sql_clear(&condition);
    return ok;
}

bool store_settle_exchange(struct store *store, int64_t session, uint32_t seq, const char *why,
                           struct err *err)
{
    static const char SETTLE[] = "UPDATE exchange SET state = iif(state = 0, 2, state), provisional = 0,"
                                 " error = iif(state = 0, coalesce(error, ?), error) WHERE id = ?"
                                 " RETURNING request_body, response_body";
    struct query query = query_begin(store, SETTLE);
    int64_t bodies[2] = { 0, 0 };

    query_text(&query, span_of(why));
    query_int(&query, exchange_id(session, seq));
    while (query_step(&query)) {
        bodies[0] = query_column_int(&query, 0);
        bodies[1] = query_column_int(&query, 1);
    }
    if (!query_end(&query, err))
        return false;
    for (int side = 0; side < 2; side++)
        if (bodies[side] != 0 && !sqlite_seal_tail(store, bodies[side], err))
            return false;
    return store_add_host_of(store, session, seq, err);
}

bool store_add_host_of(struct store *store, int64_t session, uint32_t seq, struct err *err)
{
    static const char COPY_HOST[] =
        "INSERT OR IGNORE INTO host (session, host) SELECT session, host FROM exchange WHERE id = ?";
    struct query query = query_begin(store, COPY_HOST);

    query_int(&query, exchange_id(session, seq));
    return query_run(&query, err);
}

bool store_add_host(struct store *store, int64_t session, struct span host, struct err *err)
{
    static const char INSERT_HOST[] = "INSERT OR IGNORE INTO host (session, host) VALUES (?, ?)";
    uint64_t hash = (store_hash(host) + (uint64_t)session * SESSION_STEP) | 1; /* 0 is an empty slot */
    uint64_t *slot = &store->hosts_seen[hash >> 32 & (SEEN_SLOTS - 1)];
    struct query query;

    if (*slot == hash)
        return true;
    query = query_begin(store, INSERT_HOST);
    query_int(&query, session);
    query_text(&query, host);
    if (!query_run(&query, err))
        return false;
    *slot = hash;
    return true;
}

static int64_t tls_base(struct store *store, int64_t session)
{
    if (store->tls_base_last < store->tls_base_count &&
        store->tls_bases[store->tls_base_last].session == session)
        return store->tls_bases[store->tls_base_last].base;
    for (size_t i = 0; i < store->tls_base_count; i++) {
        if (store->tls_bases[i].session == session) {
            store->tls_base_last = i;
            return store->tls_bases[i].base;
        }
    }
    return exchange_id(session, 0);
}

static uint64_t *tls_slot(struct store *store, int64_t row)
{
    return &store->tls_seen[((uint64_t)row + (uint64_t)(row >> 32)) & (SEEN_SLOTS - 1)];
}

void sqlite_forget_tls(struct store *store, int64_t row)
{
    uint64_t *slot = tls_slot(store, row);

    if (*slot == (uint64_t)row)
        *slot = 0;
}

/* The row's place follows from the handshake's number, so nothing has to be looked up or remembered for long:
 * a slot that another handshake took costs one INSERT that finds its row there. */
bool store_add_tls(struct store *store, int64_t session, uint64_t tls_id, struct span json, int64_t *out_row,
                   struct err *err)
{
    static const char INSERT_TLS[] = "INSERT OR IGNORE INTO tls (id, session, facts) VALUES (?, ?, ?)";
    int64_t row = tls_base(store, session) + (int64_t)tls_id;
    uint64_t *slot = tls_slot(store, row);
    struct query query;

    if (*slot != (uint64_t)row) {
        query = query_begin(store, INSERT_TLS);
        query_int(&query, row);
        query_int(&query, session);
        query_text(&query, json);
        if (!query_run(&query, err))
            return false;
        *slot = (uint64_t)row;
    }
    if (store->tls_marks != NULL)
        tls_mark(store->tls_marks, row);
    *out_row = row;
    return true;
}

bool store_add_cookie(struct store *store, int64_t session, const struct cookie_row *row, int64_t *out_id,
                      struct err *err)
{
    static const char INSERT_COOKIE[] =
        "INSERT INTO cookie (session, seq, source, time_us, scheme, host, port, path, name, value, line)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?)";
    struct query query = query_begin(store, INSERT_COOKIE);

    query_int(&query, session);
    query_int(&query, row->seq);
    query_int(&query, row->source);
    query_int(&query, (int64_t)row->time_us);
    query_text(&query, row->scheme);
    query_text(&query, row->host);
    query_int(&query, row->port);
    query_text(&query, row->path);
    query_bytes(&query, row->name);
    query_bytes(&query, row->value);
    query_bytes(&query, row->source == COOKIE_SET ? row->line : SPAN_NONE);
    if (!query_run(&query, err))
        return false;
    *out_id = sqlite3_last_insert_rowid(store->db);
    return true;
}

bool store_orphan_cookies(struct store *store, int64_t session, uint32_t seq, int64_t first_id,
                          int64_t last_id, struct err *err)
{
    static const char ORPHAN[] =
        "UPDATE cookie SET seq = 0 WHERE id BETWEEN ? AND ? AND session = ? AND seq = ?";
    struct query query = query_begin(store, ORPHAN);

    query_int(&query, first_id);
    query_int(&query, last_id);
    query_int(&query, session);
    query_int(&query, seq);
    return query_run(&query, err);
}

bool store_add_event(struct store *store, int64_t session, const struct event_row *row, struct err *err)
{
    static const char INSERT_EVENT[] =
        "INSERT INTO event (session, time_us, kind, client_addr, host, text) VALUES (?,?,?,?,?,?)";
    struct query query = query_begin(store, INSERT_EVENT);

    query_int(&query, session);
    query_int(&query, (int64_t)row->time_us);
    query_text(&query, row->kind);
    query_text(&query, row->client_addr.ptr != NULL ? row->client_addr : SPAN(""));
    query_text(&query, row->host.ptr != NULL ? row->host : SPAN(""));
    query_text(&query, row->text);
    return query_run(&query, err);
}

bool store_add_totals(struct store *store, int64_t session, const struct store_totals *totals,
                      uint64_t now_us, struct err *err)
{
    static const char ADD[] =
        "UPDATE session SET exchanges = exchanges + ?, seen = seen + ?, filtered = filtered + ?,"
        " errors = errors + ?, request_bytes = request_bytes + ?, response_bytes = response_bytes + ?,"
        " ended_us = ? WHERE id = ?";
    struct query query = query_begin(store, ADD);

    query_int(&query, (int64_t)totals->exchanges);
    query_int(&query, (int64_t)totals->seen);
    query_int(&query, (int64_t)totals->filtered);
    query_int(&query, (int64_t)totals->errors);
    query_int(&query, (int64_t)totals->bytes[0]);
    query_int(&query, (int64_t)totals->bytes[1]);
    query_int(&query, (int64_t)now_us);
    query_int(&query, session);
    return query_run(&query, err);
}

bool store_set_state(struct store *store, int64_t session, enum session_state state, struct err *err)
{
    static const char SET_STATE[] = "UPDATE session SET state = ? WHERE id = ?";
    struct query query = query_begin(store, SET_STATE);

    query_text(&query, span_of(session_state_name(state)));
    query_int(&query, session);
    return query_run(&query, err);
}

bool store_add_incomplete(struct store *store, int64_t session, const char *text, struct err *err)
{
    static const char ADD_MARK[] =
        "UPDATE session SET incomplete = coalesce(incomplete || '; ', '') || ? WHERE id = ?";
    struct query query = query_begin(store, ADD_MARK);

    query_text(&query, span_of(text));
    query_int(&query, session);
    return query_run(&query, err);
}

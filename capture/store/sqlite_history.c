/* Cookies and events, in the order in which they came: read in slices, each copied before it is shown. */
#include "capture/store/sqlite.h"
#include "proxy/base/mem.h"

#define SLICE_ROWS 256

/* Where a copy of a cell lies among the bytes of a slice. */
struct cell {
    size_t offset, len;
};

static struct cell add_cell(struct strbuf *bytes, struct span cell)
{
    struct cell copy = { bytes->len, cell.len };

    strbuf_add(bytes, cell);
    return copy;
}

/* Text of the store as the bytes that it stands for. */
static bool add_text(struct strbuf *bytes, struct span text, struct cell *out_cell)
{
    out_cell->offset = bytes->len;
    if (!record_bytes_add(bytes, text))
        return false;
    out_cell->len = bytes->len - out_cell->offset;
    return true;
}

static struct span show(const struct strbuf *bytes, struct cell cell)
{
    return span_make(strbuf_text(bytes) + cell.offset, cell.len);
}

static bool fail_damaged(const struct store *store, const char *table, int64_t id, struct err *err)
{
    return err_set(err, ERR_STORE, "store '%s': row %lld of table %s is damaged", store->path, (long long)id,
                   table);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

struct cookie_cells {
    struct cookie_row row;
    struct cell scheme, host, path, name, value, line;
};

static bool copy_cookie(const struct query *query, struct strbuf *bytes, struct cookie_cells *cells)
{
    cells->row = (struct cookie_row){
        .seq = (uint32_t)query_column_int(query, 1),
        .source = query_column_int(query, 2) == COOKIE_SET ? COOKIE_SET : COOKIE_SENT,
        .time_us = (uint64_t)query_column_int(query, 3),
        .port = (uint16_t)query_column_int(query, 4),
    };
    cells->name = add_cell(bytes, query_column_bytes(query, 8));
    cells->value = add_cell(bytes, query_column_bytes(query, 9));
    cells->line = add_cell(bytes, query_column_bytes(query, 10));
    return add_text(bytes, query_column_text(query, 5), &cells->scheme) &&
           add_text(bytes, query_column_text(query, 6), &cells->host) &&
           add_text(bytes, query_column_text(query, 7), &cells->path);
}

/* Cookies come in batches, by exchange; what orders them is the time. */
struct place {
    int64_t time_us, id;
};

static bool read_cookies(struct store *store, int64_t session, struct place *after, struct cookie_cells *rows,
                         size_t *out_count, struct strbuf *bytes, struct err *err)
{
    static const char READ[] =
        "SELECT id, seq, source, time_us, port, scheme, host, path, name, value, line FROM cookie"
        " WHERE session = ? AND (time_us, id) > (?, ?) ORDER BY time_us, id LIMIT 256";
    struct query query = query_begin(store, READ);
    bool is_good = true;

    *out_count = 0;
    strbuf_reset(bytes);
    query_int(&query, session);
    query_int(&query, after->time_us);
    query_int(&query, after->id);
    while (is_good && *out_count < SLICE_ROWS && query_step(&query)) {
        *after = (struct place){ query_column_int(&query, 3), query_column_int(&query, 0) };
        is_good = copy_cookie(&query, bytes, &rows[(*out_count)++]);
    }
    return query_end(&query, err) && (is_good || fail_damaged(store, "cookie", after->id, err));
}

bool store_cookies_from(struct store *store, int64_t session, uint64_t from_us,
                        bool (*each)(void *self, const struct cookie_row *row), void *self, struct err *err)
{
    struct cookie_cells *rows = mem_array(struct cookie_cells, SLICE_ROWS);
    struct strbuf bytes = STRBUF_EMPTY;
    struct place after = { (int64_t)from_us - 1, INT64_MAX };
    size_t count = SLICE_ROWS;
    bool ok = true, goes_on = true;

    while (ok && goes_on && count == SLICE_ROWS) {
        ok = read_cookies(store, session, &after, rows, &count, &bytes, err);
        for (size_t i = 0; ok && goes_on && i < count; i++) {
            struct cookie_row *row = &rows[i].row;
            row->scheme = show(&bytes, rows[i].scheme);
            row->host = show(&bytes, rows[i].host);
            row->path = show(&bytes, rows[i].path);
            row->name = show(&bytes, rows[i].name);
            row->value = show(&bytes, rows[i].value);
            row->line = show(&bytes, rows[i].line);
            goes_on = each(self, row);
        }
    }
    strbuf_clear(&bytes);
    mem_free(rows);
    return ok;
}

bool store_cookies(struct store *store, int64_t session,
                   bool (*each)(void *self, const struct cookie_row *row), void *self, struct err *err)
{
    return store_cookies_from(store, session, 0, each, self, err);
}

bool store_new_cookies(struct store *store, int64_t session, int64_t *last, uint64_t *out_oldest_us,
                       struct err *err)
{
    /* The plus keeps SQLite from the session's index, in which the new ones lie scattered. */
    static const char READ[] = "SELECT max(id), min(time_us) FROM cookie WHERE id > ? AND +session = ?";
    struct query query = query_begin(store, READ);
    int64_t newest = 0, oldest_us = 0;

    query_int(&query, *last);
    query_int(&query, session);
    if (query_step(&query)) {
        newest = query_column_int(&query, 0); /* 0 for NULL: there is none */
        oldest_us = query_column_int(&query, 1);
    }
    if (!query_end(&query, err))
        return false;
    if (newest > *last) {
        *last = newest;
        *out_oldest_us = (uint64_t)oldest_us;
    }
    return true;
}

/* --- events -------------------------------------------------------------------------------------------- */

struct event_cells {
    uint64_t time_us;
    struct cell kind, client_addr, host, text;
};

static bool read_events(struct store *store, int64_t session, int64_t *after, struct event_cells *rows,
                        size_t *out_count, struct strbuf *bytes, struct err *err)
{
    static const char READ[] = "SELECT id, time_us, kind, client_addr, host, text"
                               " FROM event WHERE session = ? AND id > ? ORDER BY id LIMIT 256";
    struct query query = query_begin(store, READ);
    bool is_good = true;

    *out_count = 0;
    strbuf_reset(bytes);
    query_int(&query, session);
    query_int(&query, *after);
    while (is_good && *out_count < SLICE_ROWS && query_step(&query)) {
        struct event_cells *row = &rows[(*out_count)++];
        *after = query_column_int(&query, 0);
        row->time_us = (uint64_t)query_column_int(&query, 1);
        is_good = add_text(bytes, query_column_text(&query, 2), &row->kind) &&
                  add_text(bytes, query_column_text(&query, 3), &row->client_addr) &&
                  add_text(bytes, query_column_text(&query, 4), &row->host) &&
                  add_text(bytes, query_column_text(&query, 5), &row->text);
    }
    return query_end(&query, err) && (is_good || fail_damaged(store, "event", *after, err));
}

bool store_events(struct store *store, int64_t session, bool (*each)(void *self, const struct event_row *row),
                  void *self, struct err *err)
{
    struct event_cells *rows = mem_array(struct event_cells, SLICE_ROWS);
    struct strbuf bytes = STRBUF_EMPTY;
    int64_t after = 0;
    size_t count = SLICE_ROWS;
    bool ok = true, goes_on = true;

    while (ok && goes_on && count == SLICE_ROWS) {
        ok = read_events(store, session, &after, rows, &count, &bytes, err);
        for (size_t i = 0; ok && goes_on && i < count; i++) {
            struct event_row row = { rows[i].time_us, show(&bytes, rows[i].kind),
                                     show(&bytes, rows[i].client_addr), show(&bytes, rows[i].host),
                                     show(&bytes, rows[i].text) };
            goes_on = each(self, &row);
        }
    }
    strbuf_clear(&bytes);
    mem_free(rows);
    return ok;
}

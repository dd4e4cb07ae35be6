/* Reading exchanges. A slice of rows is copied and the statement ended before the caller sees the first, so
 * that however slow the caller is, no snapshot keeps the WAL from beginning anew. With a filter that takes
 * little, a slice is bounded by the ids it looks at, and that bound follows the time it took. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "capture/fields_json.h"
#include "capture/filter.h"
#include "capture/store/sqlite.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/uid.h"

/* At most so many rows, or this much of them, are held by a cursor. */
#define SLICE_ROWS  64
#define SLICE_BYTES (4 * 1024 * 1024)

/* The window of ids of one slice grows and shrinks between these, so that it takes about SLICE_US. */
#define MIN_WINDOW 64
#define MAX_WINDOW (1 << 20)
#define SLICE_US   100000

/* The columns of enum x_text: the long ones between the others. */
#define TEXTS(long_ones, tls_facts)                                                                          \
    "client_addr, origin_addr, method, scheme, host, path, query, reason, " long_ones                        \
    ", request_type, response_type, error, protocol, " tls_facts
#define ALL_TEXTS                                                                                            \
    TEXTS("request_headers, response_headers, request_trailers, response_trailers, interim",                 \
          "(SELECT facts FROM tls WHERE tls.id = exchange.client_tls),"                                      \
          " (SELECT facts FROM tls WHERE tls.id = exchange.origin_tls)")
#define SHORT_TEXTS TEXTS("NULL, NULL, NULL, NULL, NULL", "NULL, NULL")
enum x_text {
    X_CLIENT_ADDR,
    X_ORIGIN_ADDR,
    X_METHOD,
    X_SCHEME,
    X_HOST,
    X_PATH,
    X_QUERY,
    X_REASON,
    X_REQUEST_HEADERS,
    X_RESPONSE_HEADERS,
    X_REQUEST_TRAILERS,
    X_RESPONSE_TRAILERS,
    X_INTERIM,
    X_REQUEST_TYPE,
    X_RESPONSE_TYPE,
    X_ERROR,
    X_PROTOCOL,
    X_CLIENT_TLS,
    X_ORIGIN_TLS,
    X_TEXTS,
};
#define NUMBERS                                                                                              \
    "id, uid, state, started_us, port, request_version, response_version, coalesce(status, 0),"              \
    " coalesce(request_body, 0), request_bytes, request_kept, coalesce(response_body, 0), response_bytes,"   \
    " response_kept, request_wire_bytes, response_wire_bytes, tunnel_sent_bytes, tunnel_received_bytes,"     \
    " attempts, flags, messages, t_accepted, t_dns_start, t_dns_end, t_connect_start, t_connect_end, "       \
    "t_tls_start,"                                                                                           \
    " t_tls_end, t_sent_first, t_sent_last, t_received_first, t_received_last, t_done"
#define FIRST_TIME 21

/* One row, its text in the order of the columns that are read. */
struct slice_row {
    struct record record; /* but for what decode_row makes of the texts */
    struct strbuf text;
    struct {
        size_t offset, len;
        bool is_null;
    } texts[X_TEXTS];
};

struct store_cursor {
    struct store *store;
    sqlite3_stmt *statement;
    struct filter_sql condition;
    int64_t session, next_id, last_id;
    int64_t window;
    struct slice_row rows[SLICE_ROWS];
    size_t row_count, row_next;
    size_t slice_rows;    /* the most of the next slice */
    struct record record; /* the one shown */
    struct strbuf bytes;  /* what its spans point into */
    struct record_field *fields;
    size_t field_cap;
};

static bool open_cursor(struct store *store, const char *select, int64_t session, uint32_t from_seq,
                        const struct filter *filter, struct store_cursor **out_cursor, struct err *err)
{
    struct store_cursor *cursor = mem_new(struct store_cursor);
    struct strbuf sql = STRBUF_EMPTY;

    cursor->store = store;
    cursor->session = session;
    cursor->next_id = exchange_id(session, from_seq);
    cursor->last_id = exchange_id(session, UINT32_MAX);
    cursor->window = MIN_WINDOW;
    cursor->slice_rows = SLICE_ROWS;
    if (filter != NULL)
        filter_to_sql(filter, &cursor->condition);
    /* SQLite asks what the index has first, and reads a row only when that is true. */
    strbuf_printf(&sql, "%s FROM exchange%s WHERE id BETWEEN ? AND ? AND provisional = 0", select,
                  cursor->condition.is_indexed ? " INDEXED BY exchange_columns" : "");
    if (filter != NULL)
        strbuf_printf(&sql, " AND (%s)", strbuf_text(&cursor->condition.where));
    strbuf_add_str(&sql, " ORDER BY id");
    if (sqlite3_prepare_v2(store->db, strbuf_text(&sql), -1, &cursor->statement, NULL) != SQLITE_OK) {
        sqlite_fail(store, err);
        store_cursor_free(cursor);
        cursor = NULL;
    } else {
        *out_cursor = cursor;
    }
    strbuf_clear(&sql);
    return cursor != NULL;
}

bool store_exchanges(struct store *store, int64_t session, uint32_t from_seq, const struct filter *filter,
                     struct store_cursor **out_cursor, struct err *err)
{
    return open_cursor(store, "SELECT " ALL_TEXTS ", " NUMBERS, session, from_seq, filter, out_cursor, err);
}

bool store_summaries(struct store *store, int64_t session, uint32_t from_seq, const struct filter *filter,
                     struct store_cursor **out_cursor, struct err *err)
{
    return open_cursor(store, "SELECT " SHORT_TEXTS ", " NUMBERS, session, from_seq, filter, out_cursor, err);
}

void store_seek(struct store_cursor *cursor, uint32_t from_seq)
{
    cursor->next_id = exchange_id(cursor->session, from_seq);
    cursor->row_count = cursor->row_next = 0;
    cursor->slice_rows = 1;
}

void store_cursor_free(struct store_cursor *cursor)
{
    if (cursor == NULL)
        return;
    sqlite3_finalize(cursor->statement);
    for (size_t i = 0; i < SLICE_ROWS; i++)
        strbuf_clear(&cursor->rows[i].text);
    filter_sql_clear(&cursor->condition);
    strbuf_clear(&cursor->bytes);
    mem_free(cursor->fields);
    mem_free(cursor);
}

/* --- a slice ------------------------------------------------------------------------------------------- */

static uint64_t number_at(const struct query *query, int i)
{
    return (uint64_t)query_column_int(query, X_TEXTS + i);
}

static void copy_row(const struct query *query, int64_t session, struct slice_row *row)
{
    struct record *r = &row->record;
    struct span uid = query_column_bytes(query, X_TEXTS + 1);

    strbuf_reset(&row->text);
    for (int i = 0; i < X_TEXTS; i++) {
        struct span text = query_column_text(query, i);
        row->texts[i].offset = row->text.len;
        row->texts[i].len = text.len;
        row->texts[i].is_null = text.ptr == NULL;
        strbuf_add(&row->text, text);
    }
    *r = (struct record){
        .session = session,
        .seq = (uint32_t)number_at(query, 0),
        .state = (enum record_state)number_at(query, 2),
        .started_us = number_at(query, 3),
        .port = (uint16_t)number_at(query, 4),
        .request_version = (int)number_at(query, 5),
        .response_version = (int)number_at(query, 6),
        .status = (int)number_at(query, 7),
        .request_body = { (int64_t)number_at(query, 8), number_at(query, 9), number_at(query, 10) },
        .response_body = { (int64_t)number_at(query, 11), number_at(query, 12), number_at(query, 13) },
        .request_wire_bytes = number_at(query, 14),
        .response_wire_bytes = number_at(query, 15),
        .tunnel_sent_bytes = number_at(query, 16),
        .tunnel_received_bytes = number_at(query, 17),
        .attempts = (unsigned)number_at(query, 18),
        .flags = (unsigned)number_at(query, 19),
        .messages = (uint32_t)number_at(query, 20),
    };
    if (uid.len == UID_BYTES)
        uid_text((const unsigned char *)uid.ptr, r->uid);
    for (int i = 0; i < TAP_T_COUNT; i++) {
        int column = X_TEXTS + FIRST_TIME + i;
        bool is_null = sqlite3_column_type(query->statement, column) == SQLITE_NULL;
        r->times[i] = is_null ? TAP_NEVER : query_column_int(query, column);
    }
}

/* The last id that the session has now: where the windows end. */
static bool find_end(struct store_cursor *cursor, int64_t *out_id, struct err *err)
{
    static const char END[] = "SELECT id FROM exchange WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1";
    struct query query = query_begin(cursor->store, END);

    query_int(&query, cursor->next_id);
    query_int(&query, cursor->last_id);
    *out_id = query_step(&query) ? query_column_int(&query, 0) : 0;
    return query_end(&query, err);
}

static bool read_window(struct store_cursor *cursor, int64_t last_id, struct err *err)
{
    struct query query = { .store = cursor->store, .statement = cursor->statement };
    size_t bytes = 0;
    bool is_full = false;

    query_int(&query, cursor->next_id);
    query_int(&query, last_id);
    sqlite_bind_filter(cursor->statement, 3, &cursor->condition);
    while (!is_full && query_step(&query)) {
        struct slice_row *row = &cursor->rows[cursor->row_count++];
        copy_row(&query, cursor->session, row);
        bytes += row->text.len;
        is_full = cursor->row_count == cursor->slice_rows || bytes > SLICE_BYTES;
        last_id = is_full ? exchange_id(cursor->session, row->record.seq) : last_id;
    }
    if (!query_end(&query, err))
        return false;
    cursor->next_id = last_id + 1;
    return true;
}

static bool read_slice(struct store_cursor *cursor, struct err *err)
{
    int64_t end;

    cursor->row_count = cursor->row_next = 0;
    if (!find_end(cursor, &end, err))
        return false;
    while (cursor->row_count == 0 && cursor->next_id <= end) {
        uint64_t started_us = clock_mono_us();
        int64_t last = cursor->next_id + cursor->window - 1;
        if (!read_window(cursor, last < end ? last : end, err))
            return false;
        if (clock_mono_us() - started_us > SLICE_US)
            cursor->window = cursor->window / 4 > MIN_WINDOW ? cursor->window / 4 : MIN_WINDOW;
        else if (cursor->row_count < cursor->slice_rows && cursor->window < MAX_WINDOW)
            cursor->window *= 2;
    }
    cursor->slice_rows = cursor->slice_rows * 4 < SLICE_ROWS ? cursor->slice_rows * 4 : SLICE_ROWS;
    return true;
}

/* --- a record from a row ------------------------------------------------------------------------------- */

static bool fail_damaged(const struct store_cursor *cursor, const struct slice_row *row, struct err *err)
{
    return err_set(err, ERR_STORE, "store '%s': exchange %u of session %lld is damaged", cursor->store->path,
                   row->record.seq, (long long)row->record.session);
}

static struct span text_of(const struct slice_row *row, int i)
{
    return span_make(row->texts[i].is_null ? NULL : strbuf_text(&row->text) + row->texts[i].offset,
                     row->texts[i].len);
}

/* Room for the bytes is reserved before the first is decoded, so spans into them stay where they are. */
static bool decode_text(struct store_cursor *cursor, struct span text, struct span *out, struct err *err,
                        const struct slice_row *row)
{
    size_t offset = cursor->bytes.len;

    if (text.ptr == NULL) {
        *out = SPAN_NONE;
        return true;
    }
    if (!record_bytes_add(&cursor->bytes, text))
        return fail_damaged(cursor, row, err);
    *out = span_make(strbuf_text(&cursor->bytes) + offset, cursor->bytes.len - offset);
    return true;
}

static bool decode_field_text(struct store_cursor *cursor, struct fields_json_text text, struct span *out)
{
    size_t offset = cursor->bytes.len;

    if (!fields_json_bytes(&cursor->bytes, text))
        return false;
    *out = span_make(strbuf_text(&cursor->bytes) + offset, cursor->bytes.len - offset);
    return true;
}

static struct record_field *add_field(struct store_cursor *cursor, size_t used)
{
    if (used == cursor->field_cap) {
        cursor->field_cap = cursor->field_cap != 0 ? cursor->field_cap * 2 : 32;
        cursor->fields = mem_realloc(cursor->fields, cursor->field_cap * sizeof *cursor->fields);
    }
    return &cursor->fields[used];
}

/* Appends the fields to cursor->fields from *used on. */
static bool decode_fields(struct store_cursor *cursor, struct span json, struct record_fields *out_fields,
                          size_t *used, struct err *err, const struct slice_row *row)
{
    struct fields_json fields = { .rest = json };
    struct fields_json_text name, value;
    enum fields_json_answer answer = FIELDS_JSON_END;

    out_fields->count = 0;
    while (json.len != 0 && (answer = fields_json_next(&fields, &name, &value)) == FIELDS_JSON_FIELD) {
        struct record_field *field = add_field(cursor, *used);
        if (!decode_field_text(cursor, name, &field->name) ||
            !decode_field_text(cursor, value, &field->value))
            return fail_damaged(cursor, row, err);
        ++*used;
        out_fields->count++;
    }
    return answer == FIELDS_JSON_END || fail_damaged(cursor, row, err);
}

static bool decode_all_fields(struct store_cursor *cursor, const struct slice_row *row, struct err *err)
{
    struct record *r = &cursor->record;
    struct record_fields *const lists[] = { &r->request_headers, &r->response_headers, &r->request_trailers,
                                            &r->response_trailers };
    size_t used = 0, first = 0;

    for (int i = 0; i < 4; i++)
        if (!decode_fields(cursor, text_of(row, X_REQUEST_HEADERS + i), lists[i], &used, err, row))
            return false;
    for (int i = 0; i < 4; i++) { /* now that the array does not move any more */
        lists[i]->items = cursor->fields + first;
        first += lists[i]->count;
    }
    return true;
}

static bool decode_row(struct store_cursor *cursor, const struct slice_row *row, struct err *err)
{
    struct record *r = &cursor->record;
    const struct {
        int text;
        struct span *to;
    } plain[] = {
        { X_CLIENT_ADDR, &r->client_addr },
        { X_ORIGIN_ADDR, &r->origin_addr },
        { X_METHOD, &r->method },
        { X_SCHEME, &r->scheme },
        { X_HOST, &r->host },
        { X_PATH, &r->path },
        { X_QUERY, &r->query },
        { X_REASON, &r->reason },
        { X_REQUEST_TYPE, &r->request_type },
        { X_RESPONSE_TYPE, &r->response_type },
        { X_ERROR, &r->error },
        { X_PROTOCOL, &r->protocol },
    };

    *r = row->record;
    strbuf_reset(&cursor->bytes);
    strbuf_reserve(&cursor->bytes, row->text.len); /* bytes are never longer than their text */
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (!decode_text(cursor, text_of(row, plain[i].text), plain[i].to, err, row))
            return false;
    r->interim = text_of(row, X_INTERIM);
    r->client_tls = text_of(row, X_CLIENT_TLS);
    r->origin_tls = text_of(row, X_ORIGIN_TLS);
    return decode_all_fields(cursor, row, err);
}

bool store_next(struct store_cursor *cursor, const struct record **out_record, struct err *err)
{
    if (cursor->row_next == cursor->row_count && !read_slice(cursor, err))
        return false;
    if (cursor->row_next == cursor->row_count) {
        *out_record = NULL;
        return true;
    }
    if (!decode_row(cursor, &cursor->rows[cursor->row_next++], err))
        return false;
    *out_record = &cursor->record;
    return true;
}

/* --- holding ------------------------------------------------------------------------------------------- */

void store_let_go(struct store *store)
{
    struct err ignored; /* nothing was written, so nothing is lost */

    assert(store->mode == STORE_READ);
    if (!sqlite3_get_autocommit(store->db))
        (void)sqlite_exec(store, "ROLLBACK", &ignored);
}

bool store_hold(struct store *store, int64_t session, uint32_t seq, bool *out_is_there, struct err *err)
{
    static const char BEGIN[] = "BEGIN", LOOK[] = "SELECT 1 FROM exchange WHERE id = ?";
    struct query query;
    bool ok;

    store_let_go(store);
    query = query_begin(store, BEGIN);
    if (!query_run(&query, err))
        return false;
    query = query_begin(store, LOOK); /* what is read first says as of when */
    query_int(&query, exchange_id(session, seq));
    *out_is_there = query_step(&query);
    ok = query_end(&query, err);
    if (!ok || !*out_is_there)
        store_let_go(store);
    return ok;
}

/* --- bodies -------------------------------------------------------------------------------------------- */

/* The piece of a list that holds the byte at position, by what is there now: while a body grows, small pieces
 * become one, but no offset is ever left without its bytes. */
static bool read_piece(struct store *store, int64_t body, uint64_t position, struct strbuf *out_bytes,
                       struct err *err)
{
    static const char PIECE[] =
        "SELECT body_piece.offset, body.bytes FROM body_piece JOIN body ON body.id = body_piece.piece"
        " WHERE body_piece.body = ? AND body_piece.offset <= ? ORDER BY body_piece.offset DESC LIMIT 1";
    struct query query = query_begin(store, PIECE);
    uint64_t skip;

    strbuf_reset(out_bytes);
    query_int(&query, body);
    query_int(&query, (int64_t)position);
    if (query_step(&query)) {
        struct span bytes = query_column_bytes(&query, 1);
        skip = position - (uint64_t)query_column_int(&query, 0);
        if (skip < bytes.len)
            strbuf_add(out_bytes, span_from(bytes, (size_t)skip));
    }
    return query_end(&query, err);
}

static bool fail_gone(const struct store *store, int64_t body, struct err *err)
{
    return err_set(err, ERR_FOUND, "store '%s': body %lld is gone: its exchange was taken out", store->path,
                   (long long)body);
}

/* Of a list that is there. */
static bool find_size(struct store *store, int64_t body, uint64_t *out_size, struct err *err)
{
    static const char SIZE[] = "SELECT size FROM body WHERE id = ?";
    struct query query = query_begin(store, SIZE);
    bool found;

    query_int(&query, body);
    found = query_step(&query);
    if (found)
        *out_size = (uint64_t)query_column_int(&query, 0);
    return query_end(&query, err) && (found || fail_gone(store, body, err));
}

/* A whole body goes to the sink out of SQLite's own memory when it is lent, else as a copy: then however slow
 * the sink is, nothing of the store is held meanwhile. */
static bool read_row(struct store *store, int64_t body, bool is_lent, struct strbuf *copy, bool *out_is_list,
                     store_sink sink, void *self, struct err *err)
{
    static const char BODY[] = "SELECT bytes FROM body WHERE id = ?";
    struct query query = query_begin(store, BODY);
    bool found, ok = true;

    query_int(&query, body);
    found = query_step(&query);
    if (found) {
        struct span bytes = query_column_bytes(&query, 0);
        *out_is_list = bytes.ptr == NULL;
        if (!is_lent)
            strbuf_add(copy, bytes);
        else if (bytes.len != 0)
            ok = sink(self, bytes, err);
    }
    if (!query_end(&query, err))
        return false;
    if (!found)
        return fail_gone(store, body, err);
    return ok && (copy->len == 0 || sink(self, strbuf_span(copy), err));
}

static bool read_list(struct store *store, int64_t body, struct strbuf *bytes, store_sink sink, void *self,
                      struct err *err)
{
    uint64_t position = 0, size = 0;

    for (;;) {
        if (!read_piece(store, body, position, bytes, err))
            return false;
        if (bytes->len == 0) {
            if (size > position) /* it was there before */
                return fail_gone(store, body, err);
            if (!find_size(store, body, &size, err))
                return false;
            if (size <= position)
                return true;
        } else if (!sink(self, strbuf_span(bytes), err)) {
            return false;
        }
        position += bytes->len;
    }
}

static bool read_body(struct store *store, int64_t body, bool is_lent, store_sink sink, void *self,
                      struct err *err)
{
    struct strbuf bytes = STRBUF_EMPTY;
    bool is_list = false;
    bool ok = read_row(store, body, is_lent, &bytes, &is_list, sink, self, err) &&
              (!is_list || read_list(store, body, &bytes, sink, self, err));

    strbuf_clear(&bytes);
    return ok;
}

bool store_body_read(struct store *store, int64_t body, store_sink sink, void *self, struct err *err)
{
    return read_body(store, body, false, sink, self, err);
}

bool sqlite_body_lend(struct store *store, int64_t body, store_sink sink, void *self, struct err *err)
{
    return read_body(store, body, true, sink, self, err);
}

bool store_last_seq(struct store *store, int64_t session, uint32_t *out_seq, struct err *err)
{
    static const char READ[] = "SELECT max(id) FROM exchange WHERE id BETWEEN ? AND ?";
    struct query query = query_begin(store, READ);
    int64_t id = 0;

    query_int(&query, exchange_id(session, 0));
    query_int(&query, exchange_id(session, UINT32_MAX));
    if (query_step(&query))
        id = query_column_int(&query, 0); /* 0 for NULL: there is none */
    if (!query_end(&query, err))
        return false;
    *out_seq = (uint32_t)(uint64_t)id;
    return true;
}

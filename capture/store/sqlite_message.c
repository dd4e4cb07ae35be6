/* Messages of an exchange. A slice of them is copied and the statement ended before the caller sees the
 * first, as with exchanges, so that no snapshot is held while somebody looks. */
#include "capture/store/sqlite.h"
#include "capture/store/store_write.h"
#include "proxy/base/mem.h"

/* The most of a slice; it ends sooner with the message that fills it. */
#define SLICE_ROWS  256
#define SLICE_BYTES (1024 * 1024)

/* The statement below selects them in this order. */
enum {
    M_N,
    M_TIME,
    M_DIRECTION,
    M_KIND,
    M_PAYLOAD,
    M_SIZE,
    M_WIRE_SIZE,
    M_FLAGS,
    M_CLOSE_CODE,
    M_EVENT_TYPE,
    M_EVENT_ID,
    M_RETRY,
    M_NOTE,
};

bool store_add_message(struct store *store, int64_t session, uint32_t seq,
                       const struct record_message *message, struct err *err)
{
    static const char INSERT_MESSAGE[] =
        "INSERT INTO message (exchange, n, time_us, direction, kind, payload, size, wire_size, flags,"
        " close_code, event_type, event_id, retry_ms, note) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    const struct span texts[] = { message->event_type, message->event_id, message->note };
    struct query query = query_begin(store, INSERT_MESSAGE);

    query_int(&query, exchange_id(session, seq));
    query_int(&query, message->n);
    query_int(&query, (int64_t)message->time_us);
    query_int(&query, message->direction);
    query_text(&query, span_of(record_message_kind_name(message->kind)));
    query_bytes(&query, message->payload);
    query_int(&query, (int64_t)message->size);
    query_int(&query, (int64_t)message->wire_size);
    query_int(&query, message->flags);
    query_int_or_null(&query, message->close_code, 0);
    query_text(&query, texts[0].len != 0 ? texts[0] : SPAN_NONE);
    query_text(&query, texts[1].len != 0 ? texts[1] : SPAN_NONE);
    query_int_or_null(&query, message->has_retry ? (int64_t)message->retry_ms : -1, -1);
    query_text(&query, texts[2].len != 0 ? texts[2] : SPAN_NONE);
    return query_run(&query, err);
}

bool sqlite_trim_messages(struct store *store, int64_t session, uint32_t seq, int most, bool *out_more,
                          struct err *err)
{
    static const char TRIM[] = "DELETE FROM message WHERE rowid IN"
                               " (SELECT rowid FROM message WHERE exchange = ? ORDER BY n DESC LIMIT ?)";
    struct query query = query_begin(store, TRIM);

    query_int(&query, exchange_id(session, seq));
    query_int(&query, most);
    if (!query_run(&query, err))
        return false;
    *out_more = sqlite3_changes(store->db) != 0;
    return true;
}

/* --- reading ------------------------------------------------------------------------------------------- */

struct slice_row {
    struct record_message message;
    struct strbuf bytes; /* what its spans point into */
};

struct slice {
    struct slice_row rows[SLICE_ROWS];
    size_t count;
};

static struct span keep_bytes(struct slice_row *row, struct span bytes)
{
    size_t offset = row->bytes.len;

    if (bytes.ptr == NULL)
        return SPAN_NONE;
    strbuf_add(&row->bytes, bytes);
    return span_make(strbuf_text(&row->bytes) + offset, bytes.len);
}

static bool keep_text(struct slice_row *row, struct span text, struct span *out_bytes)
{
    size_t offset = row->bytes.len;

    if (!record_bytes_add(&row->bytes, text))
        return false;
    *out_bytes = span_make(strbuf_text(&row->bytes) + offset, row->bytes.len - offset);
    return true;
}

static bool copy_row(const struct query *query, struct slice_row *row)
{
    struct record_message *m = &row->message;
    struct span payload = query_column_bytes(query, M_PAYLOAD), type = query_column_text(query, M_EVENT_TYPE),
                id = query_column_text(query, M_EVENT_ID), note = query_column_text(query, M_NOTE);
    bool has_retry = sqlite3_column_type(query->statement, M_RETRY) != SQLITE_NULL;

    *m = (struct record_message){
        .n = (uint32_t)query_column_int(query, M_N),
        .time_us = (uint64_t)query_column_int(query, M_TIME),
        .direction = query_column_int(query, M_DIRECTION) == 0 ? HTTP_REQUEST : HTTP_RESPONSE,
        .size = (uint64_t)query_column_int(query, M_SIZE),
        .wire_size = (uint64_t)query_column_int(query, M_WIRE_SIZE),
        .flags = (unsigned)query_column_int(query, M_FLAGS),
        .close_code = (int)query_column_int(query, M_CLOSE_CODE),
        .has_retry = has_retry,
        .retry_ms = has_retry ? (uint64_t)query_column_int(query, M_RETRY) : 0,
    };
    strbuf_reset(&row->bytes); /* and large enough from here on, so that nothing moves */
    strbuf_reserve(&row->bytes, payload.len + type.len + id.len + note.len);
    m->payload = keep_bytes(row, payload);
    return record_message_kind_find(query_column_text(query, M_KIND), &m->kind) &&
           keep_text(row, type, &m->event_type) && keep_text(row, id, &m->event_id) &&
           keep_text(row, note, &m->note);
}

static bool read_slice(struct store *store, int64_t exchange, uint32_t from, struct slice *slice,
                       struct err *err)
{
    static const char READ[] =
        "SELECT n, time_us, direction, kind, payload, size, wire_size, flags, close_code, event_type,"
        " event_id, retry_ms, note FROM message WHERE exchange = ? AND n >= ? ORDER BY n LIMIT 256";
    struct query query = query_begin(store, READ);
    size_t bytes = 0;
    bool is_sound = true;

    slice->count = 0;
    query_int(&query, exchange);
    query_int(&query, from);
    while (is_sound && slice->count < SLICE_ROWS && bytes < SLICE_BYTES && query_step(&query)) {
        struct slice_row *row = &slice->rows[slice->count++];
        is_sound = copy_row(&query, row);
        bytes += row->bytes.len;
    }
    if (!query_end(&query, err))
        return false;
    return is_sound ||
           err_set(err, ERR_STORE, "store '%s' is damaged: message %u of exchange %u can't be read",
                   store->path, slice->rows[slice->count - 1].message.n, (unsigned)(exchange & UINT32_MAX));
}

bool store_messages(struct store *store, int64_t session, uint32_t seq, uint32_t from,
                    store_message_sink each, void *self, struct err *err)
{
    struct slice *slice = mem_new(struct slice);
    bool ok;

    do {
        ok = read_slice(store, exchange_id(session, seq), from, slice, err);
        for (size_t i = 0; ok && i < slice->count; i++)
            ok = each(self, &slice->rows[i].message, err);
        if (slice->count != 0)
            from = slice->rows[slice->count - 1].message.n + 1;
    } while (ok && slice->count != 0);
    for (size_t i = 0; i < SLICE_ROWS; i++)
        strbuf_clear(&slice->rows[i].bytes);
    mem_free(slice);
    return ok;
}

#include "capture/entry_write.h"

#include <string.h>

#include "capture/filter.h"
#include "capture/roster.h"
#include "capture/store/store_write.h"

static int64_t session_of(const struct entry *entry)
{
    return entry->session->id;
}

/* --- a body -------------------------------------------------------------------------------------------- */

static bool write_list_bytes(struct store *store, int64_t list, const struct piece_bytes *piece,
                             struct err *err)
{
    uint64_t start = piece->offset - piece->offset % STORE_PIECE_BYTES;
    struct span bytes = span_make(piece->bytes, piece->len);

    if (piece->offset == start)
        return store_append_body(store, list, start, bytes, piece->ends_piece ? &piece->hash : NULL, err);
    if (piece->ends_piece)
        return store_seal_body(store, list, start, bytes, err);
    return store_append_body(store, list, piece->offset, bytes, NULL, err);
}

static bool write_bytes(struct store *store, struct entry_progress *now, int side,
                        const struct piece_bytes *piece, struct err *err)
{
    bool has_tail = piece->offset % STORE_PIECE_BYTES != 0;

    if (piece->len == 0)
        return !piece->ends_body || !now->is_list[side] || !has_tail ||
               store_seal_body(store, now->bodies[side], piece->offset - piece->offset % STORE_PIECE_BYTES,
                               SPAN_NONE, err);
    now->kept[side] = piece->offset + piece->len;
    if (now->bodies[side] == 0 && piece->ends_body)
        return store_add_body(store, span_make(piece->bytes, piece->len), piece->hash, &now->bodies[side],
                              err);
    if (now->bodies[side] == 0) {
        now->is_list[side] = true;
        if (!store_add_body_list(store, &now->bodies[side], err))
            return false;
    }
    return write_list_bytes(store, now->bodies[side], piece, err);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

static bool write_cookies(struct store *store, const struct exchange_piece *piece, uint32_t seq,
                          struct entry_progress *now, struct err *err)
{
    for (size_t i = 0; i < piece->cookie_count; i++) {
        const struct piece_cookie *cookie = &piece->cookies[i];
        const struct cookie_row row = {
            .seq = seq,
            .source = cookie->source,
            .time_us = cookie->time_us,
            .scheme = piece_text(piece, piece->scheme),
            .host = piece_text(piece, piece->host),
            .path = piece_text(piece, piece->path),
            .port = piece->port,
            .name = piece_text(piece, cookie->name),
            .value = piece_text(piece, cookie->value),
            .line = piece_text(piece, cookie->line),
        };
        int64_t id;
        if (!store_add_cookie(store, piece->base.session->id, &row, &id, err))
            return false;
        if (now != NULL && now->first_cookie == 0)
            now->first_cookie = id;
        if (now != NULL)
            now->last_cookie = id;
    }
    return true;
}

static bool write_messages(struct store *store, const struct exchange_piece *piece, uint32_t seq,
                           struct err *err)
{
    for (size_t i = 0; i < piece->message_count; i++) {
        struct record_message message = piece_message(piece, i);
        if (!store_add_message(store, piece->base.session->id, seq, &message, err))
            return false;
    }
    return true;
}

/* --- an exchange --------------------------------------------------------------------------------------- */

static bool add_tls(struct store *store, const struct entry *entry, const struct tap_tls *tls,
                    int64_t *out_row, struct err *err)
{
    return tls == NULL || store_add_tls(store, session_of(entry), tls->id, span_of(tls->json), out_row, err);
}

static void add_request(const struct exchange_piece *piece, struct store_exchange *row)
{
    row->started_us = piece->started_us;
    row->client_addr = piece_text(piece, piece->client_addr);
    row->method = piece_text(piece, piece->method);
    row->scheme = piece_text(piece, piece->scheme);
    row->host = piece_text(piece, piece->host);
    row->port = piece->port;
    row->path = piece_text(piece, piece->path);
    row->query = piece_text(piece, piece->query);
    row->protocol = piece_text(piece, piece->protocol);
    row->request_version = piece->request_version;
    row->request_headers = piece_text(piece, piece->request_headers);
    row->request_type = piece_text(piece, piece->request_type);
}

static void add_response(const struct exchange_piece *piece, struct store_exchange *row)
{
    row->response_version = piece->response_version;
    row->status = piece->status;
    row->reason = piece_text(piece, piece->reason);
    row->response_headers = piece_text(piece, piece->response_headers);
    row->response_type = piece_text(piece, piece->response_type);
}

static void replace_text(struct span *text, const struct exchange_piece *piece, struct piece_text newer)
{
    if (newer.len != PIECE_NO_TEXT)
        *text = piece_text(piece, newer);
}

/* What a later piece tells counts. */
static void add_facts(const struct exchange_piece *piece, struct store_exchange *row)
{
    row->state = piece->state;
    memcpy(row->times, piece->times, sizeof row->times);
    memcpy(row->bytes, piece->bytes, sizeof row->bytes);
    memcpy(row->wire_bytes, piece->wire_bytes, sizeof row->wire_bytes);
    row->tunnel_sent_bytes = piece->tunnel_sent_bytes;
    row->tunnel_received_bytes = piece->tunnel_received_bytes;
    row->attempts = piece->attempts;
    row->flags = piece->flags;
    row->messages = piece->last_message;
    replace_text(&row->origin_addr, piece, piece->origin_addr);
    replace_text(&row->error, piece, piece->error);
    replace_text(&row->interim, piece, piece->interim);
    for (int side = 0; side < 2; side++)
        replace_text(&row->trailers[side], piece, piece->trailers[side]);
}

static bool add_piece(struct store *store, struct entry *entry, const struct exchange_piece *piece,
                      struct store_exchange *row, struct err *err)
{
    if ((piece->marks & PIECE_REQUEST) != 0)
        add_request(piece, row);
    if ((piece->marks & PIECE_RESPONSE) != 0)
        add_response(piece, row);
    if ((piece->marks & PIECE_TAKEN) != 0)
        entry->now.is_visible = true;
    add_facts(piece, row);
    for (int side = 0; side < 2; side++)
        if (!write_bytes(store, &entry->now, side, &piece->bodies[side], err))
            return false;
    return add_tls(store, entry, piece->client_tls, &row->client_tls, err) &&
           add_tls(store, entry, piece->origin_tls, &row->origin_tls, err) &&
           write_cookies(store, piece, entry->seq, &entry->now, err) &&
           write_messages(store, piece, entry->seq, err);
}

/* What the filter left out goes away; its cookies stay without it. */
static bool take_out(struct store *store, struct entry *entry, struct err *err)
{
    struct entry_progress *now = &entry->now;
    bool was_there;

    if (now->is_in_store && !store_delete_exchange(store, session_of(entry), entry->seq, &was_there, err))
        return false;
    now->is_in_store = false;
    return now->first_cookie == 0 || store_orphan_cookies(store, session_of(entry), entry->seq,
                                                          now->first_cookie, now->last_cookie, err);
}

static bool refuse(struct store *store, struct entry *entry, struct err *err)
{
    for (const struct exchange_piece *piece = entry->first; piece != NULL; piece = piece->next_of_entry)
        if (!write_cookies(store, piece, 0, NULL, err))
            return false;
    return take_out(store, entry, err);
}

/* The filter can only tell by looking into the store. why: NULL, or what cut the exchange. */
static bool ask_store(struct store *store, const struct filter *filter, struct entry *entry, const char *why,
                      struct err *err)
{
    bool is_taken;

    if (!store_exchange_matches(store, session_of(entry), entry->seq, filter, &is_taken, err))
        return false;
    if (!is_taken) {
        entry->session->written.filtered++;
        return take_out(store, entry, err);
    }
    entry->now.is_visible = true;
    entry->session->written.exchanges++;
    return store_settle_exchange(store, session_of(entry), entry->seq, why, err);
}

static bool write_row(struct store *store, struct entry *entry, const struct store_exchange *row,
                      struct err *err)
{
    bool was_visible = entry->committed.is_in_store && entry->committed.is_visible;
    bool ok = entry->now.is_in_store ? store_update_exchange(store, row, err)
                                     : store_insert_exchange(store, row, err);

    entry->now.is_in_store = true;
    if (!ok || !entry->now.is_visible || was_visible)
        return ok;
    entry->session->written.exchanges++;
    if (row->host.ptr == NULL) /* its request was written in an earlier batch, when nobody saw it */
        return store_add_host_of(store, session_of(entry), entry->seq, err);
    return store_add_host(store, session_of(entry), row->host, err);
}

static bool write_exchange(struct store *store, const struct filter *filter, struct entry *entry,
                           struct err *err)
{
    struct store_exchange row = { .session = session_of(entry) };
    unsigned marks = entry->last->marks;

    if ((marks & PIECE_REFUSED) != 0)
        return refuse(store, entry, err);
    if (entry->seq == 0)
        entry->seq = ++entry->session->last_seq;
    row.seq = entry->seq;
    memcpy(row.uid, entry->uid, sizeof row.uid);
    for (const struct exchange_piece *piece = entry->first; piece != NULL; piece = piece->next_of_entry)
        if (!add_piece(store, entry, piece, &row, err))
            return false;
    row.is_provisional = !entry->now.is_visible;
    memcpy(row.bodies, entry->now.bodies, sizeof row.bodies);
    memcpy(row.kept, entry->now.kept, sizeof row.kept);
    return write_row(store, entry, &row, err) &&
           ((marks & PIECE_ASK) == 0 || ask_store(store, filter, entry, NULL, err));
}

/* Pieces of it were dropped: what is there ends here. */
static bool write_lost(struct store *store, const struct filter *filter, struct entry *entry, struct err *err)
{
    static const char WHY[] = "the store failed while this was recorded";

    if (!entry->is_over || !entry->now.is_in_store)
        return true;
    if (!entry->now.is_visible)
        return ask_store(store, filter, entry, WHY, err);
    return store_settle_exchange(store, session_of(entry), entry->seq, WHY, err);
}

bool entry_write(struct store *store, const struct filter *filter, struct entry *entry, struct err *err)
{
    return entry->is_lost ? write_lost(store, filter, entry, err) : write_exchange(store, filter, entry, err);
}

bool entry_write_cookies(struct store *store, const struct exchange_piece *piece, struct err *err)
{
    return write_cookies(store, piece, 0, NULL, err);
}

#include "capture/piece.h"

#include <string.h>

#include "capture/fields_json.h"
#include "capture/record.h"
#include "proxy/base/mem.h"
#include "proxy/http/headers.h"

/* Most heads with what is around them, so that the block is allocated once. */
#define TEXT_BYTES 1024

static const struct piece_text NO_TEXT = { 0, PIECE_NO_TEXT };

struct exchange_piece *piece_new(struct roster_session *session, struct entry *entry)
{
    struct exchange_piece *piece = mem_new(struct exchange_piece);

    piece->base.kind = PIECE_EXCHANGE;
    piece->base.session = session;
    piece->entry = entry;
    strbuf_reserve(&piece->text, TEXT_BYTES);
    piece->client_addr = piece->method = piece->query = piece->protocol = piece->request_headers =
        piece->request_type = NO_TEXT;
    piece->scheme = piece->host = piece->path = NO_TEXT;
    piece->reason = piece->response_headers = piece->response_type = NO_TEXT;
    piece->interim = piece->trailers[0] = piece->trailers[1] = piece->error = piece->origin_addr = NO_TEXT;
    return piece;
}

static char *text_of(const char *bytes)
{
    struct strbuf text = STRBUF_EMPTY;

    record_text_add(&text, span_of(bytes != NULL ? bytes : ""));
    return strbuf_detach(&text);
}

struct event_piece *piece_event(struct roster_session *session, uint64_t time_us, const char *kind,
                                const char *client_addr, const char *host, const char *text)
{
    struct event_piece *piece = mem_new(struct event_piece);

    piece->base.kind = PIECE_EVENT;
    piece->base.session = session;
    piece->time_us = time_us;
    piece->kind = text_of(kind);
    piece->client_addr = text_of(client_addr);
    piece->host = text_of(host);
    piece->text = text_of(text);
    piece->base.item.bytes = sizeof *piece + strlen(piece->kind) + strlen(piece->client_addr) +
                             strlen(piece->host) + strlen(piece->text);
    return piece;
}

static void free_exchange_piece(struct exchange_piece *piece)
{
    for (int side = 0; side < 2; side++)
        mem_free(piece->bodies[side].bytes);
    mem_free(piece->cookies);
    mem_free(piece->messages);
    tap_tls_unref(piece->client_tls);
    tap_tls_unref(piece->origin_tls);
    strbuf_clear(&piece->text);
    mem_free(piece);
}

static void free_event_piece(struct event_piece *piece)
{
    mem_free(piece->kind);
    mem_free(piece->client_addr);
    mem_free(piece->host);
    mem_free(piece->text);
    mem_free(piece);
}

void piece_free(struct piece *piece)
{
    if (piece == NULL)
        return;
    if (piece->kind == PIECE_EVENT)
        free_event_piece((struct event_piece *)piece);
    else
        free_exchange_piece((struct exchange_piece *)piece);
}

/* --- text ---------------------------------------------------------------------------------------------- */

static struct piece_text text_since(const struct exchange_piece *piece, size_t offset)
{
    return (struct piece_text){ (uint32_t)offset, (uint32_t)(piece->text.len - offset) };
}

struct piece_text piece_add_text(struct exchange_piece *piece, struct span bytes)
{
    size_t offset = piece->text.len;

    if (bytes.ptr == NULL)
        return NO_TEXT;
    record_text_add(&piece->text, bytes);
    return text_since(piece, offset);
}

struct piece_text piece_add_bytes(struct exchange_piece *piece, struct span bytes)
{
    size_t offset = piece->text.len;

    strbuf_add(&piece->text, bytes);
    return text_since(piece, offset);
}

struct span piece_text(const struct exchange_piece *piece, struct piece_text text)
{
    return text.len == PIECE_NO_TEXT ? SPAN_NONE
                                     : span_make(strbuf_text(&piece->text) + text.offset, text.len);
}

struct piece_text piece_add_headers(struct exchange_piece *piece, const struct headers *headers)
{
    size_t offset = piece->text.len;

    fields_json_add(&piece->text, headers);
    return text_since(piece, offset);
}

struct piece_text piece_add_type(struct exchange_piece *piece, const struct headers *headers)
{
    size_t offset = piece->text.len;
    struct span value;

    if (!headers_find(headers, SPAN("Content-Type"), &value))
        return NO_TEXT;
    value = span_trim(span_sub(value, 0, span_find(value, ';')));
    if (value.len == 0)
        return NO_TEXT;
    record_text_add(&piece->text, value);
    for (size_t i = offset; i < piece->text.len; i++)
        if (piece->text.ptr[i] >= 'A' && piece->text.ptr[i] <= 'Z')
            piece->text.ptr[i] = (char)(piece->text.ptr[i] - 'A' + 'a');
    return text_since(piece, offset);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

/* Room in an array of count items for one more: for a power of two, so that many do not copy it many times.
 */
static void *room_for_one(void *items, size_t count, size_t item_bytes)
{
    if ((count & (count - 1)) != 0)
        return items;
    return mem_realloc(items, (count != 0 ? count * 2 : 1) * item_bytes);
}

void piece_add_cookie(struct exchange_piece *piece, enum cookie_source source, uint64_t time_us,
                      struct span name, struct span value, struct span line)
{
    struct piece_cookie *cookie;

    piece->cookies = room_for_one(piece->cookies, piece->cookie_count, sizeof *piece->cookies);
    cookie = &piece->cookies[piece->cookie_count++];
    cookie->source = source;
    cookie->time_us = time_us;
    cookie->name = piece_add_bytes(piece, name);
    cookie->value = piece_add_bytes(piece, value);
    cookie->line = line.ptr != NULL ? piece_add_bytes(piece, line) : NO_TEXT;
}

/* --- messages ------------------------------------------------------------------------------------------ */

static struct piece_text add_text_if_any(struct exchange_piece *piece, struct span bytes)
{
    return bytes.len != 0 ? piece_add_text(piece, bytes) : NO_TEXT;
}

void piece_add_message(struct exchange_piece *piece, const struct message *message, enum http_role direction,
                       uint32_t n, uint64_t time_us, size_t max_payload)
{
    bool is_ours = message->kind == MESSAGE_FAULT;
    bool is_cut = !is_ours && message->payload.len > max_payload;
    struct span payload = is_cut ? span_sub(message->payload, 0, max_payload) : message->payload;
    struct piece_message *item;

    piece->messages = room_for_one(piece->messages, piece->message_count, sizeof *piece->messages);
    item = &piece->messages[piece->message_count++];
    *item = (struct piece_message){
        .row = { .n = n,
                 .time_us = time_us,
                 .direction = direction,
                 .kind = message->kind,
                 .size = message->size,
                 .wire_size = message->wire_size,
                 .flags = (message->is_truncated || is_cut ? RECORD_MESSAGE_TRUNCATED : 0u) |
                          (message->is_incomplete ? RECORD_MESSAGE_INCOMPLETE : 0u) |
                          (message->is_compressed ? RECORD_MESSAGE_COMPRESSED : 0u) |
                          (message->is_undecoded ? RECORD_MESSAGE_UNDECODED : 0u) |
                          (message->is_bad_utf8 ? RECORD_MESSAGE_BAD_UTF8 : 0u),
                 .close_code = message->close_code,
                 .has_retry = message->has_retry,
                 .retry_ms = message->retry_ms },
        .payload = max_payload != 0 || is_ours ? piece_add_bytes(piece, payload) : NO_TEXT,
        .event_type = add_text_if_any(piece, message->event_type),
        .event_id = add_text_if_any(piece, message->event_id),
        .note = add_text_if_any(piece, message->note != NULL ? span_of(message->note) : SPAN_NONE),
    };
}

struct record_message piece_message(const struct exchange_piece *piece, size_t i)
{
    const struct piece_message *item = &piece->messages[i];
    struct record_message row = item->row;

    row.payload = piece_text(piece, item->payload);
    row.event_type = piece_text(piece, item->event_type);
    row.event_id = piece_text(piece, item->event_id);
    row.note = piece_text(piece, item->note);
    return row;
}

/* ------------------------------------------------------------------------------------------------------- */

void piece_weigh(struct exchange_piece *piece)
{
    piece->base.item.bytes = sizeof *piece + piece->text.cap + piece->cookie_count * sizeof *piece->cookies +
                             piece->message_count * sizeof *piece->messages + piece->bodies[0].cap +
                             piece->bodies[1].cap;
}

#include "capture/piece.h"

#include <string.h>

#include "capture/record.h"
#include "proxy/base/mem.h"
#include "proxy/http/headers.h"

/* Most heads with what is around them, so that the block is allocated once. */
#define TEXT_BYTES 1024

static const struct piece_text NO_TEXT = { 0, PIECE_NO_TEXT };

struct exchange_piece *piece_new(struct entry *entry)
{
    struct exchange_piece *piece = mem_new(struct exchange_piece);

    piece->base.kind = PIECE_EXCHANGE;
    piece->entry = entry;
    strbuf_reserve(&piece->text, TEXT_BYTES);
    piece->client_addr = piece->method = piece->query = piece->request_headers = piece->request_type =
        NO_TEXT;
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

struct event_piece *piece_event(uint64_t time_us, const char *kind, const char *client_addr, const char *host,
                                const char *text)
{
    struct event_piece *piece = mem_new(struct event_piece);

    piece->base.kind = PIECE_EVENT;
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

/* Whether a byte stands for itself in a JSON string of the store's text: ASCII but quote, backslash,
 * controls. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void add_json_string(struct strbuf *out, struct span bytes)
{
    strbuf_add_char(out, '"');
    while (bytes.len != 0) {
        size_t plain = 0;
        unsigned char c;
        while (plain < bytes.len && is_plain((unsigned char)bytes.ptr[plain]))
            plain++;
        strbuf_add(out, span_sub(bytes, 0, plain));
        if (plain == bytes.len)
            break;
        c = (unsigned char)bytes.ptr[plain];
        if (c >= 0x80)
            record_text_add(out, span_sub(bytes, plain, 1));
        else if (c < 0x20)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_add(out, span_make((const char[]){ '\\', (char)c }, 2));
        bytes = span_from(bytes, plain + 1);
    }
    strbuf_add_char(out, '"');
}

void piece_headers_json(struct strbuf *out, const struct headers *headers)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < headers->count; i++) {
        strbuf_add_str(out, i != 0 ? ",[" : "[");
        add_json_string(out, headers_name(headers, i));
        strbuf_add_char(out, ',');
        add_json_string(out, headers_value(headers, i));
        strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, ']');
}

struct piece_text piece_add_headers(struct exchange_piece *piece, const struct headers *headers)
{
    size_t offset = piece->text.len;

    piece_headers_json(&piece->text, headers);
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

void piece_add_cookie(struct exchange_piece *piece, enum cookie_source source, uint64_t time_us,
                      struct span name, struct span value, struct span line)
{
    struct piece_cookie *cookie;

    /* Room for a power of two, so that a page with many cookies does not copy them many times. */
    if ((piece->cookie_count & (piece->cookie_count - 1)) == 0)
        piece->cookies =
            mem_realloc(piece->cookies,
                        (piece->cookie_count != 0 ? piece->cookie_count * 2 : 1) * sizeof *piece->cookies);
    cookie = &piece->cookies[piece->cookie_count++];
    cookie->source = source;
    cookie->time_us = time_us;
    cookie->name = piece_add_bytes(piece, name);
    cookie->value = piece_add_bytes(piece, value);
    cookie->line = line.ptr != NULL ? piece_add_bytes(piece, line) : NO_TEXT;
}

void piece_weigh(struct exchange_piece *piece)
{
    piece->base.item.bytes = sizeof *piece + piece->text.cap + piece->cookie_count * sizeof *piece->cookies +
                             piece->bodies[0].cap + piece->bodies[1].cap;
}

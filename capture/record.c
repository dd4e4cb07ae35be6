#include "capture/record.h"

#include <string.h>

#include "proxy/http/url.h"

const char *const record_time_names[TAP_T_COUNT] = {
    [TAP_T_ACCEPTED] = "accepted",
    [TAP_T_DNS_START] = "dns_start",
    [TAP_T_DNS_END] = "dns_end",
    [TAP_T_CONNECT_START] = "connect_start",
    [TAP_T_CONNECT_END] = "connect_end",
    [TAP_T_TLS_START] = "tls_start",
    [TAP_T_TLS_END] = "tls_end",
    [TAP_T_SENT_FIRST] = "sent_first",
    [TAP_T_SENT_LAST] = "sent_last",
    [TAP_T_RECEIVED_FIRST] = "received_first",
    [TAP_T_RECEIVED_LAST] = "received_last",
    [TAP_T_DONE] = "done",
};

const struct record_flag_name record_message_flag_names[RECORD_MESSAGE_FLAGS] = {
    { RECORD_MESSAGE_TRUNCATED, "truncated" },   { RECORD_MESSAGE_INCOMPLETE, "incomplete" },
    { RECORD_MESSAGE_COMPRESSED, "compressed" }, { RECORD_MESSAGE_UNDECODED, "undecoded" },
    { RECORD_MESSAGE_BAD_UTF8, "bad_utf8" },
};

static const char *const message_kind_names[] = {
    [MESSAGE_TEXT] = "text", [MESSAGE_BINARY] = "binary",     [MESSAGE_PING] = "ping",
    [MESSAGE_PONG] = "pong", [MESSAGE_CLOSE] = "close",       [MESSAGE_EVENT] = "event",
    [MESSAGE_GRPC] = "grpc", [MESSAGE_TRAILERS] = "trailers", [MESSAGE_FAULT] = "fault",
};

const char *record_message_kind_name(enum message_kind kind)
{
    return message_kind_names[kind];
}

bool record_message_kind_find(struct span name, enum message_kind *out_kind)
{
    for (int kind = MESSAGE_TEXT; kind <= MESSAGE_FAULT; kind++) {
        if (span_eq(name, span_of(message_kind_names[kind]))) {
            *out_kind = (enum message_kind)kind;
            return true;
        }
    }
    return false;
}

bool record_find(const struct record_fields *fields, struct span name, struct span *out_value)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (span_ieq(fields->items[i].name, name)) {
            *out_value = fields->items[i].value;
            return true;
        }
    }
    return false;
}

bool record_join(const struct record_fields *fields, struct span name, struct strbuf *out)
{
    bool found = false;

    for (size_t i = 0; i < fields->count; i++) {
        if (!span_ieq(fields->items[i].name, name))
            continue;
        if (found)
            strbuf_add(out, SPAN(", "));
        strbuf_add(out, fields->items[i].value);
        found = true;
    }
    return found;
}

bool record_is_tunnel(const struct record *record)
{
    return (record->flags & TAP_TUNNEL) != 0 ||
           (span_eq(record->method, SPAN("CONNECT")) && record->protocol.len == 0);
}

bool record_is_upgrade(const struct record *record)
{
    return (record->flags & TAP_UPGRADED) != 0 || record->status == 101 || record->protocol.len != 0;
}

void record_add_url(const struct record *record, struct strbuf *out)
{
    char host[URL_HOST_BYTES];
    size_t len = record->host.len < sizeof host - 1 ? record->host.len : sizeof host - 1;

    if (len != 0)
        memcpy(host, record->host.ptr, len);
    host[len] = '\0';
    strbuf_add(out, record->scheme);
    strbuf_add(out, SPAN("://"));
    url_add_authority(out, record->scheme, host, record->port);
    /* "OPTIONS *" asks about the server as a whole, whose URL has no path (RFC 9112 §3.2.4). */
    if (!span_eq(record->path, SPAN("*")))
        strbuf_add(out, record->path);
    if (record->query.ptr != NULL) {
        strbuf_add_char(out, '?');
        strbuf_add(out, record->query);
    }
}

/* How many bytes at the beginning are ASCII; looks at eight at a time. */
static size_t ascii_prefix(struct span bytes)
{
    size_t i = 0;

    for (; i + 8 <= bytes.len; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.ptr + i, 8);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    while (i < bytes.len && ((unsigned char)bytes.ptr[i] & 0x80) == 0)
        i++;
    return i;
}

void record_text_add(struct strbuf *out_text, struct span bytes)
{
    for (;;) {
        size_t plain = ascii_prefix(bytes);
        unsigned char c;
        strbuf_add(out_text, span_sub(bytes, 0, plain));
        if (plain == bytes.len)
            return;
        c = (unsigned char)bytes.ptr[plain];
        strbuf_add(out_text,
                   span_make((const char[]){ (char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)) }, 2));
        bytes = span_from(bytes, plain + 1);
    }
}

bool record_bytes_add(struct strbuf *out_bytes, struct span text)
{
    for (;;) {
        size_t plain = ascii_prefix(text);
        unsigned char lead, tail;
        strbuf_add(out_bytes, span_sub(text, 0, plain));
        if (plain == text.len)
            return true;
        lead = (unsigned char)text.ptr[plain];
        tail = plain + 1 < text.len ? (unsigned char)text.ptr[plain + 1] : 0;
        if ((lead != 0xc2 && lead != 0xc3) || (tail & 0xc0) != 0x80)
            return false;
        strbuf_add_char(out_bytes, (char)((lead & 0x03) << 6 | (tail & 0x3f)));
        text = span_from(text, plain + 2);
    }
}

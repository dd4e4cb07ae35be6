/* h2_teller: an h2 whose events become text, for unit tests, the playbook and fuzzing; and frames made by
 * hand.
 *
 * The text has a line an event, begun by the number of the stream in the order in which they began;
 * neighbouring body pieces are one line. A stream's events stand together, the connection's behind all, for
 * how they interleave depends on how the bytes arrive. "[never-indexed]" stands behind such fields. */
#ifndef WEIR_TESTS_H2_TELLER_H
#define WEIR_TESTS_H2_TELLER_H

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/h2.h"

struct told_stream {
    struct h2_teller *teller;
    struct h2_stream *stream; /* NULL: closed */
    size_t number;            /* from 1 */
    struct strbuf text;
    struct strbuf body; /* since the last other event */
    size_t body_bytes;  /* of all */
    size_t drained;     /* so many on_drained */
};

struct h2_teller {
    struct h2 *h2;
    struct strbuf text;           /* of the connection */
    struct told_stream **streams; /* in the order in which they began */
    size_t count;
    bool is_quiet; /* bodies are only counted */
    bool holds;    /* set_reading(false) for each new stream */
    /* May be NULL: called when a request has come, to answer it at once. */
    void (*answer)(struct told_stream *told, const struct http_head *head);
};

static inline void h2_teller_escape(struct strbuf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c < ' ' || c >= 0x7f || c == '\\')
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_add_char(out, (char)c);
    }
}

static inline void h2_teller_flush(struct told_stream *told)
{
    if (told->body.len == 0)
        return;
    strbuf_printf(&told->text, "%zu body ", told->number);
    h2_teller_escape(&told->text, strbuf_span(&told->body));
    strbuf_add_char(&told->text, '\n');
    strbuf_reset(&told->body);
}

static inline void h2_teller_fields(struct told_stream *told, const struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        strbuf_add_str(&told->text, "  ");
        h2_teller_escape(&told->text, headers_line(headers, i));
        strbuf_add_str(&told->text, headers->items[i].is_sensitive ? " [never-indexed]\n" : "\n");
    }
}

static inline void h2_teller_part(struct told_stream *told, const char *name, struct span value)
{
    if (value.ptr == NULL)
        return;
    strbuf_printf(&told->text, " %s=", name);
    h2_teller_escape(&told->text, value);
}

static inline void h2_teller_head_end(struct told_stream *told, const struct http_head *head)
{
    static const char *const kinds[] = { [BODY_NONE] = "none",
                                         [BODY_LENGTH] = "length",
                                         [BODY_CHUNKED] = "chunked",
                                         [BODY_UNTIL_CLOSE] = "until-close",
                                         [BODY_TUNNEL] = "tunnel" };

    strbuf_printf(&told->text, " %s", kinds[head->framing.kind]);
    if (head->framing.kind == BODY_LENGTH)
        strbuf_printf(&told->text, "=%llu", (unsigned long long)head->framing.length);
    strbuf_add_char(&told->text, '\n');
    h2_teller_fields(told, &head->headers);
}

static inline struct told_stream *h2_teller_add(struct h2_teller *teller, struct h2_stream *stream)
{
    struct told_stream *told = mem_new(struct told_stream);

    *told = (struct told_stream){ .teller = teller, .stream = stream, .number = teller->count + 1 };
    teller->streams = mem_realloc(teller->streams, (teller->count + 1) * sizeof *teller->streams);
    teller->streams[teller->count++] = told;
    return told;
}

static inline void *h2_teller_on_request(void *self, struct h2_stream *stream, struct http_head *head)
{
    struct h2_teller *teller = self;
    struct told_stream *told = h2_teller_add(teller, stream);

    strbuf_printf(&told->text, "%zu request", told->number);
    h2_teller_part(told, "method", head->method);
    h2_teller_part(told, "scheme", head->scheme);
    h2_teller_part(told, "authority", head->authority);
    h2_teller_part(told, "target", head->target);
    h2_teller_part(told, "protocol", head->protocol);
    h2_teller_head_end(told, head);
    if (teller->holds)
        h2_set_reading(stream, false);
    if (teller->answer != NULL)
        teller->answer(told, head);
    http_head_free(head);
    return told;
}

static inline void h2_teller_on_response(void *self, struct http_head *head)
{
    struct told_stream *told = self;

    h2_teller_flush(told);
    strbuf_printf(&told->text, "%zu response %d", told->number, head->status);
    h2_teller_head_end(told, head);
    http_head_free(head);
}

static inline void h2_teller_on_body(void *self, struct span bytes)
{
    struct told_stream *told = self;

    told->body_bytes += bytes.len;
    if (!told->teller->is_quiet)
        strbuf_add(&told->body, bytes);
}

static inline void h2_teller_on_end(void *self, const struct headers *trailers)
{
    struct told_stream *told = self;

    h2_teller_flush(told);
    strbuf_printf(&told->text, "%zu end%s\n", told->number, trailers != NULL ? " with trailers" : "");
    if (trailers != NULL)
        h2_teller_fields(told, trailers);
}

static inline void h2_teller_on_drained(void *self)
{
    struct told_stream *told = self;

    told->drained++;
}

static inline void h2_teller_on_closed(void *self, uint32_t code, bool was_refused)
{
    struct told_stream *told = self;

    h2_teller_flush(told);
    strbuf_printf(&told->text, "%zu closed %s%s\n", told->number, h2_error_name(code),
                  was_refused ? " refused" : "");
    told->stream = NULL;
}

static inline void h2_teller_on_goaway(void *self, uint32_t code)
{
    struct h2_teller *teller = self;

    strbuf_printf(&teller->text, "goaway %s\n", h2_error_name(code));
}

static const struct h2_events h2_teller_events = {
    .on_request = h2_teller_on_request,
    .on_response = h2_teller_on_response,
    .on_body = h2_teller_on_body,
    .on_end = h2_teller_on_end,
    .on_drained = h2_teller_on_drained,
    .on_closed = h2_teller_on_closed,
    .on_goaway = h2_teller_on_goaway,
};

static inline void h2_teller_init(struct h2_teller *teller, enum h2_role role,
                                  const struct h2_options *options)
{
    *teller = (struct h2_teller){ .text = STRBUF_EMPTY };
    teller->h2 = h2_new(role, options, &h2_teller_events, teller);
}

static inline void h2_teller_clear(struct h2_teller *teller)
{
    h2_free(teller->h2);
    for (size_t i = 0; i < teller->count; i++) {
        strbuf_clear(&teller->streams[i]->text);
        strbuf_clear(&teller->streams[i]->body);
        mem_free(teller->streams[i]);
    }
    mem_free(teller->streams);
    strbuf_clear(&teller->text);
}

/* To origins: a request, told as the next number. NULL when none can be sent. */
static inline struct told_stream *h2_teller_request(struct h2_teller *teller, const struct http_head *head,
                                                    struct span target, struct span extra)
{
    struct told_stream *told = h2_teller_add(teller, NULL);

    told->stream = h2_request(teller->h2, told, head, target, extra);
    return told->stream != NULL ? told : NULL;
}

/* What stands there since the last time, bodies too. Until the next event. */
static inline const char *h2_teller_take(struct h2_teller *teller, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < teller->count; i++) {
        h2_teller_flush(teller->streams[i]);
        strbuf_add(out, strbuf_span(&teller->streams[i]->text));
        strbuf_reset(&teller->streams[i]->text);
    }
    strbuf_add(out, strbuf_span(&teller->text));
    strbuf_reset(&teller->text);
    return strbuf_text(out);
}

/* A frame as bytes (RFC 9113 §4.1). */
static inline void h2_frame(struct strbuf *out, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
    const unsigned char head[] = { (unsigned char)(payload.len >> 16),
                                   (unsigned char)(payload.len >> 8),
                                   (unsigned char)payload.len,
                                   type,
                                   flags,
                                   (unsigned char)(id >> 24),
                                   (unsigned char)(id >> 16),
                                   (unsigned char)(id >> 8),
                                   (unsigned char)id };

    strbuf_add(out, span_make(head, sizeof head));
    strbuf_add(out, payload);
}

#define H2_PREFACE SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

#endif

/* h1_script: what an h1 tells, as text, however its bytes arrive; for the playbook and for fuzzing.
 *
 * The text has a line an event; neighbouring body pieces are one line, because where a body is cut says
 * nothing about the message. Everything told is also written out again by h1_write, so that what came out can
 * be read once more. Bytes are handed over in exact allocations of their own: reading past them is found by
 * ASan. */
#ifndef WEIR_TESTS_H1_SCRIPT_H
#define WEIR_TESTS_H1_SCRIPT_H

#include <event2/buffer.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/h1.h"
#include "proxy/http/h1_write.h"

struct h1_script {
    enum http_role role;
    struct h1_limits limits;
    struct span methods;  /* responses: the requests' methods, separated by blanks */
    size_t piece_bytes;   /* how many at a time; 0: all at once */
    size_t first_bytes;   /* before those; 0: none */
    bool pauses;          /* at every event */
    bool is_plain;        /* only what the next hop gets: no marked fields, no sizes, nothing about the end */
    struct strbuf text;   /* the result */
    struct evbuffer *out; /* the result, as bytes again */

    struct h1 *h1;
    struct h1_writer writer;
    struct strbuf body;
    struct span methods_left;
    bool is_paused, has_ended, is_failed;
};

static inline void h1_script_add_escaped(struct strbuf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c == '\r')
            strbuf_add_str(out, "\\r");
        else if (c == '\n')
            strbuf_add_str(out, "\\n");
        else if (c == '\t')
            strbuf_add_str(out, "\\t");
        else if (c == '\\')
            strbuf_add_str(out, "\\\\");
        else if (c < ' ' || c >= 0x7f)
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_add_char(out, (char)c);
    }
}

static inline void h1_script_pause(struct h1_script *script)
{
    if (!script->pauses)
        return;
    script->is_paused = true;
    h1_pause(script->h1);
}

/* The body that came so far becomes a line. */
static inline void h1_script_flush(struct h1_script *script)
{
    if (script->body.len == 0)
        return;
    strbuf_add_str(&script->text, "body ");
    h1_script_add_escaped(&script->text, strbuf_span(&script->body));
    strbuf_add_char(&script->text, '\n');
    strbuf_reset(&script->body);
}

static inline void h1_script_add_fields(struct h1_script *script, const struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct span name = headers_name(headers, i), value = headers_value(headers, i);
        struct span line = headers_line(headers, i);
        struct strbuf usual = STRBUF_EMPTY;

        if (script->is_plain && headers->items[i].is_hop)
            continue;
        strbuf_add(&usual, name);
        strbuf_add_str(&usual, ": ");
        strbuf_add(&usual, value);
        strbuf_add_str(&script->text, "  ");
        h1_script_add_escaped(&script->text, strbuf_span(&usual));
        if (headers->items[i].is_hop)
            strbuf_add_str(&script->text, " [hop]");
        if (!span_eq(line, strbuf_span(&usual))) {
            strbuf_add_str(&script->text, " [line=");
            h1_script_add_escaped(&script->text, line);
            strbuf_add_char(&script->text, ']');
        }
        strbuf_add_char(&script->text, '\n');
        strbuf_clear(&usual);
    }
}

static inline void h1_script_add_framing(struct h1_script *script, const struct http_head *head)
{
    static const char *const kinds[] = { [BODY_NONE] = "none",
                                         [BODY_LENGTH] = "length",
                                         [BODY_CHUNKED] = "chunked",
                                         [BODY_UNTIL_CLOSE] = "until-close",
                                         [BODY_TUNNEL] = "tunnel" };

    strbuf_printf(&script->text, " %s", kinds[head->framing.kind]);
    if (head->framing.kind == BODY_LENGTH)
        strbuf_printf(&script->text, "=%llu", (unsigned long long)head->framing.length);
    strbuf_add_str(&script->text, head->framing.keeps_alive ? " keep" : " close");
    if (!script->is_plain)
        strbuf_printf(&script->text, " wire=%llu", (unsigned long long)head->wire_bytes);
    strbuf_add_char(&script->text, '\n');
}

static inline void h1_script_on_head(void *self, struct http_head *head)
{
    struct h1_script *script = self;

    h1_script_flush(script);
    if (head->role == HTTP_REQUEST) {
        strbuf_add_str(&script->text, "request ");
        h1_script_add_escaped(&script->text, head->method);
        strbuf_add_char(&script->text, ' ');
        h1_script_add_escaped(&script->text, head->target);
        h1_write_request(&script->writer, script->out, head, head->target, SPAN_NONE);
    } else {
        strbuf_printf(&script->text, "response %d", head->status);
        strbuf_add_str(&script->text, head->reason.ptr != NULL ? " '" : " no reason");
        h1_script_add_escaped(&script->text, head->reason);
        strbuf_add_str(&script->text, head->reason.ptr != NULL ? "'" : "");
        h1_write_response(&script->writer, script->out, head, SPAN_NONE);
    }
    strbuf_add_str(&script->text, head->version == HTTP_1_0 ? " 1.0" : " 1.1");
    h1_script_add_framing(script, head);
    h1_script_add_fields(script, &head->headers);
    http_head_free(head);
    h1_script_pause(script);
}

static inline void h1_script_on_chunk(void *self, uint64_t size, struct span line)
{
    struct h1_script *script = self;

    h1_script_flush(script);
    strbuf_printf(&script->text, "chunk %llu '", (unsigned long long)size);
    h1_script_add_escaped(&script->text, line);
    strbuf_add_str(&script->text, "'\n");
    h1_write_chunk(&script->writer, script->out, size, line);
    h1_script_pause(script);
}

static inline void h1_script_on_body(void *self, struct span bytes)
{
    struct h1_script *script = self;

    if (bytes.len == 0) {
        h1_script_flush(script);
        strbuf_add_str(&script->text, "body of nothing\n");
    }
    strbuf_add(&script->body, bytes);
    h1_write_body(&script->writer, script->out, bytes);
    h1_script_pause(script);
}

static inline void h1_script_on_end(void *self, const struct headers *trailers)
{
    struct h1_script *script = self;

    h1_script_flush(script);
    strbuf_add_str(&script->text, "end\n");
    if (trailers != NULL)
        h1_script_add_fields(script, trailers);
    h1_write_end(&script->writer, script->out, trailers);
    script->has_ended = true;
    h1_script_pause(script);
}

static inline void h1_script_next_method(struct h1_script *script)
{
    struct span method;

    if (script->role == HTTP_RESPONSE && span_split(&script->methods_left, ' ', &method))
        h1_set_request_method(script->h1, method);
}

static inline void h1_script_fail(struct h1_script *script, const struct err *err)
{
    h1_script_flush(script);
    script->is_failed = true;
    if (!script->is_plain)
        strbuf_printf(&script->text, "%s: %s\n",
                      err->code == ERR_PROTO   ? "proto"
                      : err->code == ERR_LIMIT ? "limit"
                                               : "another error",
                      err->text);
}

/* Feeds one piece until nothing of it is left; what a tunnel leaves is collected as body. */
static inline void h1_script_feed(struct h1_script *script, struct span piece)
{
    char *copy = mem_dup(piece.ptr, piece.len);
    struct span rest = span_make(copy, piece.len);
    struct err err = { 0 };
    size_t used;

    do {
        script->is_paused = script->has_ended = false;
        if (!h1_feed(script->h1, rest, &used, &err)) {
            h1_script_fail(script, &err);
            break;
        }
        rest = span_from(rest, used);
        if (script->has_ended)
            h1_script_next_method(script);
    } while (script->is_paused || (rest.len != 0 && !h1_is_tunnel(script->h1)));
    if (h1_is_tunnel(script->h1)) {
        strbuf_add(&script->body, rest);
        h1_write_body(&script->writer, script->out, rest);
    }
    mem_free(copy);
}

static inline void h1_script_finish(struct h1_script *script)
{
    struct err err = { 0 };
    bool was_idle = h1_is_idle(script->h1), was_tunnel = h1_is_tunnel(script->h1);
    bool is_clean = h1_finish(script->h1, &err);

    h1_script_flush(script);
    if (script->is_plain)
        return;
    if (!is_clean)
        strbuf_printf(&script->text, "%s: %s\n", err.code == ERR_CLOSED ? "cut" : "another error", err.text);
    else
        strbuf_add_str(&script->text, was_tunnel ? "tunnel\n" : was_idle ? "idle\n" : "closed\n");
}

/* Runs bytes through; text and out are then there until h1_script_clear. */
static inline void h1_script_run(struct h1_script *script, struct span bytes)
{
    static const struct http_events events = { h1_script_on_head, h1_script_on_chunk, h1_script_on_body,
                                               h1_script_on_end };

    script->text = script->body = STRBUF_EMPTY;
    script->is_failed = false;
    script->out = evbuffer_new();
    script->methods_left = script->methods;
    script->h1 = h1_new(script->role, script->limits, &events, script);
    h1_script_next_method(script);
    if (script->first_bytes != 0) {
        h1_script_feed(script, span_sub(bytes, 0, script->first_bytes));
        bytes = span_from(bytes, script->first_bytes);
    }
    while (bytes.len != 0 && !script->is_failed) {
        size_t len =
            script->piece_bytes != 0 && script->piece_bytes < bytes.len ? script->piece_bytes : bytes.len;
        h1_script_feed(script, span_sub(bytes, 0, len));
        bytes = span_from(bytes, len);
    }
    if (!script->is_failed)
        h1_script_finish(script);
    h1_free(script->h1);
    strbuf_clear(&script->body);
}

static inline void h1_script_clear(struct h1_script *script)
{
    strbuf_clear(&script->text);
    evbuffer_free(script->out);
}

#endif

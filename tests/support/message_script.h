/* message_script: what the splitters of proxy/http tell, as text, a line a message; for their playbooks,
 * their unit tests and fuzzing.
 *
 *     fault 'sentence'
 *     KIND SIZE 'payload' [type=T] [id=I] [retry=N] [code=N] [wire=N] [flags] [(note)]
 *
 * wire stands where it differs from the size; the payload is escaped as in unescape.h. Last comes "lost N"
 * where bytes were only counted. Bytes are handed over in exact allocations of their own: reading past them
 * is found by ASan. */
#ifndef WEIR_TESTS_MESSAGE_SCRIPT_H
#define WEIR_TESTS_MESSAGE_SCRIPT_H

#include <inttypes.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/grpc.h"
#include "proxy/http/messages.h"
#include "proxy/http/sse.h"
#include "proxy/http/ws.h"

enum message_script_kind { SCRIPT_WS, SCRIPT_SSE, SCRIPT_GRPC };

struct message_script {
    enum message_script_kind kind;
    enum http_role direction;        /* SCRIPT_WS */
    struct ws_extensions extensions; /* SCRIPT_WS */
    enum grpc_form form;             /* SCRIPT_GRPC */
    struct span encoding;            /* SCRIPT_GRPC */
    size_t max_message_bytes;
    size_t first_bytes; /* so many at once, then */
    size_t piece_bytes; /* so many at a time; 0: all of the rest */
    struct strbuf text; /* the result */
};

static inline void message_script_add_escaped(struct strbuf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c == '\r')
            strbuf_add_str(out, "\\r");
        else if (c == '\n')
            strbuf_add_str(out, "\\n");
        else if (c == '\\')
            strbuf_add_str(out, "\\\\");
        else if (c < ' ' || c >= 0x7f)
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_add_char(out, (char)c);
    }
}

/* A sink; self is the strbuf. */
static inline void message_script_sink(void *self, const struct message *message)
{
    static const char *const kinds[] = {
        [MESSAGE_TEXT] = "text", [MESSAGE_BINARY] = "binary",     [MESSAGE_PING] = "ping",
        [MESSAGE_PONG] = "pong", [MESSAGE_CLOSE] = "close",       [MESSAGE_EVENT] = "event",
        [MESSAGE_GRPC] = "grpc", [MESSAGE_TRAILERS] = "trailers", [MESSAGE_FAULT] = "fault",
    };
    struct strbuf *out = self;

    strbuf_add_str(out, kinds[message->kind]);
    if (message->kind != MESSAGE_FAULT)
        strbuf_printf(out, " %" PRIu64, message->size);
    strbuf_add_str(out, " '");
    message_script_add_escaped(out, message->payload);
    strbuf_add_char(out, '\'');
    if (message->kind == MESSAGE_EVENT) {
        strbuf_add_str(out, " type=");
        message_script_add_escaped(out, message->event_type);
        if (message->event_id.len != 0) {
            strbuf_add_str(out, " id=");
            message_script_add_escaped(out, message->event_id);
        }
    }
    if (message->has_retry)
        strbuf_printf(out, " retry=%" PRIu64, message->retry_ms);
    if (message->close_code != 0)
        strbuf_printf(out, " code=%u", message->close_code);
    if (message->kind != MESSAGE_FAULT && message->kind != MESSAGE_CLOSE &&
        message->wire_size != message->size)
        strbuf_printf(out, " wire=%" PRIu64, message->wire_size);
    strbuf_add_str(out, message->is_compressed ? " compressed" : "");
    strbuf_add_str(out, message->is_undecoded ? " undecoded" : "");
    strbuf_add_str(out, message->is_truncated ? " truncated" : "");
    strbuf_add_str(out, message->is_incomplete ? " incomplete" : "");
    strbuf_add_str(out, message->is_bad_utf8 ? " bad-utf8" : "");
    if (message->note != NULL)
        strbuf_printf(out, " (%s)", message->note);
    strbuf_add_char(out, '\n');
}

/* The one that is under test; the others are NULL. */
struct message_script_splitter {
    struct ws *ws;
    struct sse *sse;
    struct grpc *grpc;
};

static inline void message_script_feed(struct message_script_splitter *splitter, struct span piece)
{
    char *copy = mem_dup(piece.ptr, piece.len);

    if (splitter->ws != NULL)
        ws_feed(splitter->ws, span_make(copy, piece.len));
    else if (splitter->sse != NULL)
        sse_feed(splitter->sse, span_make(copy, piece.len));
    else
        grpc_feed(splitter->grpc, span_make(copy, piece.len));
    mem_free(copy);
}

static inline uint64_t message_script_finish(struct message_script_splitter *splitter)
{
    uint64_t lost = 0;

    if (splitter->ws != NULL) {
        ws_finish(splitter->ws);
        lost = ws_lost_bytes(splitter->ws);
    } else if (splitter->sse != NULL) {
        sse_finish(splitter->sse);
    } else {
        grpc_finish(splitter->grpc);
        lost = grpc_lost_bytes(splitter->grpc);
    }
    ws_free(splitter->ws);
    sse_free(splitter->sse);
    grpc_free(splitter->grpc);
    return lost;
}

/* Runs bytes through a splitter of their own; text is then there until strbuf_clear. */
static inline void message_script_run(struct message_script *script, struct span bytes)
{
    struct message_script_splitter splitter = { NULL, NULL, NULL };
    struct strbuf *text = &script->text;
    size_t limit = script->max_message_bytes;
    uint64_t lost;

    *text = STRBUF_EMPTY;
    if (script->kind == SCRIPT_WS)
        splitter.ws = ws_new(script->direction, &script->extensions, limit, message_script_sink, text);
    else if (script->kind == SCRIPT_SSE)
        splitter.sse = sse_new(limit, message_script_sink, text);
    else
        splitter.grpc = grpc_new(script->form, script->encoding, limit, message_script_sink, text);
    if (script->first_bytes != 0) {
        size_t len = script->first_bytes < bytes.len ? script->first_bytes : bytes.len;
        message_script_feed(&splitter, span_sub(bytes, 0, len));
        bytes = span_from(bytes, len);
    }
    while (bytes.len != 0) {
        size_t len =
            script->piece_bytes != 0 && script->piece_bytes < bytes.len ? script->piece_bytes : bytes.len;
        message_script_feed(&splitter, span_sub(bytes, 0, len));
        bytes = span_from(bytes, len);
    }
    lost = message_script_finish(&splitter);
    if (lost != 0)
        strbuf_printf(text, "lost %" PRIu64 "\n", lost);
}

#endif

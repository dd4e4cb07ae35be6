#include "proxy/http/messages.h"

#include <stdio.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/coding.h"
#include "proxy/http/grpc.h"
#include "proxy/http/sse.h"
#include "proxy/http/ws.h"

/* A content coding may bring so many bytes for each that came, over the whole stream, besides what one
 * message may decode to. Events that repeat themselves reach 100 in earnest; bombs begin at 1000. */
#define CODED_RATIO_MAX 256

/* Of a list of codings or extensions that came in several fields. */
#define MAX_LIST_BYTES 4096

enum protocol { PROTOCOL_NONE, PROTOCOL_WEBSOCKET, PROTOCOL_EVENTS, PROTOCOL_GRPC };

struct messages {
    enum protocol protocol;
    union {
        struct ws *ws;
        struct sse *sse;
        struct grpc *grpc;
    };
    size_t max_message_bytes;
    message_sink sink;
    void *self;
    struct coding *coding; /* the content coding around it all; NULL: none */
    char *refusal;         /* why the first byte already can't be decoded; NULL: it can */
    uint64_t coded_bytes, decoded_bytes;
    bool is_lost; /* in the content coding */
    uint64_t lost_bytes;
};

/* All values of a field, joined by ", "; what is over the limit is left out. */
static void join_values(const struct headers *headers, struct span name, struct strbuf *out)
{
    strbuf_init(out, MAX_LIST_BYTES);
    for (size_t i = headers_next(headers, name, 0); i < headers->count;
         i = headers_next(headers, name, i + 1)) {
        if (out->len != 0)
            strbuf_add_str(out, ", ");
        strbuf_add(out, headers_value(headers, i));
    }
}

/* The type without its parameters. */
static struct span content_type(const struct http_head *head)
{
    struct span value = SPAN_NONE;

    headers_find(&head->headers, SPAN("content-type"), &value);
    return span_trim(span_sub(value, 0, span_find(value, ';')));
}

/* Whether type is base, or base with a "+..." behind it. */
static bool is_type(struct span type, struct span base)
{
    return span_istarts(type, base) && (type.len == base.len || type.ptr[base.len] == '+');
}

static bool find_grpc_form(struct span type, enum grpc_form *out_form)
{
    if (is_type(type, SPAN("application/grpc")))
        *out_form = GRPC_PLAIN;
    else if (is_type(type, SPAN("application/grpc-web")))
        *out_form = GRPC_WEB;
    else if (is_type(type, SPAN("application/grpc-web-text")))
        *out_form = GRPC_WEB_TEXT;
    else
        return false;
    return true;
}

static bool is_websocket(const struct http_head *request, const struct http_head *response)
{
    if (span_eq(request->method, SPAN("CONNECT")))
        return span_ieq(request->protocol, SPAN("websocket")) && response->status / 100 == 2;
    return response->status == 101 &&
           headers_has_token(&response->headers, SPAN("upgrade"), SPAN("websocket"));
}

static void on_message(void *self, const struct message *message)
{
    struct messages *messages = self;

    messages->sink(messages->self, message);
}

static void begin_websocket(struct messages *messages, const struct http_head *response,
                            enum http_role direction)
{
    struct ws_extensions extensions;
    struct strbuf value;

    join_values(&response->headers, SPAN("sec-websocket-extensions"), &value);
    extensions = ws_extensions_parse(strbuf_span(&value));
    strbuf_clear(&value);
    messages->protocol = PROTOCOL_WEBSOCKET;
    messages->ws = ws_new(direction, &extensions, messages->max_message_bytes, on_message, messages);
}

static void begin_grpc(struct messages *messages, const struct http_head *head, enum grpc_form form)
{
    struct span encoding = SPAN_NONE;

    headers_find(&head->headers, SPAN("grpc-encoding"), &encoding);
    messages->protocol = PROTOCOL_GRPC;
    messages->grpc = grpc_new(form, encoding, messages->max_message_bytes, on_message, messages);
}

/* No stage is made for a stream that is not coded. */
static void begin_decoding(struct messages *messages, const struct http_head *head)
{
    struct strbuf encodings;
    struct err err = { 0 };

    join_values(&head->headers, SPAN("content-encoding"), &encodings);
    if (encodings.len != 0 && !span_ieq(strbuf_span(&encodings), SPAN("identity")) &&
        !coding_new(strbuf_span(&encodings), 0, &messages->coding, &err))
        messages->refusal = mem_strdup(err.text);
    strbuf_clear(&encodings);
}

static void begin(struct messages *messages, const struct http_head *request,
                  const struct http_head *response, enum http_role direction)
{
    const struct http_head *head = direction == HTTP_REQUEST ? request : response;
    enum grpc_form form;

    if (response != NULL && is_websocket(request, response)) {
        begin_websocket(messages, response, direction);
        return;
    }
    if (head == NULL)
        return;
    if (find_grpc_form(content_type(head), &form)) {
        begin_grpc(messages, head, form);
    } else if (direction == HTTP_RESPONSE && head->status / 100 == 2 &&
               span_ieq(content_type(head), SPAN("text/event-stream"))) {
        messages->protocol = PROTOCOL_EVENTS;
        messages->sse = sse_new(messages->max_message_bytes, on_message, messages);
    }
    if (messages->protocol != PROTOCOL_NONE)
        begin_decoding(messages, head);
}

struct messages *messages_new(const struct http_head *request, const struct http_head *response,
                              enum http_role direction, size_t max_message_bytes, message_sink sink,
                              void *self)
{
    struct messages *messages = mem_new(struct messages);

    messages->max_message_bytes = max_message_bytes;
    messages->sink = sink;
    messages->self = self;
    if (response != NULL && http_is_interim(response))
        response = NULL;
    begin(messages, request, response, direction);
    if (messages->protocol == PROTOCOL_NONE) {
        messages_free(messages);
        return NULL;
    }
    return messages;
}

void messages_free(struct messages *messages)
{
    if (messages == NULL)
        return;
    switch (messages->protocol) {
    case PROTOCOL_NONE:
        break;
    case PROTOCOL_WEBSOCKET:
        ws_free(messages->ws);
        break;
    case PROTOCOL_EVENTS:
        sse_free(messages->sse);
        break;
    case PROTOCOL_GRPC:
        grpc_free(messages->grpc);
        break;
    }
    coding_free(messages->coding);
    mem_free(messages->refusal);
    mem_free(messages);
}

static void feed_splitter(struct messages *messages, struct span bytes)
{
    switch (messages->protocol) {
    case PROTOCOL_NONE:
        break;
    case PROTOCOL_WEBSOCKET:
        ws_feed(messages->ws, bytes);
        break;
    case PROTOCOL_EVENTS:
        sse_feed(messages->sse, bytes);
        break;
    case PROTOCOL_GRPC:
        grpc_feed(messages->grpc, bytes);
        break;
    }
}

static void finish_splitter(struct messages *messages)
{
    switch (messages->protocol) {
    case PROTOCOL_NONE:
        break;
    case PROTOCOL_WEBSOCKET:
        ws_finish(messages->ws);
        break;
    case PROTOCOL_EVENTS:
        sse_finish(messages->sse);
        break;
    case PROTOCOL_GRPC:
        grpc_finish(messages->grpc);
        break;
    }
}

static void fault(struct messages *messages, const char *why)
{
    char text[256];
    int len = snprintf(text, sizeof text, "the content coding can't be decoded: %.200s", why);
    struct message message = { .kind = MESSAGE_FAULT,
                               .payload = span_make(text, (size_t)len),
                               .size = (size_t)len };

    messages->is_lost = true;
    messages->sink(messages->self, &message);
}

static bool on_decoded(void *self, struct span bytes, struct err *err)
{
    struct messages *messages = self;
    uint64_t most =
        (uint64_t)messages->max_message_bytes * MESSAGE_DECODED_MAX + messages->coded_bytes * CODED_RATIO_MAX;

    messages->decoded_bytes += bytes.len;
    if (messages->decoded_bytes > most)
        return err_set(err, ERR_LIMIT, "it grows without end");
    feed_splitter(messages, bytes);
    return true;
}

void messages_feed(struct messages *messages, struct span bytes)
{
    struct err err = { 0 };

    if (messages->refusal != NULL && !messages->is_lost)
        fault(messages, messages->refusal);
    if (messages->is_lost) {
        messages->lost_bytes += bytes.len;
    } else if (messages->coding == NULL) {
        feed_splitter(messages, bytes);
    } else {
        messages->coded_bytes += bytes.len;
        if (!coding_feed(messages->coding, bytes, on_decoded, messages, &err)) {
            finish_splitter(messages);
            fault(messages, err.text);
        }
    }
}

void messages_finish(struct messages *messages)
{
    if (!messages->is_lost)
        finish_splitter(messages);
}

uint64_t messages_lost_bytes(const struct messages *messages)
{
    switch (messages->protocol) {
    case PROTOCOL_WEBSOCKET:
        return ws_lost_bytes(messages->ws);
    case PROTOCOL_GRPC:
        return messages->lost_bytes + grpc_lost_bytes(messages->grpc);
    default:
        return messages->lost_bytes;
    }
}

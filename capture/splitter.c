#include "capture/splitter.h"

#include "capture/heads.h"
#include "proxy/base/mem.h"

/* Where less is kept than this, the codec is told this much all the same: it decodes a compressed message, to
 * count it, in proportion to what may be kept. */
#define LEAST_LIMIT_BYTES ((size_t)64 * 1024)

struct splitter {
    struct http_head *request; /* a copy; NULL once the response has come */
    struct direction {
        struct splitter *splitter;
        struct messages *messages; /* NULL: none, not yet, or no more */
        bool is_over;              /* it had some and has ended */
    } directions[2];
    splitter_sink sink;
    void *self;
    uint32_t count;
    size_t limit;
    bool is_upgrade;
};

static void on_message(void *self, const struct message *message)
{
    struct direction *direction = self;
    struct splitter *splitter = direction->splitter;

    splitter->sink(splitter->self, message,
                   direction == &splitter->directions[HTTP_REQUEST] ? HTTP_REQUEST : HTTP_RESPONSE,
                   ++splitter->count);
}

static struct splitter *splitter_new(uint64_t max_payload_bytes, splitter_sink sink, void *self)
{
    struct splitter *splitter = mem_new(struct splitter);

    splitter->sink = sink;
    splitter->self = self;
    splitter->limit =
        max_payload_bytes < SPLITTER_PAYLOAD_BYTES ? (size_t)max_payload_bytes : SPLITTER_PAYLOAD_BYTES;
    splitter->limit = splitter->limit < LEAST_LIMIT_BYTES ? LEAST_LIMIT_BYTES : splitter->limit;
    for (int i = 0; i < 2; i++)
        splitter->directions[i].splitter = splitter;
    return splitter;
}

static bool has_type(const struct http_head *head, struct span start)
{
    struct span type;

    return headers_find(&head->headers, SPAN("Content-Type"), &type) && span_istarts(span_trim(type), start);
}

static void look(struct splitter *splitter, enum http_role direction, const struct http_head *response)
{
    struct direction *d = &splitter->directions[direction];

    if (d->messages == NULL && !d->is_over)
        d->messages = messages_new(splitter->request, response, direction, splitter->limit, on_message, d);
}

struct splitter *splitter_at_request(const struct http_head *request, uint64_t max_payload_bytes,
                                     splitter_sink sink, void *self)
{
    struct splitter *splitter;
    struct span upgrade;

    if (request->protocol.len == 0 && !headers_find(&request->headers, SPAN("Upgrade"), &upgrade) &&
        !has_type(request, SPAN("application/grpc")))
        return NULL;
    splitter = splitter_new(max_payload_bytes, sink, self);
    splitter->request = heads_copy(request);
    look(splitter, HTTP_REQUEST, NULL);
    return splitter;
}

struct splitter *splitter_at_response(struct splitter *splitter, const struct http_head *response,
                                      uint64_t max_payload_bytes, splitter_sink sink, void *self)
{
    bool had_any;

    if (splitter == NULL) {
        if (!has_type(response, SPAN("text/event-stream")) && !has_type(response, SPAN("application/grpc")))
            return NULL;
        splitter = splitter_new(max_payload_bytes, sink, self);
        splitter->request = heads_none(); /* what it was does not matter to these */
    }
    had_any =
        splitter->directions[HTTP_REQUEST].messages != NULL || splitter->directions[HTTP_REQUEST].is_over;
    look(splitter, HTTP_REQUEST, response);
    look(splitter, HTTP_RESPONSE, response);
    splitter->is_upgrade = !had_any && splitter->directions[HTTP_REQUEST].messages != NULL;
    http_head_free(splitter->request);
    splitter->request = NULL;
    if (had_any || splitter->directions[HTTP_REQUEST].messages != NULL ||
        splitter->directions[HTTP_RESPONSE].messages != NULL)
        return splitter;
    splitter_free(splitter);
    return NULL;
}

bool splitter_is_upgrade(const struct splitter *splitter)
{
    return splitter->is_upgrade;
}

void splitter_feed(struct splitter *splitter, enum http_role direction, struct span bytes)
{
    if (splitter->directions[direction].messages != NULL)
        messages_feed(splitter->directions[direction].messages, bytes);
}

void splitter_finish(struct splitter *splitter, enum http_role direction)
{
    struct direction *d = &splitter->directions[direction];

    if (d->messages == NULL)
        return;
    messages_finish(d->messages);
    messages_free(d->messages);
    d->messages = NULL;
    d->is_over = true;
}

void splitter_free(struct splitter *splitter)
{
    if (splitter == NULL)
        return;
    for (int i = 0; i < 2; i++)
        messages_free(splitter->directions[i].messages);
    http_head_free(splitter->request);
    mem_free(splitter);
}

/* HTTP/2 in both roles. The first byte chooses the role and how: bytes as they are behind a preface, or
 * frames built from the input, so that most of it gets past the frame layer. Every request is answered, held
 * or left as the input says; what was told must make sense: no event after the last one, none out of turn. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tests/support/h2_teller.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MAX_STREAMS = 64 };

struct side {
    struct h2 *h2;
    bool is_alive; /* not closed, not left */
    struct h2_stream *stream;
    bool has_head, has_ended, has_answered;
};

struct fuzzed {
    struct h2 *h2;
    enum h2_role role;
    const uint8_t *in;
    size_t left;
    struct side sides[MAX_STREAMS];
    size_t count;
    struct evbuffer *out;
    bool is_over;
};

static uint8_t next(struct fuzzed *fuzzed)
{
    if (fuzzed->left == 0)
        return 0;
    fuzzed->left--;
    return *fuzzed->in++;
}

static void *on_request(void *self, struct h2_stream *stream, struct http_head *head)
{
    static struct side nobody;
    struct fuzzed *fuzzed = self;
    struct side *side;

    assert(head->method.len != 0 && head->version == HTTP_2);
    http_head_free(head);
    if (fuzzed->count == MAX_STREAMS) {
        h2_leave(stream, H2_REFUSED_STREAM);
        return &nobody;
    }
    side = &fuzzed->sides[fuzzed->count++];
    *side = (struct side){ .h2 = fuzzed->h2, .is_alive = true, .stream = stream, .has_head = true };
    return side;
}

static void on_response(void *self, struct http_head *head)
{
    struct side *side = self;

    assert(side->is_alive && !side->has_head);
    side->has_head = !http_is_interim(head);
    http_head_free(head);
}

static void on_body(void *self, struct span bytes)
{
    struct side *side = self;

    assert(side->is_alive && side->has_head && !side->has_ended);
    assert(bytes.len != 0 && bytes.len <= 16384);
}

static void on_end(void *self, const struct headers *trailers)
{
    struct side *side = self;

    (void)trailers;
    assert(side->is_alive && side->has_head && !side->has_ended);
    side->has_ended = true;
}

static void on_drained(void *self)
{
    struct side *side = self;

    assert(side->is_alive);
}

static void on_closed(void *self, uint32_t code, bool was_refused)
{
    struct side *side = self;

    assert(side->is_alive);
    assert(code != H2_NO_ERROR || side->has_ended);
    assert(!was_refused || !side->has_head);
    side->is_alive = false;
}

static const struct h2_events events = {
    on_request, on_response, on_body, on_end, on_drained, on_closed, NULL
};

static void ask(struct fuzzed *fuzzed, uint8_t how)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct side *side = &fuzzed->sides[fuzzed->count];

    head->method = (how & 1) != 0 ? SPAN("POST") : (how & 2) != 0 ? SPAN("HEAD") : SPAN("GET");
    head->authority = SPAN("a");
    head->framing.kind = (how & 1) != 0 ? BODY_CHUNKED : BODY_NONE;
    *side = (struct side){ .h2 = fuzzed->h2, .is_alive = true };
    side->stream = h2_request(fuzzed->h2, side, head, SPAN("/"), SPAN_NONE);
    if (side->stream != NULL)
        fuzzed->count++;
    http_head_free(head);
}

static void answer(struct side *side, uint8_t how)
{
    struct http_head *head = http_head_response((how & 1) != 0 ? 103 : 200);

    head->framing.kind = (how & 3) == 0 ? BODY_CHUNKED : BODY_NONE;
    if (!side->has_answered)
        h2_send_response(side->stream, head, SPAN("a: b\r\n"));
    side->has_answered = side->has_answered || (how & 1) == 0;
    http_head_free(head);
}

/* One thing that an owner may do. */
static void act(struct fuzzed *fuzzed)
{
    static const char body[40000];
    uint8_t how = next(fuzzed);
    struct side *side;

    if (fuzzed->role == H2_TO_ORIGIN && (how & 7) == 0 && fuzzed->count < MAX_STREAMS)
        ask(fuzzed, next(fuzzed));
    if (fuzzed->count == 0)
        return;
    side = &fuzzed->sides[next(fuzzed) % fuzzed->count];
    if (!side->is_alive)
        return;
    if (fuzzed->role == H2_TO_CLIENT && !side->has_answered)
        answer(side, how >> 3);
    switch (how & 7) {
    case 1:
    case 2:
        h2_send_body(side->stream, span_make(body, (size_t)how * 100));
        break;
    case 3:
        h2_send_end(side->stream, NULL);
        break;
    case 4:
        h2_set_reading(side->stream, (how & 8) != 0);
        break;
    case 5:
        side->is_alive = false;
        h2_leave(side->stream, (how & 8) != 0 ? H2_CANCEL : H2_NO_ERROR);
        break;
    case 6:
        if ((how >> 3) == 31)
            h2_shutdown(fuzzed->h2);
        break;
    default:
        break;
    }
}

static void feed(struct fuzzed *fuzzed, struct span bytes, size_t limit)
{
    char *copy = mem_dup(bytes.ptr, bytes.len);
    struct err err;

    fuzzed->is_over = !h2_feed(fuzzed->h2, span_make(copy, bytes.len), &err) || fuzzed->is_over;
    mem_free(copy);
    h2_write(fuzzed->h2, fuzzed->out, limit);
    evbuffer_drain(fuzzed->out, evbuffer_get_length(fuzzed->out));
    assert(!fuzzed->is_over || h2_stream_count(fuzzed->h2) == 0);
}

/* A field section that decompresses: fields of the static table and small ones of its own, some wrong. */
static void build_fields(struct fuzzed *fuzzed, struct strbuf *payload)
{
    uint8_t what = next(fuzzed);

    if ((what & 1) != 0)
        strbuf_add(payload, fuzzed->role == H2_TO_CLIENT ? SPAN("\x82\x87\x84\x01\x01"
                                                                "a")
                                                         : SPAN("\x88"));
    for (size_t i = 0; i < (what >> 5); i++) {
        uint8_t field = next(fuzzed);
        if ((field & 0x80) != 0) {
            strbuf_add_char(payload, (char)field);
        } else {
            strbuf_add(payload, (field & 1) != 0 ? SPAN("\x40\x01") : SPAN("\x10\x01"));
            strbuf_add_char(payload, (char)field);
            strbuf_add_char(payload, 1);
            strbuf_add_char(payload, (char)next(fuzzed));
        }
    }
}

static void build_frame(struct fuzzed *fuzzed, struct strbuf *frame)
{
    uint8_t type = next(fuzzed) % 12, flags = next(fuzzed), size;
    uint32_t id = next(fuzzed) % 32;
    struct strbuf payload = STRBUF_EMPTY;

    if (type == 1 || type == 9)
        build_fields(fuzzed, &payload);
    if ((type == 1 || type == 9) && (flags & 0xc0) != 0)
        flags = (uint8_t)((flags & 1) | 4);
    else if (type == 6 || type == 7)
        strbuf_add(&payload, SPAN("\0\0\0\x05\0\0\0\0"));
    size = type == 1 || type == 6 ? 0 : type == 3 || type == 8 ? 4 : next(fuzzed);
    for (size_t i = 0; i < size; i++)
        strbuf_add_char(&payload, (char)next(fuzzed));
    if (type == 4 || type == 6)
        id = 0;
    h2_frame(frame, type, flags, id, strbuf_span(&payload));
    strbuf_clear(&payload);
}

static void begin(struct fuzzed *fuzzed, enum h2_role role)
{
    const struct h2_options options = { .limits = { 4096, 50 }, .offers_connect = true };
    struct strbuf preface = STRBUF_EMPTY;

    fuzzed->role = role;
    fuzzed->out = evbuffer_new();
    fuzzed->h2 = h2_new(role, &options, &events, fuzzed);
    if (role == H2_TO_CLIENT)
        strbuf_add(&preface, H2_PREFACE);
    h2_frame(&preface, 4, 0, 0, SPAN_NONE);
    feed(fuzzed, strbuf_span(&preface), SIZE_MAX);
    strbuf_clear(&preface);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzzed fuzzed = { .in = data, .left = len };
    uint8_t how = next(&fuzzed);

    begin(&fuzzed, (how & 1) != 0 ? H2_TO_CLIENT : H2_TO_ORIGIN);
    while (fuzzed.left != 0 && !fuzzed.is_over) {
        struct strbuf bytes = STRBUF_EMPTY;
        act(&fuzzed);
        if ((how & 2) != 0) {
            build_frame(&fuzzed, &bytes);
        } else {
            for (size_t i = next(&fuzzed) % 64; i != 0 && fuzzed.left != 0; i--)
                strbuf_add_char(&bytes, (char)next(&fuzzed));
        }
        feed(&fuzzed, strbuf_span(&bytes), (how & 4) != 0 ? 1000 : SIZE_MAX);
        strbuf_clear(&bytes);
    }
    h2_free(fuzzed.h2);
    evbuffer_free(fuzzed.out);
    return 0;
}

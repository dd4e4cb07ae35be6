#include "capture/export/content.h"

#include "capture/export/text.h"
#include "proxy/http/coding.h"

/* What one body may become: a bomb must not fill the disk of whoever exports it. */
#define MAX_DECODED_BYTES (1024ull * 1024 * 1024)

struct reading {
    struct content *content;
    size_t max_front;
    enum content_reach reach;
    bool is_stopped; /* enough was read */
    struct utf8_check utf8;
    bool has_nul;
};

static bool take(void *self, struct span bytes, struct err *err)
{
    struct reading *reading = self;
    struct content *content = reading->content;
    size_t room = reading->max_front - content->front.len;

    (void)err; /* stopping is no failure */
    strbuf_add(&content->front, span_sub(bytes, 0, bytes.len < room ? bytes.len : room));
    content->bytes += bytes.len;
    utf8_check_feed(&reading->utf8, bytes);
    reading->has_nul = reading->has_nul || memchr(bytes.ptr, '\0', bytes.len) != NULL;
    reading->is_stopped = reading->reach == CONTENT_FRONT && content->bytes > reading->max_front;
    return !reading->is_stopped;
}

struct decoding {
    struct coding *coding;
    coding_sink sink;
    void *sink_self;
    bool has_failed; /* the coding, or what takes its output; not the store */
};

static bool decode(void *self, struct span bytes, struct err *err)
{
    struct decoding *decoding = self;

    if (!coding_feed(decoding->coding, bytes, decoding->sink, decoding->sink_self, err)) {
        decoding->has_failed = true;
        return false;
    }
    return true;
}

/* False also when the content can't be decoded: *out_is_store_fault tells which. */
static bool stream(const struct export_source *source, int64_t body, struct span encodings, store_sink sink,
                   void *self, bool *out_is_store_fault, struct err *err)
{
    struct decoding decoding = { .sink = sink, .sink_self = self };
    bool ok;

    *out_is_store_fault = false;
    if (encodings.len == 0) {
        *out_is_store_fault = true;
        return source->body_read(source->self, body, sink, self, err);
    }
    if (!coding_new(encodings, MAX_DECODED_BYTES, &decoding.coding, err))
        return false;
    ok = source->body_read(source->self, body, decode, &decoding, err);
    *out_is_store_fault = !ok && !decoding.has_failed;
    ok = ok && coding_finish(decoding.coding, err);
    coding_free(decoding.coding);
    return ok;
}

/* One way of reading it. False: the store failed, or (with *out_is_store_fault false) the coding did. */
static bool read_as(const struct export_source *source, struct reading *reading, bool *out_is_store_fault,
                    struct err *err)
{
    struct content *content = reading->content;
    bool ok;

    strbuf_reset(&content->front);
    content->bytes = 0;
    ok = stream(source, content->body, strbuf_span(&content->encodings), take, reading, out_is_store_fault,
                err);
    if (!ok && !reading->is_stopped)
        return false;
    content->is_read = !reading->is_stopped;
    content->is_whole = content->is_read && content->bytes == content->front.len;
    content->is_text = !reading->utf8.is_wrong && !reading->has_nul &&
                       (!content->is_read || utf8_check_is_text(&reading->utf8));
    return true;
}

bool content_read(const struct export_source *source, const struct record_body *body,
                  const struct record_fields *headers, size_t max_front, enum content_reach reach,
                  struct content *out_content, struct err *err)
{
    struct content content = { .body = body->id, .is_whole = true, .is_read = true, .is_text = true };
    struct reading reading = { .content = &content, .max_front = max_front, .reach = reach };
    bool is_store_fault = true, ok = true;

    if (body->id != 0) {
        record_join(headers, SPAN("Content-Encoding"), &content.encodings);
        ok = read_as(source, &reading, &is_store_fault, err);
        if (!ok && !is_store_fault) {
            strbuf_clear(&content.encodings);
            content.is_undecoded = true;
            reading = (struct reading){ .content = &content, .max_front = max_front, .reach = reach };
            ok = read_as(source, &reading, &is_store_fault, err);
        }
    }
    if (!ok) {
        content_clear(&content);
        return false;
    }
    *out_content = content;
    return true;
}

void content_clear(struct content *content)
{
    strbuf_clear(&content->encodings);
    strbuf_clear(&content->front);
    *content = (struct content){ .body = 0 };
}

bool content_stream(const struct export_source *source, const struct content *content, store_sink sink,
                    void *self, struct err *err)
{
    bool is_store_fault;

    if (content->is_whole)
        return content->front.len == 0 || sink(self, strbuf_span(&content->front), err);
    return stream(source, content->body, strbuf_span(&content->encodings), sink, self, &is_store_fault, err);
}

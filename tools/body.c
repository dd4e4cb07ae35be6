#include "proxy/http/coding.h"
#include "tools/body.h"
#include "tools/json_indent.h"
#include "tools/text.h"

/* Enough to know text from pictures. */
#define SAMPLE_BYTES 4096

struct body body_of(const struct record *record, enum http_role side)
{
    if (side == HTTP_REQUEST)
        return (struct body){ &record->request_body, &record->request_headers, record->request_type };
    return (struct body){ &record->response_body, &record->response_headers, record->response_type };
}

/* --- reading ------------------------------------------------------------------------------------------- */

/* What a decoder stands between. */
struct flow {
    struct coding *coding; /* NULL: bytes pass */
    coding_sink sink;
    void *self;
};

static bool flow_feed(void *self, struct span bytes, struct err *err)
{
    struct flow *flow = self;

    if (flow->coding != NULL)
        return coding_feed(flow->coding, bytes, flow->sink, flow->self, err);
    return flow->sink(flow->self, bytes, err);
}

static bool read_body(struct store *store, const struct body *body, bool is_decoded, coding_sink sink,
                      void *self, struct err *err)
{
    struct flow flow = { NULL, sink, self };
    struct strbuf encodings = STRBUF_EMPTY;
    struct err unknown; /* a coding that nobody knows: the bytes are all there is to show */
    bool ok;

    if (body->stored->id == 0)
        return true;
    if (is_decoded && record_join(body->headers, SPAN("Content-Encoding"), &encodings) &&
        !coding_new(strbuf_span(&encodings), 0, &flow.coding, &unknown))
        flow.coding = NULL;
    strbuf_clear(&encodings);
    ok = store_body_read(store, body->stored->id, flow_feed, &flow, err);
    if (ok && flow.coding != NULL)
        ok = coding_finish(flow.coding, err);
    coding_free(flow.coding);
    return ok;
}

/* --- some of it ---------------------------------------------------------------------------------------- */

/* Stops a reader on purpose; told from a failure by its code. */
static bool enough(struct err *err)
{
    return err_set(err, ERR_LIMIT, "enough");
}

struct sample {
    struct strbuf *out;
    size_t limit;
    bool is_cut;
};

static bool sample_add(void *self, struct span bytes, struct err *err)
{
    struct sample *sample = self;
    size_t room = sample->limit - sample->out->len;

    strbuf_add(sample->out, span_sub(bytes, 0, bytes.len < room ? bytes.len : room));
    sample->is_cut = bytes.len > room;
    return sample->is_cut ? enough(err) : true;
}

bool body_read(struct store *store, const struct body *body, size_t limit, struct strbuf *out,
               bool *out_is_whole, struct err *err)
{
    struct sample sample = { out, limit, false };
    bool ok = read_body(store, body, true, sample_add, &sample, err);

    if (!ok && !sample.is_cut && err->code != ERR_PROTO)
        return false;
    *out_is_whole = ok && body->stored->kept == body->stored->bytes;
    return true;
}

bool body_is_binary(struct store *store, const struct body *body, unsigned look, bool *out_binary,
                    struct err *err)
{
    struct strbuf start = STRBUF_EMPTY;
    struct sample sample = { &start, SAMPLE_BYTES, false };
    size_t odd = 0, at = 0;

    if (!read_body(store, body, (look & BODY_DECODED) != 0, sample_add, &sample, err) && !sample.is_cut &&
        err->code != ERR_PROTO) {
        strbuf_clear(&start);
        return false;
    }
    *out_binary = false;
    while (at < start.len) {
        uint32_t code = 0;
        size_t len = text_utf8_at(span_from(strbuf_span(&start), at), &code);

        if (len == 1 && code == 0)
            *out_binary = true;
        if (len == 0 || (len == 1 && code < 0x20 && strchr("\t\n\r\f\x1b", (int)code) == NULL))
            odd++;
        at += len != 0 ? len : 1;
    }
    /* Text in an old one-byte coding has a few bytes that are no UTF-8; a picture is full of them. */
    *out_binary = *out_binary || odd * 10 > start.len;
    strbuf_clear(&start);
    return true;
}

/* --- all of it ----------------------------------------------------------------------------------------- */

struct writing {
    FILE *out;
    bool is_shown, is_indented;
    struct json_indent indent;
    struct strbuf text;  /* to be shown; may end within a character */
    struct strbuf shown; /* ready */
    char last;           /* byte written; 0: none yet */
};

/* How many bytes at the end of text are the start of a character whose rest has not come yet. */
static size_t open_tail(struct span text)
{
    for (size_t back = 1; back <= 3 && back <= text.len; back++) {
        unsigned char b = (unsigned char)text.ptr[text.len - back];
        size_t len = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc0 ? 2 : 1;
        if ((b & 0xc0) != 0x80)
            return len > back ? back : 0;
    }
    return 0;
}

static void write_bytes(struct writing *writing, struct span bytes)
{
    if (bytes.len == 0)
        return;
    fwrite(bytes.ptr, 1, bytes.len, writing->out);
    writing->last = bytes.ptr[bytes.len - 1];
}

static void write_text(struct writing *writing, size_t held_back)
{
    struct strbuf *text = &writing->text;
    struct span ready = span_sub(strbuf_span(text), 0, text->len - held_back);

    if (writing->is_shown)
        text_add_shown_lines(&writing->shown, ready);
    else
        strbuf_add(&writing->shown, ready);
    strbuf_drop_front(text, text->len - held_back);
    write_bytes(writing, strbuf_span(&writing->shown));
    strbuf_reset(&writing->shown);
}

static bool write_piece(void *self, struct span bytes, struct err *err)
{
    struct writing *writing = self;

    if (!writing->is_shown && !writing->is_indented) {
        write_bytes(writing, bytes);
    } else {
        if (writing->is_indented)
            json_indent_feed(&writing->indent, bytes, &writing->text);
        else
            strbuf_add(&writing->text, bytes);
        write_text(writing, open_tail(strbuf_span(&writing->text)));
    }
    return !ferror(writing->out) || enough(err);
}

bool body_write(struct store *store, const struct body *body, unsigned look, FILE *out, struct err *err)
{
    struct writing writing = {
        .out = out,
        .is_shown = (look & BODY_HARMLESS) != 0,
        .is_indented = (look & BODY_INDENTED) != 0 && json_indent_is_json(body->type),
    };
    bool ok = read_body(store, body, (look & BODY_DECODED) != 0, write_piece, &writing, err);

    write_text(&writing, 0);
    if ((look & BODY_LINED) != 0 && writing.last != '\n')
        fputc('\n', out);
    strbuf_clear(&writing.text);
    strbuf_clear(&writing.shown);
    return ok || ferror(out) != 0; /* the caller looks at the stream's error itself */
}

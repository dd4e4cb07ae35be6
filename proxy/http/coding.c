/* A body passes through a row of stages, the coding that was put on last first. A stage decodes what it is
 * given through one buffer and hands each filling on to the next stage; behind the last one stands the
 * caller's sink. */
#include "proxy/http/coding.h"

#include <brotli/decode.h>
#include <inttypes.h>
#define ZLIB_CONST /* inputs are const */
#include <zlib.h>
#include <zstd.h>

#include "proxy/base/mem.h"
#include "proxy/http/token.h"

/* Nobody codes a body more often in earnest, and each stage costs a window. */
#define MAX_STAGES 5

#define BUFFER_BYTES (16 * 1024)

/* zlib counts in 32 bits. */
#define SLICE_BYTES ((size_t)1 << 30)

/* The largest window a zstd content coding may ask for is 8 MiB (RFC 9659). */
#define ZSTD_WINDOW_LOG_MAX 23

#define GZIP_MAGIC 0x1f

enum kind { KIND_GZIP, KIND_DEFLATE, KIND_BROTLI, KIND_ZSTD };

struct stage {
    enum kind kind;
    union {
        z_stream zlib;
        BrotliDecoderState *brotli;
        ZSTD_DStream *zstd;
    };
    bool has_begun;        /* a first byte was seen: an empty body is no damaged one */
    bool is_at_end;        /* what was decoded so far is whole */
    bool is_over;          /* whatever follows is not looked at */
    bool has_zlib;         /* KIND_DEFLATE: inflateInit2 has been called */
    uint64_t out_bytes;    /* all that came out */
    unsigned header_left;  /* KIND_ZSTD */
    unsigned char held[4]; /* KIND_DEFLATE, KIND_ZSTD: the first bytes, which tell what follows */
    size_t held_len;
    unsigned char buffer[BUFFER_BYTES];
};

struct coding {
    uint64_t max_bytes;
    uint64_t plain_bytes; /* that passed without any stage */
    size_t count;
    struct stage *stages[MAX_STAGES];
};

/* Where the bytes behind one stage go. */
struct outlet {
    struct coding *coding;
    size_t next; /* the next stage */
    coding_sink sink;
    void *self;
};

static bool damaged(struct err *err, const char *name, const char *why)
{
    return err_set(err, ERR_PROTO, "damaged %s: %s", name, why != NULL ? why : "no reason given");
}

static bool feed_stage(struct stage *stage, const struct outlet *outlet, struct span bytes, struct err *err);

/* Hands bytes on as far as the limit allows. *out_bytes: all that were handed on from there. */
static bool pass_on(const struct outlet *outlet, struct span bytes, uint64_t *out_bytes, struct err *err)
{
    struct coding *coding = outlet->coding;
    uint64_t room = coding->max_bytes != 0 ? coding->max_bytes - *out_bytes : UINT64_MAX;
    struct outlet behind = *outlet;
    bool is_over = bytes.len > room;

    if (is_over)
        bytes.len = (size_t)room;
    *out_bytes += bytes.len;
    behind.next++;
    if (bytes.len != 0 &&
        (outlet->next < coding->count ? !feed_stage(coding->stages[outlet->next], &behind, bytes, err)
                                      : !outlet->sink(outlet->self, bytes, err)))
        return false;
    if (is_over)
        return err_set(err, ERR_LIMIT, "a body of more than %" PRIu64 " bytes once decoded",
                       coding->max_bytes);
    return true;
}

/* What stands at the front of the stage's buffer. */
static bool pass_buffer_on(struct stage *stage, const struct outlet *outlet, size_t len, struct err *err)
{
    return pass_on(outlet, span_make(stage->buffer, len), &stage->out_bytes, err);
}

/* -15: raw deflate; 15: with the zlib wrapper; 15 + 16: gzip. */
static bool begin_zlib(struct stage *stage, int window_bits, struct err *err)
{
    if (inflateInit2(&stage->zlib, window_bits) != Z_OK)
        return damaged(err, "body", stage->zlib.msg);
    stage->has_zlib = true;
    return true;
}

static bool feed_zlib(struct stage *stage, const struct outlet *outlet, struct span bytes, struct err *err)
{
    const char *name = stage->kind == KIND_GZIP ? "gzip" : "deflate";
    z_stream *zlib = &stage->zlib;
    int code;

    zlib->next_in = (const Bytef *)bytes.ptr;
    zlib->avail_in = (uInt)bytes.len;
    do {
        if (stage->is_at_end && zlib->avail_in != 0) {
            /* Another member, or padding that every reader ignores. */
            if (stage->kind != KIND_GZIP || zlib->next_in[0] != GZIP_MAGIC) {
                stage->is_over = true;
                return true;
            }
            inflateReset(zlib);
            stage->is_at_end = false;
        }
        zlib->next_out = stage->buffer;
        zlib->avail_out = BUFFER_BYTES;
        code = inflate(zlib, Z_NO_FLUSH);
        if (!pass_buffer_on(stage, outlet, BUFFER_BYTES - zlib->avail_out, err))
            return false;
        stage->is_at_end = code == Z_STREAM_END;
        if (code == Z_NEED_DICT)
            return damaged(err, name, "it wants a dictionary");
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return damaged(err, name, zlib->msg);
    } while (zlib->avail_in != 0 || zlib->avail_out == 0);
    return true;
}

/* RFC 1950 §2.2: the method is 8, the window 32 KiB at most, and both bytes together a multiple of 31. */
static bool is_zlib_header(unsigned char first, unsigned char second)
{
    return (first & 0x0f) == 8 && first >> 4 <= 7 && (first * 256 + second) % 31 == 0;
}

/* Holds bytes back until there are want of them; true: they are. */
static bool hold(struct stage *stage, size_t want, struct span *bytes)
{
    while (stage->held_len < want && bytes->len != 0) {
        stage->held[stage->held_len++] = (unsigned char)bytes->ptr[0];
        *bytes = span_from(*bytes, 1);
    }
    return stage->held_len == want;
}

static bool feed_deflate(struct stage *stage, const struct outlet *outlet, struct span bytes, struct err *err)
{
    if (!stage->has_zlib) {
        if (!hold(stage, 2, &bytes))
            return true;
        if (!begin_zlib(stage, is_zlib_header(stage->held[0], stage->held[1]) ? 15 : -15, err) ||
            !feed_zlib(stage, outlet, span_make(stage->held, 2), err))
            return false;
    }
    return stage->is_over || feed_zlib(stage, outlet, bytes, err);
}

static bool feed_brotli(struct stage *stage, const struct outlet *outlet, struct span bytes, struct err *err)
{
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    size_t in_len = bytes.len;
    BrotliDecoderResult result;

    do {
        uint8_t *out = stage->buffer;
        size_t room = BUFFER_BYTES;
        result = BrotliDecoderDecompressStream(stage->brotli, &in_len, &in, &room, &out, NULL);
        if (!pass_buffer_on(stage, outlet, BUFFER_BYTES - room, err))
            return false;
        if (result == BROTLI_DECODER_RESULT_ERROR)
            return damaged(err, "br", BrotliDecoderErrorString(BrotliDecoderGetErrorCode(stage->brotli)));
    } while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
    stage->is_at_end = stage->is_over = result == BROTLI_DECODER_RESULT_SUCCESS;
    return true;
}

/* RFC 8878 §3.1: a frame or one to skip. libzstd may also know the formats of before 1.0, which this coding
 * does not mean. */
static bool is_zstd_magic(const unsigned char magic[4])
{
    return memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ||
           ((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, "\x2a\x4d\x18", 3) == 0);
}

/* Up to the end of the frame, or of the bytes. */
static bool feed_zstd_frame(struct stage *stage, const struct outlet *outlet, struct span *bytes,
                            struct err *err)
{
    ZSTD_inBuffer in = { bytes->ptr, bytes->len, 0 };
    ZSTD_outBuffer out;

    do {
        size_t left;
        out = (ZSTD_outBuffer){ stage->buffer, BUFFER_BYTES, 0 };
        left = ZSTD_decompressStream(stage->zstd, &out, &in);
        if (!pass_buffer_on(stage, outlet, out.pos, err))
            return false;
        if (ZSTD_isError(left))
            return damaged(err, "zstd", ZSTD_getErrorName(left));
        stage->is_at_end = left == 0;
    } while (!stage->is_at_end && (in.pos < in.size || out.pos == out.size));
    *bytes = span_from(*bytes, in.pos);
    return true;
}

/* What follows the magic number of the longest frame header (RFC 8878 §3.1.1.1). It is fed byte by byte:
 * where libzstd meets a header's end it looks whether what it was given in that call is a whole frame by
 * itself, and may take the middle of one for one. */
#define ZSTD_HEADER_REST 14

static bool feed_zstd(struct stage *stage, const struct outlet *outlet, struct span bytes, struct err *err)
{
    while (bytes.len != 0) {
        if (stage->held_len < sizeof stage->held) {
            struct span magic = span_make(stage->held, sizeof stage->held);
            stage->is_at_end = false;
            if (!hold(stage, sizeof stage->held, &bytes))
                return true;
            if (!is_zstd_magic(stage->held))
                return damaged(err, "zstd", "it does not begin like a frame");
            if (!feed_zstd_frame(stage, outlet, &magic, err))
                return false;
            stage->header_left = ZSTD_HEADER_REST;
            continue;
        }
        if (stage->header_left != 0) {
            struct span byte = span_sub(bytes, 0, 1);
            stage->header_left--;
            if (!feed_zstd_frame(stage, outlet, &byte, err))
                return false;
            bytes = span_from(bytes, 1);
        } else if (!feed_zstd_frame(stage, outlet, &bytes, err)) {
            return false;
        }
        if (stage->is_at_end)
            stage->held_len = 0;
    }
    return true;
}

static bool feed_stage(struct stage *stage, const struct outlet *outlet, struct span bytes, struct err *err)
{
    bool ok = true;

    if (stage->is_over || bytes.len == 0)
        return true;
    switch (stage->kind) {
    case KIND_GZIP:
        ok = feed_zlib(stage, outlet, bytes, err);
        break;
    case KIND_DEFLATE:
        ok = feed_deflate(stage, outlet, bytes, err);
        break;
    case KIND_BROTLI:
        ok = feed_brotli(stage, outlet, bytes, err);
        break;
    case KIND_ZSTD:
        ok = feed_zstd(stage, outlet, bytes, err);
        break;
    }
    stage->has_begun = true;
    return ok;
}

static void free_stage(struct stage *stage)
{
    switch (stage->kind) {
    case KIND_GZIP:
    case KIND_DEFLATE:
        if (stage->has_zlib)
            inflateEnd(&stage->zlib);
        break;
    case KIND_BROTLI:
        BrotliDecoderDestroyInstance(stage->brotli);
        break;
    case KIND_ZSTD:
        ZSTD_freeDStream(stage->zstd);
        break;
    }
    mem_free(stage);
}

static bool new_stage(enum kind kind, struct stage **out_stage, struct err *err)
{
    struct stage *stage = mem_new(struct stage);
    bool ok = true;

    stage->kind = kind;
    switch (kind) {
    case KIND_GZIP:
        ok = begin_zlib(stage, 15 + 16, err);
        break;
    case KIND_DEFLATE: /* its first two bytes say which */
        break;
    case KIND_BROTLI:
        stage->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        ok = stage->brotli != NULL || damaged(err, "br", "no memory");
        break;
    case KIND_ZSTD:
        stage->zstd = ZSTD_createDStream();
        ok = (stage->zstd != NULL &&
              !ZSTD_isError(ZSTD_DCtx_setParameter(stage->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX))) ||
             damaged(err, "zstd", "no memory");
        break;
    }
    if (!ok) {
        free_stage(stage);
        return false;
    }
    *out_stage = stage;
    return true;
}

/* True for "identity", and for what has a stage. */
static bool add_stage(struct coding *coding, struct span name, struct err *err)
{
    static const struct {
        struct span name;
        enum kind kind;
    } kinds[] = {
        { SPAN("gzip"), KIND_GZIP }, { SPAN("x-gzip"), KIND_GZIP }, { SPAN("deflate"), KIND_DEFLATE },
        { SPAN("br"), KIND_BROTLI }, { SPAN("zstd"), KIND_ZSTD },
    };

    if (name.len == 0 || span_ieq(name, SPAN("identity")))
        return true;
    if (coding->count == MAX_STAGES)
        return err_set(err, ERR_PROTO, "a body coded more than %d times", MAX_STAGES);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_ieq(name, kinds[i].name)) {
            if (!new_stage(kinds[i].kind, &coding->stages[coding->count], err))
                return false;
            coding->count++;
            return true;
        }
    }
    return err_set(err, ERR_PROTO, "unknown content coding '%.*s'", SPAN_ARG(name));
}

static void reverse(struct coding *coding)
{
    for (size_t i = 0; i < coding->count / 2; i++) {
        struct stage *stage = coding->stages[i];
        coding->stages[i] = coding->stages[coding->count - 1 - i];
        coding->stages[coding->count - 1 - i] = stage;
    }
}

bool coding_new(struct span encodings, uint64_t max_bytes, struct coding **out_coding, struct err *err)
{
    struct coding *coding = mem_new(struct coding);
    struct span name;

    coding->max_bytes = max_bytes;
    while (token_next(&encodings, &name)) {
        if (!add_stage(coding, name, err)) {
            coding_free(coding);
            return false;
        }
    }
    reverse(coding);
    *out_coding = coding;
    return true;
}

void coding_free(struct coding *coding)
{
    if (coding == NULL)
        return;
    for (size_t i = 0; i < coding->count; i++)
        free_stage(coding->stages[i]);
    mem_free(coding);
}

bool coding_feed(struct coding *coding, struct span bytes, coding_sink sink, void *self, struct err *err)
{
    const struct outlet outlet = {
        .coding = coding, .next = coding->count != 0 ? 1 : 0, .sink = sink, .self = self
    };

    while (bytes.len != 0) {
        struct span slice = span_sub(bytes, 0, bytes.len < SLICE_BYTES ? bytes.len : SLICE_BYTES);
        if (coding->count != 0 ? !feed_stage(coding->stages[0], &outlet, slice, err)
                               : !pass_on(&outlet, slice, &coding->plain_bytes, err))
            return false;
        bytes = span_from(bytes, slice.len);
    }
    return true;
}

bool coding_finish(struct coding *coding, struct err *err)
{
    for (size_t i = 0; i < coding->count; i++) {
        if (coding->stages[i]->has_begun && !coding->stages[i]->is_at_end)
            return err_set(err, ERR_PROTO, "a coded body that was cut");
    }
    return true;
}

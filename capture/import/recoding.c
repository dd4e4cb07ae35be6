/* The fastest settings of each library: nobody sends these bytes. None of the calls can fail but for want of
 * memory or a wrong setting, which are ours. */
#include "capture/import/recoding.h"

#include <assert.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "proxy/base/mem.h"

#define ROOM_BYTES ((size_t)16 * 1024)

enum kind { GZIP, DEFLATE, BROTLI, ZSTD };

struct recoding {
    enum kind kind;
    z_stream zlib;
    BrotliEncoderState *brotli;
    ZSTD_CStream *zstd;
    unsigned char room[ROOM_BYTES];
};

static bool kind_of(struct span coding, enum kind *out_kind)
{
    static const struct {
        struct span name;
        enum kind kind;
    } rows[] = { { SPAN("gzip"), GZIP },
                 { SPAN("x-gzip"), GZIP },
                 { SPAN("deflate"), DEFLATE },
                 { SPAN("br"), BROTLI },
                 { SPAN("zstd"), ZSTD } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (span_ieq(span_trim(coding), rows[i].name)) {
            *out_kind = rows[i].kind;
            return true;
        }
    }
    return false;
}

struct recoding *recoding_new(struct span coding)
{
    struct recoding *recoding;
    enum kind kind;
    bool is_ready = true;

    if (!kind_of(coding, &kind))
        return NULL;
    recoding = mem_new(struct recoding);
    recoding->kind = kind;
    if (kind == BROTLI) {
        recoding->brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
        is_ready =
            recoding->brotli != NULL && BrotliEncoderSetParameter(recoding->brotli, BROTLI_PARAM_QUALITY, 0);
    } else if (kind == ZSTD) {
        recoding->zstd = ZSTD_createCStream();
        is_ready = recoding->zstd != NULL && !ZSTD_isError(ZSTD_initCStream(recoding->zstd, 1));
    } else {
        is_ready = deflateInit2(&recoding->zlib, 1, Z_DEFLATED, kind == GZIP ? MAX_WBITS + 16 : MAX_WBITS, 8,
                                Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (!is_ready)
        mem_die();
    return recoding;
}

void recoding_free(struct recoding *recoding)
{
    if (recoding == NULL)
        return;
    if (recoding->kind == BROTLI)
        BrotliEncoderDestroyInstance(recoding->brotli);
    else if (recoding->kind == ZSTD)
        ZSTD_freeCStream(recoding->zstd);
    else
        deflateEnd(&recoding->zlib);
    mem_free(recoding);
}

static void give(struct recoding *recoding, size_t len, recoding_sink sink, void *self)
{
    if (len != 0)
        sink(self, span_make(recoding->room, len));
}

static void run_zlib(struct recoding *recoding, struct span bytes, int flush, recoding_sink sink, void *self)
{
    z_stream *zlib = &recoding->zlib;

    assert(bytes.len <= UINT32_MAX); /* pieces of a reader */
    zlib->next_in = (unsigned char *)(uintptr_t)bytes.ptr;
    zlib->avail_in = (unsigned)bytes.len;
    do {
        zlib->next_out = recoding->room;
        zlib->avail_out = ROOM_BYTES;
        deflate(zlib, flush);
        give(recoding, ROOM_BYTES - zlib->avail_out, sink, self);
    } while (zlib->avail_out == 0);
}

static void run_brotli(struct recoding *recoding, struct span bytes, BrotliEncoderOperation operation,
                       recoding_sink sink, void *self)
{
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    size_t in_left = bytes.len;

    do {
        unsigned char *out = recoding->room;
        size_t room = ROOM_BYTES;
        if (!BrotliEncoderCompressStream(recoding->brotli, operation, &in_left, &in, &room, &out, NULL))
            mem_die();
        give(recoding, ROOM_BYTES - room, sink, self);
    } while (in_left != 0 || BrotliEncoderHasMoreOutput(recoding->brotli));
}

static void run_zstd(struct recoding *recoding, struct span bytes, ZSTD_EndDirective directive,
                     recoding_sink sink, void *self)
{
    ZSTD_inBuffer in = { bytes.ptr, bytes.len, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { recoding->room, ROOM_BYTES, 0 };
        left = ZSTD_compressStream2(recoding->zstd, &out, &in, directive);
        if (ZSTD_isError(left))
            mem_die();
        give(recoding, out.pos, sink, self);
    } while (directive == ZSTD_e_end ? left != 0 : in.pos != in.size);
}

static void run(struct recoding *recoding, struct span bytes, bool is_end, recoding_sink sink, void *self)
{
    if (recoding->kind == BROTLI)
        run_brotli(recoding, bytes, is_end ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS, sink, self);
    else if (recoding->kind == ZSTD)
        run_zstd(recoding, bytes, is_end ? ZSTD_e_end : ZSTD_e_continue, sink, self);
    else
        run_zlib(recoding, bytes, is_end ? Z_FINISH : Z_NO_FLUSH, sink, self);
}

void recoding_feed(struct recoding *recoding, struct span bytes, recoding_sink sink, void *self)
{
    if (bytes.len != 0)
        run(recoding, bytes, false, sink, self);
}

void recoding_finish(struct recoding *recoding, recoding_sink sink, void *self)
{
    run(recoding, SPAN(""), true, sink, self);
}

/* Codings: whole and in small pieces the same comes out, and never more than the limit. The first byte
 * chooses the list. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/coding.h"

#define MAX_BYTES ((uint64_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool collect(void *self, struct span bytes, struct err *err)
{
    (void)err;
    strbuf_add(self, bytes);
    return true;
}

static enum err_code decode(struct span encodings, struct span coded, size_t piece, struct strbuf *out)
{
    struct coding *coding = NULL;
    struct err err = { 0 };
    bool ok = coding_new(encodings, MAX_BYTES, &coding, &err);

    while (ok && coded.len != 0) {
        size_t len = coded.len < piece ? coded.len : piece;
        ok = coding_feed(coding, span_sub(coded, 0, len), collect, out, &err);
        coded = span_from(coded, len);
    }
    if (ok)
        coding_finish(coding, &err);
    coding_free(coding);
    if (out->len > MAX_BYTES)
        abort();
    return err.code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const lists[] = { "gzip",          "deflate",  "br",      "zstd",
                                         "gzip, deflate", "br, gzip", "zstd, br" };
    struct strbuf whole = STRBUF_EMPTY, pieces = STRBUF_EMPTY;
    enum err_code one, other;
    struct span encodings;

    if (len == 0)
        return 0;
    encodings = span_of(lists[data[0] % (sizeof lists / sizeof lists[0])]);
    one = decode(encodings, span_make(data + 1, len - 1), len, &whole);
    other = decode(encodings, span_make(data + 1, len - 1), 1 + data[0] / 16, &pieces);
    /* What comes out before damage is found may differ, and so may which of two troubles is met first. */
    if ((one == ERR_NONE) != (other == ERR_NONE) ||
        (one == ERR_NONE && !span_eq(strbuf_span(&whole), strbuf_span(&pieces))))
        abort();
    strbuf_clear(&whole);
    strbuf_clear(&pieces);
    return 0;
}

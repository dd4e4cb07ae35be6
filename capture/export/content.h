/* content: a captured body with its content codings undone, and what there is to know of it.
 *
 * A body that does not decode (damaged, cut, an unknown coding, too much) is content as it was captured, and
 * says so. Only the beginning is kept in memory; the rest is read again where it is written. */
#ifndef WEIR_CAPTURE_EXPORT_CONTENT_H
#define WEIR_CAPTURE_EXPORT_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/source.h"
#include "capture/record.h"
#include "proxy/base/strbuf.h"

struct content {
    int64_t body;            /* 0: there is none */
    struct strbuf encodings; /* to be undone; empty: none */
    bool is_undecoded;       /* there are codings, and they could not be undone */
    struct strbuf front;     /* the first bytes */
    bool is_whole;           /* front holds all of it */
    uint64_t bytes;          /* in all; of a body that was not read to its end: at least */
    bool is_read;            /* to its end */
    bool is_text;            /* what was read is UTF-8 without a NUL */
};

enum content_reach { CONTENT_ALL, CONTENT_FRONT };

/* headers: the message's, for Content-Encoding. At most max_front bytes are kept; with CONTENT_FRONT reading
 * stops there. Fails only when the store does. */
bool content_read(const struct export_source *source, const struct record_body *body,
                  const struct record_fields *headers, size_t max_front, enum content_reach reach,
                  struct content *out_content, struct err *err);
void content_clear(struct content *content);

/* All of it, in pieces. */
bool content_stream(const struct export_source *source, const struct content *content, store_sink sink,
                    void *self, struct err *err);

#endif

/* coding: decoding of a captured body: gzip, deflate, br, zstd, and lists of them (RFC 9110 §8.4).
 *
 * For looking and exporting, never on the live path: bodies are relayed and stored as they came. Decoded in
 * a stream, with a limit, so that a decompression bomb ends as ERR_LIMIT. "deflate" is taken with or without
 * the zlib wrapper, as browsers do; "identity" and an empty list pass bytes; several gzip members are one
 * body. */
#ifndef WEIR_HTTP_CODING_H
#define WEIR_HTTP_CODING_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

struct coding;

/* encodings: the value of Content-Encoding (joined by ", " when it was repeated). ERR_PROTO for an unknown
 * one. max_bytes bounds what comes out in all; 0: no bound, for callers that stream it on. */
bool coding_new(struct span encodings, uint64_t max_bytes, struct coding **out_coding, struct err *err);
void coding_free(struct coding *coding);

/* Decodes the next bytes; what comes out is given to sink in pieces, borrowed. False: ERR_PROTO (damaged),
 * ERR_LIMIT, or the sink's own false with whatever it put into err. */
typedef bool (*coding_sink)(void *self, struct span bytes, struct err *err);
bool coding_feed(struct coding *coding, struct span bytes, coding_sink sink, void *self, struct err *err);
/* No more bytes. False, ERR_PROTO: the body was cut. */
bool coding_finish(struct coding *coding, coding_sink sink, void *self, struct err *err);

#endif

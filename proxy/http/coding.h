/* coding: decoding of a captured body: gzip, deflate, br, zstd, and lists of them (RFC 9110 §8.4).
 *
 * For looking and exporting, never on the live path: bodies are relayed and stored as they came. Decoded in
 * a stream, with a limit, so that a decompression bomb ends as ERR_LIMIT. "deflate" is taken with or without
 * the zlib wrapper, as browsers do; "identity" and an empty list pass bytes; several gzip members are one
 * body; what follows the end of a coded body is ignored, but for zstd, where it must be another frame. A body
 * of no bytes at all is whole in any coding. */
#ifndef WEIR_HTTP_CODING_H
#define WEIR_HTTP_CODING_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct coding;

/* encodings: the value of Content-Encoding (joined by ", " when it was repeated). ERR_PROTO for an unknown
 * one. max_bytes bounds what comes out in all, of the last coding and of each one before it; so many still
 * come out before the ERR_LIMIT. 0: no bound, for callers that stream it on. */
bool coding_new(struct span encodings, uint64_t max_bytes, struct coding **out_coding, struct err *err);
void coding_free(struct coding *coding); /* NULL is fine */

/* Decodes the next bytes; what comes out is given to sink in pieces, borrowed. False: ERR_PROTO (damaged),
 * ERR_LIMIT, or the sink's own false with whatever it put into err. */
typedef bool (*coding_sink)(void *self, struct span bytes, struct err *err);
bool coding_feed(struct coding *coding, struct span bytes, coding_sink sink, void *self, struct err *err);
/* No more bytes; everything has been given to the sink already. False, ERR_PROTO: the body was cut. */
bool coding_finish(struct coding *coding, struct err *err);

#endif

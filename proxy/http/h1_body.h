/* h1_body: the bodies of HTTP/1 that have a length or come in chunks (RFC 9112 §6.2, §7.1).
 *
 * A length is counted down. Chunks are read by llhttp, which is fed a head of our own that says nothing but
 * the framing, chunk lines in their plainest form, and the bytes of the body in place; so nothing that it is
 * too lax or too strict about reaches it. The lines themselves, and the trailers, are h1's. An h1_body is
 * used again for every message. ERR_PROTO is what llhttp refuses: none of what is fed in the order below. */
#ifndef WEIR_HTTP_H1_BODY_H
#define WEIR_HTTP_H1_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct h1_body;

struct h1_body *h1_body_new(void);
void h1_body_free(struct h1_body *body); /* NULL is fine */

/* A body of length bytes, not 0. Then feed until it is done. */
void h1_body_begin_length(struct h1_body *body, uint64_t length);

/* A body in chunks. Then begin a chunk, feed until it is done, end it, and so on; at last end the chunks. */
bool h1_body_begin_chunks(struct h1_body *body, struct err *err);
bool h1_body_begin_chunk(struct h1_body *body, uint64_t size, struct err *err); /* not 0 */
bool h1_body_end_chunk(struct h1_body *body, struct err *err);
bool h1_body_end_chunks(struct h1_body *body, struct err *err);

/* *out_data: the part at the start of bytes that belongs to the length or the chunk; the rest is unused. */
bool h1_body_feed(struct h1_body *body, struct span bytes, struct span *out_data, struct err *err);
bool h1_body_is_done(const struct h1_body *body); /* all bytes of the length or the chunk are there */

#endif

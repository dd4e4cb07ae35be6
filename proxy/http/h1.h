/* h1: HTTP/1.0 and 1.1 in: bytes to message events (RFC 9112), sans-I/O.
 *
 * Heads are read here, line by line and under limits; framing decides how a body ends; chunks and bodies are
 * llhttp's, which is fed a canonical head, so that any method token passes and nothing it is too lax or too
 * strict about can be reached. Towards clients strict: obsolete folding, NUL, bare CR, bare LF, white space
 * before the colon, a malformed request line are ERR_PROTO. From origins a bare LF is taken as a line ending,
 * folding is unfolded to one line, and harmless deviations of real servers pass; lines
 * that are no fields are kept, marked is_hop. A chunk's line may have 4 KiB; a few empty lines before a
 * message are skipped (RFC 9112 §2.2).
 *
 * Not thread-safe; no callback may free the h1 it comes from. */
#ifndef WEIR_HTTP_H1_H
#define WEIR_HTTP_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/http/message.h"

struct h1_limits {
    size_t max_header_bytes; /* of one header or trailer section, start line and line endings included */
    size_t max_headers;      /* how many fields of one */
};
#define H1_LIMITS_DEFAULT ((struct h1_limits){ 64 * 1024, 1000 })

struct h1;

struct h1 *h1_new(enum http_role role, struct h1_limits limits, const struct http_events *events, void *self);
void h1_free(struct h1 *h1); /* NULL is fine */

/* Responses: the method of the request that the next final response answers (copied). Before that response's
 * first byte. */
void h1_set_request_method(struct h1 *h1, struct span method);

/* Eats bytes, any number, also one at a time. *out_used says how many: fewer than given when
 *  - a message has ended (call again with the rest for the next one),
 *  - h1_pause() was called from inside a callback,
 *  - a head said BODY_TUNNEL: what is left is not HTTP, see h1_is_tunnel(); on_end is not told.
 * False: ERR_PROTO or ERR_LIMIT; the h1 is then good for nothing but h1_free. */
bool h1_feed(struct h1 *h1, struct span bytes, size_t *out_used, struct err *err);
/* From inside a callback: h1_feed returns after this event. The next h1_feed goes on: call it even when no
 * bytes are left, an event may be. */
void h1_pause(struct h1 *h1);

/* The stream has ended. True when that is a clean end: between messages, in a tunnel, or the end of a body
 * that lasts until the close (on_end is called). False, ERR_CLOSED: a message was cut; an interim response
 * without its final one is. */
bool h1_finish(struct h1 *h1, struct err *err);

bool h1_is_idle(const struct h1 *h1); /* between messages, not a byte of the next one seen */
bool h1_in_head(const struct h1 *h1); /* some bytes of a head seen, not all */
bool h1_is_tunnel(const struct h1 *h1);

#endif

/* sse: a stream of server-sent events, split into events (WHATWG HTML, "Server-sent events", the event stream
 * format).
 *
 * As a browser reads it: lines end in CR, LF or CRLF; one byte order mark may stand in front; a line that
 * begins with a colon is a comment; data lines are joined by LF; an event without data is none, although its
 * id and its reconnection time stay; an id with NUL is ignored. Bytes are told as they came, UTF-8 or not.
 * What remains at the end without a blank line is no event to a browser: it is told, marked is_incomplete.
 *
 * No bytes are a fault here. Type and id are cut at SSE_WORD_BYTES. */
#ifndef WEIR_HTTP_SSE_H
#define WEIR_HTTP_SSE_H

#include <stddef.h>

#include "proxy/base/span.h"
#include "proxy/http/messages.h"

/* Far above any type or id in use; a stranger must not size two more buffers. */
#define SSE_WORD_BYTES 4096

struct sse;

struct sse *sse_new(size_t max_message_bytes, message_sink sink, void *self);
void sse_free(struct sse *sse); /* NULL is fine */

void sse_feed(struct sse *sse, struct span bytes);
void sse_finish(struct sse *sse);

#endif

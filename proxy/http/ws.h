/* ws: one direction of a WebSocket, split into messages (RFC 6455), compressed ones inflated (RFC 7692).
 *
 * Told as messages.h says: each control frame, also those between the fragments of a message, and each
 * message at its end. Faults: reserved bits that no agreed extension uses, reserved opcodes, fragmented or
 * over-long control frames, a continuation of nothing, a message within a message, a length with the top bit
 * or not in its shortest form, a close frame with one byte, wrong masking, a frame after the close. Text that
 * is not UTF-8 and close codes that nobody may send are no faults: they are told as they came.
 *
 * A compressed message that cannot be inflated is told with a note; where messages share a window those
 * after it cannot be inflated either, and are told as they came (is_undecoded). */
#ifndef WEIR_HTTP_WS_H
#define WEIR_HTTP_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/messages.h"

/* What the answer's Sec-WebSocket-Extensions agreed on. */
struct ws_extensions {
    bool has_deflate; /* permessage-deflate */
    bool has_others;  /* what weir does not know, or cannot read: the reserved bits may be theirs */
    bool no_context_takeover[2]; /* by direction (enum http_role): that side begins each message anew */
};

/* value: the answer's Sec-WebSocket-Extensions, joined by ", " when it was repeated; empty: none. */
struct ws_extensions ws_extensions_parse(struct span value);

struct ws;

/* direction HTTP_REQUEST: frames of the client, which are masked; HTTP_RESPONSE: of the origin, which are
 * not. */
struct ws *ws_new(enum http_role direction, const struct ws_extensions *extensions, size_t max_message_bytes,
                  message_sink sink, void *self);
void ws_free(struct ws *ws); /* NULL is fine */

void ws_feed(struct ws *ws, struct span bytes);
void ws_finish(struct ws *ws);
uint64_t ws_lost_bytes(const struct ws *ws);

#endif

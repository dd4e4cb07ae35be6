/* splitter: the messages of one exchange under way, both directions of it, for its recorder.
 *
 * Made with the request of an exchange that may have messages (gRPC, or one that asks for WebSocket) or with
 * the response that shows it (server-sent events); most exchanges have none and cost nothing. Bytes that pass
 * are fed, whole messages come back as they end, numbered over both directions in the order in which they
 * did. The codecs are proxy/http/messages.h. The owner's thread only. */
#ifndef WEIR_CAPTURE_SPLITTER_H
#define WEIR_CAPTURE_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/http/messages.h"

/* The most that is kept of a message, and so what one costs in memory while it comes: of longer ones this is
 * the beginning, however long bodies may be. */
#define SPLITTER_PAYLOAD_BYTES ((size_t)1024 * 1024)

struct splitter;

/* A message has ended. n is its number in the exchange, from 1. Borrowed until it returns. */
typedef void (*splitter_sink)(void *self, const struct message *message, enum http_role direction,
                              uint32_t n);

/* NULL: nothing in this request says that there could be messages; splitter_at_response may still find some.
 * max_payload_bytes: what will be kept of a payload at most; 0: nothing but sizes. */
struct splitter *splitter_at_request(const struct http_head *request, uint64_t max_payload_bytes,
                                     splitter_sink sink, void *self);
/* The final response has come. splitter is what the request gave, or NULL; so is what comes back: NULL, and
 * what was given is freed, when nothing of this exchange is messages. */
struct splitter *splitter_at_response(struct splitter *splitter, const struct http_head *response,
                                      uint64_t max_payload_bytes, splitter_sink sink, void *self);
/* After the response: this exchange is nothing but messages (WebSocket), its bytes are no body. */
bool splitter_is_upgrade(const struct splitter *splitter);

void splitter_feed(struct splitter *splitter, enum http_role direction, struct span bytes);
/* No more bytes of that direction: tells what was under way. More often than once does nothing. */
void splitter_finish(struct splitter *splitter, enum http_role direction);
void splitter_free(struct splitter *splitter); /* tells nothing; NULL is fine */

#endif

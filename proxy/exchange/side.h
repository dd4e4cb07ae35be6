/* side: one end of an exchange, as the engine acts on it, whatever HTTP version is spoken there.
 *
 * Two of them meet in an exchange: the client's side is sent the response, the origin's side the request.
 * What is sent is only queued; flush lets it go. */
#ifndef WEIR_EXCHANGE_SIDE_H
#define WEIR_EXCHANGE_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/message.h"

/* How a message ends before its time, so that it can be passed on as that. */
enum cut {
    CUT_CLOSE, /* the connection was ended in the middle */
    CUT_RESET, /* it was reset */
};

struct side_ops {
    /* target: requests only. extra: lines to add, see hop.h. */
    void (*send_head)(void *self, const struct http_head *head, struct span target, struct span extra);
    void (*send_chunk)(void *self, uint64_t size, struct span line);
    void (*send_body)(void *self, struct span bytes);
    void (*send_end)(void *self, const struct headers *trailers);
    void (*flush)(void *self);
    size_t (*unsent)(void *self);
    void (*set_reading)(void *self, bool is_on); /* backpressure: stop and go */
    /* The message sent there will not be finished. code: why, in HTTP/2's words (RFC 9113 §7). */
    void (*cut)(void *self, enum cut how, uint32_t code);
    bool can_refuse; /* it may say that it has not looked at a request: HTTP/2 */
};

struct side {
    const struct side_ops *ops; /* NULL: nobody is there */
    void *self;
};

#endif

/* heads: what the recorder asks of heads beyond their fields. */
#ifndef WEIR_CAPTURE_HEADS_H
#define WEIR_CAPTURE_HEADS_H

#include <stdbool.h>

#include "proxy/base/span.h"
#include "proxy/http/message.h"

/* A request's path and query exactly as sent, also when the target was in the form that is meant for a proxy
 * (RFC 9112 §3.2.2); of a CONNECT without :protocol, which has none,
 * nothing. Borrowed from head; query ptr NULL: there was no
 * '?'. */
void heads_path(const struct http_head *head, struct span *out_path, struct span *out_query);

/* A copy that outlives the call that lent the head. The caller's. */
struct http_head *heads_copy(const struct http_head *head);

/* What stands for the head of a tunnel that began without one: no method, target, version or field. The
 * caller's. */
struct http_head *heads_none(void);

/* Whether its Content-Type is image, audio, video or font. */
bool heads_are_media(const struct headers *headers);

#endif

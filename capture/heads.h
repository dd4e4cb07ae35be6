/* heads: what the recorder asks of heads beyond their fields. */
#ifndef WEIR_CAPTURE_HEADS_H
#define WEIR_CAPTURE_HEADS_H

#include <stdbool.h>

#include "proxy/base/span.h"
#include "proxy/http/message.h"

/* Whether it asks for a tunnel to a host and port: a CONNECT, unless it is an extended one (RFC 8441 §4),
 * which has a path. */
bool heads_ask_for_tunnel(const struct http_head *head);

/* A request's path and query exactly as sent, also when the target was in the form that is meant for a proxy
 * (RFC 9112 §3.2.2); of one that asks for a tunnel, which has none, nothing. Borrowed from head; query ptr
 * NULL: there was no '?'. */
void heads_path(const struct http_head *head, struct span *out_path, struct span *out_query);

/* Adds them to out, which has no limits. */
void heads_copy_fields(const struct headers *fields, struct headers *out);

/* A copy that outlives the call that lent the head. The caller's. */
struct http_head *heads_copy(const struct http_head *head);

/* What stands for the head of a tunnel that began without one: no method, target, version or field. The
 * caller's. */
struct http_head *heads_none(void);

/* Whether its Content-Type is image, audio, video or font. */
bool heads_are_media(const struct headers *headers);

#endif

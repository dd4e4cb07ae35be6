/* messages: what was said inside one direction of an exchange: WebSocket messages, server-sent events, gRPC
 * messages, split from the bytes as they pass, for the record.
 *
 * It looks and never changes: what goes over the wire is nobody's business here. Bytes of any number go in,
 * as they are after transfer decoding (HTTP/1's chunks, HTTP/2's frames taken off); each message is told to
 * a sink as soon as it is whole. Payloads are decoded: unmasked, inflated, out of a content coding.
 *
 * Memory is bounded whatever comes (one payload under way, 16 KiB between two, and up to 60 KiB for the
 * window once something came compressed): a payload is kept up to max_message_bytes, its true size is counted
 * on, and it is told at its end, marked is_truncated. A compressed message is decoded up to
 * MESSAGE_DECODED_MAX times that limit, for its size alone, and no further (a decompression bomb); its note
 * says so. Bytes that break the protocol are told once, as MESSAGE_FAULT; from there on bytes are only
 * counted (messages_lost_bytes).
 *
 * Sans-I/O. The owner's thread only. The sink may not feed or free the messages that it hears from. */
#ifndef WEIR_HTTP_MESSAGES_H
#define WEIR_HTTP_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/message.h"

/* Decoding goes on for so many times max_message_bytes: what is over the limit is still counted, and where
 * messages share a window (RFC 7692 §7.2.2) the next one needs it; but a bomb must not hold the loop. */
#define MESSAGE_DECODED_MAX 16

enum message_kind {
    MESSAGE_TEXT = 1, /* WebSocket */
    MESSAGE_BINARY,
    MESSAGE_PING,
    MESSAGE_PONG,
    MESSAGE_CLOSE,    /* payload: the reason */
    MESSAGE_EVENT,    /* server-sent: payload is the data, its lines joined by LF */
    MESSAGE_GRPC,     /* without its prefix */
    MESSAGE_TRAILERS, /* gRPC-Web: the lines of its trailers frame */
    MESSAGE_FAULT,    /* payload: one sentence that says how the bytes broke the protocol */
};

struct message {
    enum message_kind kind;
    struct span payload; /* at most max_message_bytes; decoded, unless is_undecoded */
    uint64_t size;       /* of the whole payload, also of what was not kept; see note */
    uint64_t wire_size;  /* the payload as it came: compressed, masked; without frames and prefixes. Events:
                            as size */
    bool is_truncated;   /* payload is only the beginning */
    bool is_incomplete;  /* the stream ended before the message did */
    bool is_compressed;  /* it came compressed on its own (permessage-deflate, grpc-encoding) */
    bool is_undecoded;   /* and still is, in payload and size */
    bool is_bad_utf8;    /* text, close reasons and events: not all of it is UTF-8 */
    uint16_t close_code; /* MESSAGE_CLOSE: RFC 6455 §7.4; 0: none was given */
    struct span event_type; /* MESSAGE_EVENT: "message" when none was given */
    struct span event_id;   /* MESSAGE_EVENT: the last id given up to here, as the client has it */
    bool has_retry;         /* MESSAGE_EVENT: a reconnection time came since the event before */
    uint64_t retry_ms;
    const char *note; /* one sentence on what could not be decoded, or counted; NULL: nothing to say */
};

/* The message and all its spans are borrowed until the sink returns. */
typedef void (*message_sink)(void *self, const struct message *message);

struct messages;

/* Looks whether a direction of an exchange is made of messages, and of which; NULL: it is not, or not known
 * yet. direction HTTP_REQUEST: what the client sends. response is NULL as long as none has come; interim
 * responses are none.
 *   gRPC (application/grpc, application/grpc-web, -text, with any "+..."): both directions; the request's
 *     needs no response.
 *   Server-sent events (text/event-stream): the response, when its status is 2xx.
 *   WebSocket (101 that upgrades, or 2xx to an extended CONNECT, RFC 8441): both directions, once the
 *     response is there; for what follows the heads.
 * The heads are read here and not kept. max_message_bytes is not 0. */
struct messages *messages_new(const struct http_head *request, const struct http_head *response,
                              enum http_role direction, size_t max_message_bytes, message_sink sink,
                              void *self);
void messages_free(struct messages *messages); /* NULL is fine; tells nothing */

void messages_feed(struct messages *messages, struct span bytes);
/* No more bytes: tells what was under way, marked is_incomplete. At most once; nothing is fed after it. */
void messages_finish(struct messages *messages);

/* Bytes fed that are in no message, because they came after a fault. */
uint64_t messages_lost_bytes(const struct messages *messages);

#endif

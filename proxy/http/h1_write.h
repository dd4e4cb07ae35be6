/* h1_write: HTTP/1 out: message events to bytes (RFC 9112), sans-I/O.
 *
 * Fields go out as the lines they came in; fields marked is_hop are left out. A body in chunks goes out in
 * the same chunks, their lines as they came, when the events tell them; else every call of h1_write_body
 * makes one chunk. Everything is appended to an evbuffer that the caller sends when it likes: nothing is held
 * back here, a chunk's line goes out when it is told.
 *
 * A head of HTTP/2 becomes one of HTTP/1.1: Host first, from extra or :authority, unless there is a Host;
 * cookie crumbs in one field where the first stood (RFC 9113 §8.2.3); Transfer-Encoding where the body is in
 * chunks; a Connection that names TE (RFC 9110 §10.1.4); the status code's phrase. */
#ifndef WEIR_HTTP_H1_WRITE_H
#define WEIR_HTTP_H1_WRITE_H

#include <event2/buffer.h>

#include "proxy/http/message.h"

struct h1_writer {
    /* The owner's: what who gets it speaks; 0: HTTP/1.1. Where it is HTTP_1_0, the body of an HTTP/2 response
     * without a length lasts until the close, and the head says so. */
    enum http_version peer;
    enum body_kind kind;  /* of the message under way */
    uint64_t chunk_left;  /* bytes of the told chunk that are still to come */
    bool has_told_chunks; /* chunks come by h1_write_chunk */
    bool has_last_chunk;  /* the one of size 0 was told */
};

/* "METHOD target HTTP/1.x" and the fields. target replaces head->target (RFC 9112 §3.2: origin-form to
 * origins). extra: more fields, whole lines with CRLF, or SPAN_NONE: each takes the place, and the name, of
 * the first field of its name that is left out, so that a changed value is all that changes; the others go at
 * the end.
 * */
void h1_write_request(struct h1_writer *writer, struct evbuffer *out, const struct http_head *head,
                      struct span target, struct span extra);
/* Status line and fields; also for interim heads. A reason that is SPAN_NONE is left out with its blank, as
 * an HTTP/1 origin has done. */
void h1_write_response(struct h1_writer *writer, struct evbuffer *out, const struct http_head *head,
                       struct span extra);
/* head->framing.kind says how the body is written: BODY_CHUNKED frames, everything else passes bytes. */
/* line: as it came, without its ending; size bytes of h1_write_body follow, no more and no fewer. Nothing for
 * other kinds. */
void h1_write_chunk(struct h1_writer *writer, struct evbuffer *out, uint64_t size, struct span line);
/* Bytes may come in any pieces; none at all write nothing. */
void h1_write_body(struct h1_writer *writer, struct evbuffer *out, struct span bytes);
/* The last chunk where there was none yet, and trailers; nothing for other kinds. */
void h1_write_end(struct h1_writer *writer, struct evbuffer *out, const struct headers *trailers);

#endif

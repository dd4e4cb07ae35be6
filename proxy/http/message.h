/* message: the neutral request and response that HTTP/1 and HTTP/2 share.
 *
 * A message is a head, then body bytes in any number of pieces, then an end with or without trailers. A
 * response may be preceded by interim heads (1xx but 101). Codecs turn bytes into these events and these
 * events into bytes; neither wire format is ever translated into the other. */
#ifndef WEIR_HTTP_MESSAGE_H
#define WEIR_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/framing.h"
#include "proxy/http/headers.h"

enum http_role { HTTP_REQUEST, HTTP_RESPONSE };

enum http_version { HTTP_1_0 = 10, HTTP_1_1 = 11, HTTP_2 = 20 };

/* One head. Heap; whoever gets it from on_head owns it. */
struct http_head {
    enum http_role role;
    enum http_version version;
    /* Requests: exactly as sent. Borrowed from start_line. HTTP/2: target is :path. */
    struct span method, target;
    /* HTTP/2's pseudo-header fields; else none. protocol: of an extended CONNECT (RFC 8441 §4). */
    struct span scheme, authority, protocol;
    /* Responses. */
    int status;
    struct span reason;
    struct headers headers;
    struct framing framing; /* how its body ends, and whether the connection may go on */
    char *start_line;       /* owned, what the spans point into */
    uint64_t wire_bytes;    /* of the head as it came, line endings included */
};

struct http_head *
http_head_new(enum http_role role);          /* HTTP/1.1, headers without limits: for heads that weir makes */
void http_head_free(struct http_head *head); /* NULL is fine */

/* For heads that weir itself makes: "HTTP/1.1 status reason". The reason comes from the status code. */
struct http_head *http_head_response(int status);
const char *http_reason(int status); /* the registered phrase for a code; "" when it has none */

static inline bool http_is_interim(const struct http_head *head)
{
    return head->role == HTTP_RESPONSE && head->status / 100 == 1 && head->status != 101;
}

/* What a codec tells. Called from inside its feed function, and may not call it back, but may pause it. */
struct http_events {
    void (*on_head)(void *self, struct http_head *head); /* takes head; interim responses too */
    /* HTTP/1 only, may be NULL: a chunk of size bytes begins; line is its line as it came, extensions and
     * all, without the line ending. The last chunk has size 0 and is told too. */
    void (*on_chunk)(void *self, uint64_t size, struct span line);
    void (*on_body)(void *self, struct span bytes);             /* borrowed until it returns */
    void (*on_end)(void *self, const struct headers *trailers); /* borrowed; NULL: none */
};

/* RFC 9110 §9.2, and as the IANA registry of methods says: the known methods with that property; an unknown
 * method has none. */
bool http_method_is_safe(struct span method);
bool http_method_is_idempotent(struct span method);

#endif

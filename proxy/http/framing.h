/* framing: where the body of an HTTP/1 message ends, and what is refused as smuggling (RFC 9112 §6, §9.3).
 *
 * Strict towards clients, because two readers that disagree about a request's end are an attack: both
 * Content-Length and Transfer-Encoding, differing or malformed lengths, an encoding that does not end in
 * chunked exactly once: refused (ERR_PROTO). Origins may repeat an equal length (the repeats are marked
 * is_hop), a response with Transfer-Encoding and Content-Length is read as chunked as RFC 9112 §6.3 says (the
 * length is marked is_hop), "identity" is no coding; what is ambiguous is refused. */
#ifndef WEIR_HTTP_FRAMING_H
#define WEIR_HTTP_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct http_head;

enum body_kind {
    BODY_NONE,   /* the head is all; also what has a length of 0 */
    BODY_LENGTH, /* length bytes */
    BODY_CHUNKED,
    BODY_UNTIL_CLOSE, /* responses only */
    BODY_TUNNEL,      /* not HTTP from here on: 101, or 2xx to CONNECT */
};

struct framing {
    enum body_kind kind;
    uint64_t length;  /* BODY_LENGTH */
    bool keeps_alive; /* as far as this message says, the connection goes on after it */
};

/* Fill head->framing from version, method or status, and fields. request_method: the method that the response
 * answers. ERR_PROTO; ERR_LIMIT when a length has to be added and there is no room for it. */
bool framing_request(struct http_head *head, struct err *err);
bool framing_response(struct http_head *head, struct span request_method, struct err *err);

/* For how many seconds an origin waits for the next request, as its response says; 0: it says nothing. */
uint64_t framing_idle_s(const struct http_head *head);

#endif

/* first: what a client speaks, told by its first bytes.
 *
 * As few of them as it takes: one for SOCKS and TLS, which no HTTP request begins with; for HTTP/2's preface
 * as many as no HTTP/1 request has that is taken. What is none of them is HTTP/1: its codec says what is
 * wrong with it. */
#ifndef WEIR_MODE_FIRST_H
#define WEIR_MODE_FIRST_H

#include "proxy/base/span.h"

enum first_kind {
    FIRST_NEED_MORE, /* nothing yet, or the start of HTTP/2's preface, which may still be a POST */
    FIRST_HTTP1,
    FIRST_HTTP2, /* with prior knowledge (RFC 9113 §3.3) */
    FIRST_TLS,   /* a handshake record (RFC 8446 §5.1) */
    FIRST_SOCKS4,
    FIRST_SOCKS5,
};

/* bytes: all that the client has sent so far. Looks at 12 at most. */
enum first_kind first_look(struct span bytes);

#endif

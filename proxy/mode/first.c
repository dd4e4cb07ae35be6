#include "proxy/mode/first.h"

/* Of the preface (RFC 9113 §3.4) as much as tells it from a request that HTTP/1 would answer: the method
 * alone is reserved, but "PRI * HTTP/1.1" is still HTTP/1's to refuse. */
#define PREFACE SPAN("PRI * HTTP/2")

enum first_kind first_look(struct span bytes)
{
    if (bytes.len == 0)
        return FIRST_NEED_MORE;
    switch (bytes.ptr[0]) {
    case 0x04:
        return FIRST_SOCKS4;
    case 0x05:
        return FIRST_SOCKS5;
    case 0x16:
        return FIRST_TLS;
    default:
        if (span_starts(bytes, PREFACE))
            return FIRST_HTTP2;
        return span_starts(PREFACE, bytes) ? FIRST_NEED_MORE : FIRST_HTTP1;
    }
}

/* hello: what a client says first in TLS: read before anything is decided (RFC 8446 §4.1.2).
 *
 * Also tells from the first bytes whether there is TLS at all. Strict about lengths, lax about what it does
 * not know. */
#ifndef WEIR_TLS_HELLO_H
#define WEIR_TLS_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/http/url.h"

enum hello_kind {
    HELLO_NEED_MORE, /* could still become one */
    HELLO_YES,       /* a whole ClientHello */
    HELLO_NOT_TLS,   /* something else */
    HELLO_BROKEN,    /* TLS, but damaged or over 64 KiB */
};

struct hello {
    char sni[URL_HOST_BYTES]; /* lower case, without trailing dot; "" none. Only names that a host may have,
                                 else none */
    struct span alpn; /* the list as on the wire, lengths and names, without its own length; empty: none */
    bool offers_h1, offers_h2; /* in alpn ("http/1.1" or "http/1.0"; "h2") */
    bool offers_ecdsa; /* can verify and use an ECDSA leaf: suites and signature algorithms, or TLS 1.3's */
    uint16_t max_version; /* 0x0301..0x0304: supported_versions, else legacy_version */
    struct span raw;      /* the handshake message */
};

/* bytes: what the client has sent so far, from its first byte. On HELLO_YES out_hello's spans point into
 * bytes when the message came in one record, else into the caller's scratch (of HELLO_SCRATCH_BYTES). */
#define HELLO_SCRATCH_BYTES (64 * 1024 + 4)
enum hello_kind hello_read(struct span bytes, char *scratch, struct hello *out_hello);
/* The same for a handshake message without its records, as a TLS library hands it out. False: damaged. */
bool hello_parse(struct span message, struct hello *out_hello);
/* HELLO_NEED_MORE, HELLO_YES (looks like a TLS handshake record) or HELLO_NOT_TLS from as few as one byte. */
enum hello_kind hello_sniff(struct span bytes);

#endif

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

/* Every span points into the message. ptr NULL: the client did not send it; lists are of two-byte numbers in
 * the client's order, GREASE (RFC 8701) included, without their own length, unless said otherwise. */
struct hello {
    char sni[URL_HOST_BYTES]; /* lower case, without trailing dot; "" none. Only names that a host may have,
                                 else none */
    struct span alpn; /* the list as on the wire, lengths and names, without its own length; empty: none */
    bool offers_h1, offers_h2; /* in alpn ("http/1.1" or "http/1.0"; "h2") */
    bool offers_ecdsa; /* can verify and use an ECDSA leaf: suites and signature algorithms, or TLS 1.3's */
    uint16_t max_version; /* 0x0301..0x0304: supported_versions, else legacy_version */
    struct span raw;      /* the handshake message */

    uint16_t legacy_version;
    struct span session_id;
    struct span suites;
    struct span extensions; /* all of them, as on the wire: hello_next_extension */
    struct span versions, groups, signatures, cert_signatures;
    struct span key_shares;       /* entries as on the wire: hello_next_share */
    struct span point_formats;    /* of one byte each */
    struct span psk_modes;        /* of one byte each */
    struct span cert_compression; /* RFC 8879 */
};

enum hello_extension { /* those that weir knows by number (RFC 8446 §4.2 and the IANA registry) */
                       HELLO_EXT_SERVER_NAME = 0,
                       HELLO_EXT_STATUS_REQUEST = 5,
                       HELLO_EXT_GROUPS = 10,
                       HELLO_EXT_POINT_FORMATS = 11,
                       HELLO_EXT_SIGNATURES = 13,
                       HELLO_EXT_ALPN = 16,
                       HELLO_EXT_SCT = 18,
                       HELLO_EXT_PADDING = 21,
                       HELLO_EXT_ENCRYPT_THEN_MAC = 22,
                       HELLO_EXT_MASTER_SECRET = 23,
                       HELLO_EXT_CERT_COMPRESSION = 27,
                       HELLO_EXT_TICKET = 35,
                       HELLO_EXT_PRE_SHARED_KEY = 41,
                       HELLO_EXT_EARLY_DATA = 42,
                       HELLO_EXT_VERSIONS = 43,
                       HELLO_EXT_COOKIE = 44,
                       HELLO_EXT_PSK_MODES = 45,
                       HELLO_EXT_POST_HANDSHAKE = 49,
                       HELLO_EXT_CERT_SIGNATURES = 50,
                       HELLO_EXT_KEY_SHARES = 51,
                       HELLO_EXT_RENEGOTIATION = 0xff01,
};

/* bytes: what the client has sent so far, from its first byte. On HELLO_YES out_hello's spans point into
 * bytes when the message came in one record, else into the caller's scratch (of HELLO_SCRATCH_BYTES). */
#define HELLO_SCRATCH_BYTES (64 * 1024 + 4)
enum hello_kind hello_read(struct span bytes, char *scratch, struct hello *out_hello);
/* The same for a handshake message without its records, as a TLS library hands it out. False: damaged. */
bool hello_parse(struct span message, struct hello *out_hello);
/* HELLO_NEED_MORE, HELLO_YES (looks like a TLS handshake record) or HELLO_NOT_TLS from as few as one byte. */
enum hello_kind hello_sniff(struct span bytes);

/* Cuts the first off *rest; false at the end. rest comes from a hello that was read. */
bool hello_next_number(struct span *rest, uint16_t *out_number);
bool hello_next_extension(struct span *rest, uint16_t *out_type, struct span *out_body);
bool hello_next_share(struct span *rest, uint16_t *out_group);

bool hello_offers(const struct hello *hello, enum hello_extension type);
/* A number that means nothing and is there so that servers get used to such (RFC 8701). */
bool hello_is_grease(uint16_t number);

#endif

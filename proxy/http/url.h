/* url: the parts of a URL or an authority, as weir needs them (RFC 3986, RFC 9112 §3.2).
 *
 * Nothing is decoded or normalised but the host's case: what a client sent is what is recorded. */
#ifndef WEIR_HTTP_URL_H
#define WEIR_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct strbuf;

/* Longest name of RFC 1035 §2.3.4 in text form, with room for its NUL. */
#define URL_HOST_BYTES 256

struct authority {
    char host[URL_HOST_BYTES]; /* lower case; IPv6 without brackets; no trailing dot removed */
    uint16_t port;             /* 0: none given */
    bool is_ipv6;
};

/* "host", "host:port", "[v6]:port". Userinfo is refused (RFC 9110 §4.2.4), so are bytes that no name has
 * and port 0; an empty port is none. ERR_URL. */
bool url_parse_authority(struct span text, struct authority *out_authority, struct err *err);

struct url {
    struct span scheme; /* as it came */
    struct authority authority;
    /* Path and query as they came, without fragment: "" when the URL ends after its authority, and without
     * the '/' when a '?' comes right after it. */
    struct span target;
    struct span rest; /* the same with the fragment: all that follows the authority */
};

/* "scheme://authority/path?query". The spans are borrowed from text. A userinfo part is refused, so are
 * blanks and control characters anywhere. ERR_URL. */
bool url_parse(struct span text, struct url *out_url, struct err *err);

/* target at its first '?': the query is without it, ptr NULL when there is none. */
void url_split_target(struct span target, struct span *out_path, struct span *out_query);

/* 80 for http and ws, 443 for https and wss; 0 for a scheme that weir does not know. Case is ignored. */
uint16_t url_default_port(struct span scheme);

/* "host", "host:port" when port is neither 0 nor the scheme's default; IPv6 in brackets. */
void url_add_authority(struct strbuf *out, struct span scheme, const char *host, uint16_t port);

/* Whether host is an IPv4 or IPv6 literal (without brackets). */
bool url_host_is_ip(const char *host);

#endif

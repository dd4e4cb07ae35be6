/* via_handshake: asking an upstream proxy for a tunnel, as its client, sans-I/O: HTTP CONNECT (RFC 9110
 * §9.3.6), SOCKS4 and 4a, SOCKS5 (RFC 1928) with user name and password (RFC 1929).
 *
 * Start, send what was written, feed what comes until it is READY; what follows is the origin's. Nothing an
 * origin says can come before that, as it hears of nothing earlier.
 *
 * A proxy is a stranger: its answers are read under limits (a head of 16 KiB with 100 fields, 8 interim
 * responses), and what it says of itself is cleaned before it stands in an error. Time is the caller's to
 * limit. Every error names the proxy, none its credentials.
 *
 * A plain http:// request to an HTTP proxy needs no tunnel, and many proxies refuse one to port 80: send it
 * with via_add_absolute and via_add_fields instead. What must not be changed on its way, an Upgrade or bytes
 * that are no HTTP, takes the tunnel all the same. */
#ifndef WEIR_MODE_VIA_HANDSHAKE_H
#define WEIR_MODE_VIA_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"
#include "proxy/mode/target.h"
#include "proxy/mode/via.h"

struct evbuffer;
struct via_handshake;

enum via_answer {
    VIA_MORE,    /* not all is there */
    VIA_READY,   /* the tunnel stands */
    VIA_REFUSED, /* by the proxy, or by us for what it sends; only via_handshake_free is left to do */
};

/* hop is borrowed, host copied: the origin's name or address, as struct target has it; an address when
 * via_wants_address(hop). */
struct via_handshake *via_handshake_new(const struct via_hop *hop, const char *host, uint16_t port);
void via_handshake_free(struct via_handshake *handshake); /* NULL is fine */

/* Appends what goes first. ERR_URL: this kind of proxy can't be asked for this host. */
bool via_handshake_start(struct via_handshake *handshake, struct evbuffer *out, struct err *err);
/* Takes what came, in any pieces; what is to be answered is appended to out. *out_used is all of bytes, but
 * when READY: what is left is the tunnel's. err with VIA_REFUSED: ERR_PROTO (what came is not what a proxy
 * says), ERR_LIMIT, ERR_CLOSED (the proxy said no, and why). */
enum via_answer via_handshake_feed(struct via_handshake *handshake, struct span bytes, size_t *out_used,
                                   struct evbuffer *out, struct err *err);
/* The proxy ended the connection before it was READY: says so, in words that fit how far it was; always
 * false. */
bool via_handshake_cut(const struct via_handshake *handshake, struct err *err);

/* The target of a plain request to an HTTP proxy: "http://host[:port]" and path, which is as an origin would
 * be sent it. */
void via_add_absolute(struct strbuf *out, const struct target *target, struct span path);
/* The fields that this hop alone is sent, whole lines with CRLF, as h1_write_request takes them for extra. */
void via_add_fields(struct strbuf *out, const struct via_hop *hop);
/* What the head of a 407 to such a request means: ERR_CLOSED, as a refused tunnel would say it; always false.
 */
bool via_wants_login(const struct via_hop *hop, const struct http_head *head, struct err *err);

#endif

/* via: what is between us and an origin: the rules of --via, and which upstream proxy they say.
 *
 * A rule is "[HOSTS=]WAY". HOSTS is a list of patterns with commas between them (see pattern.h: stars, the
 * whole host, case ignored); without it the rule is about every host. WAY is
 *     http://[USER:PASS@]HOST[:PORT]    https://...     an HTTP proxy, and one that is spoken to in TLS
 *     socks4://[USER@]...               socks4a://...   the name is resolved here, or there
 *     socks5://[USER:PASS@]...          socks5h://...   the name is resolved here, or there
 *     direct                                            no proxy
 *     file:PATH                                         the first line of a file is the WAY,
 *     env:NAME                                          or a variable: everybody reads a command line
 *     env                                               what the environment says, see below
 *
 * USER and PASS are percent-decoded. Ports: 80, 443 and 1080 where none is given.
 *
 * The rules are asked in the order they were given, and the first one about the host decides; where none is,
 * the origin is dialled. No host is exempt unless a rule says so, loopback is not either.
 *
 * env reads, once, at the start: https_proxy or HTTPS_PROXY for is_tls; http_proxy for the rest, in lower
 * case only, as a CGI program is given the client's header field Proxy as HTTP_PROXY; all_proxy or ALL_PROXY
 * where the other says nothing. Lower case goes first, empty is not set, and a WAY without "scheme://" is an
 * HTTP proxy. no_proxy or NO_PROXY lists, with commas or blanks between them, what is dialled without a
 * proxy: "example.com" and ".example.com" mean that host and all below it, "10.0.0.0/8" and "fd00::/8"
 * addresses (names are not resolved for this), "*" everything; each but "*" may end in ":PORT" (an IPv6
 * address is then in brackets). When no variable is about the target's scheme, the next rule is asked.
 *
 * Threads: immutable once made, and may be shared. */
#ifndef WEIR_MODE_VIA_H
#define WEIR_MODE_VIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/http/url.h"
#include "proxy/mode/target.h"

enum via_kind { VIA_HTTP, VIA_HTTPS, VIA_SOCKS4, VIA_SOCKS4A, VIA_SOCKS5, VIA_SOCKS5H };

/* One upstream proxy. Rules that say the same proxy, with the same credentials, share one. */
struct via_hop {
    enum via_kind kind;
    unsigned id;               /* from 1 on, of this table: tells hops apart in a pool's key */
    char host[URL_HOST_BYTES]; /* to dial: lower case, IPv6 without brackets */
    uint16_t port;
    char *user, *password; /* decoded; NULL: none. Neither is for logs or facts */
    char *name;            /* "socks5h://proxy.test:1080": for people, without credentials */
    char *from; /* where the first rule that says it has it from: "--via", "variable https_proxy"; clients
                 * read it, so it has no path */
};

struct via;

/* items are count rules, as texts. ERR_USAGE says what is wrong with which, but repeats no credentials;
 * ERR_SYS for a file. */
bool via_new(const char *const *items, size_t count, struct via **out_via, struct err *err);
void via_free(struct via *via); /* NULL is fine */

/* NULL: dial the origin. Borrowed from via. is_tls of target: of TLS, and of whatever is not known to be
 * plain HTTP, as clients ask their proxies for tunnels to where they mean to speak TLS. */
const struct via_hop *via_find(const struct via *via, const struct target *target);

static inline bool via_is_http(const struct via_hop *hop)
{
    return hop->kind == VIA_HTTP || hop->kind == VIA_HTTPS;
}

/* Whether what this proxy is told to reach must be an address: resolve the origin's name first. */
static inline bool via_wants_address(const struct via_hop *hop)
{
    return hop->kind == VIA_SOCKS4 || hop->kind == VIA_SOCKS5;
}

#endif

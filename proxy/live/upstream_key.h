/* upstream_key: what an upstream connection was made for: only what is equal in all of it may share one.
 *
 * That is the origin also where a proxy would take requests to any: whose connection it is (NTLM), and which
 * clients may reach what, is then the same with a proxy and without. */
#ifndef WEIR_LIVE_UPSTREAM_KEY_H
#define WEIR_LIVE_UPSTREAM_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/mode/target.h"
#include "proxy/mode/via.h"
#include "proxy/tls/tls_mirror.h"

struct upstream_key {
    struct target target;            /* the origin, and dialled where there is no hop */
    char name[URL_HOST_BYTES];       /* SNI, and verified; "" without TLS */
    uint8_t reach;                   /* enum reach: of the clients that may share it */
    const struct tls_mirror *mirror; /* what is offered, as the client did; NULL: weir's own. The upstream has
                                        a reference */
    const struct via_hop *hop;       /* the upstream proxy on the way; NULL: the origin is dialled */
    bool is_absolute; /* the proxy is sent plain requests with whole URLs, and makes no tunnel (RFC 9112
                         §3.2.2) */
    char alpn[64];    /* what is offered, wire format */
    uint8_t alpn_len;
    unsigned hash; /* of the rest, made once: keys are looked up for every request */
};
void upstream_key_make(struct upstream_key *key, const struct target *target, const char *name,
                       struct span alpn);
void upstream_key_set_hop(struct upstream_key *key, const struct via_hop *hop); /* NULL: none */
bool upstream_key_offers_h2(const struct upstream_key *key);
void upstream_key_without_h2(struct upstream_key *out_key, const struct upstream_key *key);
bool upstream_key_eq(const struct upstream_key *a, const struct upstream_key *b);

#endif

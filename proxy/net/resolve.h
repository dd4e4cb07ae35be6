/* resolve: names to addresses without blocking (c-ares on a loop; one resolver a worker).
 *
 * A and AAAA are asked at once and answered as they come, so that a family that is slow delays nobody.
 * Literals and *.localhost need no asking; /etc/hosts and /etc/resolv.conf are read again when they change;
 * answers are cached for their TTL (bounded); a slow name delays no other. Truncated answers are asked again
 * over TCP. */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/net/address.h"

struct loop;
struct resolver;
struct resolution;

struct resolver *resolver_new(struct loop *loop);
void resolver_free(struct resolver *resolver); /* NULL is fine; no callback comes afterwards */

/* Called once a family (AF_INET, AF_INET6): count 0 with why when it has none. May come from inside resolve()
 * itself. is_last: no more calls. */
typedef void (*resolve_cb)(void *self, int family, const struct address *addresses, unsigned count,
                           bool is_last, const struct err *why);

/* NULL when everything was answered from inside the call. */
struct resolution *resolve(struct resolver *resolver, const char *host, uint16_t port, resolve_cb cb,
                           void *self);
void resolve_cancel(struct resolution *resolution); /* no more calls; NULL is fine */

#endif

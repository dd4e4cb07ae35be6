/* resolve: names to addresses without blocking (one resolver a worker).
 *
 * A and AAAA are asked at once and answered as they come, so that a family that is slow delays nobody.
 * In this order: literals; localhost and *.localhost, which are loopback (RFC 6761 §6.3); /etc/hosts; the
 * name servers of /etc/resolv.conf with its search list. Both files are read again when they change (looked
 * at once a second, when somebody asks). Answers are cached for their TTL (5 min at most), 5 s when there is
 * no such name or address, 4096 names at most; who asks for a name that is being asked for shares the answer.
 */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/net/address.h"

struct loop;
struct resolver;
struct resolution;

/* No more addresses than this in one call. */
#define RESOLVE_ADDRESSES_MAX 32

struct resolver *resolver_new(struct loop *loop);
void resolver_free(
    struct resolver *resolver); /* and its resolutions: no callback comes afterwards; NULL is fine */

/* Instead of /etc/resolv.conf's servers ("127.0.0.1:5353,[::1]:5353") and instead of /etc/hosts; NULL leaves
 * either. What is being asked for is asked again. Not from inside a callback. */
void resolver_set_sources(struct resolver *resolver, const char *servers, const char *hosts_path);

/* Called once a family (AF_INET, AF_INET6): count 0 with why (ERR_DNS) when it has none. May come from inside
 * resolve() itself. is_last: no more calls, and the resolution is gone; when no family has an address, its
 * why is what to tell a person. Addresses are borrowed and carry the port. Any function of this header may be
 * called from inside. */
typedef void (*resolve_cb)(void *self, int family, const struct address *addresses, unsigned count,
                           bool is_last, const struct err *why);

/* NULL when everything was answered from inside the call. */
struct resolution *resolve(struct resolver *resolver, const char *host, uint16_t port, resolve_cb cb,
                           void *self);
void resolve_cancel(struct resolution *resolution); /* no more calls; NULL is fine */

#endif

/* access: who may use the listeners, what they may reach through them, and which addresses are our own.
 *
 * Loopback clients always may; others when an --allow range has them. A client from elsewhere must not become
 * by weir what it is not by itself: somebody on this machine, or in this network. Immutable once made. */
#ifndef WEIR_LIVE_ACCESS_H
#define WEIR_LIVE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/err.h"
#include "proxy/net/address.h"

struct access_range {
    int family;
    unsigned char address[16];
    unsigned bits;
};

struct access {
    struct access_range *ranges; /* owned */
    size_t range_count;
    struct address *own; /* owned: what our listeners are bound to, wildcards spelled out */
    size_t own_count;
    bool allow_private; /* everybody reaches everything; set after access_init */
};

/* "192.168.0.0/16,10.0.0.5,fd00::/8". NULL: loopback only. ERR_USAGE. */
bool access_init(struct access *access, const char *allow, struct err *err);
void access_clear(struct access *access);
/* A listener's address; a wildcard stands for every address of this machine as it is now. */
void access_add_own(struct access *access, const struct address *bound);

bool access_allows(const struct access *access, const struct address *client);
/* From where a client comes: what it may reach, and whose connections it may share. */
enum reach { REACH_ALL, REACH_PRIVATE, REACH_PUBLIC };
enum reach access_reach(const struct access *access, const struct address *client);
/* May a client from there reach that address through weir? To be asked of the address dialled, not of its
 * name, which can resolve to anything. Nobody from another machine gets this machine's loopback (127/8, ::1,
 * 0/8, ::) or link-local addresses (169.254/16, fe80::/10), where things listen that trust whoever can reach
 * them; a client whose own address is public gets no private network either (10/8, 172.16/12, 192.168/16,
 * 100.64/10, fc00::/7, fec0::/10). IPv4 inside IPv6 (mapped, compatible, 6to4, NAT64) counts as what it is.
 */
bool access_may_dial(enum reach reach, const struct address *address);
bool access_is_own(const struct access *access, const struct address *address);
bool address_is_loopback(const struct address *address);

#endif

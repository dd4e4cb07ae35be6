/* origdst: the address that a redirected client meant (Linux: netfilter's REDIRECT and DNAT, and TPROXY).
 *
 * REDIRECT rewrites the destination to the listener's; connection tracking remembers what it was, and
 * getsockopt(SO_ORIGINAL_DST) tells. TPROXY leaves it: the accepted socket's own address is what the client
 * meant. So what connection tracking tells counts when it differs from the socket's address, else the
 * socket's address when it is not the listener's, else the client came directly. */
#ifndef WEIR_NET_ORIGDST_H
#define WEIR_NET_ORIGDST_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "proxy/net/address.h"

/* fd: an accepted connection. listener: what its listening socket is bound to, may be a wildcard. ERR_USAGE:
 * "not redirected: ..."; ERR_SYS. Does not block; any thread. */
bool origdst_find(int fd, const struct address *listener, struct address *out_address, struct err *err);

/* Lets a listening socket accept connections to addresses that are not this machine's, as TPROXY needs
 * (IP_TRANSPARENT). ERR_SYS, with what to do, where this process may not (CAP_NET_ADMIN): REDIRECT works all
 * the same, so that is a warning. */
bool origdst_allow_tproxy(int listening_fd, struct err *err);

#endif

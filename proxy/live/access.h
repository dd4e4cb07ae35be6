/* access: who may use the listeners, and which addresses are our own.
 *
 * Loopback clients always may; others when an --allow range has them. Immutable once made. */
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
};

/* "192.168.0.0/16,10.0.0.5,fd00::/8". NULL: loopback only. ERR_USAGE. */
bool access_init(struct access *access, const char *allow, struct err *err);
void access_clear(struct access *access);
/* A listener's address; a wildcard stands for every address of this machine as it is now. */
void access_add_own(struct access *access, const struct address *bound);

bool access_allows(const struct access *access, const struct address *client);
bool access_is_own(const struct access *access, const struct address *address);
bool address_is_loopback(const struct address *address);

#endif

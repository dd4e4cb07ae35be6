/* devices: what is remembered of clients by their address: has one accepted a leaf of ours yet?
 *
 * A device that refuses our certificates and has accepted none does not trust the CA: worth saying once. The
 * page for devices says "yes" or "not yet" from it. Any thread; one short lock, taken only at the end of a
 * handshake. Bounded: the longest unseen are forgotten. */
#ifndef WEIR_LIVE_DEVICES_H
#define WEIR_LIVE_DEVICES_H

#include <stdbool.h>

struct devices;

struct devices *devices_new(void);
void devices_free(struct devices *devices);

/* address is without port. True the first time. */
bool devices_accepted(struct devices *devices, const char *address);
/* True the first time that a device which has accepted none refuses. */
bool devices_refused(struct devices *devices, const char *address);
bool devices_trusts(struct devices *devices, const char *address);

#endif

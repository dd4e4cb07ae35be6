/* port_holder: which process listens where we want to. Reads /proc; blocks: for the error that ends a start.
 */
#ifndef WEIR_NET_PORT_HOLDER_H
#define WEIR_NET_PORT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/net/address.h"

/* "pid 4711 (nginx)". False: nobody, or a process of somebody else that the system does not show us. */
bool port_holder_find(const struct address *address, char *out, size_t out_size);

#endif

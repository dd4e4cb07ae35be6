/* lan: under which addresses other devices reach this machine. */
#ifndef WEIR_TOOLS_LAN_H
#define WEIR_TOOLS_LAN_H

#include <stdbool.h>

#include "proxy/base/strbuf.h"

/* "127.0.0.1:8080", "[::1]:8080": an address that only this machine reaches. */
bool lan_is_loopback(const char *listener);

/* Where the listener is reached from here, with its port: itself, or loopback when it is on all addresses. */
void lan_add_local(struct strbuf *out, const char *listener);

/* Calls each with "192.168.1.5:8080" for every address of a running interface under which others reach the
 * listener: the listener's own, or, when it is on all addresses, those of the machine: no loopback, no IPv6
 * link-local ones (nobody can type their scope). IPv4 first. */
void lan_each(const char *listener, void (*each)(void *self, const char *address), void *self);

#endif

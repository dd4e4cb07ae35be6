/* client: a client's connection, growing its layers as the bytes tell what they are.
 *
 *     FIRST ──request line──> HTTP, or H2   ──SOCKS──> SOCKS ──request──> SNIFF
 *       │                                   ──TLS with the proxy──> OUTER ──> FIRST
 *       └──reverse, transparent──> SNIFF
 *
 *     HTTP ──CONNECT──> SNIFF ──ClientHello──> HANDSHAKE ──> SNIFF ──request line──> HTTP (to that origin)
 *                         │                                    │
 *                         ├──request line──> HTTP              └──anything else, or the origin speaks
 * first──> TUNNEL └──anything else, or the origin speaks first──> TUNNEL
 *
 * One exchange at a time; what a client sends ahead waits in its link. Lives and dies on its worker. */
#ifndef WEIR_LIVE_CLIENT_H
#define WEIR_LIVE_CLIENT_H

#include "proxy/live/live.h"

struct client;

/* fd becomes the client's. listener: which of the proxy's it came to. */
void client_new(struct live *live, int fd, const struct address *address, uint64_t accepted_us,
                unsigned listener);
struct client *client_next(struct client *client); /* of its worker; NULL: it is the last */
/* Nothing new begins: closed now if it is between exchanges, else at the end of the one under way. */
void client_drain(struct client *client);
/* Now; an exchange under way is recorded as aborted. */
void client_abort(struct client *client, const char *why);

/* The key that RSA leaves share is there: goes on if it waits for that. */
void client_rsa_ready(struct client *client);

#endif

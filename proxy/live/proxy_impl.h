/* proxy_impl: what the clients of a worker tell the proxy as a whole. Internal to proxy/live. */
#ifndef WEIR_LIVE_PROXY_IMPL_H
#define WEIR_LIVE_PROXY_IMPL_H

#include <stdbool.h>

#include "proxy/live/live.h"

/* One client fewer: a worker that drains is done when the last has gone. */
void live_client_gone(struct live *live);

/* Is the key there that RSA leaves share? Making one takes a tenth of a second, which a worker does not have:
 * the first "no" starts a thread for it, and client_rsa_ready is called for every client when it is done. */
bool live_has_rsa(struct live *live);

#endif

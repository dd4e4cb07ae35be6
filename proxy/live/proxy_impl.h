/* proxy_impl: what the clients of a worker tell the proxy as a whole. Internal to proxy/live. */
#ifndef WEIR_LIVE_PROXY_IMPL_H
#define WEIR_LIVE_PROXY_IMPL_H

#include "proxy/live/live.h"

/* One client fewer: a worker that drains is done when the last has gone. */
void live_client_gone(struct live *live);

#endif

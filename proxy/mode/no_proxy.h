/* no_proxy: the list of what is reached without an upstream proxy, as the environment's no_proxy has it; see
 * via.h for what may stand in it. Immutable once made, any thread. */
#ifndef WEIR_MODE_NO_PROXY_H
#define WEIR_MODE_NO_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"

struct no_proxy;

/* Nothing is refused, as other programs read the same variable: an entry that makes no sense is about no
 * host. */
struct no_proxy *no_proxy_new(struct span text);
void no_proxy_free(struct no_proxy *list); /* NULL is fine */

/* host: as struct target has it. */
bool no_proxy_has(const struct no_proxy *list, const char *host, uint16_t port);

#endif

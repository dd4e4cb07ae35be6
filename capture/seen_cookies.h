/* seen_cookies: which value each client last sent under a cookie's name, so that only changes are recorded.
 *
 * A sixth thing that threads share: a client's connections are spread over the workers, and "differs from the
 * last one seen" means all of them. Bounded, and no lock: sets of slots, each a tag of (client, host, name)
 * above a hash of the value. A race, or a slot that was given to another, costs a row too many; a row too few
 * would take two hashes that are equal. Any thread. Zeroed is empty. */
#ifndef WEIR_CAPTURE_SEEN_COOKIES_H
#define WEIR_CAPTURE_SEEN_COOKIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"

#define SEEN_COOKIES 65536 /* slots: half a MiB, of which only what is used is ever touched */

struct seen_cookies {
    _Atomic uint64_t slots[SEEN_COOKIES];
};

/* Whether this is what that client sent last under that name, in that session of the capture (its number);
 * remembers it. client_addr: "address:port", of which the port does not count. */
bool seen_cookies_note(struct seen_cookies *seen, unsigned session, const char *client_addr, const char *host,
                       struct span name, struct span value);

#endif

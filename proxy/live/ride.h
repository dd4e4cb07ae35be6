/* ride: an exchange's stream on an HTTP/2 connection to its origin, which it shares with others. */
#ifndef WEIR_LIVE_RIDE_H
#define WEIR_LIVE_RIDE_H

#include "proxy/http/h2.h"
#include "proxy/live/upstream.h"

struct ride;

/* upstream is open and speaks HTTP/2. The exchange is attached, and may be over when this returns only
 * through its owner's doing. profile: what the connection's HTTP/2 looks like, when it is yet to begin; NULL:
 * weir's own. */
struct ride *ride_start(struct upstream *upstream, struct exchange *exchange,
                        const struct h2_profile *profile);
/* The exchange is over, or leaves: no more events go to it. NULL is fine. */
void ride_end(struct ride *ride);

bool ride_takes_connect(const struct ride *ride); /* see h2_takes_connect */
const struct upstream_key *ride_key(const struct ride *ride);

/* For upstream.c. */
/* What is to be written goes, and the connection is read on if there is room for what comes. */
void ride_write(struct upstream *upstream);
void ride_on_bytes(struct upstream *upstream, struct span bytes);
void ride_settle_all(struct upstream *upstream);
void ride_fail_all(struct upstream *upstream, int status, enum cut how, const char *error);

#endif

/* pool: connections to origins by what they were made for; one a worker: idle ones, of which the youngest is
 * used first, and those that many share (HTTP/2), also while they are being opened. */
#ifndef WEIR_LIVE_POOL_H
#define WEIR_LIVE_POOL_H

#include "proxy/live/upstream.h"

struct pool;

struct pool *pool_new(void);
void pool_free(struct pool *pool); /* closes what is in it */

void pool_put(struct pool *pool, struct upstream *upstream);
struct upstream *pool_take(struct pool *pool, const struct upstream_key *key); /* NULL: none */
void pool_share(struct pool *pool, struct upstream *upstream);
/* One that takes a ride with that profile, else one that is being opened, else NULL. Stays in the pool. One
 * that is full (h2_is_full) is read only when its slow clients let it be, so it is the answer only where
 * there are several of them. */
struct upstream *pool_shared(struct pool *pool, const struct upstream_key *key,
                             const struct h2_profile *profile);
/* How many streams at once the origin allows on a connection, as one that is there has been told; 0: none
 * has. */
uint32_t pool_stream_limit(struct pool *pool, const struct upstream_key *key);
void pool_remove(struct pool *pool, struct upstream *upstream); /* it closes */

#endif

/* pool: idle connections to origins by what they were made for; one a worker. The youngest is used first. */
#ifndef WEIR_LIVE_POOL_H
#define WEIR_LIVE_POOL_H

#include "proxy/live/upstream.h"

struct pool;

struct pool *pool_new(void);
void pool_free(struct pool *pool); /* closes what is in it */

void pool_put(struct pool *pool, struct upstream *upstream);
struct upstream *pool_take(struct pool *pool, const struct upstream_key *key); /* NULL: none */
void pool_remove(struct pool *pool, struct upstream *upstream);                /* it closes */

#endif

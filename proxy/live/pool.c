#include "proxy/live/pool.h"

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* Idle connections to one origin. There are never more of them than clients asked at once; with fewer than
 * that, clients that go on asking would have theirs closed and opened again. */
#define MAX_IDLE_A_KEY 16384

/* Shared connections to one origin that are full of what slow clients do not take, each up to
 * H2_BUFFERED_BYTES, before others ride along and wait: so much memory for an origin, however many streams
 * nobody reads. */
#define MAX_FULL_A_KEY 4

struct shelf {
    struct upstream_key key;
    TAILQ_HEAD(upstream_tailq, upstream) idle;
    struct upstream_tailq shared;
    unsigned count; /* of the idle ones */
    UT_hash_handle hh;
};

struct pool {
    struct shelf *shelves;
};

struct pool *pool_new(void)
{
    return mem_new(struct pool);
}

static struct shelf *find(struct pool *pool, const struct upstream_key *key)
{
    struct shelf *shelf;

    HASH_FIND_BYHASHVALUE(hh, pool->shelves, key, sizeof *key, key->hash, shelf);
    return shelf;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->shelves != NULL) { /* the last of a shelf takes it along */
        struct shelf *shelf = pool->shelves;
        upstream_close(shelf->count != 0 ? TAILQ_FIRST(&shelf->idle) : TAILQ_FIRST(&shelf->shared));
    }
    mem_free(pool);
}

static struct shelf *find_or_make(struct pool *pool, const struct upstream_key *key)
{
    struct shelf *shelf = find(pool, key);

    if (shelf != NULL)
        return shelf;
    shelf = mem_new(struct shelf);
    shelf->key = *key;
    TAILQ_INIT(&shelf->idle);
    TAILQ_INIT(&shelf->shared);
    HASH_ADD_BYHASHVALUE(hh, pool->shelves, key, sizeof shelf->key, shelf->key.hash, shelf);
    return shelf;
}

void pool_put(struct pool *pool, struct upstream *upstream)
{
    struct shelf *shelf = find_or_make(pool, &upstream->key);

    if (shelf->count >= MAX_IDLE_A_KEY)
        upstream_close(TAILQ_LAST(&shelf->idle, upstream_tailq));
    TAILQ_INSERT_HEAD(&shelf->idle, upstream, in_pool);
    shelf->count++;
    upstream->is_pooled = true;
}

void pool_share(struct pool *pool, struct upstream *upstream)
{
    TAILQ_INSERT_HEAD(&find_or_make(pool, &upstream->key)->shared, upstream, in_pool);
    upstream->is_pooled = upstream->is_shared = true;
}

void pool_remove(struct pool *pool, struct upstream *upstream)
{
    struct shelf *shelf = find(pool, &upstream->key);

    if (upstream->is_shared) {
        TAILQ_REMOVE(&shelf->shared, upstream, in_pool);
    } else {
        TAILQ_REMOVE(&shelf->idle, upstream, in_pool);
        shelf->count--;
    }
    upstream->is_pooled = upstream->is_shared = false;
    if (shelf->count == 0 && TAILQ_EMPTY(&shelf->shared)) {
        HASH_DEL(pool->shelves, shelf);
        mem_free(shelf);
    }
}

struct upstream *pool_take(struct pool *pool, const struct upstream_key *key)
{
    struct shelf *shelf = find(pool, key);
    struct upstream *upstream = shelf != NULL ? TAILQ_FIRST(&shelf->idle) : NULL;

    if (upstream != NULL)
        pool_remove(pool, upstream);
    return upstream;
}

struct upstream *pool_shared(struct pool *pool, const struct upstream_key *key,
                             const struct h2_profile *profile)
{
    struct shelf *shelf = find(pool, key);
    struct upstream *upstream, *opening = NULL, *full = NULL;
    unsigned full_count = 0;

    if (shelf == NULL)
        return NULL;
    TAILQ_FOREACH (upstream, &shelf->shared, in_pool) {
        if (upstream->phase != UPSTREAM_OPEN) {
            opening = upstream;
        } else if (upstream_takes_ride(upstream, profile)) {
            if (upstream->h2 == NULL || !h2_is_full(upstream->h2))
                return upstream;
            full = upstream;
            full_count++;
        }
    }
    return opening != NULL || full_count < MAX_FULL_A_KEY ? opening : full;
}

uint32_t pool_stream_limit(struct pool *pool, const struct upstream_key *key)
{
    struct shelf *shelf = find(pool, key);
    struct upstream *upstream;
    uint32_t limit = 0;

    if (shelf == NULL)
        return 0;
    TAILQ_FOREACH (upstream, &shelf->shared, in_pool) {
        if (limit == 0 && upstream->h2 != NULL)
            limit = h2_stream_limit(upstream->h2);
    }
    return limit;
}

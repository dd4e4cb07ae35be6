#include "proxy/live/pool.h"

#include <uthash.h>

#include "proxy/base/mem.h"

/* Idle connections to one origin: browsers open six, test suites a few hundred at once. */
#define MAX_IDLE_A_KEY 1024

struct shelf {
    struct upstream_key key;
    TAILQ_HEAD(upstream_tailq, upstream) idle;
    unsigned count;
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
    struct shelf *shelf, *next;

    if (pool == NULL)
        return;
    HASH_ITER (hh, pool->shelves, shelf, next) {
        unsigned left = shelf->count;
        while (left-- > 1)
            upstream_close(TAILQ_FIRST(&shelf->idle));
        upstream_close(TAILQ_FIRST(&shelf->idle)); /* frees the shelf */
    }
    mem_free(pool);
}

void pool_put(struct pool *pool, struct upstream *upstream)
{
    struct shelf *shelf = find(pool, &upstream->key);

    if (shelf == NULL) {
        shelf = mem_new(struct shelf);
        shelf->key = upstream->key;
        TAILQ_INIT(&shelf->idle);
        HASH_ADD_BYHASHVALUE(hh, pool->shelves, key, sizeof shelf->key, shelf->key.hash, shelf);
    }
    if (shelf->count >= MAX_IDLE_A_KEY)
        upstream_close(TAILQ_LAST(&shelf->idle, upstream_tailq));
    TAILQ_INSERT_HEAD(&shelf->idle, upstream, in_pool);
    shelf->count++;
    upstream->is_pooled = true;
}

void pool_remove(struct pool *pool, struct upstream *upstream)
{
    struct shelf *shelf = find(pool, &upstream->key);

    upstream->is_pooled = false;
    TAILQ_REMOVE(&shelf->idle, upstream, in_pool);
    if (--shelf->count == 0) {
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

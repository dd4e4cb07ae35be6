#include "certs/leaf_cache.h"

#include <assert.h>
#include <pthread.h>
#include <sys/queue.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"

#define RENEW_BEFORE_END_S (24 * 3600)

struct entry {
    char key[1 + LEAF_HOST_BYTES]; /* 'e' or 'r' for the key type, then the host */
    struct leaf *leaf;
    TAILQ_ENTRY(entry) by_use;
    UT_hash_handle hh;
};

TAILQ_HEAD(entry_list, entry);

struct leaf_cache {
    struct ca *ca;
    size_t max_leaves;
    pthread_mutex_t lock; /* over the two below */
    struct entry *by_key;
    struct entry_list by_use; /* last used first */
};

struct leaf_cache *leaf_cache_new(struct ca *ca, size_t max_leaves)
{
    struct leaf_cache *cache = mem_new(struct leaf_cache);

    assert(max_leaves > 0);
    cache->ca = ca_ref(ca);
    cache->max_leaves = max_leaves;
    pthread_mutex_init(&cache->lock, NULL);
    TAILQ_INIT(&cache->by_use);
    return cache;
}

static void entry_free(struct entry *entry)
{
    leaf_unref(entry->leaf);
    mem_free(entry);
}

static void detach(struct leaf_cache *cache, struct entry *entry)
{
    HASH_DEL(cache->by_key, entry);
    TAILQ_REMOVE(&cache->by_use, entry, by_use);
}

void leaf_cache_free(struct leaf_cache *cache)
{
    struct entry *entry;

    if (cache == NULL)
        return;
    while ((entry = TAILQ_FIRST(&cache->by_use)) != NULL) {
        detach(cache, entry);
        entry_free(entry);
    }
    ca_unref(cache->ca);
    pthread_mutex_destroy(&cache->lock);
    mem_free(cache);
}

/* A leaf that ends with the CA can't be made any longer. One that has not begun is from before the machine's
 * clock was set back. */
static bool is_fresh(const struct leaf_cache *cache, const struct leaf *leaf)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    time_t ends = leaf_not_after(leaf);

    return leaf_not_before(leaf) <= now &&
           (ends > now + RENEW_BEFORE_END_S || (ends > now && ends >= ca_expiry(cache->ca)));
}

/* With the lock held: a new reference to what is there and fresh, else NULL. */
static struct leaf *find(struct leaf_cache *cache, const char *key)
{
    struct entry *entry = NULL;

    HASH_FIND_STR(cache->by_key, key, entry);
    if (entry == NULL || !is_fresh(cache, entry->leaf))
        return NULL;
    TAILQ_REMOVE(&cache->by_use, entry, by_use);
    TAILQ_INSERT_HEAD(&cache->by_use, entry, by_use);
    return leaf_ref(entry->leaf);
}

/* With the lock held: puts entry in, and returns the one that has to leave for it, or NULL. */
static struct entry *insert(struct leaf_cache *cache, struct entry *entry)
{
    struct entry *leaving = NULL;

    HASH_FIND_STR(cache->by_key, entry->key, leaving); /* one near its end */
    if (leaving == NULL && HASH_COUNT(cache->by_key) >= cache->max_leaves)
        leaving = TAILQ_LAST(&cache->by_use, entry_list);
    if (leaving != NULL)
        detach(cache, leaving);
    HASH_ADD_STR(cache->by_key, key, entry);
    TAILQ_INSERT_HEAD(&cache->by_use, entry, by_use);
    return leaving;
}

bool leaf_cache_get(struct leaf_cache *cache, const char *host, enum key_type type, struct leaf **out_leaf,
                    struct err *err)
{
    char key[1 + LEAF_HOST_BYTES];
    struct leaf *found;
    struct entry *entry;
    struct entry *unused;

    key[0] = type == KEY_RSA ? 'r' : 'e';
    if (!leaf_host_normalize(span_of(host), key + 1, err))
        return false;
    pthread_mutex_lock(&cache->lock);
    found = find(cache, key);
    pthread_mutex_unlock(&cache->lock);
    if (found != NULL) {
        *out_leaf = found;
        return true;
    }

    entry = mem_new(struct entry);
    memcpy(entry->key, key, strlen(key) + 1);
    if (!leaf_forge(cache->ca, key + 1, type, &entry->leaf, err)) {
        entry_free(entry);
        return false;
    }
    pthread_mutex_lock(&cache->lock);
    found = find(cache, key);
    if (found == NULL) {
        found = leaf_ref(entry->leaf);
        unused = insert(cache, entry);
    } else {
        unused = entry; /* another worker was quicker */
    }
    pthread_mutex_unlock(&cache->lock);
    if (unused != NULL)
        entry_free(unused);
    *out_leaf = found;
    return true;
}

size_t leaf_cache_count(struct leaf_cache *cache)
{
    size_t count;

    pthread_mutex_lock(&cache->lock);
    count = HASH_COUNT(cache->by_key);
    pthread_mutex_unlock(&cache->lock);
    return count;
}

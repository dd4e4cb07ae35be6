/* leaf_cache: the leaves forged so far, by host and key type, for all workers.
 *
 * Bounded by count: the leaf that was asked for longest ago goes first. A leaf weighs about 3.5 KiB. A leaf
 * with less than a day left is forged anew, so that none expires while a client holds it, and so is one that
 * has not begun, since the clock was set back. Threads: all
 * functions but new and free may be called on any thread. One short lock, never held while forging: two
 * workers that miss the same host at once both forge, and both get the leaf that was first. */
#ifndef WEIR_CERTS_LEAF_CACHE_H
#define WEIR_CERTS_LEAF_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "certs/ca.h"
#include "certs/leaf.h"
#include "proxy/base/err.h"

struct leaf_cache;

/* Keeps a reference to ca, which signs what is missing. max_leaves is at least 1. */
struct leaf_cache *leaf_cache_new(struct ca *ca, size_t max_leaves);
void leaf_cache_free(struct leaf_cache *cache); /* leaves in use live on; NULL is fine */

/* The leaf for host in any spelling, see leaf_host_normalize. On success *out_leaf is a reference of the
 * caller's own, to be given back with leaf_unref. */
bool leaf_cache_get(struct leaf_cache *cache, const char *host, enum key_type type, struct leaf **out_leaf,
                    struct err *err);

size_t leaf_cache_count(struct leaf_cache *cache);

#endif

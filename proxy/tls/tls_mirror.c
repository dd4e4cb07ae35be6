/* An SSL_CTX for each mirror, not settings on each SSL: settings cost 14 µs a connection, an SSL_CTX 0.2 ms
 * and 13 KiB once. It is made outside the lock; of two workers that make the same one, the second drops its
 * own. */
#include "proxy/tls/tls_mirror.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* weir's allocation can't fail, so a hash table can't either. */

#include "proxy/base/mem.h"
#include "proxy/base/table.h"
#include "proxy/tls/tls_inner.h"
#include "proxy/tls/tls_offer.h"

/* A household's devices and their browsers; 1 MiB when full. */
#define MOST_MIRRORS 64
/* Three times what the most talkative clients offer. */
#define MOST_KEY_BYTES  2048
#define MOST_EXTENSIONS 128

struct tls_mirror {
    atomic_uint refs;
    uint64_t id;
    SSL_CTX *ctx; /* NULL: nothing of the offer is known here */
    char *facts;
    struct span key; /* owned */
    TAILQ_ENTRY(tls_mirror) by_use;
    UT_hash_handle hh;
};

struct tls_mirrors {
    pthread_mutex_t lock;
    struct tls_mirror *by_key;
    TAILQ_HEAD(, tls_mirror) by_use; /* least recently used first */
};

/* --- What makes two offers the same --- */

static void add_number(struct strbuf *key, uint16_t number)
{
    strbuf_add_char(key, (char)(number >> 8));
    strbuf_add_char(key, (char)number);
}

/* list goes in with its length, so that no two keys that differ look the same. */
static void add_bytes(struct strbuf *key, struct span list)
{
    add_number(key, list.ptr != NULL ? (uint16_t)list.len : UINT16_MAX);
    strbuf_add(key, list);
}

/* All GREASE counts as one: a client draws another each time. */
static void add_numbers(struct strbuf *key, struct span list)
{
    uint16_t number;

    add_number(key, list.ptr != NULL ? (uint16_t)(list.len / 2) : UINT16_MAX);
    while (hello_next_number(&list, &number))
        add_number(key, hello_is_grease(number) ? 0x0a0a : number);
}

static void add_shares(struct strbuf *key, struct span shares)
{
    uint16_t group;

    while (hello_next_share(&shares, &group))
        add_number(key, hello_is_grease(group) ? 0x0a0a : group);
    add_number(key, 0);
}

static int compare_numbers(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Sorted: browsers shuffle them. */
static bool add_extensions(struct strbuf *key, const struct hello *hello)
{
    uint16_t types[MOST_EXTENSIONS], type;
    struct span rest = hello->extensions, body;
    size_t count = 0;

    while (hello_next_extension(&rest, &type, &body)) {
        if (tls_offer_is_passing(type) || hello_is_grease(type))
            continue;
        if (count == MOST_EXTENSIONS)
            return false;
        types[count++] = type;
    }
    qsort(types, count, sizeof types[0], compare_numbers);
    for (size_t i = 0; i < count; i++)
        add_number(key, types[i]);
    return true;
}

static bool make_key(struct strbuf *key, const struct hello *hello)
{
    strbuf_init(key, MOST_KEY_BYTES);
    add_number(key, hello->legacy_version);
    /* What a session is resumed by in TLS 1.2 means something else in 1.3: RFC 8446 §D.4. */
    strbuf_add_char(key, hello->max_version == TLS1_3_VERSION && hello->session_id.len != 0 ? 'c' : '-');
    add_numbers(key, hello->versions);
    add_numbers(key, hello->suites);
    add_numbers(key, hello->groups);
    add_numbers(key, hello->signatures);
    add_numbers(key, hello->cert_signatures);
    add_numbers(key, hello->cert_compression);
    add_shares(key, hello->key_shares);
    add_bytes(key, hello->point_formats);
    add_bytes(key, hello->psk_modes);
    return add_extensions(key, hello) && !key->is_full;
}

/* --- Making and freeing --- */

static void make_ctx(struct tls_mirror *mirror, struct tls_client *client, const struct hello *hello)
{
    struct strbuf facts = STRBUF_EMPTY;

    mirror->ctx = tls_client_ctx_new(client);
    strbuf_add_str(&facts, "\"mirrored\":true,");
    if (!tls_offer_set(mirror->ctx, hello) || !tls_offer_compare(mirror->ctx, hello, &facts)) {
        SSL_CTX_free(mirror->ctx);
        mirror->ctx = NULL;
        strbuf_reset(&facts);
        strbuf_add_str(&facts, "\"mirrored\":false,\"left_out\":[\"everything\"]");
    }
    mirror->facts = strbuf_detach(&facts);
}

static struct tls_mirror *mirror_new(struct tls_client *client, const struct hello *hello, struct strbuf *key)
{
    static atomic_uint_fast64_t last_id;
    struct tls_mirror *mirror = mem_new(struct tls_mirror);

    atomic_init(&mirror->refs, 1);
    mirror->id = atomic_fetch_add(&last_id, 1) + 1;
    make_ctx(mirror, client, hello);
    mirror->key.len = key->len;
    mirror->key.ptr = strbuf_detach(key);
    return mirror;
}

struct tls_mirror *tls_mirror_ref(const struct tls_mirror *mirror)
{
    /* Counting changes nothing that anybody sees. */
    struct tls_mirror *counted = (struct tls_mirror *)mirror;

    if (counted != NULL)
        atomic_fetch_add(&counted->refs, 1);
    return counted;
}

void tls_mirror_unref(struct tls_mirror *mirror)
{
    if (mirror == NULL || atomic_fetch_sub(&mirror->refs, 1) != 1)
        return;
    SSL_CTX_free(mirror->ctx);
    mem_free(mirror->facts);
    mem_free((char *)mirror->key.ptr);
    mem_free(mirror);
}

uint64_t tls_mirror_id(const struct tls_mirror *mirror)
{
    return mirror != NULL ? mirror->id : 0;
}

SSL_CTX *tls_mirror_ctx(const struct tls_mirror *mirror)
{
    return mirror != NULL ? mirror->ctx : NULL;
}

const char *tls_mirror_facts(const struct tls_mirror *mirror)
{
    return mirror->facts;
}

/* --- The ones of a client --- */

struct tls_mirrors *tls_mirrors_new(void)
{
    struct tls_mirrors *mirrors = mem_new(struct tls_mirrors);

    pthread_mutex_init(&mirrors->lock, NULL);
    TAILQ_INIT(&mirrors->by_use);
    return mirrors;
}

static struct tls_mirror *detach(struct tls_mirrors *mirrors, struct tls_mirror *mirror)
{
    HASH_DEL(mirrors->by_key, mirror);
    TAILQ_REMOVE(&mirrors->by_use, mirror, by_use);
    return mirror;
}

void tls_mirrors_free(struct tls_mirrors *mirrors)
{
    if (mirrors == NULL)
        return;
    while (!TAILQ_EMPTY(&mirrors->by_use))
        tls_mirror_unref(detach(mirrors, TAILQ_FIRST(&mirrors->by_use)));
    pthread_mutex_destroy(&mirrors->lock);
    mem_free(mirrors);
}

/* With the lock held. */
static struct tls_mirror *find(struct tls_mirrors *mirrors, struct span key)
{
    struct tls_mirror *mirror;

    HASH_FIND(hh, mirrors->by_key, key.ptr, key.len, mirror);
    if (mirror != NULL) {
        TAILQ_REMOVE(&mirrors->by_use, mirror, by_use);
        TAILQ_INSERT_TAIL(&mirrors->by_use, mirror, by_use);
    }
    return mirror;
}

struct tls_mirror *tls_mirror_get(struct tls_client *client, const struct hello *hello)
{
    struct tls_mirrors *mirrors = client->mirrors;
    struct tls_mirror *mirror = NULL, *made, *dropped;
    struct strbuf key;

    if (!make_key(&key, hello))
        goto out;
    pthread_mutex_lock(&mirrors->lock);
    mirror = tls_mirror_ref(find(mirrors, strbuf_span(&key)));
    pthread_mutex_unlock(&mirrors->lock);
    if (mirror != NULL)
        goto out;
    dropped = made = mirror_new(client, hello, &key);
    pthread_mutex_lock(&mirrors->lock);
    mirror = find(mirrors, made->key);
    if (mirror == NULL) {
        dropped = HASH_COUNT(mirrors->by_key) == MOST_MIRRORS ? detach(mirrors, TAILQ_FIRST(&mirrors->by_use))
                                                              : NULL;
        HASH_ADD_KEYPTR(hh, mirrors->by_key, made->key.ptr, made->key.len, made);
        TAILQ_INSERT_TAIL(&mirrors->by_use, made, by_use);
        mirror = made;
    }
    tls_mirror_ref(mirror);
    pthread_mutex_unlock(&mirrors->lock);
    tls_mirror_unref(dropped);
out:
    strbuf_clear(&key);
    return mirror;
}

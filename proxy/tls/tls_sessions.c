#include "proxy/tls/tls_sessions.h"

#include <string.h>
#include <sys/queue.h>

/* weir's allocation can't fail, so a hash table can't either. */

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* A session holds the origin's chain, some 15 KiB, which the tickets of one handshake share: 2 MiB a worker,
 * at worst 8. */
#define MOST_TARGETS 128
/* An origin gives two tickets a handshake, and the first connections to it are opened at once. */
#define MOST_PER_TARGET 4

struct kept {
    SSL_SESSION *session;
    char *why;
};

struct target {
    char *key;
    size_t key_len;
    struct kept kept[MOST_PER_TARGET]; /* oldest first */
    size_t count;
    TAILQ_ENTRY(target) by_use;
    UT_hash_handle hh;
};

struct tls_sessions {
    struct target *by_key;
    TAILQ_HEAD(, target) by_use; /* least recently used first */
};

struct tls_sessions *tls_sessions_new(void)
{
    struct tls_sessions *sessions = mem_new(struct tls_sessions);

    TAILQ_INIT(&sessions->by_use);
    return sessions;
}

static void drop_oldest(struct target *target)
{
    SSL_SESSION_free(target->kept[0].session);
    mem_free(target->kept[0].why);
    target->count--;
    memmove(target->kept, target->kept + 1, target->count * sizeof target->kept[0]);
}

static void target_free(struct tls_sessions *sessions, struct target *target)
{
    while (target->count != 0)
        drop_oldest(target);
    HASH_DEL(sessions->by_key, target);
    TAILQ_REMOVE(&sessions->by_use, target, by_use);
    mem_free(target->key);
    mem_free(target);
}

void tls_sessions_free(struct tls_sessions *sessions)
{
    struct target *target;

    if (sessions == NULL)
        return;
    while ((target = TAILQ_FIRST(&sessions->by_use)) != NULL)
        target_free(sessions, target);
    mem_free(sessions);
}

static struct target *find_target(struct tls_sessions *sessions, struct span key)
{
    struct target *target;

    HASH_FIND(hh, sessions->by_key, key.ptr, key.len, target);
    if (target != NULL) {
        TAILQ_REMOVE(&sessions->by_use, target, by_use);
        TAILQ_INSERT_TAIL(&sessions->by_use, target, by_use);
    }
    return target;
}

static struct target *add_target(struct tls_sessions *sessions, struct span key)
{
    struct target *target = mem_new(struct target);

    if (HASH_COUNT(sessions->by_key) == MOST_TARGETS)
        target_free(sessions, TAILQ_FIRST(&sessions->by_use));
    target->key = mem_dup(key.ptr, key.len);
    target->key_len = key.len;
    HASH_ADD_KEYPTR(hh, sessions->by_key, target->key, target->key_len, target);
    TAILQ_INSERT_TAIL(&sessions->by_use, target, by_use);
    return target;
}

static bool is_used_once(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

void tls_sessions_take_session(struct tls_sessions *sessions, struct span key, SSL_SESSION *session,
                               const char *why)
{
    struct target *target = find_target(sessions, key);
    size_t most = is_used_once(session) ? MOST_PER_TARGET : 1;

    if (target == NULL)
        target = add_target(sessions, key);
    while (target->count >= most)
        drop_oldest(target);
    target->kept[target->count++] = (struct kept){ session, why != NULL ? mem_strdup(why) : NULL };
}

SSL_SESSION *tls_sessions_detach_session(struct tls_sessions *sessions, struct span key, char **out_why)
{
    struct target *target = find_target(sessions, key);

    while (target != NULL && target->count != 0) {
        struct kept newest = target->kept[target->count - 1];
        if (SSL_SESSION_is_resumable(newest.session) && !is_used_once(newest.session)) {
            SSL_SESSION_up_ref(newest.session);
            *out_why = newest.why != NULL ? mem_strdup(newest.why) : NULL;
            return newest.session;
        }
        target->count--;
        if (SSL_SESSION_is_resumable(newest.session)) {
            *out_why = newest.why;
            return newest.session;
        }
        SSL_SESSION_free(newest.session);
        mem_free(newest.why);
    }
    return NULL;
}

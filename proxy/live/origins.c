/* Two tables of the same kind: entries by a text, the longest unused first (uthash keeps the order in which
 * entries were added, so one that is used is taken out and added again). */
#include "proxy/live/origins.h"

#include <pthread.h>
#include <stdio.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"

#define SECOND_US UINT64_C(1000000)

/* An origin changes what it speaks when it is set up anew, which is rare. */
#define ALPN_US (3600 * SECOND_US)
/* An app that is refused tries again at once; after a minute it is another attempt of its user. */
#define WINDOW_US (60 * SECOND_US)
#define SEAL_US   (3600 * SECOND_US)
/* A browser on a busy day meets a thousand hosts; each entry has a few hundred bytes. */
#define MAX_ENTRIES 4096
/* Who compares pins does it at once, a round trip after the certificate; browsers leave connections that they
 * opened for later unused for ten seconds and more. */
#define CLOSE_AFTER_LEAF_US (2 * SECOND_US)

struct choice {
    char *key;
    uint64_t since_us;
    enum extended_connect extended_connect;
    char *alpn;
    UT_hash_handle hh;
};

/* "Probed" is a seal whose time has passed. */
enum pin_state { PIN_NOTHING, PIN_STRUCK, PIN_SEALED };

struct entry {
    char *key;
    enum pin_state state;
    uint64_t since_us; /* in this state */
    struct pin pin;
    bool was_told; /* that a person sealed it */
    UT_hash_handle hh;
};

struct origins {
    struct origins_options options; /* defaults filled in */
    struct devices *devices;
    pthread_mutex_t lock;
    struct choice *choices;
    struct entry *entries;
};

static uint64_t or_default(uint64_t value, uint64_t instead)
{
    return value != 0 ? value : instead;
}

struct origins *origins_new(const struct origins_options *options, struct devices *devices)
{
    struct origins *origins = mem_new(struct origins);

    origins->options = (struct origins_options){
        .alpn_us = or_default(options->alpn_us, ALPN_US),
        .window_us = or_default(options->window_us, WINDOW_US),
        .seal_us = or_default(options->seal_us, SEAL_US),
        .max_entries = or_default(options->max_entries, MAX_ENTRIES),
    };
    origins->devices = devices;
    pthread_mutex_init(&origins->lock, NULL);
    return origins;
}

static void drop_choice(struct origins *origins, struct choice *choice)
{
    HASH_DEL(origins->choices, choice);
    mem_free(choice->key);
    mem_free(choice->alpn);
    mem_free(choice);
}

static void drop_entry(struct origins *origins, struct entry *entry)
{
    HASH_DEL(origins->entries, entry);
    mem_free(entry->key);
    mem_free(entry);
}

void origins_free(struct origins *origins)
{
    if (origins == NULL)
        return;
    while (origins->choices != NULL)
        drop_choice(origins, origins->choices);
    while (origins->entries != NULL)
        drop_entry(origins, origins->entries);
    pthread_mutex_destroy(&origins->lock);
    mem_free(origins);
}

/* Names are the same in upper and lower case. */
static char *lower(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    }
    return text;
}

static bool is_older(uint64_t since_us, uint64_t than_us)
{
    uint64_t now_us = clock_mono_us();

    return now_us > since_us && now_us - since_us > than_us;
}

/* --- what an origin speaks ----------------------------------------------------------------------------- */

static char *choice_key(const struct origin_key *key)
{
    return lower(mem_printf("%016llx %u %zu %s %s", (unsigned long long)key->mirror_id, (unsigned)key->port,
                            strlen(key->host), key->host, key->sni));
}

bool origins_alpn_get(struct origins *origins, const struct origin_key *key, struct origin_choice *out_choice)
{
    char *text = choice_key(key);
    struct choice *choice;
    bool is_known = false;

    pthread_mutex_lock(&origins->lock);
    HASH_FIND_STR(origins->choices, text, choice);
    if (choice != NULL && is_older(choice->since_us, origins->options.alpn_us)) {
        drop_choice(origins, choice);
    } else if (choice != NULL) {
        HASH_DEL(origins->choices, choice);
        HASH_ADD_KEYPTR(hh, origins->choices, choice->key, strlen(choice->key), choice);
        snprintf(out_choice->alpn, sizeof out_choice->alpn, "%s", choice->alpn);
        out_choice->extended_connect = choice->extended_connect;
        is_known = true;
    }
    pthread_mutex_unlock(&origins->lock);
    mem_free(text);
    return is_known;
}

void origins_alpn_put(struct origins *origins, const struct origin_key *key, struct span alpn,
                      enum extended_connect extended_connect)
{
    char *text = choice_key(key);
    struct choice *choice;

    pthread_mutex_lock(&origins->lock);
    HASH_FIND_STR(origins->choices, text, choice);
    if (choice != NULL) {
        HASH_DEL(origins->choices, choice);
        mem_free(text);
    } else {
        if (HASH_COUNT(origins->choices) >= origins->options.max_entries)
            drop_choice(origins, origins->choices);
        choice = mem_new(struct choice);
        choice->key = text;
        choice->alpn = mem_strdup("");
    }
    if (!span_eq(span_of(choice->alpn), alpn)) {
        mem_free(choice->alpn);
        choice->alpn = mem_spandup(alpn);
        choice->extended_connect = EXTENDED_CONNECT_UNKNOWN;
    }
    if (extended_connect != EXTENDED_CONNECT_UNKNOWN)
        choice->extended_connect = extended_connect;
    choice->since_us = clock_mono_us();
    HASH_ADD_KEYPTR(hh, origins->choices, choice->key, strlen(choice->key), choice);
    pthread_mutex_unlock(&origins->lock);
}

/* --- who pins what ------------------------------------------------------------------------------------- */

/* RFC 8446 §6.2 and RFC 6066 §6, §8: the alerts that say "not this certificate". Not among them: what a
 * client says of its own certificate's lack (116), of the handshake as such (40, 47, 51, 70, 71, 80), or
 * before it has seen a certificate (112, 120). */
static bool is_about_certificate(unsigned alert)
{
    switch (alert) {
    case 42:  /* bad_certificate */
    case 43:  /* unsupported_certificate */
    case 44:  /* certificate_revoked */
    case 45:  /* certificate_expired */
    case 46:  /* certificate_unknown: what most platforms send when the app's own check says no */
    case 48:  /* unknown_ca */
    case 49:  /* access_denied: valid, but not for us */
    case 113: /* bad_certificate_status_response */
    case 114: /* bad_certificate_hash_value */
        return true;
    default:
        return false;
    }
}

enum refusal refusal_of_end(unsigned alert, uint64_t after_leaf_us, bool has_used)
{
    if (after_leaf_us == UINT64_MAX || has_used)
        return REFUSAL_NONE;
    if (alert != 0)
        return is_about_certificate(alert) ? REFUSAL_ALERT : REFUSAL_NONE;
    return after_leaf_us <= CLOSE_AFTER_LEAF_US ? REFUSAL_CLOSE : REFUSAL_NONE;
}

/* The client's part stays as it is: an interface's name may be in it. */
static char *entry_key(const char *client, const char *host)
{
    size_t len = strlen(host);
    char *key = mem_printf("%s %.*s", client, (int)(len > 1 && host[len - 1] == '.' ? len - 1 : len), host);

    lower(key + strlen(client));
    return key;
}

/* Under the lock, as all that follows with an entry. */
static struct entry *find_entry(struct origins *origins, const char *key)
{
    struct entry *entry;

    HASH_FIND_STR(origins->entries, key, entry);
    return entry;
}

/* Made when it is new, and the youngest from now on. */
static struct entry *touch(struct origins *origins, const char *key)
{
    struct entry *entry = find_entry(origins, key);

    if (entry != NULL) {
        HASH_DEL(origins->entries, entry);
    } else {
        if (HASH_COUNT(origins->entries) >= origins->options.max_entries)
            drop_entry(origins, origins->entries);
        entry = mem_new(struct entry);
        entry->key = mem_strdup(key);
    }
    HASH_ADD_KEYPTR(hh, origins->entries, entry->key, strlen(entry->key), entry);
    return entry;
}

static void become(struct entry *entry, enum pin_state state)
{
    entry->state = state;
    entry->since_us = clock_mono_us();
}

static bool is_sealed_now(const struct origins *origins, const struct entry *entry)
{
    return entry->state == PIN_SEALED && !is_older(entry->since_us, origins->options.seal_us);
}

static bool is_struck_now(const struct origins *origins, const struct entry *entry)
{
    return entry->state == PIN_STRUCK && !is_older(entry->since_us, origins->options.window_us);
}

/* Of a connection that was there already when another one was refused. */
static bool is_same_close(const struct origins *origins, const struct entry *entry,
                          const struct refused *refused)
{
    return refused->how == REFUSAL_CLOSE && is_struck_now(origins, entry) &&
           refused->leaf_us <= entry->since_us;
}

/* One more refusal; true when it is the one that decides. */
static bool strike(const struct origins *origins, struct entry *entry, const struct refused *refused)
{
    bool is_probe = entry->state == PIN_SEALED, is_second = is_struck_now(origins, entry);

    if (is_sealed_now(origins, entry) || is_same_close(origins, entry, refused))
        return false;
    if (!is_second || refused->how == REFUSAL_ALERT) {
        entry->pin.how = refused->how;
        entry->pin.alert = refused->alert;
    }
    entry->pin.is_again = is_probe;
    entry->pin.seal_us = origins->options.seal_us;
    become(entry, is_probe || is_second ? PIN_SEALED : PIN_STRUCK);
    return entry->state == PIN_SEALED;
}

static bool is_second_close(struct origins *origins, const char *client, const char *host,
                            const struct refused *refused)
{
    char *key = entry_key(client, host);
    struct entry *entry;
    bool is_second = false;

    pthread_mutex_lock(&origins->lock);
    entry = touch(origins, key);
    if (!is_same_close(origins, entry, refused)) {
        is_second = is_struck_now(origins, entry);
        entry->pin.how = REFUSAL_CLOSE;
        become(entry, PIN_STRUCK);
    }
    pthread_mutex_unlock(&origins->lock);
    mem_free(key);
    return is_second;
}

/* The client has accepted none of our leaves. An alert is plain; a close is worth telling when it comes
 * twice. */
static enum refused_news refused_by_stranger(struct origins *origins, const char *client, const char *host,
                                             const struct refused *refused)
{
    bool is_plain = refused->how == REFUSAL_ALERT || is_second_close(origins, client, host, refused);

    return is_plain && devices_refused(origins->devices, client) ? REFUSED_UNTRUSTED : REFUSED_NOTED;
}

enum refused_news origins_refused(struct origins *origins, const char *client, const char *host,
                                  const struct refused *refused, bool may_seal, struct pin *out_pin)
{
    struct entry *entry;
    bool is_sealed;
    char *key;

    if (refused->how == REFUSAL_NONE)
        return REFUSED_NOTED;
    if (!devices_trusts(origins->devices, client))
        return refused_by_stranger(origins, client, host, refused);
    if (!may_seal)
        return REFUSED_NOTED;
    key = entry_key(client, host);
    pthread_mutex_lock(&origins->lock);
    entry = touch(origins, key);
    is_sealed = strike(origins, entry, refused);
    if (is_sealed)
        *out_pin = entry->pin;
    pthread_mutex_unlock(&origins->lock);
    mem_free(key);
    return is_sealed ? REFUSED_SEALED : REFUSED_NOTED;
}

void origins_accepted(struct origins *origins, const char *client)
{
    struct entry *entry, *next;
    size_t len = strlen(client);

    if (!devices_accepted(origins->devices, client))
        return;
    pthread_mutex_lock(&origins->lock);
    HASH_ITER (hh, origins->entries, entry, next) {
        if (strncmp(entry->key, client, len) == 0 && entry->key[len] == ' ')
            become(entry, PIN_NOTHING);
    }
    pthread_mutex_unlock(&origins->lock);
}

void origins_used(struct origins *origins, const char *client, const char *host)
{
    char *key = entry_key(client, host);
    struct entry *entry;

    pthread_mutex_lock(&origins->lock);
    entry = find_entry(origins, key);
    if (entry != NULL &&
        (entry->state == PIN_SEALED ? !is_sealed_now(origins, entry) : entry->pin.how == REFUSAL_CLOSE))
        become(entry, PIN_NOTHING);
    pthread_mutex_unlock(&origins->lock);
    mem_free(key);
}

bool origins_is_sealed(struct origins *origins, const char *client, const char *host, struct pin *out_pin)
{
    char *key = entry_key(client, host);
    struct entry *entry;
    bool is_sealed;

    pthread_mutex_lock(&origins->lock);
    entry = find_entry(origins, key);
    is_sealed = entry != NULL && is_sealed_now(origins, entry);
    if (is_sealed) {
        touch(origins, key);
        *out_pin = entry->pin;
    }
    pthread_mutex_unlock(&origins->lock);
    mem_free(key);
    return is_sealed;
}

bool origins_seal_is_news(struct origins *origins, const char *client, const char *host)
{
    char *key = entry_key(client, host);
    struct entry *entry;
    bool is_news;

    pthread_mutex_lock(&origins->lock);
    entry = touch(origins, key);
    is_news = !entry->was_told;
    entry->was_told = true;
    pthread_mutex_unlock(&origins->lock);
    mem_free(key);
    return is_news;
}

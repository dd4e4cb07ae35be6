#include "capture/roster.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "capture/session.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/base/table.h"
#include "proxy/base/utf8.h"

/* Names with a number that are tried before the store is taken to be at fault. */
#define MAX_ATTEMPTS 100

/* A session with what it is found by. */
struct member {
    struct roster_session session; /* first, so that it is the member */
    char *key;                     /* owned; the main one has none */
    char *name;                    /* owned, the writer's; NULL: not started, or the main one */
    UT_hash_handle by_key;
};

struct roster {
    enum roster_per per;
    struct member *members[1 + ROSTER_SESSIONS];
    atomic_uint count;
    pthread_mutex_t lock; /* of what follows, and of growing */
    struct member *by_key;
    atomic_bool is_full, has_told_full;
    /* Constant. */
    char *name; /* of the main session */
    char *filter, *options;
    char **listeners;
    size_t listener_count;
};

static struct member *add_member(struct roster *roster, const char *key)
{
    struct member *member = mem_new(struct member);
    unsigned count = atomic_load_explicit(&roster->count, memory_order_relaxed);

    member->session.number = count;
    if (key != NULL) {
        member->key = mem_strdup(key);
        HASH_ADD_KEYPTR(by_key, roster->by_key, member->key, strlen(member->key), member);
    }
    roster->members[count] = member;
    atomic_store_explicit(&roster->count, count + 1, memory_order_release);
    return member;
}

struct roster *roster_new(const struct roster_options *options, const struct session_row *main,
                          uint32_t last_seq)
{
    struct roster *roster = mem_new(struct roster);
    struct member *first;

    pthread_mutex_init(&roster->lock, NULL);
    roster->per = options->per;
    roster->name = mem_strdup(main->name);
    roster->filter = mem_strdup(options->filter);
    roster->options = mem_strdup(options->options);
    roster->listener_count = options->listener_count;
    roster->listeners = mem_array(char *, options->listener_count);
    for (size_t i = 0; i < options->listener_count; i++)
        roster->listeners[i] = mem_strdup(options->listeners[i]);
    first = add_member(roster, NULL);
    first->session.id = main->id;
    first->session.last_seq = last_seq;
    return roster;
}

void roster_free(struct roster *roster)
{
    HASH_CLEAR(by_key, roster->by_key);
    for (unsigned i = 0; i < roster_count(roster); i++) {
        mem_free(roster->members[i]->key);
        mem_free(roster->members[i]->name);
        mem_free(roster->members[i]);
    }
    for (size_t i = 0; i < roster->listener_count; i++)
        mem_free(roster->listeners[i]);
    mem_free(roster->listeners);
    mem_free(roster->options);
    mem_free(roster->filter);
    mem_free(roster->name);
    pthread_mutex_destroy(&roster->lock);
    mem_free(roster);
}

/* --- finding ------------------------------------------------------------------------------------------- */

static struct span address_of(const char *client_addr)
{
    const char *colon = strrchr(client_addr, ':');
    struct span address =
        span_make(client_addr, colon != NULL ? (size_t)(colon - client_addr) : strlen(client_addr));

    if (address.len > 2 && address.ptr[0] == '[')
        address = span_sub(address, 1, address.len - 2);
    return address;
}

/* What a session is found by, which is also what it is named after. */
/* client_addr may be NULL. */
static void add_key(const struct roster *roster, const char *client_addr, const char *user, unsigned listener,
                    struct strbuf *out)
{
    switch (roster->per) {
    case ROSTER_ONE:
        break;
    case ROSTER_PER_CLIENT:
        if (client_addr != NULL)
            strbuf_add(out, address_of(client_addr));
        break;
    case ROSTER_PER_USER:
        strbuf_add_str(out, user != NULL ? user : "anonymous");
        break;
    case ROSTER_PER_LISTENER: /* two may be called the same, as those with port 0 are */
        strbuf_printf(out, "%u ", listener);
        if (listener < roster->listener_count)
            strbuf_add_str(out, roster->listeners[listener]);
        else
            strbuf_printf(out, "listener %u", listener + 1);
        break;
    }
}

static struct member *look_up(const struct roster *roster, struct span key)
{
    struct member *member;

    HASH_FIND(by_key, roster->by_key, key.ptr, (unsigned)key.len, member);
    return member;
}

struct roster_session *roster_find(struct roster *roster, const struct tap_exchange *exchange)
{
    struct strbuf key = STRBUF_EMPTY;
    struct member *member;

    if (roster->per == ROSTER_ONE)
        return &roster->members[0]->session;
    add_key(roster, exchange->client_addr, exchange->user, exchange->listener, &key);
    pthread_mutex_lock(&roster->lock);
    member = look_up(roster, strbuf_span(&key));
    if (member == NULL && roster_count(roster) <= ROSTER_SESSIONS)
        member = add_member(roster, strbuf_text(&key));
    pthread_mutex_unlock(&roster->lock);
    strbuf_clear(&key);
    if (member == NULL) {
        atomic_store(&roster->is_full, true);
        member = roster->members[0];
    }
    return &member->session;
}

struct roster_session *roster_find_notice(struct roster *roster, const struct tap_notice *notice)
{
    struct strbuf key = STRBUF_EMPTY;
    struct member *member;

    if (roster->per == ROSTER_ONE)
        return &roster->members[0]->session;
    add_key(roster, notice->client_addr, notice->user, notice->listener, &key);
    pthread_mutex_lock(&roster->lock);
    member = look_up(roster, strbuf_span(&key));
    pthread_mutex_unlock(&roster->lock);
    strbuf_clear(&key);
    return member != NULL ? &member->session : &roster->members[0]->session;
}

bool roster_tells_full(struct roster *roster)
{
    return atomic_load_explicit(&roster->is_full, memory_order_relaxed) &&
           !atomic_exchange(&roster->has_told_full, true);
}

unsigned roster_count(const struct roster *roster)
{
    return atomic_load_explicit(&roster->count, memory_order_acquire);
}

struct roster_session *roster_at(struct roster *roster, unsigned i)
{
    return &roster->members[i]->session;
}

/* --- the writer's -------------------------------------------------------------------------------------- */

bool roster_take_totals(struct roster *roster)
{
    bool has_any = false;

    for (unsigned i = 0; i < roster_count(roster); i++) {
        struct roster_session *session = roster_at(roster, i);
        struct store_totals *taken = &session->taken;
        taken->seen += atomic_exchange(&session->totals.seen, 0);
        taken->filtered += atomic_exchange(&session->totals.filtered, 0);
        taken->errors += atomic_exchange(&session->totals.errors, 0);
        for (int side = 0; side < 2; side++)
            taken->bytes[side] += atomic_exchange(&session->totals.bytes[side], 0);
        has_any = has_any || !store_totals_are_zero(taken);
    }
    return has_any;
}

bool roster_has_lost(struct roster *roster)
{
    for (unsigned i = 0; i < roster_count(roster); i++)
        if (roster_at(roster, i)->lost.exchanges != 0)
            return true;
    return false;
}

struct roster_lost roster_lost(struct roster *roster)
{
    struct roster_lost sum = { .from_us = UINT64_MAX };

    for (unsigned i = 0; i < roster_count(roster); i++) {
        const struct roster_lost *lost = &roster_at(roster, i)->lost;
        if (lost->exchanges == 0)
            continue;
        sum.exchanges += lost->exchanges;
        sum.from_us = lost->from_us < sum.from_us ? lost->from_us : sum.from_us;
        sum.to_us = lost->to_us > sum.to_us ? lost->to_us : sum.to_us;
    }
    return sum;
}

/* --- starting ------------------------------------------------------------------------------------------ */

/* "NAME - WHO", a good name whatever WHO is: what a name must not have becomes '_'. The caller's. */
static char *name_of(const struct roster *roster, const struct member *member, unsigned attempt)
{
    const char *who = roster->per == ROSTER_PER_LISTENER ? strchr(member->key, ' ') + 1 : member->key;
    struct strbuf name = STRBUF_EMPTY;
    char suffix[16] = "";
    struct span kept;
    char *whole;

    if (attempt > 1)
        snprintf(suffix, sizeof suffix, " (%u)", attempt);
    strbuf_printf(&name, "%s - ", roster->name);
    for (struct span rest = span_of(who); rest.len != 0;) {
        size_t len = utf8_front(rest);
        unsigned char c = (unsigned char)rest.ptr[0];
        bool is_bad = len == 0 || c < ' ' || c == '/' || c == 0x7f;
        strbuf_add(&name, is_bad ? SPAN("_") : span_sub(rest, 0, len));
        rest = span_from(rest, len != 0 ? len : 1);
    }
    kept = strbuf_span(&name);
    if (kept.len > SESSION_NAME_BYTES - strlen(suffix))
        kept = utf8_whole(span_sub(kept, 0, SESSION_NAME_BYTES - strlen(suffix)));
    whole = mem_printf("%.*s%s", SPAN_ARG(kept), suffix);
    strbuf_clear(&name);
    return whole;
}

/* Two keys may lead to one name; and the store's lock keeps out others, not ourselves. */
static bool is_ours(const struct roster *roster, const char *name)
{
    for (unsigned i = 1; i < roster_count(roster); i++)
        if (roster->members[i]->name != NULL && strcmp(roster->members[i]->name, name) == 0)
            return true;
    return false;
}

bool roster_start(struct roster *roster, struct roster_session *session, struct store *store, struct err *err)
{
    struct member *member = roster->members[session->number];
    struct session_row row;

    err_set(err, ERR_FOUND, "no name is left for a session of '%s'", roster->name);
    for (unsigned attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
        char *name = name_of(roster, member, attempt);
        const struct store_session_start start = { name, roster->filter, roster->options };
        if (!is_ours(roster, name) && store_session_start(store, &start, &row, &session->last_seq, err)) {
            session->id = row.id;
            session_row_clear(&row);
            member->name = name;
            return true;
        }
        mem_free(name);
        if (err->code != ERR_FOUND)
            return false;
    }
    return false;
}

/* Observations of one name and site are a strand. `now` is the jar after everything, `fixed` after what is
 * settled: observations that stay and what was left of those before them. Of a strand the observations since
 * then are held; when there are many of them, those are left out without which the replay from `fixed` on
 * ends in what `now` has of the strand.
 *
 *     settled | held                     now
 *     --------+----x---x-x--------x------->
 *             fixed        (x: goes) */
#include "capture/jar_thin.h"

#include <string.h>
#include <xxhash.h>

#include "capture/jar_follow.h"
#include "capture/suffix.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* Held at once by all strands: more than any jar needs. */
#define MAX_HELD       16384
#define MAX_HELD_BYTES (16 * 1024 * 1024)

/* A strand is thinned when so many are held, and when it has doubled since. */
#define FIRST_LIMIT 16
/* More are not left by a site that means it; they are settled as they are. */
#define MOST_HELD 256
/* So few are tried one by one: the square of it in replayed observations, milliseconds. */
#define MOST_TRIED 64

struct held {
    int64_t id;
    struct cookie_row row; /* what it refers to follows */
};

struct strand {
    char *key; /* owned: site, NUL, name */
    size_t site_len;
    struct span name; /* in key */
    struct held **held; /* owned */
    size_t count, cap, limit;
    UT_hash_handle hh;
};

struct jar_thin {
    struct jar *now, *fixed;
    struct strand *strands;
    size_t held_count, held_bytes;
    uint64_t last_us; /* when the last observation was made */
    int64_t *needless;
    size_t needless_count, needless_cap;
};

struct jar_thin *jar_thin_new(void)
{
    struct jar_thin *thin = mem_new(struct jar_thin);

    thin->now = jar_new();
    thin->fixed = jar_new();
    return thin;
}

/* --- what is held -------------------------------------------------------------------------------------- */

static size_t held_bytes(const struct cookie_row *row)
{
    return sizeof(struct held) + row->scheme.len + row->host.len + row->path.len + row->name.len +
           row->value.len + row->line.len;
}

static void let_go(struct jar_thin *thin, struct held *held)
{
    thin->held_count--;
    thin->held_bytes -= held_bytes(&held->row);
    mem_free(held);
}

static void strand_free(struct jar_thin *thin, struct strand *strand)
{
    for (size_t i = 0; i < strand->count; i++)
        let_go(thin, strand->held[i]);
    HASH_DEL(thin->strands, strand);
    mem_free(strand->held);
    mem_free(strand->key);
    mem_free(strand);
}

void jar_thin_free(struct jar_thin *thin)
{
    struct strand *strand, *tmp;

    if (thin == NULL)
        return;
    HASH_ITER (hh, thin->strands, strand, tmp)
        strand_free(thin, strand);
    jar_free(thin->now);
    jar_free(thin->fixed);
    mem_free(thin->needless);
    mem_free(thin);
}

static void hold(struct jar_thin *thin, struct strand *strand, int64_t id, const struct cookie_row *row)
{
    struct held *held = mem_alloc(held_bytes(row));
    struct span *spans[] = { &held->row.scheme, &held->row.host,  &held->row.path,
                             &held->row.name,   &held->row.value, &held->row.line };
    char *at = (char *)(held + 1);

    held->id = id;
    held->row = *row;
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        if (spans[i]->len != 0)
            memcpy(at, spans[i]->ptr, spans[i]->len);
        spans[i]->ptr = at;
        at += spans[i]->len;
    }
    if (strand->count == strand->cap) {
        strand->cap = strand->cap != 0 ? strand->cap * 2 : 2;
        strand->held = mem_realloc(strand->held, strand->cap * sizeof strand->held[0]);
    }
    strand->held[strand->count++] = held;
    thin->held_count++;
    thin->held_bytes += held_bytes(row);
}

static void add_needless(struct jar_thin *thin, int64_t id)
{
    if (thin->needless_count == thin->needless_cap) {
        thin->needless_cap = thin->needless_cap != 0 ? thin->needless_cap * 2 : 256;
        thin->needless = mem_realloc(thin->needless, thin->needless_cap * sizeof thin->needless[0]);
    }
    thin->needless[thin->needless_count++] = id;
}

bool jar_thin_next(struct jar_thin *thin, int64_t *out_id)
{
    if (thin->needless_count == 0)
        return false;
    *out_id = thin->needless[--thin->needless_count];
    return true;
}

/* --- replaying ----------------------------------------------------------------------------------------- */

static void put(struct jar *jar, const struct cookie_row *row)
{
    struct err ignored; /* a cookie that no client would take */

    (void)jar_add_row(jar, row, &ignored);
}

static bool is_of_site(const char *domain, struct span site)
{
    struct span host = span_of(domain);

    return span_ends(host, site) && (host.len == site.len || domain[host.len - site.len - 1] == '.');
}

struct portrait {
    const struct strand *strand;
    struct strbuf text;
};

static bool draw(void *self, const struct jar_cookie *cookie)
{
    struct portrait *portrait = self;
    struct strbuf *text = &portrait->text;
    const bool flags[] = { cookie->is_host_only,   cookie->is_secure,   cookie->is_http_only,
                           cookie->is_partitioned, cookie->is_inferred, cookie->is_persistent };

    if (!is_of_site(cookie->domain, span_make(portrait->strand->key, portrait->strand->site_len)))
        return true;
    strbuf_printf(text, "%zu %d %lld %llu %llu ", cookie->value.len, (int)cookie->same_site,
                  (long long)cookie->expires_us, (unsigned long long)cookie->created_us,
                  (unsigned long long)cookie->set_us);
    strbuf_add(text, cookie->value);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        strbuf_add_char(text, flags[i] ? '1' : '0');
    strbuf_add_str(text, cookie->domain);
    strbuf_add_str(text, cookie->path);
    strbuf_add_char(text, '\n');
    strbuf_add_str(text, cookie->priority);
    strbuf_add_char(text, '\n');
    return true;
}

/* All that a jar has of the strand. What has expired has no say any more. */
static struct strbuf portray(const struct jar *jar, const struct strand *strand, uint64_t now_us)
{
    struct portrait portrait = { strand, STRBUF_EMPTY };

    jar_each_named(jar, strand->name, now_us, draw, &portrait);
    return portrait.text;
}

/* Whether a replay without some of what is held ends in what is wanted. */
static bool is_same_without(const struct jar_thin *thin, const struct strand *strand, const bool *goes,
                            uint64_t now_us, const struct strbuf *wanted)
{
    struct jar *jar = jar_copy_named(thin->fixed, strand->name);
    struct strbuf text;
    bool same;

    for (size_t i = 0; i < strand->count; i++)
        if (!goes[i])
            put(jar, &strand->held[i]->row);
    text = portray(jar, strand, now_us);
    same = span_eq(strbuf_span(&text), strbuf_span(wanted));
    strbuf_clear(&text);
    jar_free(jar);
    return same;
}

/* --- thinning ------------------------------------------------------------------------------------------ */

struct fate {
    uint64_t cookie; /* its identity, hashed */
    enum jar_change change;
};

static uint64_t identity(const struct jar_cookie *cookie)
{
    uint64_t seed = (uint64_t)cookie->is_host_only << 1 | cookie->is_partitioned;

    seed = XXH3_64bits_withSeed(cookie->domain, strlen(cookie->domain), seed);
    return XXH3_64bits_withSeed(cookie->path, strlen(cookie->path), seed);
}

static void find_fates(const struct jar_thin *thin, const struct strand *strand, struct fate *fates)
{
    struct jar *jar = jar_copy_named(thin->fixed, strand->name);

    for (size_t i = 0; i < strand->count; i++) {
        const struct jar_cookie *cookie;
        put(jar, &strand->held[i]->row);
        fates[i].change = jar_last_change(jar, &cookie);
        fates[i].cookie = cookie != NULL ? identity(cookie) : 0;
    }
    jar_free(jar);
}

/* What is usual: of a cookie are needed what made it, what set it last, and what a script made of it then. */
static void guess(const struct jar_thin *thin, const struct strand *strand, bool *goes)
{
    struct fate fates[MOST_HELD];

    find_fates(thin, strand, fates);
    for (size_t i = strand->count; i-- > 0;) {
        bool is_set = false, is_made = false, is_scripted = false;
        enum jar_change change = fates[i].change;
        for (size_t k = i + 1; k < strand->count; k++) {
            if (fates[k].cookie != fates[i].cookie)
                continue;
            is_scripted = is_scripted || fates[k].change == JAR_SCRIPTED;
            is_set = is_set || fates[k].change != JAR_SCRIPTED;
            is_made = is_made || (fates[k].change != JAR_SCRIPTED && fates[k].change != JAR_REPLACED);
        }
        goes[i] = change == JAR_SCRIPTED ? is_scripted || is_set : change == JAR_REPLACED ? is_set : is_made;
    }
}

static void try_each(const struct jar_thin *thin, const struct strand *strand, uint64_t now_us,
                     const struct strbuf *wanted, bool *goes)
{
    for (size_t i = 0; i < strand->count; i++) {
        if (goes[i])
            continue;
        goes[i] = true;
        goes[i] = is_same_without(thin, strand, goes, now_us, wanted);
    }
}

static size_t left_of(const struct strand *strand, const bool *goes)
{
    size_t left = 0;

    for (size_t i = 0; i < strand->count; i++)
        left += !goes[i];
    return left;
}

/* Takes time that grows with what is held; is_last: for nothing but what is needed. */
static void thin_out(struct jar_thin *thin, struct strand *strand, uint64_t now_us, bool is_last)
{
    bool goes[MOST_HELD];
    struct strbuf wanted = portray(thin->now, strand, now_us);
    size_t left = 0;
    bool is_guessed;

    guess(thin, strand, goes);
    is_guessed = is_same_without(thin, strand, goes, now_us, &wanted);
    if (!is_guessed)
        memset(goes, 0, sizeof goes);
    if ((is_last || !is_guessed) && left_of(strand, goes) <= MOST_TRIED)
        try_each(thin, strand, now_us, &wanted, goes);
    strbuf_clear(&wanted);
    for (size_t i = 0; i < strand->count; i++) {
        if (goes[i]) {
            add_needless(thin, strand->held[i]->id);
            let_go(thin, strand->held[i]);
        } else {
            strand->held[left++] = strand->held[i];
        }
    }
    strand->count = left;
}

static void settle(struct jar_thin *thin, struct strand *strand)
{
    for (size_t i = 0; i < strand->count; i++) {
        put(thin->fixed, &strand->held[i]->row);
        let_go(thin, strand->held[i]);
    }
    strand->count = 0;
    strand->limit = FIRST_LIMIT;
}

/* --- observations -------------------------------------------------------------------------------------- */

/* NULL: no jar would take it, whatever is in it. */
static struct strand *strand_of(struct jar_thin *thin, const struct cookie_row *row)
{
    struct set_cookie set = { .name = row->name };
    struct strand *strand = NULL;
    struct err ignored;
    struct strbuf key = STRBUF_EMPTY;
    char *host = suffix_canonical_host(row->host);
    size_t site_len;

    if (host == NULL || (row->source == COOKIE_SET && !set_cookie_parse(row->line, &set, &ignored)))
        goto out;
    strbuf_add_str(&key, suffix_site(host));
    site_len = strbuf_span(&key).len;
    strbuf_add_char(&key, '\0');
    strbuf_add(&key, set.name);
    HASH_FIND(hh, thin->strands, strbuf_text(&key), strbuf_span(&key).len, strand);
    if (strand == NULL) {
        strand = mem_new(struct strand);
        strand->key = mem_spandup(strbuf_span(&key));
        strand->site_len = site_len;
        strand->name = span_make(strand->key + site_len + 1, set.name.len);
        strand->limit = FIRST_LIMIT;
        HASH_ADD_KEYPTR(hh, thin->strands, strand->key, strbuf_span(&key).len, strand);
    }
out:
    strbuf_clear(&key);
    mem_free(host);
    return strand;
}

static void look_at(struct jar_thin *thin, struct strand *strand, int64_t id, const struct cookie_row *row,
                    bool stays)
{
    const struct jar_cookie *cookie;
    enum jar_change change;
    bool is_noted;

    /* Before it comes: afterwards `now` would be what it made of it. */
    if (stays && strand->count != 0) {
        thin_out(thin, strand, row->time_us, false);
        settle(thin, strand);
    }
    put(thin->now, row);
    change = jar_last_change(thin->now, &cookie);
    is_noted = change != JAR_IGNORED && change != JAR_SENT;
    if (stays) {
        if (is_noted)
            put(thin->fixed, row);
    } else if (!is_noted) {
        add_needless(thin, id);
    } else {
        hold(thin, strand, id, row);
        if (strand->count >= strand->limit || change == JAR_DELETED) {
            thin_out(thin, strand, row->time_us, false);
            strand->limit = strand->count * 2 > FIRST_LIMIT ? strand->count * 2 : FIRST_LIMIT;
        }
        if (strand->limit > MOST_HELD)
            settle(thin, strand);
    }
}

bool jar_thin_add(struct jar_thin *thin, int64_t id, const struct cookie_row *row, bool stays)
{
    struct strand *strand = strand_of(thin, row);

    thin->last_us = row->time_us;
    if (strand != NULL)
        look_at(thin, strand, id, row, stays);
    else if (!stays)
        add_needless(thin, id);
    return thin->held_count < MAX_HELD && thin->held_bytes < MAX_HELD_BYTES;
}

bool jar_thin_finish(struct jar_thin *thin, uint64_t now_us)
{
    struct strand *strand = thin->strands;

    if (strand == NULL)
        return false;
    if (strand->count != 0)
        thin_out(thin, strand, now_us, true);
    strand_free(thin, strand);
    return true;
}

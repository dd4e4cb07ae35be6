#include "capture/jar_follow.h"

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

/* Older observations are taken for complete. Those of one moment are on their way for 250 ms at most, and for
 * the two seconds in which a store that fails is tried again. */
#define SETTLED_AFTER_US (3 * 1000 * 1000)

struct jar_follow {
    struct store *store;
    int64_t session;
    int64_t last;        /* place in the store up to which everything is known */
    struct jar *settled; /* what was seen before settled_us */
    uint64_t settled_us;
    struct jar *jar;
};

bool jar_add_row(struct jar *jar, const struct cookie_row *row, struct err *err)
{
    struct jar_request request = {
        .scheme = row->scheme, .host = row->host, .path = row->path, .exchange = row->seq
    };

    if (row->source == COOKIE_SET)
        return jar_add_set(jar, &request, row->time_us, row->line, err);
    jar_add_sent(jar, &request, row->time_us, row->name, row->value);
    return true;
}

bool jar_follow_new(const char *store_path, int64_t session, struct jar_follow **out_follow, struct err *err)
{
    struct jar_follow *follow;
    struct store *store;

    if (!store_open(store_path, STORE_READ, &store, err))
        return false;
    follow = mem_new(struct jar_follow);
    follow->store = store;
    follow->session = session;
    follow->settled = jar_new();
    follow->jar = jar_new();
    *out_follow = follow;
    return true;
}

void jar_follow_free(struct jar_follow *follow)
{
    if (follow == NULL)
        return;
    store_close(follow->store);
    jar_free(follow->settled);
    jar_free(follow->jar);
    mem_free(follow);
}

struct reading {
    struct jar *settled;
    uint64_t settle_us; /* what is older settles */
    struct jar *jar;    /* NULL: all was older up to now */
};

static bool read_row(void *self, const struct cookie_row *row)
{
    struct reading *reading = self;
    struct err ignored; /* a cookie that no client would take */

    if (row->time_us < reading->settle_us) {
        jar_add_row(reading->settled, row, &ignored);
        return true;
    }
    if (reading->jar == NULL)
        reading->jar = jar_copy(reading->settled);
    jar_add_row(reading->jar, row, &ignored);
    return true;
}

static void begin_anew(struct jar_follow *follow)
{
    jar_free(follow->settled);
    follow->settled = jar_new();
    follow->settled_us = 0;
}

static bool read_new(struct jar_follow *follow, struct err *err)
{
    uint64_t settle_us = clock_wall_us() - SETTLED_AFTER_US;
    struct reading reading = {
        .settled = follow->settled,
        .settle_us = settle_us > follow->settled_us ? settle_us : follow->settled_us,
    };

    if (!store_cookies_from(follow->store, follow->session, follow->settled_us, read_row, &reading, err)) {
        jar_free(reading.jar);
        begin_anew(follow); /* a part of it may have settled */
        return false;
    }
    follow->settled_us = reading.settle_us;
    jar_free(follow->jar);
    follow->jar = reading.jar != NULL ? reading.jar : jar_copy(follow->settled);
    return true;
}

bool jar_follow_step(struct jar_follow *follow, bool *out_has_news, struct err *err)
{
    uint64_t oldest_us = UINT64_MAX;
    int64_t last = follow->last;

    if (!store_new_cookies(follow->store, follow->session, &last, &oldest_us, err))
        return false;
    if (last == follow->last) {
        *out_has_news = false;
        return true;
    }
    if (oldest_us < follow->settled_us)
        begin_anew(follow);
    if (!read_new(follow, err))
        return false;
    follow->last = last;
    *out_has_news = true;
    return true;
}

struct store *jar_follow_store(const struct jar_follow *follow)
{
    return follow->store;
}

const struct jar *jar_follow_jar(const struct jar_follow *follow)
{
    return follow->jar;
}

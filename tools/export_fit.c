#include "tools/export_fit.h"

#include "capture/export/host_scope.h"
#include "capture/export/naming.h"
#include "tools/text.h"

/* More help nobody, and the line of an error has no room for them. */
#define MAX_TOLD 8

/* Different names, the first MAX_TOLD of them kept. */
struct told {
    struct strbuf names[MAX_TOLD];
    size_t count;
    bool has_more;
};

static void tell(struct told *told, struct span name)
{
    for (size_t i = 0; i < told->count; i++)
        if (span_eq(strbuf_span(&told->names[i]), name))
            return;
    told->has_more = told->count == MAX_TOLD;
    if (!told->has_more)
        strbuf_add(&told->names[told->count++], name);
}

/* "a, b and others". */
static void add_told(const struct told *told, struct strbuf *out)
{
    for (size_t i = 0; i < told->count; i++) {
        if (i != 0)
            strbuf_add_str(out, i + 1 == told->count && !told->has_more ? " and " : ", ");
        text_add_shown(out, strbuf_span(&told->names[i]));
    }
    if (told->has_more)
        strbuf_add_str(out, " and others");
}

static void told_clear(struct told *told)
{
    for (size_t i = 0; i < told->count; i++)
        strbuf_clear(&told->names[i]);
}

/* Whether the session has an exchange that filter and host take; NULL takes all. */
static bool has_exchange(struct store *store, int64_t session, const struct filter *filter,
                         const struct host_scope *host, bool *out_has, struct err *err)
{
    const struct record *record;
    struct store_cursor *cursor;
    bool ok = true;

    *out_has = false;
    if (!store_exchanges(store, session, 1, filter, &cursor, err))
        return false;
    while (!*out_has && (ok = store_next(cursor, &record, err)) && record != NULL)
        *out_has = host == NULL || host_scope_takes(host, record);
    store_cursor_free(cursor);
    return ok;
}

static bool tell_hosts(struct store *store, int64_t session, const struct filter *filter, struct told *told,
                       struct err *err)
{
    struct strbuf name = STRBUF_EMPTY;
    const struct record *record;
    struct store_cursor *cursor;
    bool ok;

    if (!store_exchanges(store, session, 1, filter, &cursor, err))
        return false;
    while ((ok = store_next(cursor, &record, err)) && record != NULL && !told->has_more) {
        strbuf_reset(&name);
        naming_add_host(&name, record);
        tell(told, strbuf_span(&name));
    }
    strbuf_clear(&name);
    store_cursor_free(cursor);
    return ok;
}

/* Nothing fits option; filter takes those whose hosts are told, NULL all. True when there are none. */
static bool fail_with_hosts(struct store *store, const struct session_row *session,
                            const struct filter *filter, const char *option, const char *value,
                            struct err *err)
{
    struct strbuf hosts = STRBUF_EMPTY;
    struct told told = { .count = 0 };
    bool ok = tell_hosts(store, session->id, filter, &told, err);

    if (ok && told.count != 0) {
        add_told(&told, &hosts);
        ok =
            err_set(err, ERR_FOUND, "session '%.100s' has no exchange that fits %s '%.100s'; hosts of %s: %s",
                    session->name, option, value,
                    filter != NULL ? "those that fit the filter" : "those it has", strbuf_text(&hosts));
    }
    strbuf_clear(&hosts);
    told_clear(&told);
    return ok;
}

bool export_fit_check(const struct args *args, struct store *store, const struct session_row *session,
                      const struct filter *filter, struct err *err)
{
    struct host_scope host;
    bool fits = true;

    if (args->host != NULL && !host_scope_parse(args->host, &host, err))
        return false;
    if (filter != NULL && !has_exchange(store, session->id, filter, NULL, &fits, err))
        return false;
    if (!fits)
        return fail_with_hosts(store, session, NULL, "--filter", args->filter, err);
    if (args->host != NULL && !has_exchange(store, session->id, filter, &host, &fits, err))
        return false;
    return fits || fail_with_hosts(store, session, filter, "--host", args->host, err);
}

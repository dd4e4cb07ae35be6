#include "tools/sealed.h"

#include "proxy/base/mem.h"
#include "proxy/base/table.h"
#include "proxy/live/seal_text.h"
#include "tools/text.h"

/* A screen has room for so many sentences; the list has the rest. */
#define MAX_SAID 10

/* "10.0.0.1:5" -> "10.0.0.1", "[::1]:5" -> "::1"; what has no port stays. */
static struct span without_port(struct span address)
{
    size_t colon = span_find(address, ':');

    if (address.len != 0 && address.ptr[0] == '[') {
        size_t end = span_find(address, ']');
        return span_sub(address, 1, end - 1);
    }
    if (colon != address.len && span_find(span_from(address, colon + 1), ':') == address.len - colon - 1)
        return span_sub(address, 0, colon);
    return address;
}

/* --- of one exchange ----------------------------------------------------------------------------------- */

struct search {
    struct span client, host;
    uint64_t until_us;
    struct strbuf reason;
};

static bool look(void *self, const struct event_row *row)
{
    struct search *search = self;

    if (row->time_us <= search->until_us && span_eq(row->kind, SPAN(NOTICE_SEALED)) &&
        span_ieq(row->host, search->host) && span_eq(without_port(row->client_addr), search->client)) {
        strbuf_reset(&search->reason);
        strbuf_add(&search->reason, row->text);
    }
    return true;
}

bool sealed_add_reason(struct store *store, const struct record *record, struct strbuf *out, struct err *err)
{
    int64_t done = record->times[TAP_T_DONE];
    struct search search = {
        .client = without_port(record->client_addr),
        .host = record->host,
        /* The first tunnel of a host has begun when the reason is told. */
        .until_us = done != TAP_NEVER ? record->started_us + (uint64_t)done : UINT64_MAX,
    };
    bool ok = store_events(store, record->session, look, &search, err);

    if (ok)
        strbuf_add(out, strbuf_span(&search.reason));
    strbuf_clear(&search.reason);
    return ok;
}

/* --- of a session -------------------------------------------------------------------------------------- */

struct sealed_host {
    char *host, *reason;
    UT_hash_handle hh;
};

static bool note_host(void *self, const struct event_row *row)
{
    struct sealed_host **hosts = self, *host;
    char *name;

    if (!span_eq(row->kind, SPAN(NOTICE_SEALED)))
        return true;
    name = mem_spandup(row->host);
    HASH_FIND_STR(*hosts, name, host);
    if (host != NULL) {
        mem_free(name);
        mem_free(host->reason);
    } else {
        host = mem_new(struct sealed_host);
        host->host = name;
        HASH_ADD_KEYPTR(hh, *hosts, host->host, strlen(host->host), host);
    }
    host->reason = mem_spandup(row->text);
    return true;
}

static void say_hosts(const struct sealed_host *hosts, size_t count,
                      void (*say)(void *self, const char *line), void *self)
{
    struct strbuf line = STRBUF_EMPTY;
    size_t said = 0;

    text_add_count(&line, count, "host", "hosts");
    strbuf_add_str(&line, " passed sealed, unopened and unread:");
    say(self, strbuf_text(&line));
    for (const struct sealed_host *host = hosts; host != NULL && said < MAX_SAID; host = host->hh.next) {
        strbuf_reset(&line);
        strbuf_printf(&line, "  %s", host->reason);
        say(self, strbuf_text(&line));
        said++;
    }
    if (said < count) {
        strbuf_reset(&line);
        strbuf_printf(&line, "  and %zu more: weir list --filter is:pinned", count - said);
        say(self, strbuf_text(&line));
    }
    strbuf_clear(&line);
}

bool sealed_say_hosts(struct store *store, int64_t session, void (*say)(void *self, const char *line),
                      void *self, struct err *err)
{
    struct sealed_host *hosts = NULL, *host, *next;
    bool ok = store_events(store, session, note_host, &hosts, err);

    if (ok && hosts != NULL)
        say_hosts(hosts, HASH_COUNT(hosts), say, self);
    HASH_ITER (hh, hosts, host, next) {
        HASH_DEL(hosts, host);
        mem_free(host->host);
        mem_free(host->reason);
        mem_free(host);
    }
    return ok;
}

/* filter: the little language that says which exchanges are meant. Parsed once, matched often.
 *
 *     host:*.example.com method:POST,PUT status:4xx type:json -path:/health size:>10k "text in url"
 *
 * Words AND together, - negates, commas are OR, quotes group; a word without a key is text in the URL. On the
 * live path not everything is known from the start, so the answer has three values; for the store the same
 * filter becomes SQL with bound parameters. Threads: immutable once parsed, shared freely; filter_ref and
 * filter_unref are atomic. */
#ifndef WEIR_CAPTURE_FILTER_H
#define WEIR_CAPTURE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/exchange/tap.h"

struct filter;

/* ERR_USAGE: names the wrong word, where it is, and what could stand there. An empty text takes everything.
 */
bool filter_parse(const char *text, struct filter **out_filter, struct err *err);
struct filter *filter_ref(struct filter *filter);
void filter_unref(struct filter *filter);             /* NULL is fine */
const char *filter_text(const struct filter *filter); /* as it was given */

enum filter_answer { FILTER_NO, FILTER_YES, FILTER_NOT_YET };

/* What is known of an exchange under way. Everything is borrowed for the call. */
struct filter_subject {
    const struct tap_exchange *exchange;
    const struct http_head *request;        /* always */
    const struct http_head *response;       /* NULL: not there yet */
    bool is_done;                           /* sizes, times, error are final */
    bool has_failed;                        /* aborted; meaningful when is_done */
    uint64_t request_bytes, response_bytes; /* bodies; final when is_done */
};
/* With is_done the answer is NOT_YET only when the filter looks into bodies: then only the store can tell. */
enum filter_answer filter_match(const struct filter *filter, const struct filter_subject *subject);

/* For the store: an SQL condition over table exchange with '?' for each value. The functions that it calls
 * are named in filter_sql.h, for the store to register. */
struct filter_bind {
    bool is_integer;
    int64_t integer;
    char *text; /* owned by the filter_sql */
};
struct filter_sql {
    struct strbuf where; /* "1" when everything is taken */
    struct filter_bind *binds;
    size_t bind_count;
};
void filter_to_sql(const struct filter *filter, struct filter_sql *out_sql);
void filter_sql_clear(struct filter_sql *sql);

#endif

/* filter: the little language that says which exchanges are meant. Parsed once, matched often.
 *
 *     host:*.example.com method:POST,PUT status:4xx type:json -path:/health size:>10k "text in url"
 *
 * Words AND together; - before a word negates it; commas inside a word are OR (-method:GET,HEAD: neither).
 * In "quotes" blanks, commas, stars and a leading - are themselves, and \ takes the next character as it is;
 * quotes may stand around a value (body:"a b"). * stands for any text, '/' included; nothing else is special.
 * A word without a key is url: text, also one with "://" in it; other text with a colon goes in quotes.
 *
 *     host     api.test         the whole host, ignoring case; *.api.test is all below it, .api.test
 *                               both; api.test:8443, [::1]:80, :8443 with that port, else any
 *     path     /api*  *.png     the whole path without its query, as sent
 *     url      a/b  a*b         a part of scheme://host[:port]path?query, ignoring case
 *     method   POST             the whole method, ignoring case
 *     status   404 4xx >=400    the final response's; without one no value is right; also 200-299
 *     type     json             the media type of either body, in lower case: json html xml js css image
 *                               font audio video media text form multipart grpc, or a whole one as
 *                               image/svg+xml, with stars; json and xml take +json and +xml, media is
 *                               audio, video and playlists, grpc also gRPC-Web
 *     scheme   https            http https, or of tunnels tcp tls
 *     version  1.1              the request's: 1 1.0 1.1 2, also as HTTP/1.1 and h2
 *     size     >10k <=1.5m      bytes of the response's body as they passed; k, m, g are powers of 1024;
 *                               in 100-200k both are k
 *     time     >500ms <=1.5s    from the first byte of the request to the end; us, ms, s, m; a bare
 *                               number is ms
 *     cookie   name name=value  sent or set: the whole name, ignoring case, and the whole value
 *     header   name name=text   in either head, or its trailers: the whole name, a part of the value, both
 *                               ignoring case; name:text is the same
 *     body     text             a part of either body, decoded, ignoring case; here stars are stars
 *     error    text *           a part of the error, ignoring case; *: any
 *     is       websocket        asked for, by Upgrade or an extended CONNECT; also: grpc, sse (by their
 *                               Content-Type), redirect (301 302 303 307 308), preflight (of CORS), cached
 *                               (304, or an Age: RFC 9111 §5.1), tunnel, sealed (TLS that passed
 *                               unopened; pinned is the same), aborted, error (an error, or aborted)
 *
 * re:/.../ and re:/.../i are PCRE2 regular expressions, found anywhere: alone in the URL, or as the value of
 * host, path, url, method, type, body, error, cookie and header (there of "name=value", "name: value", and
 * header:name=re:/.../ of the value). A slash inside is written \/. Patterns: proxy/base/pattern.h.
 * Text is bytes: what is typed in UTF-8 finds UTF-8. Ignoring case is ASCII's, in regular expressions
 * Unicode's. Limits: 64 KiB of text, 4 KiB a value, 500 values (a type's name counts for all it means).
 *
 * On the live path not everything is known from the start, so the answer has three values; for the store the
 * same filter becomes SQL with bound parameters. When an exchange is done both give the same answer.
 * Threads: immutable once parsed, shared freely; filter_ref and filter_unref are atomic. */
#ifndef WEIR_CAPTURE_FILTER_H
#define WEIR_CAPTURE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/exchange/tap.h"

struct filter;

/* ERR_USAGE: one line with the wrong word, the column (in characters, from 1) where it begins, and what could
 * stand there. An empty text takes everything. */
bool filter_parse(const char *text, struct filter **out_filter, struct err *err);
struct filter *filter_ref(struct filter *filter);
void filter_unref(struct filter *filter);             /* NULL is fine */
const char *filter_text(const struct filter *filter); /* as it was given */

enum filter_answer { FILTER_NO, FILTER_YES, FILTER_NOT_YET };

/* What is known of an exchange under way. Everything is borrowed for the call. */
struct filter_subject {
    const struct tap_exchange *exchange;
    const struct http_head *request;        /* NULL: a tunnel without a CONNECT */
    const struct http_head *response;       /* NULL: not there yet; an interim one counts as none */
    const struct headers *trailers[2];      /* by enum http_role; NULL: none, or not there yet */
    bool is_done;                           /* sizes, times, error are final */
    bool has_failed;                        /* aborted; meaningful when is_done */
    uint64_t request_bytes, response_bytes; /* bodies, so far; final when is_done */
};
/* With is_done the answer is NOT_YET only when the filter looks into bodies: then only the store can tell.
 * Trailers are waited for where a Trailer field or gRPC announces them (RFC 9110 §6.6.2): others come too
 * late for who goes without an exchange at the first no. */
enum filter_answer filter_match(const struct filter *filter, const struct filter_subject *subject);

/* For the store: an SQL condition over table exchange with '?' for each value; it may stand next to others.
 * Text is bound in the form of the store, one code point a byte (record_text_add). Simple comparisons where
 * one text or a number is meant; else the functions of capture/store/filter_functions.h. A column that is
 * NULL makes a word untrue and its negation true, as on the live path. */
struct filter_bind {
    bool is_integer;
    int64_t integer;
    char *text; /* owned by the filter_sql */
};
struct filter_sql {
    struct strbuf where; /* "1" when everything is taken */
    struct filter_bind *binds;
    size_t bind_count;
    bool is_indexed; /* a word of it asks for columns of the index exchange_columns alone */
};
void filter_to_sql(const struct filter *filter, struct filter_sql *out_sql);
void filter_sql_clear(struct filter_sql *sql);

#endif

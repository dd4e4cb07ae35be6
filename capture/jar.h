/* jar: the cookies of a session, by RFC 6265bis §5.7 and §5.8, as the client that was captured holds them.
 *
 * Fed with every observation in order; afterwards it answers what a client would send. Public suffixes are
 * libpsl's. Where the standard leaves room it does what Chromium does: http on a loopback host counts as
 * secure, a partitioned cookie must be Secure, names with the prefixes __Secure-, __Host-, __Http- and
 * __Host-Http- (in any case) keep what they promise. Two things are not known here and not judged: the site
 * that embedded a request (SameSite of a third party, the partition's key), and a browser's own limits:
 * nothing is evicted, and an expiry date stays what the origin said, however far away.
 *
 * A cookie that was only ever seen in Cookie fields was set before the capture began: it is inferred, as
 * host-only, for path "/", until the end of the session; a Set-Cookie of that name for that host replaces it
 * or deletes it.
 *
 * Times are wall clock, µs since 1970, and always the caller's: a jar has no clock. The owner's thread only.
 */
#ifndef WEIR_CAPTURE_JAR_H
#define WEIR_CAPTURE_JAR_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/set_cookie.h"
#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

struct jar;

struct jar_cookie {
    struct span name, value; /* bytes, without control characters but a tab; the name may be empty */
    const char *domain;      /* canonical: lower case, A-labels, no dot in front; IPv6 without brackets */
    const char *path;
    bool is_host_only, is_secure, is_http_only, is_partitioned, is_inferred;
    bool is_persistent; /* else it lasts as long as the client runs, and expires_us is 0 */
    enum same_site same_site;
    const char *priority; /* as it was spelled; "" none */
    int64_t expires_us;
    uint64_t created_us; /* of the first of this identity: replacing keeps it, unless it had expired */
    uint64_t set_us;     /* of the value that it has now */
    uint32_t exchange;   /* that set it or sent it first; 0: not known */
};

/* Where an observation was made, or a cookie would be sent. host is without brackets, path without a query.
 */
struct jar_request {
    struct span scheme, host, path;
    uint32_t exchange; /* its number; 0: none that is kept */
};

struct jar *jar_new(void);
void jar_free(struct jar *jar); /* NULL is fine */
struct jar *jar_copy(const struct jar *jar);
struct jar *jar_copy_named(const struct jar *jar, struct span name); /* only the cookies of that name */

/* One Set-Cookie field's value. False when a user agent ignores it, with the reason: ERR_PROTO. */
bool jar_add_set(struct jar *jar, const struct jar_request *request, uint64_t time_us, struct span line,
                 struct err *err);

/* One pair of a Cookie field. A cookie that the jar would send there explains it, and takes over the value (a
 * page's script may have changed it, though not an HttpOnly one); only what nothing explains is inferred. */
void jar_add_sent(struct jar *jar, const struct jar_request *request, uint64_t time_us, struct span name,
                  struct span value);

/* What the last observation did to the jar. */
enum jar_change {
    JAR_IGNORED,  /* a Set-Cookie that a user agent ignores, a pair that is empty */
    JAR_ADDED,    /* set, and there was none of that name, domain and path */
    JAR_REPLACED, /* set, and there was one */
    JAR_DELETED,  /* set to a time that is over, whether there was one or not */
    JAR_SENT,     /* sent as it is in the jar */
    JAR_SCRIPTED, /* sent with another value: a page's script has changed it */
    JAR_INFERRED, /* sent, and not known before */
};
/* *out_cookie: the cookie it was about, also one that is deleted; NULL: none, or one of several. Borrowed
 * until the next observation. */
enum jar_change jar_last_change(const struct jar *jar, const struct jar_cookie **out_cookie);

/* Every cookie that has not expired at now_us, in order of creation. each returns false to stop. */
void jar_each(const struct jar *jar, uint64_t now_us,
              bool (*each)(void *self, const struct jar_cookie *cookie), void *self);

/* The same for those of one name. */
void jar_each_named(const struct jar *jar, struct span name, uint64_t now_us,
                    bool (*each)(void *self, const struct jar_cookie *cookie), void *self);

/* When the next cookie expires after now_us; UINT64_MAX: none will. */
uint64_t jar_next_expiry_us(const struct jar *jar, uint64_t now_us);

/* The value of the Cookie field that a client would send, in the order of §5.8.3; nothing is added when there
 * is no cookie. */
void jar_for_url(const struct jar *jar, const struct jar_request *request, uint64_t now_us,
                 struct strbuf *out);

/* Which cookies are meant by --domain, a list with commas: "example.com" takes that domain and all below it,
 * "https://example.com" what that host would be sent, cookies of its parent domains included, "*" all. */
struct jar_domain {
    char host[256]; /* canonical; "" takes all */
    bool is_host;
    bool is_secure; /* with is_host: over https, or to a loopback host */
};
/* More than anybody types. */
#define JAR_SCOPE_DOMAINS 16
struct jar_scope {
    struct jar_domain domains[JAR_SCOPE_DOMAINS];
    size_t count;
};
/* NULL or "": all. ERR_USAGE. */
bool jar_scope_parse(const char *text, struct jar_scope *out_scope, struct err *err);
bool jar_scope_takes(const struct jar_scope *scope, const struct jar_cookie *cookie);

#endif

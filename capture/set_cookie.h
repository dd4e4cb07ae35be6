/* set_cookie: what stands in a Set-Cookie or a Cookie field (RFC 6265bis §5.6 and §5.5).
 *
 * Only the text is judged here; whether a cookie may be set from where it came is the jar's business. Spans
 * are borrowed from the line that was parsed. Any thread. */
#ifndef WEIR_CAPTURE_SET_COOKIE_H
#define WEIR_CAPTURE_SET_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

enum same_site { SAME_SITE_DEFAULT, SAME_SITE_NONE, SAME_SITE_LAX, SAME_SITE_STRICT };

/* The last second of the year 9999: no date in a cookie file is later. */
#define COOKIE_LAST_SECOND 253402300799

struct set_cookie {
    struct span name, value;
    /* Of an attribute that was repeated the last one counts. */
    bool has_max_age, has_expires;
    int64_t max_age_s;  /* 0 and less: at once */
    int64_t expires_s;  /* since 1970, may be negative */
    struct span domain; /* without one leading dot, as it was spelled; empty: the host's own */
    struct span path;   /* begins with '/', or is empty: the default path */
    struct span priority;
    bool secure, http_only, partitioned;
    enum same_site same_site;
};

/* ERR_PROTO when a user agent ignores the whole line: control characters, a name and value of more than 4096
 * bytes, neither name nor value, a nameless cookie whose value would read as a name or a name's prefix. */
bool set_cookie_parse(struct span line, struct set_cookie *out_cookie, struct err *err);

/* The next pair of a Cookie field, cut off *rest; false when nothing is left. Empty pieces are passed over; a
 * piece without '=' is a value without a name. */
bool cookie_next(struct span *rest, struct span *out_name, struct span *out_value);

/* A cookie-date (§5.1.1), in whatever of its many spellings. False when it is none. */
bool cookie_date_parse(struct span text, int64_t *out_unix_s);

#endif

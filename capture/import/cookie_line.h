/* cookie_line: a cookie as the Set-Cookie field that sets it. */
#ifndef WEIR_CAPTURE_IMPORT_COOKIE_LINE_H
#define WEIR_CAPTURE_IMPORT_COOKIE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* "Fri, 31 Dec 9999 23:59:59 GMT" and its NUL; later than COOKIE_LAST_SECOND is that, before 1601 is 1601. */
#define COOKIE_DATE_BYTES 40
void cookie_date_text(int64_t unix_s, char out_text[COOKIE_DATE_BYTES]);

struct cookie_line {
    struct span name, value;
    struct span domain; /* empty: the host's own */
    struct span path;   /* empty: the default */
    bool is_persistent;
    int64_t expires_s;
    bool is_secure, is_http_only, is_partitioned;
    struct span same_site, priority; /* empty: none */
};
/* out is emptied first. */
void cookie_line_write(const struct cookie_line *cookie, struct strbuf *out);

#endif

#include "capture/import/cookie_line.h"

#include <stdio.h>
#include <time.h>

#include "capture/set_cookie.h"

/* The first day of 1601: no year of a cookie-date is earlier (RFC 6265bis §5.1.1). */
#define FIRST_SECOND (-11644473600)

void cookie_date_text(int64_t unix_s, char out_text[COOKIE_DATE_BYTES])
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = unix_s > COOKIE_LAST_SECOND ? COOKIE_LAST_SECOND
                     : unix_s < FIRST_SECOND     ? FIRST_SECOND
                                                 : unix_s;
    struct tm utc;

    gmtime_r(&seconds, &utc);
    snprintf(out_text, COOKIE_DATE_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday],
             utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

static void add_attribute(struct strbuf *out, const char *name, struct span value)
{
    if (value.len == 0)
        return;
    strbuf_printf(out, "; %s=", name);
    strbuf_add(out, value);
}

void cookie_line_write(const struct cookie_line *cookie, struct strbuf *out)
{
    char date[COOKIE_DATE_BYTES];

    strbuf_reset(out);
    strbuf_add(out, cookie->name);
    strbuf_add_char(out, '=');
    strbuf_add(out, cookie->value);
    add_attribute(out, "Domain", cookie->domain);
    add_attribute(out, "Path", cookie->path);
    if (cookie->is_persistent) {
        cookie_date_text(cookie->expires_s, date);
        add_attribute(out, "Expires", span_of(date));
    }
    if (cookie->is_secure)
        strbuf_add_str(out, "; Secure");
    if (cookie->is_http_only)
        strbuf_add_str(out, "; HttpOnly");
    add_attribute(out, "SameSite", cookie->same_site);
    add_attribute(out, "Priority", cookie->priority);
    if (cookie->is_partitioned)
        strbuf_add_str(out, "; Partitioned");
}

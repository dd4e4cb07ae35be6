/* The algorithms of RFC 6265bis §5.1.1, §5.5 and §5.6, step by step: leniency is part of the standard, and
 * being stricter or laxer than a browser means another jar than the browser's. */
#include "capture/set_cookie.h"

/* RFC 6265bis §5.6: longer pairs are ignored with their cookie, longer attribute values alone. */
#define MAX_PAIR_BYTES      4096
#define MAX_ATTRIBUTE_BYTES 1024

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- dates --------------------------------------------------------------------------------------------- */

static bool is_date_delimiter(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x09 || (u >= 0x20 && u <= 0x2f) || (u >= 0x3b && u <= 0x40) || (u >= 0x5b && u <= 0x60) ||
           (u >= 0x7b && u <= 0x7e);
}

/* Takes min to max digits off *text; a further digit makes it another token. */
static bool take_number(struct span *text, size_t min, size_t max, int *out_value)
{
    int value = 0;
    size_t n = 0;

    while (n < text->len && n < max && is_digit(text->ptr[n])) {
        value = value * 10 + (text->ptr[n] - '0');
        n++;
    }
    if (n < min || (n < text->len && is_digit(text->ptr[n])))
        return false;
    *text = span_from(*text, n);
    *out_value = value;
    return true;
}

static bool take_colon(struct span *text)
{
    if (text->len == 0 || text->ptr[0] != ':')
        return false;
    *text = span_from(*text, 1);
    return true;
}

static bool read_time(struct span token, int *hour, int *minute, int *second)
{
    int h, m, s;

    if (!take_number(&token, 1, 2, &h) || !take_colon(&token) || !take_number(&token, 1, 2, &m) ||
        !take_colon(&token) || !take_number(&token, 1, 2, &s))
        return false;
    *hour = h;
    *minute = m;
    *second = s;
    return true;
}

static bool read_month(struct span token, int *month)
{
    static const char names[][4] = { "jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec" };

    for (int i = 0; i < 12; i++) {
        if (span_istarts(token, span_of(names[i]))) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

static bool is_leap_year(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 in the Gregorian calendar, for any year from 1601 on. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t before = year - 1; /* whole years since year 1 */
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;

    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    return days + day - 1;
}

bool cookie_date_parse(struct span text, int64_t *out_unix_s)
{
    int hour = -1, minute = 0, second = 0, day = -1, month = -1, year = -1;
    size_t at = 0;

    while (at < text.len) {
        size_t begin;
        struct span token, rest;

        while (at < text.len && is_date_delimiter(text.ptr[at]))
            at++;
        begin = at;
        while (at < text.len && !is_date_delimiter(text.ptr[at]))
            at++;
        token = span_sub(text, begin, at - begin);
        rest = token;
        if (hour < 0 && read_time(token, &hour, &minute, &second))
            continue;
        if (day < 0 && take_number(&rest, 1, 2, &day))
            continue;
        if (month < 0 && read_month(token, &month))
            continue;
        if (year < 0)
            take_number(&rest, 2, 4, &year);
    }
    if (year >= 70 && year <= 99)
        year += 1900;
    else if (year >= 0 && year <= 69)
        year += 2000;
    if (hour < 0 || day < 1 || month < 1 || year < 1601 || hour > 23 || minute > 59 || second > 59 ||
        day > days_in_month(year, month))
        return false;
    *out_unix_s = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

/* --- Set-Cookie ---------------------------------------------------------------------------------------- */

static bool has_control(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Saturates: what does not fit is further away than any date that we write. */
static bool read_max_age(struct span value, int64_t *out_seconds)
{
    bool is_negative = value.len != 0 && value.ptr[0] == '-';
    struct span digits = is_negative ? span_from(value, 1) : value;
    int64_t seconds = 0;

    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (!is_digit(digits.ptr[i]))
            return false;
        if (seconds < COOKIE_LAST_SECOND)
            seconds = seconds * 10 + (digits.ptr[i] - '0');
    }
    *out_seconds = is_negative ? -seconds : seconds;
    return true;
}

static void read_attribute(struct set_cookie *cookie, struct span name, struct span value)
{
    if (value.len > MAX_ATTRIBUTE_BYTES)
        return;
    if (span_ieq(name, SPAN("Expires"))) {
        if (cookie_date_parse(value, &cookie->expires_s))
            cookie->has_expires = true;
    } else if (span_ieq(name, SPAN("Max-Age"))) {
        if (read_max_age(value, &cookie->max_age_s))
            cookie->has_max_age = true;
    } else if (span_ieq(name, SPAN("Domain"))) {
        cookie->domain = value.len != 0 && value.ptr[0] == '.' ? span_from(value, 1) : value;
    } else if (span_ieq(name, SPAN("Path"))) {
        cookie->path = value.len != 0 && value.ptr[0] == '/' ? value : SPAN_NONE;
    } else if (span_ieq(name, SPAN("Secure"))) {
        cookie->secure = true;
    } else if (span_ieq(name, SPAN("HttpOnly"))) {
        cookie->http_only = true;
    } else if (span_ieq(name, SPAN("Partitioned"))) {
        cookie->partitioned = true;
    } else if (span_ieq(name, SPAN("Priority"))) {
        cookie->priority = value;
    } else if (span_ieq(name, SPAN("SameSite"))) {
        cookie->same_site = span_ieq(value, SPAN("None"))     ? SAME_SITE_NONE
                            : span_ieq(value, SPAN("Lax"))    ? SAME_SITE_LAX
                            : span_ieq(value, SPAN("Strict")) ? SAME_SITE_STRICT
                                                              : SAME_SITE_DEFAULT;
    }
}

/* At the first '=': the part before it is empty when there is none. */
static void split_pair(struct span piece, struct span *out_name, struct span *out_value)
{
    size_t equals = span_find(piece, '=');

    if (equals == piece.len) {
        *out_name = SPAN_NONE;
        *out_value = span_trim(piece);
    } else {
        *out_name = span_trim(span_sub(piece, 0, equals));
        *out_value = span_trim(span_from(piece, equals + 1));
    }
}

bool set_cookie_parse(struct span line, struct set_cookie *out_cookie, struct err *err)
{
    struct set_cookie cookie = { .name = SPAN_NONE };
    size_t end = span_find(line, ';');
    struct span rest = end < line.len ? span_from(line, end + 1) : SPAN_NONE, piece;

    if (has_control(line))
        return err_set(err, ERR_PROTO, "the cookie has a control character in it");
    split_pair(span_sub(line, 0, end), &cookie.name, &cookie.value);
    if (cookie.name.len + cookie.value.len == 0)
        return err_set(err, ERR_PROTO, "the cookie has neither name nor value");
    if (cookie.name.len + cookie.value.len > MAX_PAIR_BYTES)
        return err_set(err, ERR_PROTO, "the cookie's name and value are longer than %d bytes",
                       MAX_PAIR_BYTES);
    /* Sent back as a bare value it would be taken for another cookie, and go around the prefixes' rules. */
    if (cookie.name.len == 0 &&
        (span_find(cookie.value, '=') < cookie.value.len || span_istarts(cookie.value, SPAN("__Secure-")) ||
         span_istarts(cookie.value, SPAN("__Host-")) || span_istarts(cookie.value, SPAN("__Http-"))))
        return err_set(err, ERR_PROTO, "the nameless cookie would pass for one with a name");

    while (span_split(&rest, ';', &piece)) {
        size_t equals = span_find(piece, '=');
        struct span value =
            equals < piece.len ? span_trim(span_from(piece, equals + 1)) : span_sub(piece, equals, 0);
        read_attribute(&cookie, span_trim(span_sub(piece, 0, equals)), value);
    }
    *out_cookie = cookie;
    return true;
}

bool cookie_next(struct span *rest, struct span *out_name, struct span *out_value)
{
    struct span piece;

    while (span_split(rest, ';', &piece)) {
        piece = span_trim(piece);
        if (piece.len != 0) {
            split_pair(piece, out_name, out_value);
            return true;
        }
    }
    return false;
}

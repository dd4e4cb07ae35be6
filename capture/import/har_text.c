#include "capture/import/har_text.h"

#include <time.h>

/* --- time ---------------------------------------------------------------------------------------------- */

/* Takes exactly digits of them. */
static bool take_number(struct span *text, size_t digits, int *out_value)
{
    uint64_t value;

    if (text->len < digits || !span_u64(span_sub(*text, 0, digits), &value))
        return false;
    *out_value = (int)value;
    *text = span_from(*text, digits);
    return true;
}

static bool take_char(struct span *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = span_from(*text, 1);
    return true;
}

static bool take_date(struct span *text, struct tm *out_date)
{
    return take_number(text, 4, &out_date->tm_year) && take_char(text, '-') &&
           take_number(text, 2, &out_date->tm_mon) && take_char(text, '-') &&
           take_number(text, 2, &out_date->tm_mday);
}

static bool take_clock(struct span *text, struct tm *out_clock, int64_t *out_us)
{
    int64_t unit = 100000;

    if (!take_number(text, 2, &out_clock->tm_hour) || !take_char(text, ':') ||
        !take_number(text, 2, &out_clock->tm_min))
        return false;
    if (take_char(text, ':') && !take_number(text, 2, &out_clock->tm_sec))
        return false;
    if (!take_char(text, '.') && !take_char(text, ','))
        return true;
    for (int digit; take_number(text, 1, &digit); unit /= 10)
        *out_us += digit * unit;
    return true;
}

/* Minutes east of UTC. */
static bool take_zone(struct span *text, int *out_minutes)
{
    int hours, minutes = 0, sign;

    if (text->len == 0 || take_char(text, 'Z') || take_char(text, 'z'))
        return true;
    sign = take_char(text, '+') ? 1 : take_char(text, '-') ? -1 : 0;
    if (sign == 0 || !take_number(text, 2, &hours))
        return false;
    take_char(text, ':');
    if (text->len != 0 && !take_number(text, 2, &minutes))
        return false;
    *out_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool har_time(struct span text, uint64_t *out_us)
{
    struct tm tm = { 0 };
    int64_t us = 0, seconds;
    int zone = 0;

    text = span_trim(text);
    if (!take_date(&text, &tm))
        return false;
    if (text.len != 0 && !((take_char(&text, 'T') || take_char(&text, ' ')) && take_clock(&text, &tm, &us) &&
                           take_zone(&text, &zone) && text.len == 0))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    seconds = timegm(&tm) - (int64_t)zone * 60;
    if (seconds < 0)
        return false;
    *out_us = (uint64_t)(seconds * 1000000 + us);
    return true;
}

/* --- versions ------------------------------------------------------------------------------------------ */

bool har_version(struct span text, enum http_version *out_version, bool *out_is_3)
{
    *out_is_3 = false;
    if (span_istarts(text, SPAN("HTTP/")))
        text = span_from(text, 5);
    else if (span_istarts(text, SPAN("h")))
        text = span_from(text, 1);
    if (text.len == 0)
        return false;
    if (text.ptr[0] == '3' || span_istarts(text, SPAN("quic"))) {
        *out_is_3 = true;
        *out_version = HTTP_2;
        return true;
    }
    if (text.ptr[0] == '2') {
        *out_version = HTTP_2;
        return true;
    }
    if (!span_starts(text, SPAN("1")))
        return false;
    *out_version = span_eq(text, SPAN("1.0")) ? HTTP_1_0 : HTTP_1_1;
    return true;
}

/* --- forms --------------------------------------------------------------------------------------------- */

static void add_form_encoded(struct strbuf *out, struct span text)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '\0' && strchr(PLAIN, c) != NULL)
            strbuf_add_char(out, c);
        else if (c == ' ')
            strbuf_add_char(out, '+');
        else
            strbuf_printf(out, "%%%02X", (unsigned char)c);
    }
}

void har_add_form_field(struct strbuf *out, struct span name, struct span value)
{
    if (out->len != 0)
        strbuf_add_char(out, '&');
    add_form_encoded(out, name);
    strbuf_add_char(out, '=');
    add_form_encoded(out, value);
}

/* As browsers write it (WHATWG HTML, multipart/form-data). */
static void add_quoted(struct strbuf *out, struct span text)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '"':
            strbuf_add_str(out, "%22");
            break;
        case '\r':
            strbuf_add_str(out, "%0D");
            break;
        case '\n':
            strbuf_add_str(out, "%0A");
            break;
        default:
            strbuf_add_char(out, text.ptr[i]);
        }
    }
    strbuf_add_char(out, '"');
}

void har_add_part(struct strbuf *out, struct span boundary, struct span name, struct span value,
                  struct span file_name, struct span type)
{
    strbuf_add_str(out, "--");
    strbuf_add(out, boundary);
    strbuf_add_str(out, "\r\nContent-Disposition: form-data; name=");
    add_quoted(out, name);
    if (file_name.len != 0) {
        strbuf_add_str(out, "; filename=");
        add_quoted(out, file_name);
    }
    if (type.len != 0) {
        strbuf_add_str(out, "\r\nContent-Type: ");
        strbuf_add(out, type);
    }
    strbuf_add_str(out, "\r\n\r\n");
    strbuf_add(out, value);
    strbuf_add_str(out, "\r\n");
}

void har_end_parts(struct strbuf *out, struct span boundary)
{
    strbuf_add_str(out, "--");
    strbuf_add(out, boundary);
    strbuf_add_str(out, "--\r\n");
}

struct span har_boundary(struct span type)
{
    struct span parameter;

    while (span_split(&type, ';', &parameter)) {
        parameter = span_trim(parameter);
        if (!span_istarts(parameter, SPAN("boundary=")))
            continue;
        parameter = span_from(parameter, strlen("boundary="));
        if (parameter.len >= 2 && parameter.ptr[0] == '"')
            parameter = span_sub(parameter, 1, span_find(span_from(parameter, 1), '"'));
        return parameter.len != 0 ? parameter : SPAN_NONE;
    }
    return SPAN_NONE;
}

#include <time.h>
#include <wchar.h>

#include "tools/text.h"

/* What a terminal of 80 columns shows without wrapping by itself. */
#define LINE_COLUMNS 79

size_t text_utf8_at(struct span bytes, uint32_t *out_code)
{
    const unsigned char *b = (const unsigned char *)bytes.ptr;
    uint32_t code, least;
    size_t len;

    if (bytes.len == 0)
        return 0;
    if (b[0] < 0x80) {
        *out_code = b[0];
        return 1;
    }
    if (b[0] >= 0xc2 && b[0] <= 0xdf) {
        len = 2;
        code = b[0] & 0x1fu;
        least = 0x80;
    } else if ((b[0] & 0xf0) == 0xe0) {
        len = 3;
        code = b[0] & 0x0fu;
        least = 0x800;
    } else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
        len = 4;
        code = b[0] & 0x07u;
        least = 0x10000;
    } else {
        return 0;
    }
    if (bytes.len < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (b[i] & 0x3fu);
    }
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *out_code = code;
    return len;
}

bool text_is_utf8(struct span bytes)
{
    uint32_t code;

    while (bytes.len != 0) {
        size_t len = text_utf8_at(bytes, &code);
        if (len == 0)
            return false;
        bytes = span_from(bytes, len);
    }
    return true;
}

/* What a terminal would obey, hide, or use to show other text than is there: C0 and C1 controls, marks of
 * direction, zero-width characters, line separators, language tags, and what is no character at all. */
static bool is_treacherous(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c || code == 0x180e ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff0 && code <= 0xfffb) ||
           (code & 0xfffe) == 0xfffe || (code >= 0xe0000 && code <= 0xe0fff);
}

static void add_shown(struct strbuf *out, struct span bytes, const char *as_they_are)
{
    size_t plain = 0; /* bytes before here may be added in one piece */
    size_t at = 0;

    while (at < bytes.len) {
        unsigned char c = (unsigned char)bytes.ptr[at];
        uint32_t code = 0;
        size_t len;

        if (c >= 0x20 && c < 0x7f) {
            at++;
            continue;
        }
        len = text_utf8_at(span_from(bytes, at), &code);

        if (len != 0 &&
            (!is_treacherous(code) || (len == 1 && code != 0 && strchr(as_they_are, (int)code)))) {
            at += len;
            continue;
        }
        strbuf_add(out, span_sub(bytes, plain, at - plain));
        if (len > 1)
            strbuf_printf(out, "\\u{%x}", (unsigned)code);
        else if (len == 1 && code == '\n')
            strbuf_add_str(out, "\\n");
        else if (len == 1 && code == '\r')
            strbuf_add_str(out, "\\r");
        else if (len == 1 && code == '\t')
            strbuf_add_str(out, "\\t");
        else
            strbuf_printf(out, "\\x%02x", (unsigned char)bytes.ptr[at]);
        at += len != 0 ? len : 1;
        plain = at;
    }
    if (at > plain)
        strbuf_add(out, span_sub(bytes, plain, at - plain));
}

void text_add_shown(struct strbuf *out, struct span bytes)
{
    add_shown(out, bytes, "");
}

void text_add_shown_lines(struct strbuf *out, struct span bytes)
{
    add_shown(out, bytes, "\n\t");
}

void text_add_utf8(struct strbuf *out, struct span bytes)
{
    if (text_is_utf8(bytes)) {
        strbuf_add(out, bytes);
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char b = (unsigned char)bytes.ptr[i];
        if (b >= 0x80)
            strbuf_add_char(out, (char)(0xc0 | b >> 6));
        strbuf_add_char(out, b >= 0x80 ? (char)(0x80 | (b & 0x3f)) : (char)b);
    }
}

static size_t code_width(uint32_t code)
{
    int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);

    return width >= 0 ? (size_t)width : 1; /* a locale that does not know it */
}

size_t text_width(struct span shown)
{
    size_t width = 0;

    while (shown.len != 0) {
        uint32_t code = 0;
        size_t len = text_utf8_at(shown, &code);
        width += len != 0 ? code_width(code) : 1;
        shown = span_from(shown, len != 0 ? len : 1);
    }
    return width;
}

struct span text_cut(struct span shown, size_t width)
{
    size_t taken = 0;

    while (taken < shown.len) {
        uint32_t code = 0;
        size_t len = text_utf8_at(span_from(shown, taken), &code);
        size_t columns = len != 0 ? code_width(code) : 1;
        if (columns > width)
            break;
        width -= columns;
        taken += len != 0 ? len : 1;
    }
    return span_sub(shown, 0, taken);
}

/* value with one decimal below 9.95, else without. */
static void add_short(struct strbuf *out, double value)
{
    unsigned tenths = (unsigned)(value * 10 + 0.5);

    if (value >= 9.95) {
        strbuf_add_u64(out, (uint64_t)(value + 0.5));
        return;
    }
    strbuf_add_u64(out, tenths / 10);
    strbuf_add(out, span_make((const char[]){ '.', (char)('0' + tenths % 10) }, 2));
}

void text_add_size(struct strbuf *out, uint64_t bytes)
{
    static const char units[] = "kMGTPE";
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1000) {
        strbuf_add_u64(out, bytes);
        return;
    }
    value /= 1024;
    while (value >= 999.5 && unit + 2 < sizeof units) {
        value /= 1024;
        unit++;
    }
    add_short(out, value);
    strbuf_add_char(out, units[unit]);
}

void text_add_duration(struct strbuf *out, uint64_t duration_us)
{
    uint64_t seconds = (duration_us + 500000) / 1000000;

    if (duration_us < 1000) {
        strbuf_add_u64(out, duration_us);
        strbuf_add_str(out, "us");
    } else if (duration_us < 999500) {
        add_short(out, (double)duration_us / 1e3);
        strbuf_add_str(out, "ms");
    } else if (duration_us < 59950000)
        strbuf_printf(out, "%.1fs", (double)duration_us / 1e6);
    else if (seconds < 3600)
        strbuf_printf(out, "%um%02us", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    else
        strbuf_printf(out, "%lluh%02um", (unsigned long long)(seconds / 3600), (unsigned)(seconds / 60 % 60));
}

void text_add_date(struct strbuf *out, uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char text[64];

    if (localtime_r(&seconds, &tm) != NULL && strftime(text, sizeof text, "%F %T", &tm) != 0)
        strbuf_add_str(out, text);
}

static void put_digits(char *to, unsigned number, unsigned digits)
{
    for (unsigned i = digits; i != 0; i--, number /= 10)
        to[i - 1] = (char)('0' + number % 10);
}

void text_add_clock(struct strbuf *out, uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    char text[] = "00:00:00.000";
    struct tm tm;

    if (localtime_r(&seconds, &tm) == NULL)
        return;
    put_digits(text, (unsigned)tm.tm_hour, 2);
    put_digits(text + 3, (unsigned)tm.tm_min, 2);
    put_digits(text + 6, (unsigned)tm.tm_sec, 2);
    put_digits(text + 9, (unsigned)(wall_us / 1000 % 1000), 3);
    strbuf_add_str(out, text);
}

void text_add_iso(struct strbuf *out, uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char text[64];

    if (gmtime_r(&seconds, &tm) != NULL && strftime(text, sizeof text, "%FT%T", &tm) != 0)
        strbuf_printf(out, "%s.%06uZ", text, (unsigned)(wall_us % 1000000));
}

void text_add_shell(struct strbuf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_^";

    if (*word != '\0' && strspn(word, plain) == strlen(word)) {
        strbuf_add_str(out, word);
        return;
    }
    strbuf_add_char(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            strbuf_add_str(out, "'\\''");
        else
            strbuf_add_char(out, *word);
    }
    strbuf_add_char(out, '\'');
}

void text_add_wrapped(struct strbuf *out, const char *text, size_t indent)
{
    struct span rest = span_of(text), word;
    size_t column = indent;

    while (span_split(&rest, ' ', &word)) {
        if (column > indent && column + 1 + word.len > LINE_COLUMNS) {
            strbuf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add(out, word);
        column += word.len;
    }
    strbuf_add_char(out, '\n');
}

void text_add_count(struct strbuf *out, uint64_t count, const char *singular, const char *plural)
{
    strbuf_printf(out, "%llu %s", (unsigned long long)count, count == 1 ? singular : plural);
}

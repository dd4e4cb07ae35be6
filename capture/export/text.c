#include "capture/export/text.h"

#include <stdio.h>
#include <time.h>

void text_add_latin1(struct strbuf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        if (c < 0x80) {
            strbuf_add_char(out, (char)c);
        } else {
            strbuf_add_char(out, (char)(0xc0 | c >> 6));
            strbuf_add_char(out, (char)(0x80 | (c & 0x3f)));
        }
    }
}

void text_add_bytes(struct strbuf *out, struct span bytes)
{
    if (utf8_is_valid(bytes))
        strbuf_add(out, bytes);
    else
        text_add_latin1(out, bytes);
}

void text_time_ms(char out[TEXT_TIME_BYTES], int64_t unix_ms)
{
    int64_t seconds = unix_ms / 1000 - (unix_ms % 1000 < 0);
    time_t when = (time_t)seconds;
    struct tm tm;

    gmtime_r(&when, &tm);
    snprintf(out, TEXT_TIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             ((unsigned)tm.tm_year + 1900) % 10000, ((unsigned)tm.tm_mon + 1) % 100,
             (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, (unsigned)(unix_ms - seconds * 1000) % 1000);
}

void text_time_us(char out[TEXT_TIME_BYTES], uint64_t unix_us)
{
    char ms[TEXT_TIME_BYTES];

    text_time_ms(ms, (int64_t)(unix_us / 1000));
    snprintf(out, TEXT_TIME_BYTES, "%.23s%03uZ", ms, (unsigned)(unix_us % 1000));
}

void text_size(char out[TEXT_SIZE_BYTES], uint64_t bytes)
{
    static const char units[][4] = { "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(out, TEXT_SIZE_BYTES, "%u B", (unsigned)bytes);
        return;
    }
    while (value >= 1024 && unit < 3) {
        value /= 1024;
        unit++;
    }
    snprintf(out, TEXT_SIZE_BYTES, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s", value,
             units[unit]);
}

/* One piece of "; name=value" with its quotes undone. */
static void add_unquoted(struct strbuf *out, struct span value)
{
    bool is_quoted = value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"';

    if (!is_quoted) {
        strbuf_add(out, value);
        return;
    }
    for (size_t i = 1; i + 1 < value.len; i++) {
        if (value.ptr[i] == '\\' && i + 2 < value.len)
            i++;
        strbuf_add_char(out, value.ptr[i]);
    }
}

/* Up to the next ';' that does not stand in quotes. */
static size_t piece_end(struct span rest)
{
    bool is_quoted = false;

    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '"')
            is_quoted = !is_quoted;
        else if (rest.ptr[i] == '\\' && is_quoted)
            i++;
        else if (rest.ptr[i] == ';' && !is_quoted)
            return i;
    }
    return rest.len;
}

bool text_parameter(struct span field, struct span name, struct strbuf *out_value)
{
    size_t end = piece_end(field);

    while (end < field.len) {
        struct span piece;
        size_t equals;

        field = span_from(field, end + 1);
        end = piece_end(field);
        piece = span_sub(field, 0, end);
        equals = span_find(piece, '=');
        if (equals < piece.len && span_ieq(span_trim(span_sub(piece, 0, equals)), name)) {
            add_unquoted(out_value, span_trim(span_from(piece, equals + 1)));
            return true;
        }
    }
    return false;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

void text_form_decode(struct strbuf *out, struct span text)
{
    strbuf_reset(out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' && i + 2 < text.len && hex_value(text.ptr[i + 1]) >= 0 &&
            hex_value(text.ptr[i + 2]) >= 0) {
            strbuf_add_char(out, (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2])));
            i += 2;
        } else {
            strbuf_add_char(out, text.ptr[i] == '+' ? ' ' : text.ptr[i]);
        }
    }
}

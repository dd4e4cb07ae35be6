/* Nearly all bytes stand for themselves, see plain.h: for writing and for reading. */
#include "capture/fields_json.h"

#include <string.h>

#include "capture/record.h"
#include "proxy/base/plain.h"
#include "proxy/http/headers.h"

/* --- writing ------------------------------------------------------------------------------------------- */

static void add_json_string(struct strbuf *out, struct span bytes)
{
    strbuf_add_char(out, '"');
    while (bytes.len != 0) {
        size_t plain = plain_prefix(bytes);
        unsigned char c;
        strbuf_add(out, span_sub(bytes, 0, plain));
        if (plain == bytes.len)
            break;
        c = (unsigned char)bytes.ptr[plain];
        if (c >= 0x80)
            record_text_add(out, span_sub(bytes, plain, 1));
        else if (c < 0x20)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_add(out, span_make((const char[]){ '\\', (char)c }, 2));
        bytes = span_from(bytes, plain + 1);
    }
    strbuf_add_char(out, '"');
}

static char *put(char *to, struct span bytes)
{
    memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

/* ["name","value"], as nearly all fields are: nothing in them needs an escape. */
static void add_plain_field(struct strbuf *out, struct span name, struct span value)
{
    char *room = strbuf_reserve(out, name.len + value.len + 7), *at;

    if (room == NULL)
        return;
    at = put(put(put(room, SPAN("[\"")), name), SPAN("\",\""));
    at = put(put(at, value), SPAN("\"]"));
    *at = '\0';
    out->len += (size_t)(at - room);
}

void fields_json_add(struct strbuf *out, const struct headers *headers)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < headers->count; i++) {
        struct span name = headers_name(headers, i), value = headers_value(headers, i);
        if (i != 0)
            strbuf_add_char(out, ',');
        if (headers->items[i].is_plain) {
            add_plain_field(out, name, value);
            continue;
        }
        strbuf_add_char(out, '[');
        add_json_string(out, name);
        strbuf_add_char(out, ',');
        add_json_string(out, value);
        strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, ']');
}

/* --- reading ------------------------------------------------------------------------------------------- */

static void skip_blanks(struct span *rest)
{
    while (rest->len != 0 &&
           (rest->ptr[0] == ' ' || rest->ptr[0] == '\t' || rest->ptr[0] == '\n' || rest->ptr[0] == '\r'))
        *rest = span_from(*rest, 1);
}

/* Goes behind c, and the blanks before it, when it is next. */
static bool take(struct span *rest, char c)
{
    skip_blanks(rest);
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = span_from(*rest, 1);
    return true;
}

static bool take_text(struct span *rest, struct fields_json_text *out)
{
    size_t at = 0;

    if (!take(rest, '"'))
        return false;
    out->is_bytes = true;
    for (;;) {
        unsigned char c;
        at += plain_prefix(span_from(*rest, at));
        if (at == rest->len)
            return false;
        c = (unsigned char)rest->ptr[at];
        if (c == '"')
            break;
        if (c < 0x20 || (c == '\\' && at + 1 == rest->len))
            return false;
        out->is_bytes = false;
        at += c == '\\' ? 2 : 1;
    }
    out->raw = span_sub(*rest, 0, at);
    *rest = span_from(*rest, at + 1);
    return true;
}

enum fields_json_answer fields_json_next(struct fields_json *fields, struct fields_json_text *out_name,
                                         struct fields_json_text *out_value)
{
    struct span *rest = &fields->rest;
    bool is_first = !fields->is_inside;

    if (is_first && !take(rest, '['))
        return FIELDS_JSON_BROKEN;
    fields->is_inside = true;
    if (take(rest, ']')) {
        skip_blanks(rest);
        return rest->len == 0 ? FIELDS_JSON_END : FIELDS_JSON_BROKEN;
    }
    if ((is_first || take(rest, ',')) && take(rest, '[') && take_text(rest, out_name) && take(rest, ',') &&
        take_text(rest, out_value) && take(rest, ']'))
        return FIELDS_JSON_FIELD;
    return FIELDS_JSON_BROKEN;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \u00xx, the only ones that are bytes. text begins behind the u. */
static bool add_code_point(struct strbuf *out, struct span text)
{
    int high, low;

    if (text.len < 4 || text.ptr[0] != '0' || text.ptr[1] != '0')
        return false;
    high = hex_digit(text.ptr[2]);
    low = hex_digit(text.ptr[3]);
    if (high < 0 || low < 0)
        return false;
    strbuf_add_char(out, (char)(high << 4 | low));
    return true;
}

/* The escape at the beginning of text, behind its backslash. */
static bool add_escaped(struct strbuf *out, struct span text, size_t *out_used)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *letter = text.len != 0 && text.ptr[0] != '\0' ? strchr(letters, text.ptr[0]) : NULL;

    if (letter != NULL) {
        strbuf_add_char(out, bytes[letter - letters]);
        *out_used = 1;
        return true;
    }
    *out_used = 5;
    return text.len != 0 && text.ptr[0] == 'u' && add_code_point(out, span_from(text, 1));
}

bool fields_json_bytes(struct strbuf *out, struct fields_json_text text)
{
    struct span rest = text.raw;

    if (text.is_bytes) {
        strbuf_add(out, rest);
        return true;
    }
    for (;;) {
        size_t until = span_find(rest, '\\'), used;
        if (!record_bytes_add(out, span_sub(rest, 0, until)))
            return false;
        if (until == rest.len)
            return true;
        rest = span_from(rest, until + 1);
        if (!add_escaped(out, rest, &used))
            return false;
        rest = span_from(rest, used);
    }
}

#include "capture/export/json_out.h"

#include "proxy/base/base64.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "capture/export/text.h"

void jout_init(struct json_out *json, FILE *file)
{
    *json = (struct json_out){ .file = file };
}

void jout_init_line(struct json_out *json, FILE *file)
{
    *json = (struct json_out){ .file = file, .is_line = true };
}

void jout_end_document(struct json_out *json)
{
    assert(json->depth == 0);
    putc('\n', json->file);
}

static void new_line(struct json_out *json)
{
    if (json->is_line)
        return;
    putc('\n', json->file);
    for (unsigned i = 0; i < json->depth; i++)
        putc('\t', json->file);
}

static void begin_member(struct json_out *json)
{
    if (json->has_members[json->depth - 1])
        putc(',', json->file);
    json->has_members[json->depth - 1] = true;
    new_line(json);
}

static void begin_value(struct json_out *json)
{
    if (json->depth == 0)
        return;
    if (json->is_object[json->depth - 1]) {
        assert(json->is_after_key);
        json->is_after_key = false;
        return;
    }
    begin_member(json);
}

static void open_container(struct json_out *json, bool is_object)
{
    begin_value(json);
    assert(json->depth < JSON_OUT_MAX_DEPTH);
    putc(is_object ? '{' : '[', json->file);
    json->is_object[json->depth] = is_object;
    json->has_members[json->depth] = false;
    json->depth++;
}

void jout_open_object(struct json_out *json)
{
    open_container(json, true);
}

void jout_open_array(struct json_out *json)
{
    open_container(json, false);
}

void jout_close(struct json_out *json)
{
    bool had_members;

    assert(json->depth > 0 && !json->is_after_key);
    json->depth--;
    had_members = json->has_members[json->depth];
    if (had_members)
        new_line(json);
    putc(json->is_object[json->depth] ? '}' : ']', json->file);
}

void jout_key(struct json_out *json, const char *key)
{
    assert(json->depth > 0 && json->is_object[json->depth - 1] && !json->is_after_key);
    begin_member(json);
    putc('"', json->file);
    fputs(key, json->file);
    fputs(json->is_line ? "\":" : "\": ", json->file);
    json->is_after_key = true;
}

/* --- strings ------------------------------------------------------------------------------------------- */

#define MAX_ESCAPED 6 /* bytes that one character may become */

static size_t add_escaped(char out[MAX_ESCAPED], unsigned char c)
{
    static const char short_forms[] = "btn?fr"; /* 0x08 to 0x0d */
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = (char)c;
        return 2;
    }
    if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        out[1] = short_forms[c - 0x08];
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return 6;
}

/* In pieces of some size: JSON inside JSON is full of escapes, and a call for each is what would take the
 * time. */
void jout_string_text(struct json_out *json, struct span checked)
{
    char out[4096];
    size_t len = 0;

    for (size_t i = 0; i < checked.len; i++) {
        unsigned char c = (unsigned char)checked.ptr[i];

        if (len > sizeof out - MAX_ESCAPED) {
            fwrite(out, 1, len, json->file);
            len = 0;
        }
        if (c >= 0x20 && c != '"' && c != '\\')
            out[len++] = (char)c;
        else
            len += add_escaped(out + len, c);
    }
    fwrite(out, 1, len, json->file);
}

static void put_base64(struct json_out *json, const unsigned char in[3], unsigned len)
{
    char out[4];

    base64_group(in, len, out);
    fwrite(out, 1, 4, json->file);
}

void jout_string_base64(struct json_out *json, struct span bytes)
{
    unsigned char three[3] = { json->held[0], json->held[1], 0 };
    unsigned len = json->held_len;
    char out[4096];
    size_t out_len = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        three[len++] = (unsigned char)bytes.ptr[i];
        if (len < 3)
            continue;
        base64_group(three, 3, out + out_len);
        out_len += 4;
        len = 0;
        if (out_len == sizeof out) {
            fwrite(out, 1, out_len, json->file);
            out_len = 0;
        }
    }
    fwrite(out, 1, out_len, json->file);
    json->held[0] = three[0];
    json->held[1] = three[1];
    json->held_len = len;
}

void jout_string_begin(struct json_out *json)
{
    begin_value(json);
    putc('"', json->file);
    json->held_len = 0;
}

void jout_string_end(struct json_out *json)
{
    if (json->held_len != 0) {
        unsigned char three[3] = { json->held[0], json->held_len > 1 ? json->held[1] : 0, 0 };
        put_base64(json, three, json->held_len);
        json->held_len = 0;
    }
    putc('"', json->file);
}

void jout_text(struct json_out *json, struct span text)
{
    jout_string_begin(json);
    if (utf8_is_valid(text)) {
        jout_string_text(json, text);
    } else {
        while (text.len != 0) {
            size_t len = utf8_front(text);

            jout_string_text(json, len != 0 ? span_sub(text, 0, len) : SPAN("\xef\xbf\xbd"));
            text = span_from(text, len != 0 ? len : 1);
        }
    }
    jout_string_end(json);
}

void jout_str(struct json_out *json, const char *text)
{
    jout_text(json, span_of(text));
}

void jout_latin1(struct json_out *json, struct span bytes)
{
    struct strbuf text = STRBUF_EMPTY;

    text_add_latin1(&text, bytes);
    jout_text(json, strbuf_span(&text));
    strbuf_clear(&text);
}

void jout_bytes(struct json_out *json, struct span bytes)
{
    if (utf8_is_valid(bytes))
        jout_text(json, bytes);
    else
        jout_latin1(json, bytes);
}

void jout_base64(struct json_out *json, struct span bytes)
{
    jout_string_begin(json);
    jout_string_base64(json, bytes);
    jout_string_end(json);
}

/* --- other values -------------------------------------------------------------------------------------- */

void jout_int(struct json_out *json, int64_t number)
{
    begin_value(json);
    fprintf(json->file, "%" PRId64, number);
}

void jout_double(struct json_out *json, double number)
{
    char text[64];
    size_t len = (size_t)snprintf(text, sizeof(text), "%.3f", number);

    while (text[len - 1] == '0')
        text[--len] = '\0';
    if (text[len - 1] == '.')
        text[--len] = '\0';
    begin_value(json);
    fputs(text, json->file);
}

void jout_bool(struct json_out *json, bool value)
{
    begin_value(json);
    fputs(value ? "true" : "false", json->file);
}

void jout_null(struct json_out *json)
{
    begin_value(json);
    fputs("null", json->file);
}

void jout_raw(struct json_out *json, const char *value)
{
    begin_value(json);
    fputs(value, json->file);
}

void jout_member_str(struct json_out *json, const char *key, const char *text)
{
    jout_key(json, key);
    jout_str(json, text);
}

void jout_member_text(struct json_out *json, const char *key, struct span text)
{
    jout_key(json, key);
    jout_text(json, text);
}

void jout_member_bytes(struct json_out *json, const char *key, struct span bytes)
{
    jout_key(json, key);
    jout_bytes(json, bytes);
}

void jout_member_int(struct json_out *json, const char *key, int64_t number)
{
    jout_key(json, key);
    jout_int(json, number);
}

void jout_member_bool(struct json_out *json, const char *key, bool value)
{
    jout_key(json, key);
    jout_bool(json, value);
}

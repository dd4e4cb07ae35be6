#include "capture/import/tnet.h"

#include <stdlib.h>

#include "proxy/base/mem.h"

#define WINDOW_BYTES ((size_t)64 * 1024)

/* Digits of the longest length, its colon. */
#define HEAD_BYTES 20

struct tnet {
    struct input *input;
    char *window; /* owned: what of the input is at base */
    uint64_t base;
    size_t len;
};

struct tnet *tnet_new(struct input *input)
{
    struct tnet *tnet = mem_new(struct tnet);

    tnet->input = input;
    tnet->window = mem_alloc(WINDOW_BYTES);
    return tnet;
}

void tnet_free(struct tnet *tnet)
{
    if (tnet == NULL)
        return;
    mem_free(tnet->window);
    mem_free(tnet);
}

/* Up to len bytes at offset, len at most WINDOW_BYTES. Borrowed until the next call. */
static struct span look(struct tnet *tnet, uint64_t offset, size_t len)
{
    size_t start;

    if (offset < tnet->base || offset + len > tnet->base + tnet->len) {
        tnet->base = offset;
        tnet->len = input_read(tnet->input, offset, tnet->window, WINDOW_BYTES);
    }
    start = (size_t)(offset - tnet->base);
    return span_make(tnet->window + start, tnet->len - start < len ? tnet->len - start : len);
}

bool tnet_length(struct tnet *tnet, uint64_t at, uint64_t *out_start, uint64_t *out_len)
{
    struct span head = look(tnet, at, HEAD_BYTES);
    size_t colon = span_find(head, ':');

    if (colon == head.len || (colon > 1 && head.ptr[0] == '0') ||
        !span_u64(span_sub(head, 0, colon), out_len))
        return false;
    *out_start = at + colon + 1;
    return true;
}

bool tnet_next(struct tnet *tnet, uint64_t *at, uint64_t end, struct tnet_value *out_value)
{
    uint64_t start, len;
    struct span type;

    if (*at >= end || !tnet_length(tnet, *at, &start, &len) || start >= end || len >= end - start)
        return false;
    type = look(tnet, start + len, 1);
    if (type.len == 0 || type.ptr[0] == '\0' || strchr(",;#^!~}]", type.ptr[0]) == NULL)
        return false;
    *out_value = (struct tnet_value){ (enum tnet_type)type.ptr[0], start, len };
    *at = start + len + 1;
    return true;
}

static bool is_text(const struct tnet_value *value)
{
    return value->type == TNET_BYTES || value->type == TNET_TEXT;
}

bool tnet_find(struct tnet *tnet, const struct tnet_value *dict, const char *key,
               struct tnet_value *out_value)
{
    struct span wanted = span_of(key);
    uint64_t at = dict->at, end = dict->at + dict->len;
    struct tnet_value name, value;

    out_value->type = TNET_NONE;
    if (dict->type != TNET_DICT)
        return false;
    while (tnet_next(tnet, &at, end, &name) && tnet_next(tnet, &at, end, &value)) {
        if (is_text(&name) && name.len == wanted.len && span_eq(look(tnet, name.at, wanted.len), wanted)) {
            if (value.type != TNET_NULL)
                *out_value = value;
            return out_value->type != TNET_NONE;
        }
    }
    return false;
}

void tnet_text(struct tnet *tnet, const struct tnet_value *value, struct strbuf *out)
{
    uint64_t room = out->limit != 0 ? out->limit - out->len : UINT64_MAX, left = value->len, at = value->at;

    if (!is_text(value))
        return;
    left = left < room ? left : room;
    while (left != 0) {
        struct span bytes = look(tnet, at, left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES);
        if (bytes.len == 0)
            return;
        strbuf_add(out, bytes);
        at += bytes.len;
        left -= bytes.len;
    }
}

bool tnet_number(struct tnet *tnet, const struct tnet_value *value, double *out)
{
    char text[64], *end;
    struct span bytes;
    double number;

    if (value->len == 0 || value->len >= sizeof text)
        return false;
    bytes = look(tnet, value->at, (size_t)value->len);
    memcpy(text, bytes.ptr, bytes.len);
    text[bytes.len] = '\0';
    if (value->type == TNET_BOOL) {
        *out = strcmp(text, "true") == 0;
        return true;
    }
    if (value->type != TNET_INT && value->type != TNET_FLOAT)
        return false;
    number = strtod(text, &end);
    if (end == text || *end != '\0' || number != number)
        return false;
    *out = number;
    return true;
}

bool tnet_scan(struct tnet *tnet, uint64_t at, const char *key, uint64_t *out_at)
{
    uint64_t size = input_size(tnet->input);
    struct tnet_value dict, value;

    while (at < size) {
        struct span bytes = look(tnet, at, 4096);
        size_t brace = span_find(bytes, '}');
        uint64_t next;

        if (bytes.len == 0)
            return false;
        at += brace;
        if (brace == bytes.len)
            continue;
        next = ++at;
        if (tnet_next(tnet, &next, size, &dict) && tnet_find(tnet, &dict, key, &value)) {
            *out_at = at;
            return true;
        }
    }
    return false;
}

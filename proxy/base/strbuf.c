#include "proxy/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proxy/base/mem.h"

void strbuf_init(struct strbuf *buf, size_t limit)
{
    *buf = STRBUF_EMPTY;
    buf->limit = limit;
}

void strbuf_clear(struct strbuf *buf)
{
    mem_free(buf->ptr);
    strbuf_init(buf, buf->limit);
}

void strbuf_reset(struct strbuf *buf)
{
    buf->len = 0;
    buf->is_full = false;
    if (buf->ptr != NULL)
        buf->ptr[0] = '\0';
}

char *strbuf_reserve(struct strbuf *buf, size_t len)
{
    size_t need = buf->len + len + 1;

    if (buf->limit != 0 && buf->len + len > buf->limit) {
        buf->is_full = true;
        return NULL;
    }
    if (need > buf->cap) {
        size_t cap = buf->cap < 64 ? 64 : buf->cap * 2;
        buf->cap = cap < need ? need : cap;
        buf->ptr = mem_realloc(buf->ptr, buf->cap);
    }
    return buf->ptr + buf->len;
}

void strbuf_add_str(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, span_of(text));
}

void strbuf_add_u64(struct strbuf *buf, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    strbuf_add(buf, span_make(digits + at, sizeof digits - at));
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    va_list args, again;
    char *room;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    room = len < 0 ? NULL : strbuf_reserve(buf, (size_t)len);
    if (room != NULL) {
        vsnprintf(room, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void strbuf_drop_front(struct strbuf *buf, size_t len)
{
    if (len == 0)
        return;
    memmove(buf->ptr, buf->ptr + len, buf->len - len + 1);
    buf->len -= len;
}

struct span strbuf_span(const struct strbuf *buf)
{
    return span_make(strbuf_text(buf), buf->len);
}

const char *strbuf_text(const struct strbuf *buf)
{
    return buf->ptr != NULL ? buf->ptr : "";
}

char *strbuf_detach(struct strbuf *buf)
{
    char *text = buf->ptr != NULL ? buf->ptr : mem_strdup("");

    strbuf_init(buf, buf->limit);
    return text;
}

/* strbuf: growing owned text or bytes, with a limit.
 *
 * Always ends in a NUL that len does not count, once anything was added (strbuf_text gives "" before). Past
 * the limit nothing more is added and is_full is set: look at it once, at the end. */
#ifndef WEIR_BASE_STRBUF_H
#define WEIR_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"

struct strbuf {
    char *ptr;
    size_t len, cap;
    size_t limit; /* most bytes; 0: no limit, for what no stranger sizes */
    bool is_full; /* something did not fit */
};

#define STRBUF_EMPTY ((struct strbuf){ NULL, 0, 0, 0, false })

void strbuf_init(struct strbuf *buf, size_t limit);
void strbuf_clear(struct strbuf *buf); /* frees; empty and usable afterwards */
void strbuf_reset(struct strbuf *buf); /* empties, keeps the memory */
void strbuf_add_str(struct strbuf *buf, const char *text);
void strbuf_add_u64(struct strbuf *buf, uint64_t number); /* decimal */
void strbuf_printf(struct strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for len more bytes at the end, to be written by the caller and then counted with len +=; NULL past
 * the limit. */
char *strbuf_reserve(struct strbuf *buf, size_t len);
void strbuf_drop_front(struct strbuf *buf, size_t len);
struct span strbuf_span(const struct strbuf *buf); /* borrowed until the next change */
const char *strbuf_text(const struct strbuf *buf); /* the same, for C */
char *strbuf_detach(struct strbuf *buf);           /* the caller's, to mem_free; buf is empty afterwards */

/* Here, as text is made of many short pieces: most of them are a comparison and a copy. */
static inline void strbuf_add(struct strbuf *buf, struct span bytes)
{
    char *room = buf->limit == 0 && buf->len + bytes.len < buf->cap ? buf->ptr + buf->len
                                                                    : strbuf_reserve(buf, bytes.len);

    if (room == NULL)
        return;
    if (bytes.len != 0)
        memcpy(room, bytes.ptr, bytes.len);
    buf->len += bytes.len;
    room[bytes.len] = '\0';
}

static inline void strbuf_add_char(struct strbuf *buf, char c)
{
    strbuf_add(buf, span_make(&c, 1));
}

#endif

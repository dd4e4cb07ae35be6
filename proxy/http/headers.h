/* headers: the fields of one header or trailer section, in order, with case, repeats and bytes as they came.
 *
 * A field is kept as its whole line ("Name:  value" without the line ending), so that HTTP/1 can be passed on
 * byte for byte; name and value are parts of that line, the value without the blanks around it (RFC 9110
 * §5.5). A field that must not be forwarded is marked, not removed: the record wants what came, the next hop
 * does not. Lines live in one block, each followed by CRLF, in the order they came; fields are offsets into
 * it, so neighbours can be written out in one copy. Values may be any byte but NUL, CR, LF. */
#ifndef WEIR_HTTP_HEADERS_H
#define WEIR_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct header {
    uint32_t line_off, line_len;
    uint32_t value_off, value_len; /* from the start of the block */
    uint16_t name_len;             /* the name begins the line */
    bool is_hop;                   /* for this hop only: recorded, not forwarded */
    bool is_sensitive;             /* HTTP/2: never to be indexed (RFC 7541 §7.1.3) */
    bool is_plain;                 /* the whole line is, see plain.h */
};

struct headers {
    char *block; /* owned */
    size_t block_len, block_cap;
    struct header *items; /* owned */
    size_t count, cap;
    size_t max_count, max_bytes; /* max_bytes is of the lines without their endings */
    size_t bytes;                /* so many of these there are */
    uint64_t names;              /* what names there may be: a bit of headers_name_bit for each field */
};

/* A limit of 0 is none: for what no stranger sizes, or what is bounded elsewhere. */
void headers_init(struct headers *headers, size_t max_count, size_t max_bytes);
void headers_clear(struct headers *headers); /* empty and usable afterwards */

/* Adds a field from its line as it came; name_len and the value's place are the parser's word. ERR_LIMIT. */
bool headers_add_line(struct headers *headers, struct span line, size_t name_len, size_t value_off,
                      size_t value_len, struct err *err);
/* Puts a blank and then more to the end of the last field's line and value: obsolete folding (RFC 9112 §5.2)
 * undone. There is a last field. ERR_LIMIT. */
bool headers_extend_last(struct headers *headers, struct span more, struct err *err);
/* Adds "name: value". ERR_LIMIT, or ERR_PROTO for bytes that no field may hold. */
bool headers_add(struct headers *headers, struct span name, struct span value, struct err *err);

static inline struct span headers_line(const struct headers *headers, size_t i)
{
    return span_make(headers->block + headers->items[i].line_off, headers->items[i].line_len);
}

static inline struct span headers_name(const struct headers *headers, size_t i)
{
    return span_make(headers->block + headers->items[i].line_off, headers->items[i].name_len);
}

static inline struct span headers_value(const struct headers *headers, size_t i)
{
    return span_make(headers->block + headers->items[i].value_off, headers->items[i].value_len);
}

/* The value of the first field of that name (case ignored); false when there is none. */
bool headers_find(const struct headers *headers, struct span name, struct span *out_value);

/* By a name's length and first letter, either case. A head is asked for some forty names, most of which it
 * has not: its bits say so without a look at its fields. */
static inline uint64_t headers_name_bit(struct span name)
{
    return name.len != 0 ? UINT64_C(1) << ((name.len * 5 ^ ((unsigned char)name.ptr[0] & 0x1f)) & 63) : 0;
}

size_t headers_seek(const struct headers *headers, struct span name, size_t from); /* headers_next's work */

/* The place of the next field of that name at or after from; headers->count when there is none. */
static inline size_t headers_next(const struct headers *headers, struct span name, size_t from)
{
    return (headers->names & headers_name_bit(name)) != 0 ? headers_seek(headers, name, from)
                                                          : headers->count;
}
/* Whether any field of that name has token in its comma-separated list (case ignored; RFC 9110 §5.6.1). */
bool headers_has_token(const struct headers *headers, struct span name, struct span token);

#endif

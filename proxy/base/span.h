/* span: borrowed bytes: a pointer and a length, no NUL at the end.
 *
 * Whoever hands out a span says how long it is valid. Comparing ignores case only in ASCII, as HTTP does. */
#ifndef WEIR_BASE_SPAN_H
#define WEIR_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })
#define SPAN_NONE     ((struct span){ NULL, 0 })
/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)(s).len, (s).ptr != NULL ? (s).ptr : ""

static inline struct span span_of(const char *text)
{
    return (struct span){ text, text != NULL ? strlen(text) : 0 };
}

static inline struct span span_make(const void *ptr, size_t len)
{
    return (struct span){ (const char *)ptr, len };
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_ieq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool span_istarts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || strncasecmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool span_ends(struct span s, struct span suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* Where c is in s; s.len where it is not. */
static inline size_t span_find(struct span s, char c)
{
    const char *at = s.len != 0 ? memchr(s.ptr, c, s.len) : NULL;
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

/* The len bytes at offset, which are within s. Of SPAN_NONE it is SPAN_NONE: adding 0 to NULL is undefined in
 * C. */
static inline struct span span_sub(struct span s, size_t offset, size_t len)
{
    return (struct span){ offset != 0 ? s.ptr + offset : s.ptr, len };
}

/* From offset on; offset may be anything up to s.len. */
static inline struct span span_from(struct span s, size_t offset)
{
    return span_sub(s, offset, s.len - offset);
}

/* Without the blanks and tabs at both ends. */
static inline struct span span_trim(struct span s)
{
    while (s.len != 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len != 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cuts the part before the next separator off *rest, without the separator; false when nothing is left.
 * A list that ends in a separator has no empty part after it. */
static inline bool span_split(struct span *rest, char separator, struct span *out_part)
{
    size_t at;

    if (rest->ptr == NULL || rest->len == 0)
        return false;
    at = span_find(*rest, separator);
    *out_part = span_sub(*rest, 0, at);
    *rest = span_from(*rest, at < rest->len ? at + 1 : at);
    return true;
}

/* A decimal number that fits and is nothing but digits. */
static inline bool span_u64(struct span s, uint64_t *out_value)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out_value = value;
    return true;
}

#endif

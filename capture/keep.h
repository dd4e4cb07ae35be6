/* keep: how much of a session stays while it goes on: so many of its newest exchanges, so many bytes of them,
 * or those that are not older than so long. Where several are given, all hold. Any thread. */
#ifndef WEIR_CAPTURE_KEEP_H
#define WEIR_CAPTURE_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"

struct keep {
    uint64_t count, bytes, age_us; /* 0: no limit */
};

static inline bool keep_is_limited(const struct keep *keep)
{
    return (keep->count | keep->bytes | keep->age_us) != 0;
}

/* "10000" exchanges, "500M" of size (k, M, G, T; powers of 1024), "7d" of age (s, min, h, d, w), or several
 * of them with commas, of which the strictest of a kind holds. ERR_USAGE says what is wrong. */
bool keep_parse(const char *text, struct keep *out_keep, struct err *err);

/* In the words of keep_parse. */
void keep_add_text(struct strbuf *out, const struct keep *keep);

#endif

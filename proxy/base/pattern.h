/* pattern: what a person writes to say which texts are meant: a text with stars, or a regular expression.
 *
 * A glob is text in which * stands for any bytes, none and '/' included, and a backslash takes the byte after
 * it as it is; nothing else is special. It must cover the whole subject unless it may stand anywhere. Its
 * stars never make it go back, so matching is bounded by subject times pattern. A regular expression is a
 * PCRE2 one (UTF-8, JIT), found anywhere in the subject; bytes that are no UTF-8 are matched by nothing, and
 * the work of one match is limited: past that limit the answer is no.
 * Ignoring case means ASCII for globs and Unicode for regular expressions.
 * Threads: immutable once made, shared freely. */
#ifndef WEIR_BASE_PATTERN_H
#define WEIR_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* The numbers stand in the SQL of filters: each keeps its own. */
enum pattern_how {
    PATTERN_GLOB = 0,
    PATTERN_REGEX = 1 << 0,
    PATTERN_ANYWHERE = 1 << 1, /* globs: a part of the subject is enough */
    PATTERN_ANY_CASE = 1 << 2,
};

struct pattern;

/* text is copied. how is made of enum pattern_how. ERR_USAGE with what is wrong with a regular expression and
 * where; a glob is never wrong. */
bool pattern_new(struct span text, unsigned how, struct pattern **out_pattern, struct err *err);
void pattern_free(struct pattern *pattern); /* NULL is fine */

bool pattern_match(const struct pattern *pattern, struct span subject);

/* Where a regular expression first matches at or after from, which is at most subject.len; group is its first
 * group, or all of the match where it has none or that took no part. */
bool pattern_find(const struct pattern *pattern, struct span subject, size_t from, struct span *out_all,
                  struct span *out_group);

struct span pattern_text(const struct pattern *pattern); /* as it was given; borrowed */
unsigned pattern_how(const struct pattern *pattern);

/* Whether nothing but one text is meant: a glob without stars that covers the whole subject, or, when it may
 * stand anywhere, is a part of it. The text without backslashes, borrowed. */
bool pattern_literal(const struct pattern *pattern, struct span *out_text);

/* Adds bytes to a glob so that they mean themselves. */
void pattern_add_escaped(struct strbuf *glob, struct span bytes);

#endif

/* secret_patterns: what a person calls a secret: regular expressions of a file, one a line.
 *
 * EXPRESSION or NAME=EXPRESSION, NAME of letters, digits and '_' with no digit at its front. Empty lines, and
 * those that begin with '#', are passed over. Expressions are PCRE2's: see proxy/base/pattern.h. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_PATTERNS_H
#define WEIR_CAPTURE_EXPORT_SECRET_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct secret_patterns;

/* ERR_SYS: the file can't be read; ERR_USAGE with the number of the line that is wrong. */
bool secret_patterns_load(const char *path, struct secret_patterns **out_patterns, struct err *err);
void secret_patterns_free(struct secret_patterns *patterns); /* NULL is fine */

size_t secret_patterns_count(const struct secret_patterns *patterns); /* of NULL: 0 */

struct secret_pattern_found {
    struct span text; /* the first group that took part, or all of the match */
    struct span name; /* empty: it has none */
    size_t end;       /* where to go on, above from */
};
/* What pattern i finds at or after from. */
bool secret_patterns_find(const struct secret_patterns *patterns, size_t i, struct span text, size_t from,
                          struct secret_pattern_found *out_found);

#endif

/* plain: whether bytes are printable ASCII without quote and backslash.
 *
 * Nearly all that stands in a head is. Such bytes stand for themselves in JSON, hold no line ending and no
 * NUL, and are their own UTF-8, so one look, eight bytes at a time, answers what else takes several. Any
 * thread. */
#ifndef WEIR_BASE_PLAIN_H
#define WEIR_BASE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/span.h"

bool plain_is_all(struct span bytes);
/* How many bytes come before the first that is not plain. */
size_t plain_prefix(struct span bytes);

#endif

/* singular: one of what the last word of an English compound names: what a variable below "/line-items" is
 * called. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_SINGULAR_H
#define WEIR_CAPTURE_EXPORT_SINGULAR_H

#include <stdbool.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* "users", "line-items", "people"; not "status". */
bool singular_is_plural(struct span word);

/* "lineItem" for "line-items", "person" for "people", "status" for "status": ASCII letters and digits only,
 * never a digit first; nothing for a word without any. raw: percent-encoded. Appended. */
void singular_add(struct strbuf *out, struct span raw);

#endif

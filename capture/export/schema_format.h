/* schema_format: what a string in a document is by its looks. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_SCHEMA_FORMAT_H
#define WEIR_CAPTURE_EXPORT_SCHEMA_FORMAT_H

#include <stdbool.h>

#include "proxy/base/span.h"

/* enum schema_format, at most one of them; 0: none. */
unsigned schema_format_of(struct span text);
/* "date-time"; NULL: format is not exactly one. */
const char *schema_format_name(unsigned format);
/* Whether an enumeration may have it: a short word, and nobody's id. */
bool schema_format_is_word(struct span text);

#endif

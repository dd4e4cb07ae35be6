/* json_indent: whitespace put into JSON so that people can read it, and nothing else changed.
 *
 * Every byte that is not whitespace between tokens comes out as it went in: number spelling, duplicate keys,
 * escapes and bytes that are no UTF-8 stay. Text is fed in pieces of any size, as it comes out of a store;
 * what is not JSON comes out with its own line structure lost at most. */
#ifndef WEIR_TOOLS_JSON_INDENT_H
#define WEIR_TOOLS_JSON_INDENT_H

#include <stdbool.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

struct json_indent {
    size_t depth;
    bool in_string, after_backslash;
    bool is_fresh;    /* nothing came since '{' or '[': "{}" stays together */
    bool wants_break; /* a new line is due before the next token */
    bool after_colon; /* the blank behind it is written */
    bool has_gap;     /* whitespace came that no rule of ours has replaced */
    bool is_started;
};

/* Zeroed is the start. Appends to out; out is the caller's to empty between pieces. */
void json_indent_feed(struct json_indent *indent, struct span text, struct strbuf *out);

/* Whether a body of this media type (lower case, no parameters) is JSON. */
bool json_indent_is_json(struct span media_type);

#endif

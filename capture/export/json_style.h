/* json_style: how a JSON document is laid out, so that what is added to it looks like the rest.
 *
 * Indentation (tabs as Postman writes, blanks, or all on one line), line ends, and whether a blank follows a
 * colon. It is told from the first members of the document. Immutable. */
#ifndef WEIR_CAPTURE_EXPORT_JSON_STYLE_H
#define WEIR_CAPTURE_EXPORT_JSON_STYLE_H

#include <jansson.h>
#include <stdbool.h>

#include "capture/export/json_tree.h"
#include "proxy/base/strbuf.h"

struct json_style {
    bool is_line;     /* no line ends at all */
    struct span unit; /* of indentation; borrowed from the document */
    const char *line_end;
    const char *colon, *comma; /* with the blank behind it, if there is one */
};

/* A document of which nothing can be told has tabs. */
struct json_style json_style_of(const struct json_tree *tree);

/* A line end and depth units behind indent; nothing where all is on one line. Appended. */
void json_style_add_break(const struct json_style *style, struct span indent, unsigned depth,
                          struct strbuf *out);
/* The value as it is written in a line of that indentation. Appended. */
void json_style_add(const struct json_style *style, const json_t *value, struct span indent,
                    struct strbuf *out);
/* A string with its quotes. Appended. */
void json_style_add_string(struct span text, struct strbuf *out);

#endif

/* html_field: the values that a page carries for its scripts and forms: <input name value>, <meta name
 * content>.
 *
 * No tree is built: tags are found where they stand, and what is damaged is passed over. Work is one
 * pass, whatever the page is. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_HTML_FIELD_H
#define WEIR_CAPTURE_EXPORT_HTML_FIELD_H

#include <stdbool.h>

#include "proxy/base/span.h"

struct html_field {
    const char *tag;         /* "input", "meta" */
    const char *key;         /* the attribute that names it: "name", "property" */
    const char *holds;       /* the one that has its value: "value", "content" */
    struct span name, value; /* as they are spelled, with entities; borrowed from the page */
};

/* The next one with a name and a value, cut off *rest. False: there is none. */
bool html_field_next(struct span *rest, struct html_field *out_field);

#endif

/* fields_json: header fields as the store keeps them: JSON, [["name","value"],...], in the store's text (one
 * code point a byte, see record.h), written and read where the bytes lie.
 *
 * Fields are most of what is read of an exchange, so nothing is built: a field is two pieces of the JSON, and
 * nearly all pieces are the bytes themselves. Any JSON of that shape is read, however it is spaced and
 * escaped. Threads: no state. */
#ifndef WEIR_CAPTURE_FIELDS_JSON_H
#define WEIR_CAPTURE_FIELDS_JSON_H

#include <stdbool.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

struct headers;

/* Appends the list of all fields. */
void fields_json_add(struct strbuf *out, const struct headers *headers);

/* Where a reader is. The JSON is borrowed. */
struct fields_json {
    struct span rest;
    bool is_inside; /* the list has been opened */
};

/* A string as it stands between its quotes. */
struct fields_json_text {
    struct span raw;
    bool is_bytes; /* it is what it means: ASCII without escapes */
};

enum fields_json_answer {
    FIELDS_JSON_FIELD,
    FIELDS_JSON_END,
    FIELDS_JSON_BROKEN, /* not such a list */
};

/* The next field of *fields, which begins as { json, false }. Asked no more after END and BROKEN. */
enum fields_json_answer fields_json_next(struct fields_json *fields, struct fields_json_text *out_name,
                                         struct fields_json_text *out_value);

/* Appends the bytes that a text stands for, which are never more than it has. False: an escape that is none
 * of JSON's, or a code point that is no byte; then some may have been added. */
bool fields_json_bytes(struct strbuf *out, struct fields_json_text text);

#endif

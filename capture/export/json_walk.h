/* json_walk: reads JSON text (RFC 8259) where it lies: every value is shown with its path and its bytes.
 *
 * Nothing is built, copied or decoded, so the spans of values can be cut out of the text or replaced in it.
 * The text must be UTF-8; a byte order mark before it is passed over. Repeated keys are shown as they come.
 * Work is one pass over the text; memory is the nesting, which is bounded. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_JSON_WALK_H
#define WEIR_CAPTURE_EXPORT_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* What nests deeper is no message that an application made. */
#define JSON_WALK_MAX_DEPTH 128

enum json_walk_kind {
    JSON_WALK_NULL,
    JSON_WALK_BOOL,
    JSON_WALK_INTEGER, /* a number without fraction and exponent */
    JSON_WALK_NUMBER,
    JSON_WALK_STRING,
    JSON_WALK_ARRAY,
    JSON_WALK_OBJECT,
    JSON_WALK_KINDS,
};

/* One step from a container to what is in it. */
struct json_walk_step {
    struct span key; /* between its quotes, escapes and all; ptr NULL: of an array */
    uint64_t index;  /* which one of the container, from 0 */
};

struct json_walk_value {
    enum json_walk_kind kind;
    struct span
        bytes; /* a string: between its quotes; a container: from its bracket, 1 byte; else all of it */
    const struct json_walk_step *path; /* from the root */
    size_t depth;                      /* how many steps; 0: the root itself */
};

struct json_walk_events {
    /* Each leaf, and each container before what is in it. False stops the walk. */
    bool (*on_value)(void *self, const struct json_walk_value *value);
    /* The end of a container of that depth; NULL: not wanted. */
    void (*on_close)(void *self, size_t depth);
};

enum json_walk_answer {
    JSON_WALK_DONE,
    JSON_WALK_STOPPED, /* on_value said so */
    JSON_WALK_CUT,     /* the text ends before its value does: what was shown is right as far as it goes */
    JSON_WALK_WRONG,   /* no JSON, or nested too deep */
};

/* Everything shown is borrowed for the call that shows it, spans from text for as long as that lives. events
 * NULL: the answer alone. */
enum json_walk_answer json_walk(struct span text, const struct json_walk_events *events, void *self);

/* A string or key with its escapes undone, as UTF-8 (half a surrogate pair is U+FFFD). Appended. */
void json_walk_unescape(struct strbuf *out, struct span raw);
/* The path as a JSON Pointer (RFC 6901). Appended. */
void json_walk_pointer(struct strbuf *out, const struct json_walk_step *path, size_t depth);

#endif

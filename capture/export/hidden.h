/* hidden: a captured text that is read in parts, each with variables where secrets stood.
 *
 * What is secret is decided on the whole text, since a value may be one by its place in it; then the parts of
 * a URL, a form or a header field are taken from it one by one. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_HIDDEN_H
#define WEIR_CAPTURE_EXPORT_HIDDEN_H

#include "capture/export/secrets.h"

struct hidden {
    struct secrets *secrets; /* borrowed */
    struct span text;
    struct secret_piece *pieces;
    size_t count, cap;
    size_t cursor; /* where the last part began: parts are asked for in order, mostly */
};

/* secrets NULL: nothing is one. All is borrowed until hidden_clear. */
void hidden_init(struct hidden *out_hidden, struct secrets *secrets, const struct secret_text *text);
/* Text in which nothing has a name. */
void hidden_init_plain(struct hidden *out_hidden, struct secrets *secrets, struct span text);
void hidden_clear(struct hidden *hidden);

enum hidden_kind {
    HIDDEN_NOTHING, /* no secret in it */
    HIDDEN_RAW,     /* those that are there stand as they are, unchanged by any encoding */
    HIDDEN_ENCODED,
};
/* part lies within the text. */
enum hidden_kind hidden_kind_of(struct hidden *hidden, struct span part);
/* The secret that part is, all of it; NULL: it is something else, or more. */
const struct secret *hidden_whole(struct hidden *hidden, struct span part);

/* Appends part: "{{name}}" for secrets, and what add (NULL: strbuf_add) makes of the rest. */
void hidden_add(struct hidden *hidden, struct span part, void (*add)(struct strbuf *out, struct span bytes),
                struct strbuf *out);
/* "{{name}}" of the value itself. */
void hidden_add_value(struct secrets *secrets, const struct secret *secret, struct strbuf *out);

#endif

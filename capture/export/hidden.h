/* hidden: a captured text that is read in parts, each with variables where secrets stood, and where a person
 * or another module put one.
 *
 * What is secret is decided on the whole text, since a value may be one by its place in it; then the parts of
 * a URL, a form or a header field are taken from it one by one. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_HIDDEN_H
#define WEIR_CAPTURE_EXPORT_HIDDEN_H

#include "capture/export/secrets.h"

/* Names of the variables that stand for a part; the same where it is spelled as its value is. Borrowed. */
struct hidden_variable {
    const char *spelling; /* has the text as it stands there */
    const char *value;    /* has what that text stands for, decoded */
};

struct hidden_piece {
    struct secret_piece piece;
    const struct hidden_variable *variable; /* that was put there; NULL: none */
};

struct hidden {
    struct secrets *secrets; /* borrowed */
    struct span text;
    struct hidden_piece *pieces;
    size_t count, cap;
    size_t cursor; /* where the last part began: parts are asked for in order, mostly */
};

/* secrets NULL: nothing is one. All is borrowed until hidden_clear. */
void hidden_init(struct hidden *out_hidden, struct secrets *secrets, const struct secret_text *text);
/* Text in which nothing has a name. */
void hidden_init_plain(struct hidden *out_hidden, struct secrets *secrets, struct span text);
void hidden_clear(struct hidden *hidden);
/* From now on variable stands for part, whether it is secret or not; both are borrowed. Nothing, where a
 * secret covers it and more. */
void hidden_put(struct hidden *hidden, struct span part, const struct hidden_variable *variable);

enum hidden_kind {
    HIDDEN_NOTHING, /* no variable in it */
    HIDDEN_RAW,     /* those that are there stand as they are, unchanged by any encoding */
    HIDDEN_ENCODED,
};
/* part lies within the text. */
enum hidden_kind hidden_kind_of(struct hidden *hidden, struct span part);
/* Whether one variable stands for all of part, and for value, which is part decoded. */
bool hidden_is_whole(struct hidden *hidden, struct span part, struct span value);
/* Then appends "{{name}}" of the value; nothing else. */
void hidden_add_whole(struct hidden *hidden, struct span part, struct strbuf *out);

/* Appends part: "{{name}}" for variables, and what add (NULL: strbuf_add) makes of the rest. */
void hidden_add(struct hidden *hidden, struct span part, void (*add)(struct strbuf *out, struct span bytes),
                struct strbuf *out);
/* "{{name}}" of the value itself. */
void hidden_add_value(struct secrets *secrets, const struct secret *secret, struct strbuf *out);

#endif

/* body: a captured body on its way to a person or a program.
 *
 * Read from the store, decoded, and written in pieces, so that its size does not matter. A terminal gets text
 * only, and only harmless text. */
#ifndef WEIR_TOOLS_BODY_H
#define WEIR_TOOLS_BODY_H

#include <stdbool.h>
#include <stdio.h>

#include "capture/record.h"
#include "capture/store/store.h"
#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"

/* The body of one side of a record, and what its header fields say of it; borrowed from the record. */
struct body {
    const struct record_body *stored;
    const struct record_fields *headers;
    struct span type;
};
struct body body_of(const struct record *record, enum http_role side);

/* How it is written: bytes as they were on the wire, or with these. */
enum body_look {
    BODY_DECODED = 1 << 0,  /* content codings undone */
    BODY_INDENTED = 1 << 1, /* whitespace put into JSON */
    BODY_HARMLESS = 1 << 2, /* for a terminal: through text_add_shown_lines */
    BODY_LINED = 1 << 3,    /* a line feed is added where it does not end in one */
};

/* Whether its start, seen with that look, is anything but text. */
bool body_is_binary(struct store *store, const struct body *body, unsigned look, bool *out_binary,
                    struct err *err);
/* Writes all of it. A body whose coding is unknown is written as it was. ERR_PROTO: it is damaged, or was
 * cut; what came before that is written. */
bool body_write(struct store *store, const struct body *body, unsigned look, FILE *out, struct err *err);
/* At most limit bytes of it, decoded where that can be done; *out_is_whole is false when there is more. */
bool body_read(struct store *store, const struct body *body, size_t limit, struct strbuf *out,
               bool *out_is_whole, struct err *err);

#endif

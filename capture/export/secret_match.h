/* secret_match: finds known values in bytes, however they are spelled there.
 *
 * A value is found as it is, percent-encoded (any bytes of it, either case of hexadecimal), form-encoded ('+'
 * for a blank), with backslash escapes (JSON's, also JSON inside JSON, JavaScript's and bash's $'...'), with
 * HTML's entities, as ISO 8859-1 turned into UTF-8, and inside base64 or base64url at any of the three
 * alignments, also where that is in lines, percent-encoded or escaped itself.
 *
 * How: the values are sorted once. Each place in the text is asked a table of hashes of four bytes whether
 * any value could begin there, in plain text or in base64. What is special in some spelling is decoded once:
 * mostly no value has the byte that it stands for so near its beginning. The few places that pass are decoded
 * as far as needed, asked a second table for six bytes, and looked up by binary search. Spellings need no
 * entries of their own, so a value costs 8 bytes here and up to 16 in the tables of 17 KiB to 12 MiB; an
 * automaton over all spellings of a thousand JWTs would not fit in memory. Text without matches takes about a
 * nanosecond a byte, and more with tens of thousands of values. The worst text for the worst values costs a
 * comparison with all of the longest value at each place.
 *
 * Threads: immutable once made; a secret_scan is its owner's. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_MATCH_H
#define WEIR_CAPTURE_EXPORT_SECRET_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/export/secret_form.h"
#include "proxy/base/span.h"

/* A shorter value says nothing: it would be found everywhere. */
#define SECRET_MATCH_MIN 4
/* No longer value is known: a longer one is for its owner to cut. */
#define SECRET_MATCH_MAX (64 * 1024)

struct secret_match;

/* What is looked for: the values of count indices. which is the match's afterwards, to mem_free; value tells
 * the same as long as it lives, of each SECRET_MATCH_MIN to SECRET_MATCH_MAX bytes. Of equal ones the first
 * in the order of indices counts. */
struct secret_match *secret_match_new(struct span (*value)(const void *self, size_t i), const void *self,
                                      uint32_t *which, size_t count);
void secret_match_free(struct secret_match *match); /* NULL is fine */

struct secret_found {
    size_t at, len;        /* in the text */
    size_t value;          /* its index */
    enum secret_form form; /* the first, in the order above, that it is */
};
/* The leftmost at or after from, and of those that begin there the one that covers most. In base64 it is the
 * characters that are made of the value alone. */
bool secret_match_find(const struct secret_match *match, struct span text, size_t from,
                       struct secret_found *out_found);
/* The same for places before until alone. */
bool secret_match_find_before(const struct secret_match *match, struct span text, size_t from, size_t until,
                              struct secret_found *out_found);
size_t secret_match_longest(const struct secret_match *match); /* bytes of a value; 0: there is none */

#endif

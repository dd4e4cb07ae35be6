/* json_shape: what a JSON document looks like, in a few bytes: equal for documents that differ only in their
 * values.
 *
 * A shape is the set of all key paths, each with the kinds of leaves found there; the elements of an array
 * share one path, and integers and other numbers are one kind. The order of keys and elements, repeats and
 * the spelling of strings make no difference. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_JSON_SHAPE_H
#define WEIR_CAPTURE_EXPORT_JSON_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"

/* Paths beyond these are no part of the shape: which ones are left out depends on their names alone. */
#define JSON_SHAPE_MAX_PATHS 1024

struct json_shape {
    uint64_t hash;   /* of paths and kinds; never 0 */
    uint64_t keys;   /* of paths alone, so that a value that may be null makes no difference; never 0 */
    uint32_t paths;  /* how many distinct paths below the root: how much a document tells */
    bool is_partial; /* of the text's beginning, or more than JSON_SHAPE_MAX_PATHS */
};

/* False: text is no JSON. is_front: text is only the beginning of the document, so that its end in the middle
 * of a value is none of its faults. */
bool json_shape_of(struct span text, bool is_front, struct json_shape *out_shape);

#endif

/* merge_example: examples of responses as they stand in a collection: which are the same, and whether one
 * says anything that another does not. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_EXAMPLE_H
#define WEIR_CAPTURE_EXPORT_MERGE_EXAMPLE_H

#include <jansson.h>
#include <stdbool.h>

#include "capture/export/digest.h"

/* The id that an example without one of ours would have in the item with that id of ours. False: a person
 * made it, by its name. */
bool merge_example_id(const json_t *example, const char *item_id, char out[DIGEST_UUID_BYTES]);

/* Whether member key of two examples says the same. Times, and header fields that are another in each
 * response (Date, request ids), say nothing. */
bool merge_example_is_same(const json_t *one, const json_t *other, const char *key);

/* "200 OK · GET me · #7 (truncated 1 KiB)" is a name of ours, of which the part behind the number says how
 * much of the body is shown. The end of the number; 0: a person gave that name. */
size_t merge_example_stem(const char *name);

#endif

/* json_edit: changes to a JSON text, of which all else stays byte for byte as it is.
 *
 * Values are replaced, and added at the end of arrays and objects, in the looks of the text around them
 * (json_style.h). Nothing happens until json_edit_write. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_JSON_EDIT_H
#define WEIR_CAPTURE_EXPORT_JSON_EDIT_H

#include <jansson.h>
#include <stdio.h>

#include "capture/export/json_style.h"
#include "capture/export/json_tree.h"

struct json_edit;

struct json_edit *json_edit_new(const struct json_tree *tree); /* borrowed */
void json_edit_free(struct json_edit *edit);                   /* NULL is fine */

/* A node is replaced once, and neither replaced nor added to within another that is. */
void json_edit_replace(struct json_edit *edit, uint32_t node, const json_t *value);
/* At the end of an array, or with its key of an object; in the order of the calls. */
void json_edit_append(struct json_edit *edit, uint32_t array, const json_t *value);
void json_edit_add_member(struct json_edit *edit, uint32_t object, const char *key, const json_t *value);

bool json_edit_is_empty(const struct json_edit *edit);
/* The whole text. Errors are out's. */
void json_edit_write(struct json_edit *edit, FILE *out);

#endif

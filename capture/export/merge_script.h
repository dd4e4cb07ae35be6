/* merge_script: what the scripts of an item set. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_SCRIPT_H
#define WEIR_CAPTURE_EXPORT_MERGE_SCRIPT_H

#include <stdbool.h>

#include <jansson.h>

/* Whether scripts of the item in the file, whoever wrote them, set each variable that those of the made one
 * set (collection_link.c). Told by the text "set("NAME"". */
bool merge_script_sets(const json_t *file_item, const json_t *made_item);

#endif

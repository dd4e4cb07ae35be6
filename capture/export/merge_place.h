/* merge_place: where the new items of a capture go in a collection that is there.
 *
 * In the folder that has the name of theirs, below the one that stands for its parent; else where most items
 * are that the capture has in the same folder, since a person may have renamed or moved them; else in a new
 * folder. They come last, and what they inherit there changes nothing of what they send. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_PLACE_H
#define WEIR_CAPTURE_EXPORT_MERGE_PLACE_H

#include "capture/export/json_edit.h"
#include "capture/export/merge_tree.h"

struct merge_place;

/* All is borrowed; partners are known. */
struct merge_place *merge_place_new(const struct merge_tree *made, const struct merge_tree *file,
                                    struct json_edit *edit);
void merge_place_free(struct merge_place *place); /* NULL is fine */

/* item is the made tree's; its name and auth may change. */
void merge_place_add(struct merge_place *place, const struct merge_item *item);
/* Puts new folders where they belong; once, behind all items. */
void merge_place_end(struct merge_place *place);

#endif

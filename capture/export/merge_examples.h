/* merge_examples: the examples of an item that is there get those of its partner in a capture.
 *
 * One that is there is the same as one of a capture by its id, or by how it looks (merge_example.h). It is
 * refreshed when it says something else now: only the members that do are replaced, and a name that a person
 * gave it stays. The others stay as they are. New ones come behind them: those with a status that the item
 * has no example of, and more as long as there is room. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_EXAMPLES_H
#define WEIR_CAPTURE_EXPORT_MERGE_EXAMPLES_H

#include "capture/export/json_edit.h"
#include "capture/export/merge_tree.h"
#include "capture/export/naming.h"

struct merge_examples {
    const struct json_tree *nodes;
    struct json_edit *edit;
    struct names *names; /* of all examples of the file and of what was added to it */
    unsigned max;        /* of an item */
};

/* Takes the names of all examples of the file. */
void merge_examples_see(struct merge_examples *examples, const struct merge_tree *file);
/* Gives the examples of an item of the capture, which is new in the file, names that are free there. */
void merge_examples_name(struct merge_examples *examples, json_t *item);
/* Whether anything changed. */
bool merge_examples_update(struct merge_examples *examples, const struct merge_item *file,
                           const struct merge_item *made);

#endif

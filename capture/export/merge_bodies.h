/* merge_bodies: bodies that an export put beside a collection, and that nothing in it sends.
 *
 * The request of an item that is there already stays as it is: what its partner in a capture sent is not
 * needed. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_BODIES_H
#define WEIR_CAPTURE_EXPORT_MERGE_BODIES_H

#include "capture/export/files.h"
#include "capture/export/merge_tree.h"

/* Those of items with partners, unless others send them too. */
void merge_bodies_drop(const struct merge_tree *made, struct files *files);

#endif

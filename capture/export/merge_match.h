/* merge_match: which items of a collection that is there and of a capture are the same.
 *
 * An id of ours says what an item calls, and decides: no other item of ours is it, however alike they look.
 * Items without one (Postman writes none, or its own) are the same when their requests are: first exactly,
 * then, where only one on each side is left, but for the shape of the body and the credential, which people
 * change. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_MATCH_H
#define WEIR_CAPTURE_EXPORT_MERGE_MATCH_H

#include "capture/export/merge_hosts.h"
#include "capture/export/merge_tree.h"

/* Partners by id. */
void merge_match_ids(struct merge_tree *made, struct merge_tree *file);
/* The rest, by what they call. */
void merge_match_calls(struct merge_tree *made, struct merge_tree *file, const struct merge_hosts *hosts);

#endif

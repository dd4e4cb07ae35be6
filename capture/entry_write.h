/* entry_write: what the pieces of an exchange become in the store: its row, bodies, cookies and messages.
 *
 * The writer's, inside its transaction: entry->now tells what of the entry is in the store so far, and the
 * writer brings it back from entry->committed when the batch fails. */
#ifndef WEIR_CAPTURE_ENTRY_WRITE_H
#define WEIR_CAPTURE_ENTRY_WRITE_H

#include "capture/piece.h"
#include "capture/store/store.h"

struct filter;

/* Writes the pieces that the batch has of entry, or takes out of the store what filter does not take. Of one
 * of which pieces were lost it ends what is there. */
bool entry_write(struct store *store, const struct filter *filter, struct entry *entry, struct err *err);

/* Those of an exchange that the filter left out. */
bool entry_write_cookies(struct store *store, const struct exchange_piece *piece, struct err *err);

#endif

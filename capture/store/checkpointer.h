/* checkpointer: the thread that moves the WAL into the store's file while others write to it.
 *
 * Moving it means syncing twice, which a busy disk may take a second for; the writer, which promises
 * that what a client has had for 250 ms is in the store, can't wait for that. It has a handle of its own:
 * SQLite lets one move while another commits. One pass moves what was there when it began, so passes follow
 * until one has found nothing new: then the next commit begins the WAL anew. Threads: new, ask and free are
 * the owner's. */
#ifndef WEIR_CAPTURE_STORE_CHECKPOINTER_H
#define WEIR_CAPTURE_STORE_CHECKPOINTER_H

#include <stdbool.h>

#include "proxy/base/err.h"

struct checkpointer;
struct store;

/* For the store at path, which exists. *out_checkpointer is the caller's. */
bool checkpointer_new(const char *path, struct checkpointer **out_checkpointer, struct err *err);
void checkpointer_free(struct checkpointer *checkpointer); /* waits for a pass under way; NULL is fine */

/* Moves the WAL soon; while it does already, once more after that. */
void checkpointer_ask(struct checkpointer *checkpointer);

/* One pass, by the store's own handle: how many pages there are, and how many of them have been moved by now.
 * False: it could not; no loss, as the WAL stays as it is. */
bool sqlite_checkpoint(struct store *store, int *out_pages, int *out_moved);

#endif

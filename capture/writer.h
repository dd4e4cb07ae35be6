/* writer: the thread that empties the queue into the store, in batches.
 *
 * It commits when the oldest piece has waited 50 ms, or 512 pieces or 4 MiB are waiting, and rests now and
 * then, as requests may need its core. All pieces of an exchange in one batch make one statement. If the
 * store fails the batch is tried again for 2 s, in which the queue fills and the tap slows down; then pieces
 * are dropped and counted, and when the store works again the session gets its mark of what is missing.
 * Threads: new and end are the owner's, the rest is the writer's own. */
#ifndef WEIR_CAPTURE_WRITER_H
#define WEIR_CAPTURE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/recorder.h"
#include "capture/store/store.h"
#include "proxy/base/err.h"

struct writer;

/* Starts it. store is lent: nobody else uses the handle until writer_end. shared: whose queue, filter and
 * sessions. */
struct writer *writer_new(struct store *store, struct recorder_shared *shared);

/* Closes the queue, waits until it is empty and the thread is gone, and frees the writer. False: something
 * was lost and the store did not come back to be told; out_lost then says what, "" otherwise. */
bool writer_end(struct writer *writer, char *out_lost, size_t lost_size, struct err *err);

#endif

/* cookie_sync: cookie files that follow the jar of a session that is being recorded.
 *
 * A file is replaced as soon as the store has a change of it, and when a cookie in it expires; while nothing
 * changes in it, it is left alone. With what recording itself takes that is under 250 ms. Whoever reads it
 * sees a whole file. The work is done on a thread of its own, on a read handle of its own: nobody waits for
 * it.
 *
 * Threads: cookie_sync_ask any, the rest is the owner's. */
#ifndef WEIR_TOOLS_COOKIE_SYNC_H
#define WEIR_TOOLS_COOKIE_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/export.h"
#include "proxy/base/err.h"

struct cookie_sync;

struct cookie_sync *cookie_sync_new(void);
void cookie_sync_free(struct cookie_sync *sync); /* ends it; NULL is fine */
/* One more file, before the start. options, with a format that is a cookie file, and what they point to are
 * borrowed, path is copied. now_us in them is set each time. */
void cookie_sync_add(struct cookie_sync *sync, const struct export_options *options, const char *path);

/* Follows that session from now on. What is in it already is written at once, if there is anything. */
bool cookie_sync_start(struct cookie_sync *sync, const char *store_path, int64_t session, struct err *err);
/* Something may have changed. */
void cookie_sync_ask(struct cookie_sync *sync);
/* Ends it and leaves each file as the session is now, on disk. Once; after cookie_sync_start. False: one
 * could not be written, err says the first; all are tried. */
bool cookie_sync_finish(struct cookie_sync *sync, struct err *err);

#endif

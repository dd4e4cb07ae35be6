/* live_export: an export that is kept fresh while its session is being recorded, and complete at the end.
 *
 * It is made anew when something has come, on a thread of its own with a low priority and a read handle of
 * its own, and takes its place when it is whole. The more one costs, the seldomer it is made: at most once a
 * second and for about 3% of the time.
 *
 * Threads: live_export_ask any, the rest is the owner's. */
#ifndef WEIR_TOOLS_LIVE_EXPORT_H
#define WEIR_TOOLS_LIVE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/export.h"
#include "proxy/base/err.h"

struct live_export;

/* What options point to is borrowed, path copied; unsynced in them is set each time. */
struct live_export *live_export_new(const struct export_options *options, const char *path);
void live_export_free(struct live_export *export); /* gives up what is under way; NULL is fine */
const char *live_export_path(const struct live_export *export);
const struct export_options *live_export_options(const struct live_export *export);

/* What is in the session already is written at once, if there is anything. store_path is borrowed. */
bool live_export_start(struct live_export *export, const char *store_path, int64_t session, struct err *err);
/* Something may have changed. */
void live_export_ask(struct live_export *export);
/* Gives up what is under way. */
void live_export_end(struct live_export *export);

/* The export of all of it, on the caller's thread, after live_export_end. goes_on is asked often; once it
 * says no this fails with ERR_CLOSED, and the file stays as it was. out_report is the caller's to clear,
 * whether it succeeds or not. */
bool live_export_finish(struct live_export *export, bool (*goes_on)(void *self), void *self,
                        struct export_report *out_report, struct err *err);

#endif

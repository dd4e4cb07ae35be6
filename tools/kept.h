/* kept: the files that a capture keeps up to date: those of --sync-cookies and --export.
 *
 *     kept_new, before the session is there -> kept_start -> kept_note on each batch -> kept_finish
 *
 * Threads: kept_note any, the rest is the command's. */
#ifndef WEIR_TOOLS_KEPT_H
#define WEIR_TOOLS_KEPT_H

#include <signal.h>

#include "proxy/base/err.h"
#include "tools/opt.h"

struct kept;

/* Reads what args ask for and makes sure that each file could be written; nothing is. *out_kept NULL: args
 * ask for none. args are borrowed. ERR_USAGE, ERR_SYS. */
bool kept_new(const struct args *args, struct kept **out_kept, struct err *err);
void kept_free(struct kept *kept); /* leaves the files as they are; NULL is fine */

bool kept_start(struct kept *kept, const char *store_path, int64_t session, struct err *err);
/* The on_commit of capture_options; self is the kept. */
void kept_note(void *self, unsigned news);
/* The session has ended: each file is brought to what it is now, however long that takes, unless *is_hurried
 * becomes true: then what is not ready soon is given up. Says on a terminal what takes long, and of each
 * export what is in it, unless args say "quiet". False: one is
 * not complete, err says the first; all are tried. Once; after kept_start. */
bool kept_finish(struct kept *kept, const volatile sig_atomic_t *is_hurried, struct err *err);

#endif

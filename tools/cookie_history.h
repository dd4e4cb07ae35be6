/* cookie_history: every value that the cookies of a session had, in order of time. */
#ifndef WEIR_TOOLS_COOKIE_HISTORY_H
#define WEIR_TOOLS_COOKIE_HISTORY_H

#include "capture/jar.h"
#include "capture/store/store.h"

/* To stdout, as a table, or as JSON. ERR_STORE. */
bool cookie_history_write(struct store *store, int64_t session, const struct jar_scope *scope, bool is_json,
                          struct err *err);

#endif

/* sealed: why hosts passed sealed in a session: what its events tell of it.
 *
 * An event is told once for a client and host, when it is sealed; the tunnels that follow have a flag. */
#ifndef WEIR_TOOLS_SEALED_H
#define WEIR_TOOLS_SEALED_H

#include "capture/store/store.h"

/* The reason that held for this exchange, a line, appended to out; nothing where none is known. */
bool sealed_add_reason(struct store *store, const struct record *record, struct strbuf *out, struct err *err);

/* What the end of a capture tells: a line that counts the hosts, and each of the first few with its latest
 * reason. say is not called when there are none. */
bool sealed_say_hosts(struct store *store, int64_t session, void (*say)(void *self, const char *line),
                      void *self, struct err *err);

#endif

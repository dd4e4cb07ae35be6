/* session: a named stretch of capturing: what people may call it, and what they do with it afterwards.
 *
 * A session is named by its id, its name or "latest" wherever one is asked for, so a name must not look like
 * one of the others. Starting and ending one is capture's. */
#ifndef WEIR_CAPTURE_SESSION_H
#define WEIR_CAPTURE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"

struct store;

/* A good name: some text of at most SESSION_NAME_BYTES, no '/' (which parts SESSION/EXCHANGE), not all
 * digits, not "latest". ERR_USAGE says what is wrong. */
#define SESSION_NAME_BYTES 200
bool session_check_name(const char *name, struct err *err);

/* store: STORE_WRITE. ERR_USAGE: not a name; ERR_FOUND: another session has it. */
bool session_rename(struct store *store, int64_t session, const char *name, struct err *err);
/* Takes it out with all that only it uses; others who record go on meanwhile. ERR_USAGE: it is being
 * recorded. */
bool session_delete(struct store *store, int64_t session, struct err *err);

#endif

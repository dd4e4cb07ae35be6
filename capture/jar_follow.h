/* jar_follow: the jar of a session that is being recorded, kept up to date from the store.
 *
 * Reads what is new, not the whole session: a jar of all but the last seconds is kept, and the rest is put on
 * a copy of it each time, because observations reach the store a little out of order. One that comes later
 * than that begins it all anew. Has a read handle of its own; one thread at a time. */
#ifndef WEIR_CAPTURE_JAR_FOLLOW_H
#define WEIR_CAPTURE_JAR_FOLLOW_H

#include "capture/jar.h"
#include "capture/store/store.h"

/* Puts an observation into a jar. False: a Set-Cookie that a user agent ignores, with the reason. */
bool jar_add_row(struct jar *jar, const struct cookie_row *row, struct err *err);

struct jar_follow;

/* ERR_STORE. */
bool jar_follow_new(const char *store_path, int64_t session, struct jar_follow **out_follow, struct err *err);
void jar_follow_free(struct jar_follow *follow); /* NULL is fine */

/* Reads what has come into the store. *out_has_news: something has. ERR_STORE: it can be tried again. */
bool jar_follow_step(struct jar_follow *follow, bool *out_has_news, struct err *err);
/* As of the last step that had news, the first time empty; borrowed until the next step. */
const struct jar *jar_follow_jar(const struct jar_follow *follow);
/* What it reads; borrowed. */
struct store *jar_follow_store(const struct jar_follow *follow);

#endif

/* jar_thin: which observations of cookies a jar can do without.
 *
 * Fed with a session's observations in their order, it names those that may be forgotten: who replays the
 * others gets the same jar, at the end and after whatever comes later. An observation may be said to stay,
 * because something else refers to it; then it also finds the jar that it found the first time.
 *
 * Nothing is concluded from the rules of a jar: what shall go is left out of a replay, and goes only if the
 * jar comes out the same. Cookies of different names, or of sites that are strangers to each other, have no
 * say in what becomes of each other, so these replays are short. (A public suffix that is itself a host with
 * Secure cookies, and a host below it that sets one of that name over plain http, are taken for strangers.)
 *
 * Has no clock, and holds no more than some MiB whoever sets cookies. The owner's thread. */
#ifndef WEIR_CAPTURE_JAR_THIN_H
#define WEIR_CAPTURE_JAR_THIN_H

#include "capture/jar.h"
#include "capture/store/store.h"

struct jar_thin;

struct jar_thin *jar_thin_new(void);
void jar_thin_free(struct jar_thin *thin); /* NULL is fine */

/* The next observation, and the caller's name for it. False: no more can be held, finish. */
bool jar_thin_add(struct jar_thin *thin, int64_t id, const struct cookie_row *row, bool stays);

/* Nothing more comes before now_us: decides about a part of what is held, in less than some milliseconds.
 * False: nothing was left. */
bool jar_thin_finish(struct jar_thin *thin, uint64_t now_us);

/* One that may be forgotten; false: none is known now. Each is told once. */
bool jar_thin_next(struct jar_thin *thin, int64_t *out_id);

#endif

/* cookies: the jar of a session, for the exporters of cookie files and whoever shows it. */
#ifndef WEIR_CAPTURE_EXPORT_COOKIES_H
#define WEIR_CAPTURE_EXPORT_COOKIES_H

#include "capture/export/source.h"
#include "capture/jar.h"
#include "capture/jar_follow.h"

/* The jar as it was when the session ended (or, while it lasts, at the last cookie seen): *out_now_us is that
 * time, so that what has expired does not depend on when somebody asks. ignored is called for each Set-Cookie
 * that a user agent ignores, with the reason; it may be NULL. *out_jar is the caller's. */
bool cookies_load(const struct export_source *source,
                  void (*ignored)(void *self, const struct cookie_row *row, const struct err *why),
                  void *self, struct jar **out_jar, uint64_t *out_now_us, struct err *err);

#endif

/* secret_stream: the pieces of a body of any length, secret and not: see secrets_split. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_STREAM_H
#define WEIR_CAPTURE_EXPORT_SECRET_STREAM_H

#include "capture/export/content.h"
#include "capture/export/secrets.h"

/* content was read with SECRETS_MAX_TEXT bytes of front, of which front tells what they are: places are
 * looked for there, values in all of it. each returns false to stop. Fails when each or the store does; err
 * is for each to write, too. */
bool secret_stream(const struct secrets *secrets, const struct export_source *source,
                   const struct content *content, const struct secret_text *front,
                   bool (*each)(void *self, const struct secret_piece *piece, struct err *err), void *self,
                   struct err *err);

#endif

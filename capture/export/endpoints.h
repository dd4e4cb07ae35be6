/* endpoints: what a session's exchanges are calls of: the two passes over a source that template.h and
 * dedup.h ask for, with the bodies read for them.
 *
 * A body is looked at decoded and only as far as ENDPOINTS_MAX_LOOK_BYTES: a longer one has the shape of its
 * beginning. Each is read once: responses in the first pass, requests in the second. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_ENDPOINTS_H
#define WEIR_CAPTURE_EXPORT_ENDPOINTS_H

#include <stdbool.h>

#include "capture/export/dedup.h"
#include "capture/export/source.h"
#include "capture/export/template.h"
#include "proxy/base/err.h"

#define ENDPOINTS_MAX_LOOK_BYTES IDENTITY_MAX_BODY_BYTES

/* template: new, with its overrides; it is settled afterwards. On success *out_dedup is the caller's, settled
 * too. Fails only when the store does. */
bool endpoints_find(const struct export_source *source, struct template *template,
                    const struct dedup_options *options, struct dedup **out_dedup, struct err *err);

/* The path of an exchange and the readable form of its identity (see identity.h), as both were when it was
 * found. path: as for template_path_of; text is appended to. Fails only when the store does. */
bool endpoints_identify(const struct export_source *source, const struct template *template,
                        const struct record *record, struct template_path *path, struct strbuf *out_text,
                        struct err *err);

#endif

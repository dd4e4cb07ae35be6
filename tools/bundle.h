/* bundle: a folder with all that it takes to run a session's collection: collection, environment, cookie
 * jars, bodies, report, and a README that says how. */
#ifndef WEIR_TOOLS_BUNDLE_H
#define WEIR_TOOLS_BUNDLE_H

#include "capture/export/export.h"

/* options are a collection's; folder ends in '/', and is made (0700) when it is not there. Files in it are
 * named after the session, and those of an earlier bundle are replaced. out_report, the collection's, is the
 * caller's to clear, whether it succeeds or not. */
bool bundle_write(const struct export_source *source, const struct export_options *options,
                  const char *folder, struct export_report *out_report, struct err *err);

#endif

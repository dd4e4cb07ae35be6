/* export_told: what a person is told on stderr of an export that has been made: what is not in it and why,
 * how much is, and where the values of its secrets are. */
#ifndef WEIR_TOOLS_EXPORT_TOLD_H
#define WEIR_TOOLS_EXPORT_TOLD_H

#include <stdbool.h>

#include "capture/export/export.h"

/* path: where it is; NULL: it went to stdout. */
void export_told(const struct export_options *options, const char *path, const struct export_report *report);

/* A device or a pipe is written into; only a file can be replaced by one that is whole. */
bool export_path_is_special(const char *path);

#endif

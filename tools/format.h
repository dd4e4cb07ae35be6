/* format: the export that a person names. */
#ifndef WEIR_TOOLS_FORMAT_H
#define WEIR_TOOLS_FORMAT_H

#include "capture/export/export.h"

/* The format whose name is prefix and name ("cookies-" and "tough"). ERR_USAGE, with what was meant where
 * that can be guessed, or what there is. */
bool format_find(const char *prefix, const char *name, const struct export_format **out_format,
                 struct err *err);

bool format_is_jar(const struct export_format *format); /* a file of cookies */

#endif

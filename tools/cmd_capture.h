/* cmd_capture: a capture, for the commands that are one. */
#ifndef WEIR_TOOLS_CMD_CAPTURE_H
#define WEIR_TOOLS_CMD_CAPTURE_H

#include "tools/opt.h"

/* Captures until a signal ends it, or the end of args->command, or, when browser is not NULL, of that
 * browser: argv of one that browser_find has found. A browser runs apart from our terminal and ends with us.
 * The exit status; what went wrong is said. */
int capture_run(const struct args *args, char *const *browser);

#endif

/* cookie_args: the dialect of cookie files that a person asks for, for all commands that write some. */
#ifndef WEIR_TOOLS_COOKIE_ARGS_H
#define WEIR_TOOLS_COOKIE_ARGS_H

#include "capture/export/export.h"
#include "tools/opt.h"

/* Into the members of options that are for cookies, but for domain. ERR_USAGE. */
bool cookie_args_read(const struct args *args, struct export_options *options, struct err *err);

#endif

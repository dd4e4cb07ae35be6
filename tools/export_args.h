/* export_args: how exports are to be written, for all commands that write some. */
#ifndef WEIR_TOOLS_EXPORT_ARGS_H
#define WEIR_TOOLS_EXPORT_ARGS_H

#include "capture/export/export.h"
#include "tools/opt.h"

/* Into the members of options that are for secrets, for collections but their grouping and name, and for
 * cookies but their domain. Text in them is args'.
 * ERR_USAGE. */
bool export_args_read(const struct args *args, struct export_options *options, struct err *err);
/* Whether options.format can do with secrets what is asked for. ERR_USAGE. */
bool export_args_check(const struct export_options *options, struct err *err);

#endif

/* export_fit: whether a session has anything of what is asked for with --filter or --host. Where it has not,
 * that is most likely a slip, and an empty file would hide it. */
#ifndef WEIR_TOOLS_EXPORT_FIT_H
#define WEIR_TOOLS_EXPORT_FIT_H

#include <stdbool.h>

#include "capture/filter.h"
#include "capture/store/store.h"
#include "proxy/base/err.h"
#include "tools/opt.h"

/* ERR_FOUND, with what there is instead. A session that is empty has all that is asked of it. */
bool export_fit_check(const struct args *args, struct store *store, const struct session_row *session,
                      const struct filter *filter, struct err *err);

#endif

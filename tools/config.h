/* config: where things are when nobody says: the XDG base directories. */
#ifndef WEIR_TOOLS_CONFIG_H
#define WEIR_TOOLS_CONFIG_H

#include "proxy/base/err.h"

/* The path given, or the default when it is NULL: $XDG_DATA_HOME/weir/weir.db and $XDG_CONFIG_HOME/weir. A
 * relative value of these variables is ignored, as their specification wants. The caller's, to mem_free;
 * NULL: ERR_SYS, there is no home. */
char *config_store_path(const char *given, struct err *err);
char *config_ca_dir(const char *given, struct err *err);

#endif

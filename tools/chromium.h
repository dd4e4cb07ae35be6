/* chromium: browsers of the Chromium family, for browser.h. */
#ifndef WEIR_TOOLS_CHROMIUM_H
#define WEIR_TOOLS_CHROMIUM_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "tools/browser.h"

/* As browser_argv. A profile is argv's when it has --user-data-dir. */
bool chromium_argv(char *const *argv, const struct browser_route *route, char ***out_argv, struct err *err);

#endif

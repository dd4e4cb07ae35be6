/* firefox: Firefox and its kin, for browser.h. */
#ifndef WEIR_TOOLS_FIREFOX_H
#define WEIR_TOOLS_FIREFOX_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "tools/browser.h"

/* As browser_argv. A profile of argv's (-profile, -P) stays as it is: it has to lead to us and trust us by
 * itself. */
bool firefox_argv(char *const *argv, const struct browser_route *route, char ***out_argv, struct err *err);
extern const char *const firefox_env[];

#endif

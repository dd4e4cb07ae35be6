/* host_scope: one host, as --host names it: "shop.test" is that host on every port, "shop.test:8443" on one.
 */
#ifndef WEIR_CAPTURE_EXPORT_HOST_SCOPE_H
#define WEIR_CAPTURE_EXPORT_HOST_SCOPE_H

#include <stdbool.h>

#include "capture/record.h"
#include "proxy/base/err.h"
#include "proxy/http/url.h"

struct host_scope {
    struct authority authority;
};

bool host_scope_parse(const char *text, struct host_scope *out_scope, struct err *err); /* ERR_USAGE */
bool host_scope_takes(const struct host_scope *scope, const struct record *record);

#endif

/* openapi_name: what paths and operations are called in an OpenAPI document. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_OPENAPI_NAME_H
#define WEIR_CAPTURE_EXPORT_OPENAPI_NAME_H

#include <stdbool.h>

#include "capture/export/template.h"
#include "proxy/base/strbuf.h"

/* "/users/{userId}" for "/users/:userId"; in key it is "/users/{}": paths that differ in the names of their
 * variables alone are the same. False: it is no path. Both are appended to. */
bool openapi_name_path(const struct template_path *path, struct strbuf *out_text, struct strbuf *out_key);

/* "getUsersByUserId"; versions and a leading "api" are left out, or stay where is_whole. Appended. */
void openapi_name_operation(struct strbuf *out, const char *method, struct span text, bool is_whole);
/* The same for people: "Get users by user id". Appended. */
void openapi_name_summary(struct strbuf *out, const char *method, struct span text);
/* What the path is about: "users"; "root" where nothing says it. Appended. */
void openapi_name_tag(struct strbuf *out, struct span text);

#endif

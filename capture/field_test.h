/* field_test: whether one header field, or a cookie in it, is what a filter means.
 *
 * Used on live heads and on the headers of the store alike, so that both give one answer. The patterns are
 * borrowed. Threads: no state. */
#ifndef WEIR_CAPTURE_FIELD_TEST_H
#define WEIR_CAPTURE_FIELD_TEST_H

#include <stdbool.h>

#include "proxy/base/pattern.h"
#include "proxy/base/span.h"

struct field_test {
    const struct pattern *name;    /* of the field or cookie; NULL: pattern is for name and value in one */
    const struct pattern *pattern; /* of the value, or of "name: value", "name=value"; NULL: any value */
};

bool field_test_header(const struct field_test *test, struct span name, struct span value);
/* The field's own name tells where cookies are in its value: all of a Cookie field, the first pair of a
 * Set-Cookie field, none in any other. A pair without '=' is a value without a name (RFC 6265bis §5.6). */
bool field_test_cookie(const struct field_test *test, struct span name, struct span value);

#endif

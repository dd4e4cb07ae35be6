/* openapi_auth: the ways in which a session's callers showed who they are, as OpenAPI calls them: security
 * schemes.
 *
 * They are told by the names of fields, parameters and cookies, so that it makes no difference whether values
 * are masked. A set of them is a mask of bits; schemes beyond OPENAPI_MAX_SCHEMES are not told apart from
 * callers who show nothing. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_OPENAPI_AUTH_H
#define WEIR_CAPTURE_EXPORT_OPENAPI_AUTH_H

#include <stddef.h>
#include <stdint.h>

#include "capture/export/json_out.h"
#include "capture/record.h"

#define OPENAPI_MAX_SCHEMES 32

enum openapi_auth_place { OPENAPI_AUTH_HTTP, OPENAPI_AUTH_HEADER, OPENAPI_AUTH_QUERY, OPENAPI_AUTH_COOKIE };

struct openapi_scheme {
    char *id; /* "bearerAuth", "xApiKeyHeader": unique */
    enum openapi_auth_place place;
    char *name; /* of the HTTP scheme, or what the field is called */
};

struct openapi_schemes {
    struct openapi_scheme list[OPENAPI_MAX_SCHEMES];
    size_t count;
};

void openapi_schemes_clear(struct openapi_schemes *schemes);

/* Those that a request uses, added where they are new. */
uint32_t openapi_auth_of(struct openapi_schemes *schemes, const struct record *record);
/* The name of the field or parameter in that place that one of them is; SPAN_NONE: none is. Borrowed. */
struct span openapi_auth_find(const struct openapi_schemes *schemes, uint32_t used,
                              enum openapi_auth_place place);

/* The schemes as one value, and an alternative of them: an object of a "security" list. */
void openapi_schemes_write(const struct openapi_schemes *schemes, struct json_out *json);
void openapi_auth_write(const struct openapi_schemes *schemes, uint32_t used, struct json_out *json);

#endif

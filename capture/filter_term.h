/* filter_term: what a filter is once it is parsed. For filter*.c alone; everyone else has filter.h. */
#ifndef WEIR_CAPTURE_FILTER_TERM_H
#define WEIR_CAPTURE_FILTER_TERM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/pattern.h"

enum term_key {
    TERM_HOST,
    TERM_PATH,
    TERM_URL,
    TERM_METHOD,
    TERM_STATUS,
    TERM_TYPE,
    TERM_SCHEME,
    TERM_VERSION,
    TERM_SIZE,
    TERM_TIME,
    TERM_COOKIE,
    TERM_HEADER,
    TERM_BODY,
    TERM_ERROR,
    TERM_IS,
    TERM_KEY_COUNT,
};

enum term_is {
    IS_WEBSOCKET,
    IS_GRPC,
    IS_SSE,
    IS_SEALED,
    IS_REDIRECT,
    IS_PREFLIGHT,
    IS_CACHED,
    IS_TUNNEL,
    IS_ERROR,
    IS_ABORTED,
};

/* One of a word's values. Which members count is its key's affair. */
struct term_value {
    struct pattern *name; /* header and cookie, and the field that an is: looks at; see struct field_test */
    struct pattern *pattern; /* all keys of text; owned, as name is */
    int64_t min, max;        /* both inclusive: status, version * 10, bytes, µs; of a host its ports */
    enum term_is is;
};

struct term {
    enum term_key key;
    bool is_negated;
    struct term_value *values; /* any of them is enough */
    size_t count;
};

struct filter {
    atomic_uint refs;
    char *text;
    struct term *terms; /* all of them are needed */
    size_t count;
    size_t value_count; /* of all terms */
};

#endif

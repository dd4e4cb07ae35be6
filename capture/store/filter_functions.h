/* filter_functions: the SQL functions that a filter's condition calls (filter_to_sql of capture/filter.h).
 *
 * They are pure but for weir_body, which reads a body through the store. All text that goes in is in the
 * form of the store (record_text_add) and is turned back into bytes before it is compared, so that SQL and
 * the live path give one answer. how is a sum of enum pattern_how; a constant pattern is compiled once a
 * statement. A value, headers or body that is NULL gives NULL.
 *
 *     weir_match(how, pattern, value)
 *     weir_match_url(how, pattern, scheme, host, port, path, query)
 *     weir_header(how, pattern, name, headers)       whether the JSON array has such a field; name is a glob;
 *     weir_cookie(how, pattern, name, headers)       pattern and name may be NULL: see struct field_test
 *     weir_body(how, pattern, body, headers)         headers: those with the body's Content-Encoding
 *
 * Bodies are searched decoded, as far as they can be: up to the damage in one, 256 MiB of one that is
 * encoded, and for a regular expression its first 16 MiB. One with an unknown coding is searched as it is.
 * Owner's thread: that of the SQLite handle. */
#ifndef WEIR_CAPTURE_STORE_FILTER_FUNCTIONS_H
#define WEIR_CAPTURE_STORE_FILTER_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/store/store.h"
#include "proxy/base/err.h"

struct sqlite3;

/* Where the bytes of bodies come from: as store_body_read, with self for the store. It is called while a
 * statement of the same handle is being stepped, so it may read and nothing else. */
struct filter_bodies {
    bool (*read)(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err);
    void *self;
};

/* Call once, after the handle was opened and before a filter is used. bodies is copied; what its self points
 * to must live as long as the handle. A body that can't be read fails the statement with the reader's
 * sentence. ERR_STORE. */
bool filter_functions_register(struct sqlite3 *db, const struct filter_bodies *bodies, struct err *err);

#endif

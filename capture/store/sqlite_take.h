/* sqlite_take: exchanges go out of the store with all that hangs on them.
 *
 * What is usual goes at once, bodies that lie side by side in one stroke. An exchange that is large only
 * disappears from readers' sight at once: its bodies and messages become leftovers, which go bit by bit.
 * Everything is done inside a batch of the caller's. */
#ifndef WEIR_CAPTURE_STORE_SQLITE_TAKE_H
#define WEIR_CAPTURE_STORE_SQLITE_TAKE_H

#include "capture/store/sqlite.h"

/* Rows that go at once. */
#define TAKE_ROWS 64

/* What is more than this is large: it would take milliseconds. */
#define TAKE_LARGE_BYTES (16 * 1024 * 1024)

struct going {
    uint32_t seq;
    uint64_t kept; /* bytes of its bodies */
    uint64_t messages;
    int64_t bodies[2]; /* 0: none */
};
/* The first columns of a query for exchanges, and what they say. */
#define GOING_COLUMNS                                                                                        \
    "seq, request_kept + response_kept, messages, coalesce(request_body, 0), coalesce(response_body, 0)"
#define GOING_COLUMN_COUNT 5
struct going going_read(const struct query *query);
bool going_is_large(const struct going *going);

/* Takes out what hangs on at most TAKE_ROWS exchanges. Their rows are for the caller to delete, but those of
 * large ones, which are gone by then. *out_leftovers becomes true when there are any, and is else untouched.
 */
bool sqlite_take_parts(struct store *store, int64_t session, const struct going *rows, size_t count,
                       bool *out_leftovers, struct err *err);

/* Takes leftovers of a session out until about until_us. *out_more false: there are none. */
bool sqlite_purge_leftovers(struct store *store, int64_t session, uint64_t until_us, bool *out_more,
                            struct err *err);

#endif

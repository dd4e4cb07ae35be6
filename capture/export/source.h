/* source: where an exporter reads: one session of a store, or in tests a list in memory.
 *
 * Exporters stream: they pass over the exchanges, more than once if need be, and read a body when they write
 * it. Records and spans are borrowed until the next call. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_SOURCE_H
#define WEIR_CAPTURE_EXPORT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/record.h"
#include "capture/store/store.h"
#include "proxy/base/err.h"

struct filter;
struct jar;

struct export_source {
    const struct session_row *session; /* borrowed */
    void *self;
    /* Back to the first exchange. */
    bool (*rewind)(void *self, struct err *err);
    /* The next exchange that is meant, in order of seq; *out_record NULL at the end. */
    bool (*next)(void *self, const struct record **out_record, struct err *err);
    /* The exchange of that number; NULL: it is there no more. Quick when numbers rise by little. */
    bool (*at)(void *self, uint32_t seq, const struct record **out_record, struct err *err);
    bool (*body_read)(void *self, int64_t body, store_sink sink, void *sink_self, struct err *err);
    /* Of the exchange of that number; see store_messages. */
    bool (*messages)(void *self, uint32_t seq, store_message_sink each, void *each_self, struct err *err);
    bool (*cookies)(void *self, bool (*each)(void *each_self, const struct cookie_row *row), void *each_self,
                    struct err *err);
    /* What cookies() makes, and the time it is for, where that is known already; NULL: it is made of
     * cookies(). Borrowed. */
    const struct jar *jar;
    uint64_t jar_us;
};

/* Those exchanges of a session that filter takes (NULL: all); cookies are the whole session's. Everything is
 * borrowed and must outlive the source. */
void source_store_init(struct export_source *out_source, struct store *store,
                       const struct session_row *session, const struct filter *filter);
void source_store_clear(struct export_source *source);

#endif

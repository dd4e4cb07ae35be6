/* source_guard: a source that ends: where the session did when the export began, although it is being
 * recorded into, and when somebody gives the export up.
 *
 * Asks goes_on (NULL: nobody does) before each exchange and each piece of a body; once it says no, everything
 * fails with ERR_CLOSED. The thread of the export. */
#ifndef WEIR_CAPTURE_EXPORT_SOURCE_GUARD_H
#define WEIR_CAPTURE_EXPORT_SOURCE_GUARD_H

#include "capture/export/source.h"

struct source_guard {
    struct export_source source; /* to be read from */
    const struct export_source *of;
    uint32_t last_seq;
    bool (*goes_on)(void *self);
    void *self;
};

/* of and self are borrowed. Exchanges above last_seq are left out. Nothing to be cleared. */
void source_guard_init(struct source_guard *out_guard, const struct export_source *of, uint32_t last_seq,
                       bool (*goes_on)(void *self), void *self);

#endif

/* source_counted: a source that says how far it was read, to export_options.progress.
 *
 * An exchange's place in the session is its number, which a filter does not change. The thread of the
 * export. */
#ifndef WEIR_CAPTURE_EXPORT_SOURCE_COUNTED_H
#define WEIR_CAPTURE_EXPORT_SOURCE_COUNTED_H

#include "capture/export/export.h"

struct source_counted {
    struct export_source source; /* to be read from */
    const struct export_source *of;
    const struct export_options *options;
    enum export_phase phase; /* what is told; EXPORT_LEARNING at first */
};

/* of and options, which have a progress, are borrowed. Nothing to be cleared. */
void source_counted_init(struct source_counted *out_counted, const struct export_source *of,
                         const struct export_options *options);

#endif

/* name_marks: which names a session has used, for who looks for one that it has not.
 *
 * A mark a name in a field of fixed size: what was added is always found, however much a stranger adds; a
 * name that was never added may be taken for one that was, rarely, and costs its asker another try. The same
 * names make the same marks. */
#ifndef WEIR_CAPTURE_EXPORT_NAME_MARKS_H
#define WEIR_CAPTURE_EXPORT_NAME_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"

/* With ten thousand names one of a hundred others is taken for one of them. */
#define NAME_MARKS_BITS (1u << 20)

struct name_marks {
    uint64_t *words; /* NULL: nothing was added */
};

void name_marks_init(struct name_marks *out_marks);
void name_marks_clear(struct name_marks *marks);
void name_marks_add(struct name_marks *marks, struct span name);
bool name_marks_may_have(const struct name_marks *marks, struct span name);

#endif

/* segment: what one segment of a path, or one key of an object, is by its looks alone: a value or a word.
 *
 * Looks decide only what no person would type as the name of a resource; everything else is left to those
 * who can see its neighbours. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_SEGMENT_H
#define WEIR_CAPTURE_EXPORT_SEGMENT_H

#include <stdbool.h>

#include "proxy/base/span.h"

enum segment_class {
    SEGMENT_WORD,      /* a name, as far as it shows */
    SEGMENT_FIXED,     /* never a value: a version, a locale, a file, "me", "search", ... */
    SEGMENT_SMALL_INT, /* an integer of up to 4 digits: its neighbours decide */
    SEGMENT_INT,       /* from here on: always a value */
    SEGMENT_UUID,
    SEGMENT_ULID,
    SEGMENT_HEX, /* 12 or more digits: hashes too, also as "sha256:..." */
    SEGMENT_EMAIL,
    SEGMENT_DATE,     /* 2026-11-21, also with a time */
    SEGMENT_PREFIXED, /* cus_9s6XKzkNRiz8i3 */
    SEGMENT_OPAQUE,   /* base64url of 20 or more characters that are no words; a masked secret */
    SEGMENT_LONG,     /* more than SEGMENT_MAX_WORD_BYTES */
    SEGMENT_CLASSES,
};

#define SEGMENT_MAX_WORD_BYTES 100

/* raw: percent-encoded as on the wire; it is looked at decoded. A date at the top of a path is a version:
 * is_top. */
enum segment_class segment_classify(struct span raw, bool is_top);
static inline bool segment_is_value(enum segment_class class)
{
    return class >= SEGMENT_INT;
}
/* "v1", "v2.3", "2024-10"; at the top also "2024-10-01". */
bool segment_is_version(struct span raw, bool is_top);
/* "integers", "UUIDs", ...; of one of them "integer". */
const char *segment_class_text(enum segment_class class, bool is_one);

#endif

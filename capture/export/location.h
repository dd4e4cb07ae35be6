/* location: where a redirect leads (RFC 9110 §10.2.2, RFC 3986 §5.2), in the spelling of record_add_url, so
 * that the exchange that followed is found by its URL. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_LOCATION_H
#define WEIR_CAPTURE_EXPORT_LOCATION_H

#include <stdbool.h>

#include "capture/record.h"

/* False: no redirect, or none that can be followed; then nothing was added. Appended. */
bool location_add_target(const struct record *record, struct strbuf *out);

#endif

/* noise: calls that an application or its browser makes about its user, not for them: analytics, crash
 * reports, update checks. Known by host and path alone; the list is short on purpose, and only names what
 * serves nothing else. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_NOISE_H
#define WEIR_CAPTURE_EXPORT_NOISE_H

#include <stdbool.h>

#include "proxy/base/span.h"

/* host: lower case. */
bool noise_is(struct span host, struct span path);

#endif

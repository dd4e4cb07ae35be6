/* target: the answer to "who is the origin?": what to dial, and how to speak with it. */
#ifndef WEIR_MODE_TARGET_H
#define WEIR_MODE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/http/url.h"

struct target {
    char host[URL_HOST_BYTES]; /* dialled: a name or an address, lower case, IPv6 without brackets */
    uint16_t port;
    bool is_tls;
};

static inline const char *target_scheme(const struct target *target)
{
    return target->is_tls ? "https" : "http";
}

#endif

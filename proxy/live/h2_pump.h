/* h2_pump: frames go out as their connection takes them, so that what waits, waits in its stream. */
#ifndef WEIR_LIVE_H2_PUMP_H
#define WEIR_LIVE_H2_PUMP_H

#include "proxy/http/h2.h"
#include "proxy/live/link.h"

/* So much may wait in the socket's queue: enough to keep it busy, little enough that a new stream's head does
 * not wait behind a large body. */
#define H2_PUMP_BYTES (64 * 1024)

static inline void h2_pump(struct h2 *h2, struct link *link)
{
    while (link_is_open(link) && link_unsent(link) < H2_PUMP_BYTES &&
           h2_write(h2, link_out(link), H2_PUMP_BYTES))
        link_flush(link);
}

#endif

/* exchange_play: the exchange engine between real HTTP/1 codecs, no sockets: what the client and the origin
 * send, step by step, and, as text, what each of them and the tap have got of it. A step is a line:
 *
 *     @reused                 the first connection to the origin was pooled
 *     c> bytes                from the client; \r \n \t \\ \xNN
 *     o> bytes                from the origin, one answer; what is behind its end is dropped
 *     c. o.                   that side ends                       c! o!   it is reset
 *     o? 502 why              the origin was not reached
 *
 * Whatever the steps are, it aborts unless all that the origin got of request bodies, and the client of
 * response bodies, was told to the tap before; where the exchanges were complete it is all that was told, and
 * nothing is left waiting in a queue. */
#ifndef WEIR_TESTS_EXCHANGE_PLAY_H
#define WEIR_TESTS_EXCHANGE_PLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/span.h"

bool exchange_play_is_step(struct span line);
/* What came of the steps, bytes arriving piece_bytes at a time; the caller's. Other lines are passed over. */
char *exchange_play(struct span steps, size_t piece_bytes);

#endif

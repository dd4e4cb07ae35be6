/* tunnel: two links whose bytes are passed on without being understood, and counted.
 *
 * Bytes of an upgraded exchange (TAP_UPGRADED) are told to the tap before they are written; while it wants
 * the exchange slower, neither link is read.
 *
 * Half-closes, ends without close_notify and resets are passed on as what they are. Takes over the events of
 * both links; the owner still owns them. */
#ifndef WEIR_LIVE_TUNNEL_H
#define WEIR_LIVE_TUNNEL_H

#include "proxy/exchange/exchange.h"
#include "proxy/live/link.h"

struct tunnel;

/* over is called once, when both directions have ended (error NULL) or one side was cut; both links have then
 * been ended as they should. The tunnel outlives the exchange. */
struct tunnel *tunnel_new(struct link *client, struct link *origin, struct exchange *exchange,
                          void (*over)(void *self, const char *error), void *self);
void tunnel_free(struct tunnel *tunnel); /* without a call of over; NULL is fine */

#endif

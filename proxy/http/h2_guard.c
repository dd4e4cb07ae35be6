/* Floods. Some frames cost nothing to send and something to take: an acknowledgement, a stream made and
 * thrown away, an exchange begun upstream. Each kind may come in a burst and then at a rate, both far above
 * what programs do that mean well; the clock says when what was let through is paid for (a leaky bucket that
 * needs no timer).
 *
 * What nghttp2 limits by itself: acknowledgements that wait (its max_outbound_ack), CONTINUATION frames of
 * one section, settings of one frame, streams at once. */
#include "proxy/base/clock.h"
#include "proxy/http/h2_inner.h"

/* A page that is left resets a hundred streams, a gRPC client with deadlines some a second. */
#define RESET_BURST   1000
#define RESET_COST_US 10000
/* Clients that measure round trips send a PING with every window they give back. */
#define TRIFLE_BURST   2000
#define TRIFLE_COST_US 2000

static bool pay(uint64_t *paid_us, uint64_t cost_us, uint64_t burst)
{
    uint64_t now_us = clock_mono_us();

    if (*paid_us < now_us)
        *paid_us = now_us;
    *paid_us += cost_us;
    return *paid_us - now_us <= burst * cost_us;
}

bool h2_guard_reset(struct h2 *h2)
{
    /* An origin can reset no more streams than we open. */
    return h2->role == H2_TO_ORIGIN || pay(&h2->guard.resets_paid_us, RESET_COST_US, RESET_BURST);
}

static bool is_trifle(const nghttp2_frame_hd *frame)
{
    switch (frame->type) {
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        return (frame->flags & NGHTTP2_FLAG_ACK) == 0;
    case NGHTTP2_PRIORITY:
        return true;
    case NGHTTP2_DATA:
        /* A padded one may be all padding: its least is the byte that says so. */
        return (frame->flags & NGHTTP2_FLAG_END_STREAM) == 0 &&
               (frame->length == 0 || ((frame->flags & NGHTTP2_FLAG_PADDED) != 0 && frame->length <= 256));
    case NGHTTP2_CONTINUATION:
        return frame->length == 0;
    default:
        return false;
    }
}

bool h2_guard_frame(struct h2 *h2, const nghttp2_frame_hd *frame)
{
    if (frame->type == NGHTTP2_RST_STREAM)
        return h2_guard_reset(h2);
    return !is_trifle(frame) || pay(&h2->guard.trifles_paid_us, TRIFLE_COST_US, TRIFLE_BURST);
}

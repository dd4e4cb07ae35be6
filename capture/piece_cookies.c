/* The cookies of heads, put into pieces. Kept are also those that a user agent would refuse: what came is
 * what is kept, judging is for readers. */
#include "capture/piece.h"
#include "capture/roster.h"
#include "capture/set_cookie.h"
#include "proxy/base/clock.h"

void piece_add_sent_cookies(struct exchange_piece *piece, const struct tap_exchange *x,
                            const struct headers *headers, struct seen_cookies *seen)
{
    struct span field = SPAN("Cookie"), rest, name, value;

    for (size_t i = headers_next(headers, field, 0); i < headers->count;
         i = headers_next(headers, field, i + 1)) {
        rest = headers_value(headers, i);
        while (cookie_next(&rest, &name, &value))
            if (!seen_cookies_note(seen, piece->base.session->number, x->client_addr, x->host, name, value))
                piece_add_cookie(piece, COOKIE_SENT, x->started_us, name, value, SPAN_NONE);
    }
}

bool piece_sets_cookies(const struct headers *headers)
{
    return headers_next(headers, SPAN("Set-Cookie"), 0) < headers->count;
}

void piece_add_set_cookies(struct exchange_piece *piece, const struct headers *headers)
{
    struct span field = SPAN("Set-Cookie"), line, pair, name, value;
    uint64_t now_us = clock_wall_us();

    for (size_t i = headers_next(headers, field, 0); i < headers->count;
         i = headers_next(headers, field, i + 1)) {
        line = headers_value(headers, i);
        pair = span_sub(line, 0, span_find(line, ';'));
        if (!cookie_next(&pair, &name, &value))
            name = value = SPAN("");
        piece_add_cookie(piece, COOKIE_SET, now_us, name, value, line);
    }
}

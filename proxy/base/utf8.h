/* utf8: which bytes are UTF-8 (RFC 3629: no surrogates, nothing overlong). Any thread. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/span.h"

/* Checks bytes in pieces that may split a code point; begins zeroed. */
struct utf8_check {
    unsigned char expected;  /* continuation bytes still missing */
    unsigned char low, high; /* what the next of them may be */
    bool is_wrong;
};
void utf8_check_feed(struct utf8_check *check, struct span bytes);
bool utf8_check_is_text(const struct utf8_check *check); /* so far, and not in the middle of a code point */

bool utf8_is_valid(struct span bytes);
/* How many bytes the code point at the front has; 0: it is none. */
size_t utf8_front(struct span bytes);
/* Without the beginning of a code point that was cut off at the end. */
struct span utf8_whole(struct span bytes);

/* The bytes of a code point, at most U+10FFFF; returns how many. Half of a pair of surrogates is for the
 * caller to keep out: its three bytes are no UTF-8. */
#define UTF8_MAX_BYTES 4
size_t utf8_put(char out[UTF8_MAX_BYTES], unsigned code);

#endif

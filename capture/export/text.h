/* text: what of captured bytes is text, and turning the rest into text that says what it is. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_TEXT_H
#define WEIR_CAPTURE_EXPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Checks UTF-8 (RFC 3629: no surrogates, nothing overlong) in pieces that may split a code point. */
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

/* Appends bytes as UTF-8: as they are where they are valid, else each byte as the code point of its number.
 */
void text_add_bytes(struct strbuf *out, struct span bytes);
/* Each byte as the code point of its number: what Node makes of header values. */
void text_add_latin1(struct strbuf *out, struct span bytes);

/* "2026-11-21T20:14:00.000Z", also with any other year from 1 to 9999. */
#define TEXT_TIME_BYTES 32
void text_time_ms(char out[TEXT_TIME_BYTES], int64_t unix_ms);
/* The same with six decimals. */
void text_time_us(char out[TEXT_TIME_BYTES], uint64_t unix_us);

/* "3.1 MiB", "256 KiB", "17 B". */
#define TEXT_SIZE_BYTES 24
void text_size(char out[TEXT_SIZE_BYTES], uint64_t bytes);

/* The value of a parameter of a field value such as Content-Type's charset, without its quotes. False:
 * absent. */
bool text_parameter(struct span field, struct span name, struct strbuf *out_value);

#endif

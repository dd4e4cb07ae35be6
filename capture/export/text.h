/* text: what of captured bytes is text, and turning the rest into text that says what it is. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_TEXT_H
#define WEIR_CAPTURE_EXPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/base/utf8.h"

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

/* In place of what is in out: a name or value of a form or query, decoded ('+' is a space; a '%' that begins
 * no escape stands for itself). */
void text_form_decode(struct strbuf *out, struct span text);

#endif

/* base64: bytes as text of A-Z a-z 0-9 + / with padding (RFC 4648 §4). */
#ifndef WEIR_BASE_BASE64_H
#define WEIR_BASE_BASE64_H

#include <stdbool.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Up to three bytes make four characters; len 1 to 3, only so much of in is read. For who encodes in a
 * stream. */
void base64_group(const unsigned char *in, unsigned len, char out_four[4]);
void base64_add(struct strbuf *out, struct span bytes); /* appended */

/* Appends what text stands for. Padding may be missing; false for anything else that is no base64, of which
 * out then holds a part. */
bool base64_read(struct strbuf *out, struct span text);

#endif

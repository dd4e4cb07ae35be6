/* qr: a QR code for a terminal: what a phone's camera reads instead of a URL that somebody types.
 *
 * Two modules a character, one above the other, in half blocks; black on white whatever the terminal's
 * colours are, with the quiet zone of four modules that ISO/IEC 18004 asks for. */
#ifndef WEIR_TOOLS_QR_H
#define WEIR_TOOLS_QR_H

#include <stdbool.h>

#include "proxy/base/strbuf.h"

/* Adds the code of text, a line feed after each row. False: text is too long for any code. */
bool qr_add(struct strbuf *out, const char *text);

#endif

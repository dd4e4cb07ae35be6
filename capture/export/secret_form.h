/* secret_form: the spellings that a value may have in captured text, read one unit at a time. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_FORM_H
#define WEIR_CAPTURE_EXPORT_SECRET_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"

enum secret_form {
    SECRET_RAW,
    SECRET_PERCENT,
    SECRET_FORM,    /* '+' is a blank */
    SECRET_ESCAPED, /* by backslashes: JSON, JavaScript, bash's $'...' */
    SECRET_ESCAPED_TWICE,
    SECRET_HTML,
    SECRET_LATIN1, /* each byte as the code point of its number */
    SECRET_BASE64,
    SECRET_FORM_COUNT,
};

/* What a spelling is called in names of variables: "percent". */
const char *secret_form_name(enum secret_form form);

/* Bit i: in form i that byte may begin something that does not stand for itself. */
extern const uint8_t secret_form_specials[256];

/* The most bytes of text that one byte of a value takes in any spelling that programs make. */
#define SECRET_FORM_MAX_SPREAD 14

/* What the front of text stands for: 1 to 4 bytes. Returns how much of text that is, at least 1; text is not
 * empty. What is no valid escape stands for itself. Not for base64, where bytes have no borders. */
#define SECRET_FORM_UNIT 4
size_t secret_form_read(enum secret_form form, struct span text, char out[SECRET_FORM_UNIT], size_t *out_len);

/* Of each character of base64 and base64url its value and one more. */
extern const uint8_t secret_form_sextets[256];
/* The value; -1: it is no such character. */
static inline int secret_form_sextet(char c)
{
    return secret_form_sextets[(unsigned char)c] - 1;
}

/* Base64 as programs send it: '+' and '/' may be percent-encoded, escaped or entities of HTML, and lines
 * broken anywhere, also by "\n" in JSON. What the front of text is: its value, 0 to 63, or one of these;
 * *out_used: how much of text that is. */
enum { SECRET_SEXTET_NONE = -1, SECRET_SEXTET_BREAK = -2, SECRET_SEXTET_PAD = -3 };
int secret_form_read_sextet(struct span text, size_t *out_used);
/* As much text may break a line. More ends the base64: else a run of line breaks would be looked through from
 * each of its places. */
#define SECRET_SEXTET_MAX_BREAK 12
/* Where the sextet before at begins, a line break between passed over; SIZE_MAX: there is none. */
#define SECRET_SEXTET_LOOK_BACK (SECRET_SEXTET_MAX_BREAK + 4)
size_t secret_form_sextet_before(struct span text, size_t at);

#endif

/* shell: any bytes as words of a bash command line.
 *
 * What comes out is printable ASCII and line feeds, whatever went in: it means the same in every locale, and
 * a terminal that shows it or gets it pasted obeys none of it. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_SHELL_H
#define WEIR_CAPTURE_EXPORT_SHELL_H

#include <stdio.h>

#include "capture/export/secrets.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* One word, quoted where it needs to be. The bytes have no NUL, which no argument can hold. */
void shell_add_word(struct strbuf *out, struct span bytes);

/* The same of parts that follow one another, with secrets as "$name"; they are asked for as variables. No
 * part's text has a NUL. */
void shell_add_secret_word(struct strbuf *out, struct secrets *secrets, const struct secret_text *parts,
                           size_t count);

/* name=value for each variable that was asked for, for bash to read; as_empty: without the values. */
void shell_write_values(FILE *out, const struct secrets *secrets, bool as_empty);

/* Text for a line that begins with '#': it can't end that line. */
void shell_add_comment(struct strbuf *out, struct span text);

#endif

/* text: bytes of strangers as text for people and programs, and numbers as people read them.
 *
 * What was captured may hold escape sequences, half characters, or marks that turn the reading direction:
 * nothing of a capture goes to a terminal but through text_add_shown. Any thread. */
#ifndef WEIR_TOOLS_TEXT_H
#define WEIR_TOOLS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Reads one character of UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) at the
 * start of bytes. The bytes that it takes; 0: no such character begins here. */
size_t text_utf8_at(struct span bytes, uint32_t *out_code);
bool text_is_utf8(struct span bytes);

/* Adds bytes so that a terminal shows them and obeys none of them: control characters, bytes that are not
 * UTF-8, and invisible or direction-changing characters become \n, \t, \xHH or \u{HHHH}. */
void text_add_shown(struct strbuf *out, struct span bytes);
/* The same but for line feeds and tabs, for text of several lines. */
void text_add_shown_lines(struct strbuf *out, struct span bytes);

/* Adds bytes as valid UTF-8: as they are, or, if they are not UTF-8, one code point a byte. */
void text_add_utf8(struct strbuf *out, struct span bytes);

/* Columns that shown text takes on a terminal. */
size_t text_width(struct span shown);
/* The longest start of shown text that takes at most width columns. */
struct span text_cut(struct span shown, size_t width);

/* "0", "812", "1.5k", "23M": bytes in powers of 1024, at most four characters. */
void text_add_size(struct strbuf *out, uint64_t bytes);
/* "850us", "1.2ms", "34ms", "5.1s", "3m20s", "2h05m". */
void text_add_duration(struct strbuf *out, uint64_t duration_us);
/* Local time: "2026-11-21 23:02:27", and "23:02:27.123". */
void text_add_date(struct strbuf *out, uint64_t wall_us);
void text_add_clock(struct strbuf *out, uint64_t wall_us);
/* For programs, in UTC: "2026-11-21T23:02:27.123456Z". */
void text_add_iso(struct strbuf *out, uint64_t wall_us);

/* One word of a shell command line, quoted when it needs to be. */
void text_add_shell(struct strbuf *out, const char *word);

/* Text of ours in lines of at most 79 columns, a line feed at the end. The first begins where out is, which
 * is column indent; the others are indented to it. */
void text_add_wrapped(struct strbuf *out, const char *text, size_t indent);

/* "1 exchange", "2 exchanges". */
void text_add_count(struct strbuf *out, uint64_t count, const char *singular, const char *plural);

#endif

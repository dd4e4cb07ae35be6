/* h1_line: the lines of HTTP/1, one at a time and without their endings (RFC 9112 §3, §4, §5, §7.1).
 *
 * Whole lines in, parts out; where a line ends, how long it may be, and that it holds neither NUL nor CR nor
 * LF is the reader's word, see h1. All fail with ERR_PROTO, those that add fields also with ERR_LIMIT. */
#ifndef WEIR_HTTP_H1_LINE_H
#define WEIR_HTTP_H1_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/http/message.h"

/* Fill a new head from its start line: version and method, target or status, reason. HTTP/1.2 and above are
 * read and answered as 1.1 (RFC 9110 §2.5). */
bool h1_line_request(struct http_head *head, struct span line, struct err *err);
bool h1_line_status(struct http_head *head, struct span line, struct err *err);

/* Adds the field of a header or trailer line. From origins: folding extends the field before; blanks before
 * the colon are taken out (RFC 9112 §5.1), but not of the fields that frame the body; what is no field at all
 * is kept and marked is_hop, so that nobody behind us can make more of it than we do; without a colon it is
 * all value and no name. */
bool h1_line_field(struct headers *headers, enum http_role role, struct span line, struct err *err);

/* The size that a chunk's line tells, 2^63-1 at most; extensions pass. From origins also with blanks behind
 * it. */
bool h1_line_chunk(enum http_role role, struct span line, uint64_t *out_size, struct err *err);

#endif

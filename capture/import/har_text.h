/* har_text: the small texts of a HAR: times, versions, and bodies and fields that have to be put together. */
#ifndef WEIR_CAPTURE_IMPORT_HAR_TEXT_H
#define WEIR_CAPTURE_IMPORT_HAR_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/message.h"

/* ISO 8601 as JSON has it: "2026-11-21T23:02:27.123+01:00", with fewer parts too; without a zone it is UTC.
 * False: none, or before 1970. */
bool har_time(struct span text, uint64_t *out_us);

/* "HTTP/1.1", "http/2.0", "h2", "HTTP/3", ...; false: it says nothing. *out_is_3: it is HTTP/3, which is
 * told as HTTP_2. */
bool har_version(struct span text, enum http_version *out_version, bool *out_is_3);

/* name=value as application/x-www-form-urlencoded, with '&' before all but the first. */
void har_add_form_field(struct strbuf *out, struct span name, struct span value);
/* A part of multipart/form-data; file_name and type may be empty. */
void har_add_part(struct strbuf *out, struct span boundary, struct span name, struct span value,
                  struct span file_name, struct span type);
void har_end_parts(struct strbuf *out, struct span boundary);
/* The boundary of a multipart type; SPAN_NONE: there is none. */
struct span har_boundary(struct span type);

#endif

/* json_text: captured things as JSON for programs.
 *
 * JSON is text and captures are bytes: text_add_utf8 makes one of the other. Times are ISO 8601 in UTC,
 * durations microseconds, sizes bytes. */
#ifndef WEIR_TOOLS_JSON_TEXT_H
#define WEIR_TOOLS_JSON_TEXT_H

#include <jansson.h>

#include "capture/record.h"
#include "proxy/base/span.h"

/* All return a new reference. */
json_t *json_of_bytes(struct span bytes);
json_t *json_of_time(uint64_t wall_us);
json_t *json_of_fields(const struct record_fields *fields); /* [[name, value], ...] */
/* "text" or "base64" into object: text when bytes are UTF-8 without a NUL. */
void json_set_payload(json_t *object, struct span bytes);
/* What `list` tells of an exchange. */
json_t *json_of_record(const struct record *record);

/* One message; its payload is "text" when it is UTF-8 without a NUL, else "base64", neither when it was not
 * kept. What does not apply to it is left out. */
json_t *json_of_message(const struct record_message *message);

/* Writes value to stdout, a line feed behind it, and gives its reference up; flags are json_dumpf's. */
void json_print(json_t *value, size_t flags);

const char *record_state_name(enum record_state state);
/* From the request's first byte to the end; false while it is under way. */
bool record_duration(const struct record *record, uint64_t *out_us);

#endif

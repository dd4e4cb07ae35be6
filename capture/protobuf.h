/* protobuf: a message in protobuf's wire format, as text for people: by number without a schema, by name with
 * one (protobuf_schema.h).
 *
 * Both take any bytes. Nesting is shown up to PROTOBUF_DEPTH_MAX; out's own limit bounds what is written, and
 * ends the work. What does not parse is said in the text, at its place, and by the answer false. */
#ifndef WEIR_CAPTURE_PROTOBUF_H
#define WEIR_CAPTURE_PROTOBUF_H

#include <stdbool.h>

#include "capture/protobuf_schema.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Nothing nests deeper in earnest (libraries stop at 100); deeper bytes are shown as bytes. */
#define PROTOBUF_DEPTH_MAX 32

/* Appends a line a field, two blanks in for each level:
 *   1: 150 (sint 75)                          varints as unsigned, and zig-zag; or as negative int
 *   2: 0x3f800000 (float 1, int 1065353216)   fixed32 and fixed64 as hexadecimal, floating point, signed
 *   3: "text"
 *   4 { ... }                                 a nested message
 *   5: <00 ff ... 300 bytes>
 * Which of the last three length-delimited bytes are is a guess: text without control characters is text;
 * else what parses to its end is a message; else UTF-8 is text; the rest is bytes. True: all of it parsed. */
bool protobuf_dump_wire(struct span message, struct strbuf *out);

/* Appends one JSON object, indented, with the names of the .proto file: enums by name, repeated fields as
 * arrays (packed or not), maps as objects, bytes in base64, 64-bit numbers as numbers, Timestamp and Duration
 * as protobuf's JSON mapping writes them, Any with its message where schema knows it (NULL: it is left as it
 * is). Fields come in the order in which they are first in the message; one that came several times although
 * it is not repeated is an array too. Those that are not in the type, or whose wire type is not the type's,
 * are named by their number, each time. True: all of it parsed. */
bool protobuf_dump_named(const struct protobuf_schema *schema, const struct protobuf_type *type,
                         struct span message, struct strbuf *out);

#endif

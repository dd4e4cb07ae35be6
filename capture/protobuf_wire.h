/* protobuf_wire: the fields of a message in protobuf's wire format, one after the other. Any thread. */
#ifndef WEIR_CAPTURE_PROTOBUF_WIRE_H
#define WEIR_CAPTURE_PROTOBUF_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/base/span.h"

/* Groups within groups, the only nesting that can't be stepped over by a length. */
#define PROTOBUF_GROUPS_MAX 32

enum protobuf_wire {
    PROTOBUF_WIRE_VARINT = 0,
    PROTOBUF_WIRE_FIXED64 = 1,
    PROTOBUF_WIRE_BYTES = 2,
    PROTOBUF_WIRE_GROUP = 3,
    PROTOBUF_WIRE_FIXED32 = 5,
};

struct protobuf_item {
    uint32_t number;
    enum protobuf_wire wire;
    uint64_t value;    /* varints and fixed ones */
    struct span bytes; /* bytes, and what is inside a group */
};

/* Cuts the next field off *rest. False: nothing is left, or, when *rest is not empty, what is left is no
 * field; *rest is as it was. */
bool protobuf_next(struct span *rest, struct protobuf_item *out_item);
/* Whether bytes are fields up to their end. What is inside length-delimited ones is not looked at. */
bool protobuf_parses(struct span bytes);

/* The elements of a packed field, of one wire type that is not bytes or group. As protobuf_next. */
bool protobuf_next_packed(struct span *rest, enum protobuf_wire wire, uint64_t *out_value);

#endif

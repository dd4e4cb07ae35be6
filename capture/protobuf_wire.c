#include "capture/protobuf_wire.h"

#include <stddef.h>

#define MAX_VARINT_BYTES 10

/* In the wire format the end of a group is a wire type too; to callers a group is one item. */
#define WIRE_END_GROUP 4

static bool take_varint(struct span *rest, uint64_t *out_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < rest->len && i < MAX_VARINT_BYTES; i++) {
        unsigned char byte = (unsigned char)rest->ptr[i];

        if (i == MAX_VARINT_BYTES - 1 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *rest = span_from(*rest, i + 1);
            *out_value = value;
            return true;
        }
    }
    return false;
}

static bool take_fixed(struct span *rest, size_t len, uint64_t *out_value)
{
    uint64_t value = 0;

    if (rest->len < len)
        return false;
    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)(unsigned char)rest->ptr[i] << (8 * i);
    *rest = span_from(*rest, len);
    *out_value = value;
    return true;
}

static bool take_bytes(struct span *rest, struct span *out_bytes)
{
    struct span after = *rest;
    uint64_t len;

    if (!take_varint(&after, &len) || len > after.len)
        return false;
    *out_bytes = span_sub(after, 0, (size_t)len);
    *rest = span_from(after, (size_t)len);
    return true;
}

/* A field's number is from 1 to 2^29 - 1. */
static bool take_tag(struct span *rest, uint32_t *out_number, unsigned *out_wire)
{
    uint64_t tag;

    if (!take_varint(rest, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    *out_number = (uint32_t)(tag >> 3);
    *out_wire = (unsigned)(tag & 7);
    return true;
}

/* What follows the tag of anything but groups. */
static bool take_plain(struct span *rest, unsigned wire, struct protobuf_item *item)
{
    switch (wire) {
    case PROTOBUF_WIRE_VARINT:
        return take_varint(rest, &item->value);
    case PROTOBUF_WIRE_FIXED64:
        return take_fixed(rest, 8, &item->value);
    case PROTOBUF_WIRE_FIXED32:
        return take_fixed(rest, 4, &item->value);
    case PROTOBUF_WIRE_BYTES:
        return take_bytes(rest, &item->bytes);
    default:
        return false;
    }
}

/* What is inside the group that has just begun, up to the end with its number; groups inside it match too. */
static bool take_group(struct span *rest, uint32_t number, struct span *out_inside)
{
    uint32_t open[PROTOBUF_GROUPS_MAX] = { number };
    size_t depth = 1;
    struct span after = *rest;

    while (depth != 0) {
        struct protobuf_item skipped;
        size_t before = rest->len - after.len;
        unsigned wire;

        if (!take_tag(&after, &number, &wire))
            return false;
        if (wire == PROTOBUF_WIRE_GROUP) {
            if (depth == PROTOBUF_GROUPS_MAX)
                return false;
            open[depth++] = number;
        } else if (wire == WIRE_END_GROUP) {
            if (open[--depth] != number)
                return false;
            *out_inside = span_sub(*rest, 0, before);
        } else if (!take_plain(&after, wire, &skipped)) {
            return false;
        }
    }
    *rest = after;
    return true;
}

bool protobuf_next(struct span *rest, struct protobuf_item *out_item)
{
    struct protobuf_item item = { .number = 0 };
    struct span after = *rest;
    unsigned wire;

    if (!take_tag(&after, &item.number, &wire))
        return false;
    if (wire == PROTOBUF_WIRE_GROUP ? !take_group(&after, item.number, &item.bytes)
                                    : !take_plain(&after, wire, &item))
        return false;
    item.wire = (enum protobuf_wire)wire;
    *out_item = item;
    *rest = after;
    return true;
}

bool protobuf_parses(struct span bytes)
{
    struct protobuf_item item;

    while (protobuf_next(&bytes, &item))
        ;
    return bytes.len == 0;
}

bool protobuf_next_packed(struct span *rest, enum protobuf_wire wire, uint64_t *out_value)
{
    struct protobuf_item item;

    if (wire == PROTOBUF_WIRE_BYTES || !take_plain(rest, wire, &item))
        return false;
    *out_value = item.value;
    return true;
}

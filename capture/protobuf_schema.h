/* protobuf_schema: the names behind protobuf's numbers, from a FileDescriptorSet, as
 * `protoc --descriptor_set_out=FILE --include_imports` writes it: message and enum types with their fields,
 * and the methods of services with the types they take and give.
 *
 * A type that a field names but no file of the set defines is not known: such a field is shown as bytes are.
 * Threads: immutable once loaded, shared freely. */
#ifndef WEIR_CAPTURE_PROTOBUF_SCHEMA_H
#define WEIR_CAPTURE_PROTOBUF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

/* As descriptor.proto numbers them. */
enum protobuf_field_kind {
    PROTOBUF_DOUBLE = 1,
    PROTOBUF_FLOAT,
    PROTOBUF_INT64,
    PROTOBUF_UINT64,
    PROTOBUF_INT32,
    PROTOBUF_FIXED64,
    PROTOBUF_FIXED32,
    PROTOBUF_BOOL,
    PROTOBUF_STRING,
    PROTOBUF_GROUP,
    PROTOBUF_MESSAGE,
    PROTOBUF_BYTES,
    PROTOBUF_UINT32,
    PROTOBUF_ENUM,
    PROTOBUF_SFIXED32,
    PROTOBUF_SFIXED64,
    PROTOBUF_SINT32,
    PROTOBUF_SINT64,
};

struct protobuf_type;

struct protobuf_field {
    uint32_t number;
    enum protobuf_field_kind kind;
    bool is_repeated;
    struct span name;                 /* in the .proto file's spelling */
    struct span type_name;            /* with its leading dot; messages, groups and enums */
    const struct protobuf_type *type; /* those, when the set defines it; else NULL */
};

struct protobuf_enum_value {
    int32_t number;
    struct span name;
};

/* A message type, or an enum. All spans point into the schema. */
struct protobuf_type {
    char *full_name; /* with its leading dot: ".pkg.Outer.Inner" */
    bool is_enum;
    bool is_map_entry;             /* made by protoc for map<K, V>: key is field 1, value field 2 */
    struct protobuf_field *fields; /* by number */
    size_t field_count;
    struct protobuf_enum_value *values; /* by number */
    size_t value_count;
};

struct protobuf_schema;

/* ERR_SYS when path can't be read, ERR_USAGE when it holds no FileDescriptorSet. */
bool protobuf_schema_load(const char *path, struct protobuf_schema **out_schema, struct err *err);
/* The same from the file's bytes, which are copied. ERR_USAGE. */
bool protobuf_schema_parse(struct span bytes, struct protobuf_schema **out_schema, struct err *err);
void protobuf_schema_free(struct protobuf_schema *schema); /* NULL is fine */

/* Type by its full name, with or without the leading dot; NULL: not in the set. Borrowed. */
const struct protobuf_type *protobuf_schema_find(const struct protobuf_schema *schema, struct span full_name);

/* What the method behind a request's path, "/pkg.Service/Method", takes and gives; false when it is not in
 * the set. What stands before "/pkg.Service" in the path is ignored (gRPC-Web below a prefix). Each type may
 * be NULL all the same: the set names it without defining it. Borrowed. */
bool protobuf_schema_method(const struct protobuf_schema *schema, struct span path,
                            const struct protobuf_type **out_request,
                            const struct protobuf_type **out_response);

/* NULL: the type has no such field. */
const struct protobuf_field *protobuf_type_field(const struct protobuf_type *type, uint32_t number);

#endif

/* A FileDescriptorSet is itself protobuf: files hold messages and enums, messages hold more of them. All
 * types go into one list under their full names, which is sorted once it is whole; then fields find their
 * types. */
#include "capture/protobuf_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/protobuf_wire.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

/* The descriptors of all of a large company's public interfaces are a fifth of that. */
#define MAX_FILE_BYTES ((size_t)64 * 1024 * 1024)

/* Messages defined within messages. */
#define MAX_NESTING 32

/* Field numbers of descriptor.proto. */
enum { SET_FILE = 1 };
enum { FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { MESSAGE_NAME = 1, MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, MESSAGE_OPTIONS = 7 };
enum { OPTIONS_MAP_ENTRY = 7 };
enum { FIELD_NAME = 1, FIELD_NUMBER = 3, FIELD_LABEL = 4, FIELD_TYPE = 5, FIELD_TYPE_NAME = 6 };
enum { ENUM_NAME = 1, ENUM_VALUE = 2, VALUE_NAME = 1, VALUE_NUMBER = 2 };
enum { SERVICE_NAME = 1, SERVICE_METHOD = 2, METHOD_NAME = 1, METHOD_INPUT = 2, METHOD_OUTPUT = 3 };

#define LABEL_REPEATED 3

struct method {
    char *service; /* with its leading dot */
    struct span name, input, output;
};

struct protobuf_schema {
    char *bytes; /* names point into it */
    struct protobuf_type *types;
    size_t type_count, type_cap;
    struct method *methods;
    size_t method_count, method_cap;
};

/* Room for one more at the end of an array. */
static void *grow(void *array, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return array;
    *cap = *cap != 0 ? *cap * 2 : 8;
    return mem_realloc(array, *cap * item_bytes);
}

/* The last of the length-delimited fields with that number; empty: there is none. */
static struct span find_bytes(struct span message, uint32_t number)
{
    struct span found = SPAN_NONE;
    struct protobuf_item item;

    while (protobuf_next(&message, &item))
        if (item.number == number && item.wire == PROTOBUF_WIRE_BYTES)
            found = item.bytes;
    return found;
}

static uint64_t find_varint(struct span message, uint32_t number)
{
    struct protobuf_item item;
    uint64_t found = 0;

    while (protobuf_next(&message, &item))
        if (item.number == number && item.wire == PROTOBUF_WIRE_VARINT)
            found = item.value;
    return found;
}

static bool bad_set(struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "it holds no FileDescriptorSet (protoc --descriptor_set_out=FILE "
                   "--include_imports writes one)");
}

/* ".scope.name" */
static char *join(const char *scope, struct span name)
{
    return mem_printf("%s.%.*s", scope, SPAN_ARG(name));
}

/* full_name becomes the type's. Borrowed until the next type is added. */
static struct protobuf_type *add_type(struct protobuf_schema *schema, char *full_name)
{
    struct protobuf_type *type;

    schema->types = grow(schema->types, schema->type_count, &schema->type_cap, sizeof *schema->types);
    type = &schema->types[schema->type_count++];
    *type = (struct protobuf_type){ .full_name = full_name };
    return type;
}

/* Two values may share a number (allow_alias): the first defined comes first. */
static int compare_values(const void *left, const void *right)
{
    const struct protobuf_enum_value *a = left, *b = right;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->name.ptr > b->name.ptr) - (a->name.ptr < b->name.ptr);
}

static bool add_enum(struct protobuf_schema *schema, const char *scope, struct span bytes, struct err *err)
{
    struct protobuf_type *type = add_type(schema, join(scope, find_bytes(bytes, ENUM_NAME)));
    struct protobuf_item item;
    size_t cap = 0;

    type->is_enum = true;
    while (protobuf_next(&bytes, &item)) {
        if (item.number != ENUM_VALUE || item.wire != PROTOBUF_WIRE_BYTES)
            continue;
        type->values = grow(type->values, type->value_count, &cap, sizeof *type->values);
        type->values[type->value_count++] = (struct protobuf_enum_value){
            .number = (int32_t)find_varint(item.bytes, VALUE_NUMBER),
            .name = find_bytes(item.bytes, VALUE_NAME),
        };
    }
    if (type->value_count != 0)
        qsort(type->values, type->value_count, sizeof *type->values, compare_values);
    return bytes.len == 0 || bad_set(err);
}

static int compare_fields(const void *left, const void *right)
{
    const struct protobuf_field *a = left, *b = right;

    return (a->number > b->number) - (a->number < b->number);
}

static bool add_field(struct protobuf_type *type, size_t *cap, struct span bytes, struct err *err)
{
    uint64_t number = find_varint(bytes, FIELD_NUMBER), kind = find_varint(bytes, FIELD_TYPE);

    if (kind < PROTOBUF_DOUBLE || kind > PROTOBUF_SINT64 || number == 0 || number >> 29 != 0)
        return bad_set(err);
    type->fields = grow(type->fields, type->field_count, cap, sizeof *type->fields);
    type->fields[type->field_count++] = (struct protobuf_field){
        .number = (uint32_t)number,
        .kind = (enum protobuf_field_kind)kind,
        .is_repeated = find_varint(bytes, FIELD_LABEL) == LABEL_REPEATED,
        .name = find_bytes(bytes, FIELD_NAME),
        .type_name = find_bytes(bytes, FIELD_TYPE_NAME),
    };
    return true;
}

static bool add_fields(struct protobuf_type *type, struct span bytes, struct err *err)
{
    struct protobuf_item item;
    size_t cap = 0;

    while (protobuf_next(&bytes, &item)) {
        if (item.wire != PROTOBUF_WIRE_BYTES)
            continue;
        if (item.number == MESSAGE_FIELD && !add_field(type, &cap, item.bytes, err))
            return false;
        if (item.number == MESSAGE_OPTIONS)
            type->is_map_entry = find_varint(item.bytes, OPTIONS_MAP_ENTRY) != 0;
    }
    if (type->field_count != 0)
        qsort(type->fields, type->field_count, sizeof *type->fields, compare_fields);
    return bytes.len == 0 || bad_set(err);
}

static bool add_message(struct protobuf_schema *schema, const char *scope, struct span bytes,
                        unsigned nesting, struct err *err)
{
    char *full_name = join(scope, find_bytes(bytes, MESSAGE_NAME));
    struct protobuf_item item;
    bool ok = nesting < MAX_NESTING || bad_set(err);

    ok = add_fields(add_type(schema, mem_strdup(full_name)), bytes, err) && ok;
    while (ok && protobuf_next(&bytes, &item)) {
        if (item.wire != PROTOBUF_WIRE_BYTES)
            continue;
        if (item.number == MESSAGE_NESTED)
            ok = add_message(schema, full_name, item.bytes, nesting + 1, err);
        else if (item.number == MESSAGE_ENUM)
            ok = add_enum(schema, full_name, item.bytes, err);
    }
    mem_free(full_name);
    return ok;
}

static bool add_service(struct protobuf_schema *schema, const char *scope, struct span bytes, struct err *err)
{
    struct span name = find_bytes(bytes, SERVICE_NAME);
    struct protobuf_item item;

    while (protobuf_next(&bytes, &item)) {
        if (item.number != SERVICE_METHOD || item.wire != PROTOBUF_WIRE_BYTES)
            continue;
        schema->methods =
            grow(schema->methods, schema->method_count, &schema->method_cap, sizeof *schema->methods);
        schema->methods[schema->method_count++] = (struct method){
            .service = join(scope, name),
            .name = find_bytes(item.bytes, METHOD_NAME),
            .input = find_bytes(item.bytes, METHOD_INPUT),
            .output = find_bytes(item.bytes, METHOD_OUTPUT),
        };
    }
    return bytes.len == 0 || bad_set(err);
}

static bool add_file(struct protobuf_schema *schema, struct span bytes, struct err *err)
{
    struct span package = find_bytes(bytes, FILE_PACKAGE);
    char *scope = package.len != 0 ? join("", package) : mem_strdup("");
    struct protobuf_item item;
    bool ok = true;

    while (ok && protobuf_next(&bytes, &item)) {
        if (item.wire != PROTOBUF_WIRE_BYTES)
            continue;
        if (item.number == FILE_MESSAGE)
            ok = add_message(schema, scope, item.bytes, 0, err);
        else if (item.number == FILE_ENUM)
            ok = add_enum(schema, scope, item.bytes, err);
        else if (item.number == FILE_SERVICE)
            ok = add_service(schema, scope, item.bytes, err);
    }
    if (ok && bytes.len != 0)
        ok = bad_set(err);
    mem_free(scope);
    return ok;
}

static int compare_types(const void *left, const void *right)
{
    const struct protobuf_type *a = left, *b = right;

    return strcmp(a->full_name, b->full_name);
}

static void connect_fields(struct protobuf_schema *schema)
{
    if (schema->type_count != 0)
        qsort(schema->types, schema->type_count, sizeof *schema->types, compare_types);
    for (size_t i = 0; i < schema->type_count; i++) {
        struct protobuf_type *type = &schema->types[i];

        for (size_t j = 0; j < type->field_count; j++) {
            struct protobuf_field *field = &type->fields[j];
            const struct protobuf_type *found = protobuf_schema_find(schema, field->type_name);

            /* A set of other hands may name an enum where a message is meant. */
            if (found != NULL && found->is_enum == (field->kind == PROTOBUF_ENUM))
                field->type = found;
        }
    }
}

bool protobuf_schema_parse(struct span bytes, struct protobuf_schema **out_schema, struct err *err)
{
    struct protobuf_schema *schema = mem_new(struct protobuf_schema);
    struct protobuf_item item;
    struct span rest;
    bool ok = false;

    schema->bytes = mem_spandup(bytes);
    rest = span_make(schema->bytes, bytes.len);
    while (protobuf_next(&rest, &item)) {
        if (item.number != SET_FILE || item.wire != PROTOBUF_WIRE_BYTES) {
            bad_set(err);
            goto out;
        }
        if (!add_file(schema, item.bytes, err))
            goto out;
    }
    if (rest.len != 0 || schema->type_count + schema->method_count == 0) {
        bad_set(err);
        goto out;
    }
    connect_fields(schema);
    *out_schema = schema;
    schema = NULL; /* now the caller's */
    ok = true;
out:
    protobuf_schema_free(schema);
    return ok;
}

static bool read_file(const char *path, struct strbuf *out, struct err *err)
{
    FILE *file = fopen(path, "rbe");
    size_t got = 1;
    bool ok = true;

    if (file == NULL)
        return err_sys(err, errno, "'%s'", path);
    while (ok && got != 0) {
        char buffer[16 * 1024];

        errno = 0;
        got = fread(buffer, 1, sizeof buffer, file);
        strbuf_add(out, span_make(buffer, got));
        if (ferror(file))
            ok = err_sys(err, errno, "'%s'", path);
        else if (out->is_full)
            ok = err_set(err, ERR_USAGE, "'%s' is larger than %zu MiB", path, MAX_FILE_BYTES >> 20);
    }
    fclose(file);
    return ok;
}

bool protobuf_schema_load(const char *path, struct protobuf_schema **out_schema, struct err *err)
{
    struct strbuf bytes;
    bool ok;

    strbuf_init(&bytes, MAX_FILE_BYTES);
    ok = read_file(path, &bytes, err);
    if (ok && !protobuf_schema_parse(strbuf_span(&bytes), out_schema, err))
        ok = err_add(err, "'%s'", path);
    strbuf_clear(&bytes);
    return ok;
}

void protobuf_schema_free(struct protobuf_schema *schema)
{
    if (schema == NULL)
        return;
    for (size_t i = 0; i < schema->type_count; i++) {
        mem_free(schema->types[i].full_name);
        mem_free(schema->types[i].fields);
        mem_free(schema->types[i].values);
    }
    for (size_t i = 0; i < schema->method_count; i++)
        mem_free(schema->methods[i].service);
    mem_free(schema->types);
    mem_free(schema->methods);
    mem_free(schema->bytes);
    mem_free(schema);
}

static int compare_name(const void *key, const void *element)
{
    const struct span *name = key;
    const struct protobuf_type *type = element;
    struct span full_name = span_of(type->full_name + 1);
    size_t len = name->len < full_name.len ? name->len : full_name.len;
    int order = len != 0 ? memcmp(name->ptr, full_name.ptr, len) : 0;

    return order != 0 ? order : (name->len > full_name.len) - (name->len < full_name.len);
}

const struct protobuf_type *protobuf_schema_find(const struct protobuf_schema *schema, struct span full_name)
{
    if (span_starts(full_name, SPAN(".")))
        full_name = span_from(full_name, 1);
    if (full_name.len == 0 || schema->type_count == 0)
        return NULL;
    return bsearch(&full_name, schema->types, schema->type_count, sizeof *schema->types, compare_name);
}

/* Where the last slash is; len: nowhere. */
static size_t last_slash(struct span path)
{
    for (size_t at = path.len; at != 0; at--)
        if (path.ptr[at - 1] == '/')
            return at - 1;
    return path.len;
}

bool protobuf_schema_method(const struct protobuf_schema *schema, struct span path,
                            const struct protobuf_type **out_request,
                            const struct protobuf_type **out_response)
{
    size_t slash = last_slash(path), before;
    struct span service, name;

    if (slash == path.len)
        return false;
    name = span_from(path, slash + 1);
    service = span_sub(path, 0, slash);
    before = last_slash(service);
    if (before == service.len)
        return false;
    service = span_from(service, before + 1);
    for (size_t i = 0; i < schema->method_count; i++) {
        const struct method *method = &schema->methods[i];

        if (!span_eq(method->name, name) || !span_eq(span_of(method->service + 1), service))
            continue;
        *out_request = protobuf_schema_find(schema, method->input);
        *out_response = protobuf_schema_find(schema, method->output);
        return true;
    }
    return false;
}

const struct protobuf_field *protobuf_type_field(const struct protobuf_type *type, uint32_t number)
{
    struct protobuf_field key = { .number = number };

    if (type->field_count == 0)
        return NULL;
    return bsearch(&key, type->fields, type->field_count, sizeof *type->fields, compare_fields);
}

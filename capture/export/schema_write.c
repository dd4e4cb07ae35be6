#include "capture/export/schema.h"

#include <strings.h>

#include "capture/export/schema_format.h"
#include "capture/export/schema_node.h"
#include "capture/export/segment.h"
#include "proxy/base/mem.h"

/* One object proves nothing about those that are to come. */
#define MIN_REQUIRED_OBJECTS 2
/* An enumeration: so many strings at least, and each word so often on average. */
#define MIN_ENUM_STRINGS 20
#define MIN_ENUM_REPEATS 5
/* So many keys that are values, and so few that are not (of ten), are a map's. */
#define MIN_MAP_KEYS       5
#define MIN_MAP_KEYS_OF_10 9

static bool is_map(const struct schema_node *node)
{
    size_t values = 0;

    if (node->is_map)
        return true;
    for (size_t i = 0; i < node->count; i++) {
        enum segment_class class = segment_classify(span_of(node->properties[i].name), false);

        values += segment_is_value(class) || class == SEGMENT_SMALL_INT;
    }
    return values >= MIN_MAP_KEYS && values * 10 >= node->count * MIN_MAP_KEYS_OF_10;
}

static bool ends_with_any(const char *name, const char *const *list)
{
    for (; *list != NULL; list++) {
        size_t len = strlen(*list), name_len = strlen(name);

        if (name_len >= len && strcasecmp(name + name_len - len, *list) == 0)
            return true;
    }
    return false;
}

/* What names somebody or something, or opens a door, has as many values as there are of those. */
static bool is_open_ended(const char *name)
{
    static const char *const endings[] = {
        "id",    "ids",   "key",   "token", "name", "slug",    "hash",     "email",  "user",   "login",
        "title", "label", "value", "text",  "code", "session", "password", "secret", "cursor", NULL,
    };

    return name != NULL && ends_with_any(name, endings);
}

static bool is_enum(const struct schema_node *node, const char *name)
{
    uint64_t strings = node->seen[JSON_WALK_STRING];

    for (size_t i = 0; i < JSON_WALK_KINDS; i++)
        if (node->seen[i] != 0 && i != JSON_WALK_STRING && i != JSON_WALK_NULL)
            return false;
    return !node->has_other_words && node->word_count >= 2 && strings >= MIN_ENUM_STRINGS &&
           strings >= MIN_ENUM_REPEATS * node->word_count && !is_open_ended(name);
}

static size_t list_types(const struct schema_node *node, const char **out_types)
{
    size_t count = 0;

    if (node->seen[JSON_WALK_OBJECT] != 0)
        out_types[count++] = "object";
    if (node->seen[JSON_WALK_ARRAY] != 0)
        out_types[count++] = "array";
    if (node->seen[JSON_WALK_STRING] != 0)
        out_types[count++] = "string";
    if (node->seen[JSON_WALK_NUMBER] != 0)
        out_types[count++] = "number";
    else if (node->seen[JSON_WALK_INTEGER] != 0)
        out_types[count++] = "integer";
    if (node->seen[JSON_WALK_BOOL] != 0)
        out_types[count++] = "boolean";
    if (node->seen[JSON_WALK_NULL] != 0)
        out_types[count++] = "null";
    return count;
}

static void write_type(const struct schema_node *node, struct json_out *json)
{
    const char *types[JSON_WALK_KINDS];
    size_t count = list_types(node, types);

    if (count == 0)
        return;
    jout_key(json, "type");
    if (count == 1) {
        jout_str(json, types[0]);
        return;
    }
    jout_open_array(json);
    for (size_t i = 0; i < count; i++)
        jout_str(json, types[i]);
    jout_close(json);
}

static void write_string(const struct schema_node *node, const char *name, struct json_out *json)
{
    const char *format = schema_format_name(node->formats);

    if (node->seen[JSON_WALK_STRING] == 0)
        return;
    if (format != NULL)
        jout_member_str(json, "format", format);
    if (!is_enum(node, name))
        return;
    jout_key(json, "enum");
    jout_open_array(json);
    for (size_t i = 0; i < node->word_count; i++)
        jout_str(json, node->words[i]);
    if (node->seen[JSON_WALK_NULL] != 0)
        jout_null(json);
    jout_close(json);
}

static void write_node(const struct schema_node *node, const char *name, struct json_out *json);

/* What all members have in common, made for the time of writing. */
static void write_map(const struct schema_node *node, struct json_out *json)
{
    struct schema scratch = { .nodes = 0 };
    struct schema_node *values = schema_node_new(&scratch);

    if (node->values != NULL)
        schema_node_merge(&scratch, values, node->values);
    for (size_t i = 0; i < node->count; i++)
        schema_node_merge(&scratch, values, node->properties[i].node);
    jout_key(json, "additionalProperties");
    write_node(values, NULL, json);
    schema_node_free(&scratch, values);
}

static bool is_required(const struct schema_node *node, const struct schema_property *property)
{
    uint64_t objects = node->seen[JSON_WALK_OBJECT];

    return objects >= MIN_REQUIRED_OBJECTS && property->objects == objects;
}

static void write_required(const struct schema_node *node, struct json_out *json)
{
    bool has_any = false;

    for (size_t i = 0; i < node->count; i++) {
        if (!is_required(node, &node->properties[i]))
            continue;
        if (!has_any) {
            jout_key(json, "required");
            jout_open_array(json);
        }
        has_any = true;
        jout_str(json, node->properties[i].name);
    }
    if (has_any)
        jout_close(json);
}

static void write_object(const struct schema_node *node, struct json_out *json)
{
    if (is_map(node)) {
        write_map(node, json);
        return;
    }
    if (node->count == 0)
        return;
    jout_key(json, "properties");
    jout_open_object(json);
    for (size_t i = 0; i < node->count; i++) {
        jout_key(json, node->properties[i].name);
        write_node(node->properties[i].node, node->properties[i].name, json);
    }
    jout_close(json);
    write_required(node, json);
}

/* name: of the property, NULL: it has none. */
static void write_node(const struct schema_node *node, const char *name, struct json_out *json)
{
    jout_open_object(json);
    write_type(node, json);
    write_string(node, name, json);
    if (node->seen[JSON_WALK_OBJECT] != 0)
        write_object(node, json);
    if (node->seen[JSON_WALK_ARRAY] != 0) {
        jout_key(json, "items");
        if (node->items != NULL) {
            write_node(node->items, name, json);
        } else {
            jout_open_object(json);
            jout_close(json);
        }
    }
    jout_close(json);
}

void schema_write(const struct schema *schema, struct json_out *json)
{
    write_node(schema->root, NULL, json);
}

void schema_write_as(const struct schema *schema, const char *name, struct json_out *json)
{
    write_node(schema->root, name, json);
}

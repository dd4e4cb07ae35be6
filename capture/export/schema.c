#include "capture/export/schema.h"

#include <stdlib.h>

#include "capture/export/schema_format.h"
#include "capture/export/schema_node.h"
#include "proxy/base/mem.h"

struct schema_node *schema_node_new(struct schema *schema)
{
    struct schema_node *node;

    if (schema->nodes >= SCHEMA_MAX_NODES) {
        schema->is_partial = true;
        return NULL;
    }
    schema->nodes++;
    node = mem_new(struct schema_node);
    node->formats = SCHEMA_FORMATS;
    return node;
}

static void drop_words(struct schema_node *node)
{
    for (size_t i = 0; i < node->word_count; i++)
        mem_free(node->words[i]);
    node->word_count = 0;
    node->has_other_words = true;
}

static void drop_properties(struct schema *schema, struct schema_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        mem_free(node->properties[i].name);
        schema_node_free(schema, node->properties[i].node);
    }
    mem_free(node->properties);
    node->properties = NULL;
    node->count = node->cap = 0;
}

void schema_node_free(struct schema *schema, struct schema_node *node)
{
    if (node == NULL)
        return;
    drop_words(node);
    drop_properties(schema, node);
    schema_node_free(schema, node->values);
    schema_node_free(schema, node->items);
    mem_free(node);
    schema->nodes--;
}

struct schema *schema_new(void)
{
    struct schema *schema = mem_new(struct schema);

    schema->root = schema_node_new(schema);
    return schema;
}

void schema_free(struct schema *schema)
{
    if (schema == NULL)
        return;
    schema_node_free(schema, schema->root);
    mem_free(schema);
}

/* --- objects ------------------------------------------------------------------------------------------- */

static struct schema_node *values_of(struct schema *schema, struct schema_node *node)
{
    if (node->values == NULL)
        node->values = schema_node_new(schema);
    return node->values;
}

static void merge_value(struct schema *schema, struct schema_node *map, const struct schema_node *from)
{
    struct schema_node *values = values_of(schema, map);

    if (values != NULL)
        schema_node_merge(schema, values, from);
}

static void make_map(struct schema *schema, struct schema_node *node)
{
    if (node->is_map)
        return;
    node->is_map = true;
    for (size_t i = 0; i < node->count; i++)
        merge_value(schema, node, node->properties[i].node);
    drop_properties(schema, node);
}

/* Where name is, or would be. */
static size_t place_of(const struct schema_node *node, const char *name, bool *out_is_there)
{
    size_t low = 0, high = node->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(node->properties[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_is_there = low < node->count && strcmp(node->properties[low].name, name) == 0;
    return low;
}

/* The property of that name, made where there is none. NULL: there is no room, or node has become a map. */
static struct schema_property *take_property(struct schema *schema, struct schema_node *node,
                                             const char *name)
{
    bool is_there;
    size_t at = place_of(node, name, &is_there);
    struct schema_node *child;

    if (is_there)
        return &node->properties[at];
    if (node->count == SCHEMA_MAX_KEYS) {
        make_map(schema, node);
        return NULL;
    }
    child = schema_node_new(schema);
    if (child == NULL)
        return NULL;
    if (node->count == node->cap) {
        node->cap = node->cap != 0 ? node->cap * 2 : 4;
        node->properties = mem_realloc(node->properties, node->cap * sizeof(*node->properties));
    }
    memmove(&node->properties[at + 1], &node->properties[at], (node->count - at) * sizeof(*node->properties));
    node->properties[at] = (struct schema_property){ .name = mem_strdup(name), .node = child };
    node->count++;
    return &node->properties[at];
}

/* --- seeing -------------------------------------------------------------------------------------------- */

struct look {
    struct schema *schema;
    struct schema_node *open[SCHEMA_MAX_DEPTH]; /* containers, by depth; NULL: there was no room */
    struct strbuf text;                         /* of the key or string at hand */
};

static const char *unescaped(struct look *look, struct span raw)
{
    strbuf_reset(&look->text);
    json_walk_unescape(&look->text, raw);
    return strbuf_text(&look->text);
}

static struct schema_node *member_of(struct look *look, struct schema_node *object, struct span key)
{
    struct schema_property *property = NULL;

    if (!object->is_map)
        property = take_property(look->schema, object, unescaped(look, key));
    if (object->is_map)
        return values_of(look->schema, object);
    if (property == NULL)
        return NULL;
    /* A key that an object repeats is there once. */
    if (property->last_object != object->seen[JSON_WALK_OBJECT])
        property->objects++;
    property->last_object = object->seen[JSON_WALK_OBJECT];
    return property->node;
}

static struct schema_node *node_for(struct look *look, const struct json_walk_value *value)
{
    struct schema_node *parent;
    struct span key;

    if (value->depth == 0)
        return look->schema->root;
    if (value->depth > SCHEMA_MAX_DEPTH)
        return NULL;
    parent = look->open[value->depth - 1];
    key = value->path[value->depth - 1].key;
    if (parent == NULL)
        return NULL;
    if (key.ptr != NULL)
        return member_of(look, parent, key);
    if (parent->items == NULL)
        parent->items = schema_node_new(look->schema);
    return parent->items;
}

static void add_word(struct schema_node *node, const char *word)
{
    size_t at = 0;

    while (at < node->word_count && strcmp(node->words[at], word) < 0)
        at++;
    if (at < node->word_count && strcmp(node->words[at], word) == 0)
        return;
    if (node->word_count == SCHEMA_MAX_WORDS) {
        drop_words(node);
        return;
    }
    memmove(&node->words[at + 1], &node->words[at], (node->word_count - at) * sizeof(*node->words));
    node->words[at] = mem_strdup(word);
    node->word_count++;
}

static void see_string(struct look *look, struct schema_node *node, struct span raw)
{
    const char *text;
    struct span whole;

    if (node->formats == 0 && node->has_other_words)
        return; /* it can tell nothing new */
    text = unescaped(look, raw);
    whole = span_make(text, look->text.len);
    node->formats &= schema_format_of(whole);
    if (node->has_other_words)
        return;
    if (schema_format_is_word(whole))
        add_word(node, text);
    else
        drop_words(node);
}

static bool on_value(void *self, const struct json_walk_value *value)
{
    struct look *look = self;
    struct schema_node *node = node_for(look, value);

    if (value->depth < SCHEMA_MAX_DEPTH)
        look->open[value->depth] = node;
    if (node == NULL)
        return true;
    node->seen[value->kind]++;
    if (value->kind == JSON_WALK_STRING)
        see_string(look, node, value->bytes);
    return true;
}

bool schema_see(struct schema *schema, struct span text)
{
    static const struct json_walk_events events = { .on_value = on_value };
    struct look look = { .schema = schema };

    if (json_walk(text, NULL, NULL) != JSON_WALK_DONE)
        return false;
    json_walk(text, &events, &look);
    strbuf_clear(&look.text);
    return true;
}

/* --- merging ------------------------------------------------------------------------------------------- */

static void merge_words(struct schema_node *into, const struct schema_node *from)
{
    if (from->has_other_words)
        drop_words(into);
    for (size_t i = 0; i < from->word_count && !into->has_other_words; i++)
        add_word(into, from->words[i]);
}

static void merge_properties(struct schema *schema, struct schema_node *into, const struct schema_node *from)
{
    if (from->is_map)
        make_map(schema, into);
    if (from->values != NULL)
        merge_value(schema, into, from->values);
    for (size_t i = 0; i < from->count; i++) {
        const struct schema_property *other = &from->properties[i];
        struct schema_property *property = into->is_map ? NULL : take_property(schema, into, other->name);

        if (property != NULL) {
            property->objects += other->objects;
            schema_node_merge(schema, property->node, other->node);
        } else if (into->is_map) {
            merge_value(schema, into, other->node);
        }
    }
}

void schema_node_merge(struct schema *schema, struct schema_node *into, const struct schema_node *from)
{
    for (size_t i = 0; i < JSON_WALK_KINDS; i++)
        into->seen[i] += from->seen[i];
    into->formats &= from->formats;
    merge_words(into, from);
    merge_properties(schema, into, from);
    if (from->items == NULL)
        return;
    if (into->items == NULL)
        into->items = schema_node_new(schema);
    if (into->items != NULL)
        schema_node_merge(schema, into->items, from->items);
}

void schema_merge(struct schema *schema, const struct schema *other)
{
    schema_node_merge(schema, schema->root, other->root);
    schema->is_partial = schema->is_partial || other->is_partial;
}

uint64_t schema_seen(const struct schema *schema)
{
    uint64_t count = 0;

    for (size_t i = 0; i < JSON_WALK_KINDS; i++)
        count += schema->root->seen[i];
    return count;
}

bool schema_is_partial(const struct schema *schema)
{
    return schema->is_partial;
}

size_t schema_nodes(const struct schema *schema)
{
    return schema->nodes;
}

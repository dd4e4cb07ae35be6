/* schema_node: what was seen in one place of documents. Internal to schema.c and schema_write.c. */
#ifndef WEIR_CAPTURE_EXPORT_SCHEMA_NODE_H
#define WEIR_CAPTURE_EXPORT_SCHEMA_NODE_H

#include "capture/export/json_walk.h"
#include "capture/export/schema.h"

/* More different words are no enumeration. */
#define SCHEMA_MAX_WORDS 8

enum schema_format {
    SCHEMA_DATE_TIME = 1 << 0,
    SCHEMA_DATE = 1 << 1,
    SCHEMA_UUID = 1 << 2,
    SCHEMA_EMAIL = 1 << 3,
    SCHEMA_URI = 1 << 4,
    SCHEMA_IPV4 = 1 << 5,
    SCHEMA_FORMATS = (1 << 6) - 1,
};

struct schema_property {
    char *name;
    struct schema_node *node;
    uint64_t objects;     /* that had it */
    uint64_t last_object; /* the number of the last of them */
};

/* Sums and sets, so that merging knows no order. */
struct schema_node {
    uint64_t seen[JSON_WALK_KINDS];
    unsigned formats;              /* enum schema_format: those that every string has */
    char *words[SCHEMA_MAX_WORDS]; /* the different strings, sorted */
    size_t word_count;
    bool has_other_words;               /* too many of them, or some that no enumeration has */
    struct schema_property *properties; /* sorted by name; none of a map */
    size_t count, cap;
    bool is_map;
    struct schema_node *values; /* of a map */
    struct schema_node *items;  /* of arrays; NULL: all were empty */
};

struct schema {
    struct schema_node *root;
    size_t nodes;
    bool is_partial;
};

/* NULL: there are enough of them. */
struct schema_node *schema_node_new(struct schema *schema);
void schema_node_free(struct schema *schema, struct schema_node *node); /* NULL is fine */
void schema_node_merge(struct schema *schema, struct schema_node *into, const struct schema_node *from);

#endif

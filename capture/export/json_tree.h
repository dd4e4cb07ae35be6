/* json_tree: a JSON text as a tree of nodes that say where in the text they stand.
 *
 * The text itself stays as it is, so that most of a document can be kept byte for byte while some of it is
 * replaced (json_edit.h). Nodes are numbered in the order of the text; 0 is the root. Repeated keys are
 * separate members; json_tree_find takes the last, as JavaScript does. 56 bytes a value. Immutable. */
#ifndef WEIR_CAPTURE_EXPORT_JSON_TREE_H
#define WEIR_CAPTURE_EXPORT_JSON_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/export/json_walk.h"
#include "proxy/base/err.h"

#define JSON_TREE_NONE UINT32_MAX

struct json_node {
    enum json_walk_kind kind;
    struct span key;   /* of a member, between its quotes, escapes and all; ptr NULL: it is none */
    struct span bytes; /* all of it, with quotes or brackets */
    uint32_t parent, next, first, last; /* JSON_TREE_NONE: there is none */
};

struct json_tree;

/* text is borrowed. ERR_PROTO, with line and column: it is no JSON, or nested too deep for it to be read. */
bool json_tree_new(struct span text, struct json_tree **out_tree, struct err *err);
void json_tree_free(struct json_tree *tree); /* NULL is fine */

struct span json_tree_text(const struct json_tree *tree);
const struct json_node *json_tree_node(const struct json_tree *tree, uint32_t node);
/* The member of an object; JSON_TREE_NONE for what is missing, and in what is no object. */
uint32_t json_tree_find(const struct json_tree *tree, uint32_t object, const char *key);
/* The same of that kind, else JSON_TREE_NONE. */
uint32_t json_tree_find_kind(const struct json_tree *tree, uint32_t object, const char *key,
                             enum json_walk_kind kind);
/* A string with its escapes undone, the caller's to mem_free; NULL: it is none, or is not there. */
char *json_tree_string(const struct json_tree *tree, uint32_t node);
/* All of it as a value of jansson; NULL: jansson can't hold it (a number out of range). */
json_t *json_tree_load(const struct json_tree *tree, uint32_t node);

#endif

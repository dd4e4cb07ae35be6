/* merge_tree: a collection as lists of its folders and items, in the order of the document.
 *
 * Both sides of a merge are read into one: the file that is there, with the places of its parts in its text,
 * and what a capture made. Values are the document's own. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_TREE_H
#define WEIR_CAPTURE_EXPORT_MERGE_TREE_H

#include <jansson.h>
#include <stddef.h>

#include "capture/export/json_tree.h"
#include "capture/export/merge_call.h"

#define MERGE_NONE SIZE_MAX

/* The first folder is the collection itself, which has no parent. */
struct merge_folder {
    json_t *value, *items;
    uint32_t items_node; /* JSON_TREE_NONE where there is no text */
    const char *name;
    size_t parent; /* MERGE_NONE */
    size_t depth;
    const json_t *auth; /* what is inherited by what is in it; NULL: nothing */
};

struct merge_item {
    json_t *value, *request; /* request: an object, or the text of a URL */
    uint32_t node;
    const char *name, *id; /* id NULL: there is none */
    size_t folder;
    struct merge_call call;
    size_t partner; /* the item of the other side that is the same; MERGE_NONE */
};

struct merge_tree {
    struct merge_folder *folders;
    size_t folder_count, folder_cap;
    struct merge_item *items;
    size_t item_count, item_cap;
};

/* nodes: of the same document; NULL: there is no text. */
void merge_tree_init(struct merge_tree *out_tree, json_t *document, const struct json_tree *nodes);
void merge_tree_clear(struct merge_tree *tree);

/* Whether weir made that id: those of others are random. NULL is fine. */
bool merge_is_our_id(const char *id);

/* The value of an "auth" member that says anything; NULL: it is inherited. */
const json_t *merge_own_auth(const json_t *holder);
/* What is sent: its own, or what it inherits; NULL: nothing is, or noauth. */
const json_t *merge_sent_auth(const struct merge_tree *tree, const struct merge_item *item);
/* Two inherited values, of which NULL and noauth are the same. */
bool merge_is_same_auth(const json_t *one, const json_t *other);

#endif

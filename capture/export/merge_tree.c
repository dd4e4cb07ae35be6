#include "capture/export/merge_tree.h"

#include <string.h>

#include "proxy/base/mem.h"

static const char *text_or_empty(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

/* Ours are name-based (RFC 9562 §5.5), and the version has its place. */
bool merge_is_our_id(const char *id)
{
    return id != NULL && strlen(id) == 36 && id[8] == '-' && id[13] == '-' && id[14] == '5';
}

const json_t *merge_own_auth(const json_t *holder)
{
    const json_t *auth = json_object_get(holder, "auth");

    return json_is_object(auth) ? auth : NULL;
}

static bool is_no_auth(const json_t *auth)
{
    return auth == NULL || strcmp(text_or_empty(json_object_get(auth, "type")), "noauth") == 0;
}

bool merge_is_same_auth(const json_t *one, const json_t *other)
{
    if (is_no_auth(one) || is_no_auth(other))
        return is_no_auth(one) && is_no_auth(other);
    return json_equal(one, other) != 0;
}

const json_t *merge_sent_auth(const struct merge_tree *tree, const struct merge_item *item)
{
    const json_t *auth = merge_own_auth(item->request);

    if (auth == NULL)
        auth = tree->folders[item->folder].auth;
    return is_no_auth(auth) ? NULL : auth;
}

/* --- reading ------------------------------------------------------------------------------------------- */

static void add_item(struct merge_tree *tree, json_t *value, uint32_t node, size_t folder)
{
    struct merge_item *item;

    if (tree->item_count == tree->item_cap) {
        tree->item_cap = tree->item_cap != 0 ? tree->item_cap * 2 : 64;
        tree->items = mem_realloc(tree->items, tree->item_cap * sizeof(*tree->items));
    }
    item = &tree->items[tree->item_count++];
    *item = (struct merge_item){ .value = value,
                                 .request = json_object_get(value, "request"),
                                 .node = node,
                                 .name = text_or_empty(json_object_get(value, "name")),
                                 .id = json_string_value(json_object_get(value, "id")),
                                 .folder = folder,
                                 .partner = MERGE_NONE };
    merge_call_init(&item->call, item->request, merge_sent_auth(tree, item));
}

static size_t add_folder(struct merge_tree *tree, json_t *value, uint32_t items_node, size_t parent)
{
    const json_t *auth = merge_own_auth(value);

    if (tree->folder_count == tree->folder_cap) {
        tree->folder_cap = tree->folder_cap != 0 ? tree->folder_cap * 2 : 16;
        tree->folders = mem_realloc(tree->folders, tree->folder_cap * sizeof(*tree->folders));
    }
    if (auth == NULL && parent != MERGE_NONE)
        auth = tree->folders[parent].auth;
    tree->folders[tree->folder_count] =
        (struct merge_folder){ .value = value,
                               .items = json_object_get(value, "item"),
                               .items_node = items_node,
                               .name = text_or_empty(json_object_get(value, "name")),
                               .parent = parent,
                               .depth = parent != MERGE_NONE ? tree->folders[parent].depth + 1 : 0,
                               .auth = auth };
    return tree->folder_count++;
}

static uint32_t find_items(const struct json_tree *nodes, uint32_t object)
{
    return nodes != NULL ? json_tree_find(nodes, object, "item") : JSON_TREE_NONE;
}

/* Recursion is as deep as folders nest, which json_tree bounds. */
static void read_folder(struct merge_tree *tree, size_t folder, const struct json_tree *nodes)
{
    json_t *items = tree->folders[folder].items, *value;
    uint32_t node =
        nodes != NULL ? json_tree_node(nodes, tree->folders[folder].items_node)->first : JSON_TREE_NONE;
    size_t i;

    json_array_foreach (items, i, value) {
        if (json_is_array(json_object_get(value, "item")))
            read_folder(tree, add_folder(tree, value, find_items(nodes, node), folder), nodes);
        else if (json_is_object(json_object_get(value, "request")) ||
                 json_is_string(json_object_get(value, "request")))
            add_item(tree, value, node, folder);
        if (nodes != NULL)
            node = json_tree_node(nodes, node)->next;
    }
}

void merge_tree_init(struct merge_tree *out_tree, json_t *document, const struct json_tree *nodes)
{
    *out_tree = (struct merge_tree){ .folders = NULL };
    add_folder(out_tree, document, find_items(nodes, 0), MERGE_NONE);
    read_folder(out_tree, 0, nodes);
}

void merge_tree_clear(struct merge_tree *tree)
{
    for (size_t i = 0; i < tree->item_count; i++)
        merge_call_clear(&tree->items[i].call);
    mem_free(tree->folders);
    mem_free(tree->items);
    *tree = (struct merge_tree){ .folders = NULL };
}

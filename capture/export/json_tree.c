/* The walk tells where containers begin, never where they end: the end is the first bracket behind the last
 * thing that is in one. */
#include "capture/export/json_tree.h"

#include "proxy/base/mem.h"

struct json_tree {
    struct span text;
    struct json_node *nodes;
    uint32_t count, cap;
    uint32_t open; /* the innermost container that is not closed yet, while the tree grows */
};

static uint32_t add_node(struct json_tree *tree)
{
    if (tree->count == tree->cap) {
        tree->cap = tree->cap != 0 ? tree->cap * 2 : 256;
        tree->nodes = mem_realloc(tree->nodes, tree->cap * sizeof(*tree->nodes));
    }
    return tree->count++;
}

static bool on_value(void *self, const struct json_walk_value *value)
{
    struct json_tree *tree = self;
    uint32_t place = add_node(tree);
    struct json_node *node = &tree->nodes[place];

    *node = (struct json_node){ .kind = value->kind,
                                .key = value->depth != 0 ? value->path[value->depth - 1].key : SPAN_NONE,
                                .bytes = value->bytes,
                                .parent = tree->open,
                                .next = JSON_TREE_NONE,
                                .first = JSON_TREE_NONE,
                                .last = JSON_TREE_NONE };
    if (value->kind == JSON_WALK_STRING)
        node->bytes = span_make(value->bytes.ptr - 1, value->bytes.len + 2);
    if (tree->open != JSON_TREE_NONE) {
        struct json_node *parent = &tree->nodes[tree->open];

        if (parent->last != JSON_TREE_NONE)
            tree->nodes[parent->last].next = place;
        else
            parent->first = place;
        parent->last = place;
    }
    if (value->kind == JSON_WALK_OBJECT || value->kind == JSON_WALK_ARRAY)
        tree->open = place;
    return true;
}

static void on_close(void *self, size_t depth)
{
    struct json_tree *tree = self;
    struct json_node *node = &tree->nodes[tree->open];
    const char *end = node->bytes.ptr + 1;

    (void)depth;
    if (node->last != JSON_TREE_NONE) {
        struct span last = tree->nodes[node->last].bytes;

        end = last.ptr + last.len;
    }
    while (*end != '}' && *end != ']')
        end++; /* over blanks */
    node->bytes.len = (size_t)(end + 1 - node->bytes.ptr);
    tree->open = node->parent;
}

/* The walk says that it is wrong, jansson says where. */
static bool explain(struct span text, struct err *err)
{
    json_error_t error;
    json_t *document;

    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    document = json_loadb(text.len != 0 ? text.ptr : "", text.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (document == NULL)
        return err_set(err, ERR_PROTO, "no JSON at line %d, column %d", error.line, error.column);
    json_decref(document);
    return err_set(err, ERR_PROTO, "JSON that is nested deeper than %d levels", JSON_WALK_MAX_DEPTH);
}

bool json_tree_new(struct span text, struct json_tree **out_tree, struct err *err)
{
    static const struct json_walk_events events = { .on_value = on_value, .on_close = on_close };
    struct json_tree *tree = mem_new(struct json_tree);

    tree->text = text;
    tree->open = JSON_TREE_NONE;
    if (json_walk(text, &events, tree) != JSON_WALK_DONE) {
        json_tree_free(tree);
        return explain(text, err);
    }
    *out_tree = tree;
    return true;
}

void json_tree_free(struct json_tree *tree)
{
    if (tree == NULL)
        return;
    mem_free(tree->nodes);
    mem_free(tree);
}

struct span json_tree_text(const struct json_tree *tree)
{
    return tree->text;
}

const struct json_node *json_tree_node(const struct json_tree *tree, uint32_t node)
{
    return &tree->nodes[node];
}

static bool is_key(struct span raw, const char *key)
{
    struct strbuf text = STRBUF_EMPTY;
    bool is_it;

    if (span_find(raw, '\\') == raw.len)
        return span_eq(raw, span_of(key));
    json_walk_unescape(&text, raw);
    is_it = span_eq(strbuf_span(&text), span_of(key));
    strbuf_clear(&text);
    return is_it;
}

uint32_t json_tree_find(const struct json_tree *tree, uint32_t object, const char *key)
{
    uint32_t found = JSON_TREE_NONE;

    if (object == JSON_TREE_NONE || tree->nodes[object].kind != JSON_WALK_OBJECT)
        return JSON_TREE_NONE;
    for (uint32_t node = tree->nodes[object].first; node != JSON_TREE_NONE; node = tree->nodes[node].next)
        if (is_key(tree->nodes[node].key, key))
            found = node;
    return found;
}

uint32_t json_tree_find_kind(const struct json_tree *tree, uint32_t object, const char *key,
                             enum json_walk_kind kind)
{
    uint32_t node = json_tree_find(tree, object, key);

    return node != JSON_TREE_NONE && tree->nodes[node].kind == kind ? node : JSON_TREE_NONE;
}

char *json_tree_string(const struct json_tree *tree, uint32_t node)
{
    struct strbuf text = STRBUF_EMPTY;
    struct span bytes;

    if (node == JSON_TREE_NONE || tree->nodes[node].kind != JSON_WALK_STRING)
        return NULL;
    bytes = tree->nodes[node].bytes;
    json_walk_unescape(&text, span_sub(bytes, 1, bytes.len - 2));
    return text.ptr != NULL ? strbuf_detach(&text) : mem_strdup("");
}

json_t *json_tree_load(const struct json_tree *tree, uint32_t node)
{
    struct span bytes = tree->nodes[node].bytes;

    return json_loadb(bytes.ptr, bytes.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
}

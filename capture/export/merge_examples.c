#include "capture/export/merge_examples.h"

#include <string.h>

#include "capture/export/merge_example.h"
#include "proxy/base/mem.h"

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* --- names --------------------------------------------------------------------------------------------- */

void merge_examples_see(struct merge_examples *examples, const struct merge_tree *file)
{
    const json_t *example;
    size_t k;

    for (size_t i = 0; i < file->item_count; i++) {
        json_array_foreach (json_object_get(file->items[i].value, "response"), k, example) {
            struct strbuf name = STRBUF_EMPTY;

            strbuf_add_str(&name, member(example, "name"));
            names_claim(examples->names, &name, SPAN_NONE);
            strbuf_clear(&name);
        }
    }
}

/* Mock servers choose by name. */
static void name_example(struct merge_examples *examples, json_t *example)
{
    struct strbuf name = STRBUF_EMPTY;

    strbuf_add_str(&name, member(example, "name"));
    names_claim(examples->names, &name, SPAN_NONE);
    json_object_set_new(example, "name", json_stringn(strbuf_text(&name), name.len));
    strbuf_clear(&name);
}

void merge_examples_name(struct merge_examples *examples, json_t *item)
{
    json_t *example;
    size_t i;

    json_array_foreach (json_object_get(item, "response"), i, example)
        name_example(examples, example);
}

/* --- one example --------------------------------------------------------------------------------------- */

/* Its number is the file's, and what follows is the capture's. */
static void keep_name(json_t *made, const json_t *file)
{
    const char *old = member(file, "name"), *fresh = member(made, "name");
    size_t old_stem = merge_example_stem(old), fresh_stem = merge_example_stem(fresh);
    char *name;

    if (old_stem != 0 && fresh_stem != 0)
        name = mem_printf("%.*s%s", (int)old_stem, old, fresh + fresh_stem);
    else
        name = mem_strdup(old);
    json_object_set_new(made, "name", json_string(name));
    mem_free(name);
}

static bool says_the_same(const json_t *file, const json_t *made)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)made, key, value)
        if (!merge_example_is_same(file, made, key))
            return false;
    return true;
}

/* Lists of header fields stay when nothing but a date in them is another. */
static bool is_kept(const json_t *file, const json_t *made, const char *key)
{
    bool has_fields = strcmp(key, "header") == 0 || strcmp(key, "originalRequest") == 0;

    return json_equal(json_object_get(file, key), json_object_get(made, key)) ||
           (has_fields && merge_example_is_same(file, made, key));
}

static bool refresh(struct merge_examples *examples, uint32_t node, const json_t *file, json_t *made)
{
    const char *key;
    json_t *value;

    if (says_the_same(file, made))
        return false;
    keep_name(made, file);
    json_object_foreach (made, key, value) {
        uint32_t member_node = json_tree_find(examples->nodes, node, key);

        if (strcmp(key, "id") == 0 && member_node != JSON_TREE_NONE)
            continue;
        if (member_node == JSON_TREE_NONE)
            json_edit_add_member(examples->edit, node, key, value);
        else if (!is_kept(file, made, key))
            json_edit_replace(examples->edit, member_node, value);
    }
    return true;
}

/* --- those of an item ---------------------------------------------------------------------------------- */

struct here {
    const json_t *list;
    uint32_t node; /* of the list; JSON_TREE_NONE: there is none */
    size_t count;  /* with those that were added */
};

static bool is_it(const json_t *example, const struct merge_item *made, const char *id)
{
    const char *own = json_string_value(json_object_get(example, "id"));
    char would_be[DIGEST_UUID_BYTES];

    if (merge_is_our_id(own))
        return strcmp(own, id) == 0;
    return merge_example_id(example, made->id != NULL ? made->id : "", would_be) && strcmp(would_be, id) == 0;
}

/* The node of the example with that id; JSON_TREE_NONE. */
static uint32_t find(const struct merge_examples *examples, const struct here *here,
                     const struct merge_item *made, const char *id, const json_t **out_example)
{
    uint32_t node =
        here->node != JSON_TREE_NONE ? json_tree_node(examples->nodes, here->node)->first : JSON_TREE_NONE;
    const json_t *example;
    size_t i;

    json_array_foreach (here->list, i, example) {
        if (json_is_object(example) && is_it(example, made, id)) {
            *out_example = example;
            return node;
        }
        node = json_tree_node(examples->nodes, node)->next;
    }
    return JSON_TREE_NONE;
}

static bool has_code(const json_t *list, const json_t *code)
{
    const json_t *example;
    size_t i;

    json_array_foreach (list, i, example)
        if (json_equal(json_object_get(example, "code"), code))
            return true;
    return false;
}

static void append(struct merge_examples *examples, struct here *here, json_t *example, json_t **first)
{
    name_example(examples, example);
    here->count++;
    if (here->node != JSON_TREE_NONE) {
        json_edit_append(examples->edit, here->node, example);
        return;
    }
    if (*first == NULL)
        *first = json_array();
    json_array_append(*first, example);
}

bool merge_examples_update(struct merge_examples *examples, const struct merge_item *file,
                           const struct merge_item *made)
{
    uint32_t member_node = json_tree_find(examples->nodes, file->node, "response");
    struct here here = { .list = json_object_get(file->value, "response"), .node = JSON_TREE_NONE };
    json_t *list = json_object_get(made->value, "response"), *first = NULL, *example;
    bool is_changed = false;
    size_t i;

    if (json_is_array(here.list))
        here.node = member_node;
    else if (here.list != NULL && !json_is_null(here.list))
        return false; /* nobody knows what that is */
    here.count = json_array_size(here.list);
    json_array_foreach (list, i, example) {
        const json_t *old;
        uint32_t node = find(examples, &here, made, member(example, "id"), &old);

        if (node != JSON_TREE_NONE) {
            is_changed = refresh(examples, node, old, example) || is_changed;
        } else if (here.count < examples->max || !has_code(here.list, json_object_get(example, "code"))) {
            append(examples, &here, example, &first);
            is_changed = true;
        }
    }
    if (first != NULL && member_node != JSON_TREE_NONE)
        json_edit_replace(examples->edit, member_node, first);
    else if (first != NULL)
        json_edit_add_member(examples->edit, file->node, "response", first);
    json_decref(first);
    return is_changed;
}

#include "capture/export/json_edit.h"

#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* Everything that comes into one container is one change, as is a replaced value. */
struct change {
    const char *at; /* in the text */
    size_t removed;
    uint32_t container; /* JSON_TREE_NONE: a value is replaced */
    struct strbuf added;
    UT_hash_handle hh; /* by container */
};

struct json_edit {
    const struct json_tree *tree;
    struct json_style style;
    struct change **changes;
    size_t count, cap;
    struct change *by_container;
};

struct json_edit *json_edit_new(const struct json_tree *tree)
{
    struct json_edit *edit = mem_new(struct json_edit);

    edit->tree = tree;
    edit->style = json_style_of(tree);
    return edit;
}

void json_edit_free(struct json_edit *edit)
{
    if (edit == NULL)
        return;
    HASH_CLEAR(hh, edit->by_container);
    for (size_t i = 0; i < edit->count; i++) {
        strbuf_clear(&edit->changes[i]->added);
        mem_free(edit->changes[i]);
    }
    mem_free(edit->changes);
    mem_free(edit);
}

static struct change *add_change(struct json_edit *edit, const char *at, size_t removed)
{
    struct change *change = mem_new(struct change);

    if (edit->count == edit->cap) {
        edit->cap = edit->cap != 0 ? edit->cap * 2 : 64;
        edit->changes = mem_realloc(edit->changes, edit->cap * sizeof(*edit->changes));
    }
    edit->changes[edit->count++] = change;
    *change = (struct change){ .at = at, .removed = removed, .container = JSON_TREE_NONE };
    return change;
}

/* What the line on which at stands begins with. */
static struct span indent_of(const struct json_edit *edit, const char *at)
{
    struct span text = json_tree_text(edit->tree);
    const char *begin = at;
    size_t len = 0;

    while (begin > text.ptr && begin[-1] != '\n')
        begin--;
    while (begin + len < at && (begin[len] == ' ' || begin[len] == '\t'))
        len++;
    return span_make(begin, len);
}

/* Behind the last that is in it; an empty one is filled from its opening bracket on, and its blanks go. */
static struct change *change_of(struct json_edit *edit, uint32_t container)
{
    const struct json_node *node = json_tree_node(edit->tree, container);
    struct change *change;

    HASH_FIND(hh, edit->by_container, &container, sizeof(container), change);
    if (change != NULL)
        return change;
    if (node->last != JSON_TREE_NONE) {
        struct span last = json_tree_node(edit->tree, node->last)->bytes;

        change = add_change(edit, last.ptr + last.len, 0);
    } else {
        change = add_change(edit, node->bytes.ptr + 1, node->bytes.len - 2);
    }
    change->container = container;
    HASH_ADD(hh, edit->by_container, container, sizeof(container), change);
    return change;
}

/* key NULL: of an array. */
static void add_to(struct json_edit *edit, uint32_t container, const char *key, const json_t *value)
{
    const struct json_node *node = json_tree_node(edit->tree, container);
    struct span indent = indent_of(edit, node->bytes.ptr);
    struct change *change = change_of(edit, container);
    struct strbuf own = STRBUF_EMPTY;

    if (node->last != JSON_TREE_NONE || change->added.len != 0)
        strbuf_add_str(&change->added, edit->style.comma);
    json_style_add_break(&edit->style, indent, 1, &change->added);
    if (key != NULL) {
        json_style_add_string(span_of(key), &change->added);
        strbuf_add_str(&change->added, edit->style.colon);
    }
    strbuf_add(&own, indent);
    strbuf_add(&own, edit->style.unit);
    json_style_add(&edit->style, value, strbuf_span(&own), &change->added);
    strbuf_clear(&own);
}

void json_edit_replace(struct json_edit *edit, uint32_t node, const json_t *value)
{
    struct span bytes = json_tree_node(edit->tree, node)->bytes;
    struct change *change = add_change(edit, bytes.ptr, bytes.len);

    json_style_add(&edit->style, value, indent_of(edit, bytes.ptr), &change->added);
}

void json_edit_append(struct json_edit *edit, uint32_t array, const json_t *value)
{
    add_to(edit, array, NULL, value);
}

void json_edit_add_member(struct json_edit *edit, uint32_t object, const char *key, const json_t *value)
{
    add_to(edit, object, key, value);
}

bool json_edit_is_empty(const struct json_edit *edit)
{
    return edit->count == 0;
}

/* No two are at one place. */
static int by_place(const void *a, const void *b)
{
    const struct change *x = *(struct change *const *)a, *y = *(struct change *const *)b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static void write_change(const struct json_edit *edit, const struct change *change, FILE *out)
{
    struct strbuf closing = STRBUF_EMPTY;
    const struct json_node *node;

    fwrite(strbuf_text(&change->added), 1, change->added.len, out);
    if (change->container == JSON_TREE_NONE)
        return;
    node = json_tree_node(edit->tree, change->container);
    if (node->last == JSON_TREE_NONE) {
        json_style_add_break(&edit->style, indent_of(edit, node->bytes.ptr), 0, &closing);
        fputs(strbuf_text(&closing), out);
        strbuf_clear(&closing);
    }
}

void json_edit_write(struct json_edit *edit, FILE *out)
{
    struct span text = json_tree_text(edit->tree);
    const char *at = text.ptr;

    if (edit->count != 0)
        qsort(edit->changes, edit->count, sizeof(*edit->changes), by_place);
    for (size_t i = 0; i < edit->count; i++) {
        const struct change *change = edit->changes[i];

        fwrite(at, 1, (size_t)(change->at - at), out);
        write_change(edit, change, out);
        at = change->at + change->removed;
    }
    fwrite(at, 1, (size_t)(text.ptr + text.len - at), out);
}

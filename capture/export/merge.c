#include "capture/export/merge.h"

#include <string.h>

#include "capture/export/merge_hosts.h"
#include "capture/export/merge_parts.h"
#include "capture/export/merge_tree.h"
#include "proxy/base/mem.h"

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* --- opening ------------------------------------------------------------------------------------------- */

static bool check_collection(const struct merge_file *file, struct err *err)
{
    const char *schema = member(json_object_get(file->document, "info"), "schema");

    if (strstr(schema, "/collection/v2.1.") != NULL && json_is_array(json_object_get(file->document, "item")))
        return true;
    if (strstr(schema, "/collection/v") != NULL && strstr(schema, "/collection/v2.1.") == NULL)
        return err_set(err, ERR_USAGE,
                       "'%s' is a collection of another version: export it as Collection v2.1 first",
                       file->path);
    return err_set(err, ERR_USAGE, "'%s' is no Postman collection (v2.1)", file->path);
}

static bool check_values(const struct merge_file *file, struct err *err)
{
    return file->nodes == NULL || json_is_array(json_object_get(file->document, "values")) ||
           err_set(err, ERR_USAGE,
                   "'%s' is no Postman environment, and values of secrets would go there: move it away",
                   file->path);
}

static void add_value(struct merge *merge, const json_t *value, uint32_t node)
{
    const char *name = member(value, "key");
    struct value_row *row, *like;

    HASH_FIND_STR(merge->by_name, name, row);
    if (row == NULL) {
        row = mem_new(struct value_row);
        row->name = name;
        HASH_ADD_KEYPTR(hh, merge->by_name, row->name, strlen(row->name), row);
    } else if (row->hh_value.tbl != NULL) {
        HASH_DELETE(hh_value, merge->by_value, row);
        row->hh_value.tbl = NULL;
    }
    row->value = member(value, "value");
    row->node = node;
    row->is_secret = strcmp(member(value, "type"), "secret") == 0;
    HASH_FIND(hh_value, merge->by_value, row->value, strlen(row->value), like);
    if (like == NULL && row->is_secret && *row->value != '\0' && *name != '\0')
        HASH_ADD_KEYPTR(hh_value, merge->by_value, row->value, strlen(row->value), row);
}

static void list_values(struct merge *merge)
{
    const struct merge_file *values = &merge->values;
    uint32_t list, node;
    const json_t *value;
    size_t i;

    if (values->nodes == NULL)
        return;
    list = json_tree_find(values->nodes, 0, "values");
    node = json_tree_node(values->nodes, list)->first;
    json_array_foreach (json_object_get(values->document, "values"), i, value) {
        add_value(merge, value, node);
        node = json_tree_node(values->nodes, node)->next;
    }
}

/* Within the text of a script, which stands in a JSON string. */
static void list_set_variables(struct merge *merge)
{
    static const char call[] = "collectionVariables.set(\\\"";
    const char *at = merge->file.bytes, *end = at + merge->file.len;

    while ((at = memmem(at, (size_t)(end - at), call, sizeof call - 1)) != NULL) {
        struct set_row *row;
        char *name;

        at += sizeof call - 1;
        name = mem_spandup(span_make(at, strcspn(at, "\\\"\n")));
        HASH_FIND_STR(merge->set, name, row);
        if (row != NULL) {
            mem_free(name);
            continue;
        }
        row = mem_new(struct set_row);
        row->name = name;
        HASH_ADD_KEYPTR(hh, merge->set, row->name, strlen(row->name), row);
    }
}

bool merge_open(const char *path, const char *values_path, struct merge **out_merge, struct err *err)
{
    struct merge *merge = mem_new(struct merge);
    bool ok = merge_file_read(path, &merge->file, err), is_there = ok && merge->file.nodes != NULL;

    if (is_there)
        ok = check_collection(&merge->file, err) && merge_file_read(values_path, &merge->values, err) &&
             check_values(&merge->values, err);
    if (!ok || !is_there) {
        merge_free(merge);
        merge = NULL;
    } else {
        list_values(merge);
        list_set_variables(merge);
    }
    if (ok)
        *out_merge = merge;
    return ok;
}

void merge_free(struct merge *merge)
{
    struct value_row *row, *next;
    struct set_row *set, *next_set;

    if (merge == NULL)
        return;
    HASH_CLEAR(hh_value, merge->by_value);
    HASH_ITER (hh, merge->by_name, row, next) {
        HASH_DEL(merge->by_name, row);
        mem_free(row);
    }
    HASH_ITER (hh, merge->set, set, next_set) {
        HASH_DEL(merge->set, set);
        mem_free(set->name);
        mem_free(set);
    }
    merge_file_clear(&merge->file);
    merge_file_clear(&merge->values);
    mem_free(merge);
}

/* --- what an export asks before it is made ------------------------------------------------------------- */

const char *merge_secret_name(void *self, struct span value)
{
    const struct merge *merge = self;
    struct value_row *row;

    HASH_FIND(hh_value, merge->by_value, value.ptr, value.len, row);
    return row != NULL ? row->name : NULL;
}

bool merge_is_taken(const struct merge *merge, const char *name)
{
    const struct value_row *row;
    const struct set_row *set;

    HASH_FIND_STR(merge->by_name, name, row);
    HASH_FIND_STR(merge->set, name, set);
    return (row != NULL && !row->is_secret) ||
           (set == NULL && merge_find_variable(merge->file.document, name) != NULL);
}

bool merge_is_split(const struct merge *merge, const char *host)
{
    const json_t *folder, *inner;
    size_t i, k;

    json_array_foreach (json_object_get(merge->file.document, "item"), i, folder) {
        if (strcmp(member(folder, "name"), host) != 0)
            continue;
        json_array_foreach (json_object_get(folder, "item"), k, inner)
            if (json_is_array(json_object_get(inner, "item")))
                return true;
    }
    return false;
}

/* --- afterwards ---------------------------------------------------------------------------------------- */

bool merge_check(const struct merge *merge, struct err *err)
{
    return merge_file_check(&merge->file, err);
}

/* The item in whose text that byte is; NULL: none. */
static const char *item_at(const struct merge_tree *tree, const struct json_tree *nodes, const char *at)
{
    for (size_t i = 0; i < tree->item_count; i++) {
        struct span bytes = json_tree_node(nodes, tree->items[i].node)->bytes;

        if (at >= bytes.ptr && at < bytes.ptr + bytes.len)
            return tree->items[i].name;
    }
    return NULL;
}

void merge_explain_leak(const struct merge *merge, struct secrets *secrets, struct err *err)
{
    const struct merge_file *file = &merge->file;
    struct strbuf where = STRBUF_EMPTY, name = STRBUF_EMPTY;
    struct secret_found found;
    struct merge_tree tree;
    const char *item;

    if (!secret_match_find(secrets_match(secrets), span_make(file->bytes, file->len), 0, &found))
        return;
    merge_tree_init(&tree, file->document, file->nodes);
    item = item_at(&tree, file->nodes, file->bytes + found.at);
    if (item != NULL) {
        struct secret_text text = { .kind = SECRET_TEXT_PLAIN, .text = span_of(item) };

        strbuf_add_str(&where, ", in item '");
        secrets_replace(secrets, &text, SECRET_STYLE_MASK, &where);
        strbuf_add_char(&where, '\'');
    }
    secrets_add_name(secrets, secrets_of_match(secrets, found.value), &name);
    err_set(err, ERR_LEAK,
            "'%s' holds the secret %s already, on line %zu%s: take it out there first; nothing is written",
            file->path, strbuf_text(&name), merge_file_line(file, found.at), strbuf_text(&where));
    strbuf_clear(&name);
    strbuf_clear(&where);
    merge_tree_clear(&tree);
}

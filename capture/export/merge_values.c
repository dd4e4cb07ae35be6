/* What people have added to the environment stays; values of secrets that a capture has are its own. */
#include <errno.h>
#include <string.h>

#include "capture/export/json_edit.h"
#include "capture/export/merge_parts.h"

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

bool merge_read_made(FILE *made, json_t **out_document, struct err *err)
{
    json_error_t error;
    long size;

    if (fflush(made) != 0 || fseek(made, 0, SEEK_END) != 0 || (size = ftell(made)) < 0)
        return err_sys(err, errno, "can't read the export again");
    if (size > (long)MERGE_MAX_BYTES)
        return err_set(err, ERR_LIMIT,
                       "this session makes a collection of %ld MiB, more than the %u that can be merged: "
                       "take fewer exchanges by --filter, or less by --max-example-body",
                       size >> 20, MERGE_MAX_BYTES >> 20);
    rewind(made);
    *out_document = json_loadf(made, JSON_ALLOW_NUL, &error);
    return *out_document != NULL || err_set(err, ERR_PROTO, "the export can't be read again: %s", error.text);
}

static void merge_value(struct merge *merge, struct json_edit *edit, uint32_t list, const json_t *made)
{
    const struct json_tree *nodes = merge->values.nodes;
    struct value_row *row;
    uint32_t value;

    HASH_FIND_STR(merge->by_name, member(made, "key"), row);
    if (row == NULL) {
        json_edit_append(edit, list, made);
        return;
    }
    row->is_made = true;
    /* One that is to be filled in may have been. */
    if (*member(made, "value") == '\0' || strcmp(member(made, "value"), row->value) == 0)
        return;
    value = json_tree_find(nodes, row->node, "value");
    if (value != JSON_TREE_NONE)
        json_edit_replace(edit, value, json_object_get(made, "value"));
    else
        json_edit_add_member(edit, row->node, "value", json_object_get(made, "value"));
}

/* There is nothing to merge into. */
static bool copy_made(FILE *made, FILE *out, struct err *err)
{
    char bytes[16 * 1024];
    size_t len;

    rewind(made);
    while ((len = fread(bytes, 1, sizeof bytes, made)) != 0)
        fwrite(bytes, 1, len, out);
    return !ferror(made) || err_sys(err, errno, "can't read the export again");
}

bool merge_values(struct merge *merge, FILE *made, FILE *out, uint64_t *values, uint64_t *blanks,
                  struct err *err)
{
    const struct json_tree *nodes = merge->values.nodes;
    json_t *document, *value;
    struct json_edit *edit;
    uint32_t list;
    size_t i;

    if (nodes == NULL)
        return copy_made(made, out, err);
    if (!merge_read_made(made, &document, err))
        return false;
    list = json_tree_find(nodes, 0, "values");
    edit = json_edit_new(nodes);
    json_array_foreach (json_object_get(document, "values"), i, value)
        merge_value(merge, edit, list, value);
    json_edit_write(edit, out);
    for (const struct value_row *row = merge->by_name; row != NULL; row = row->hh.next) {
        *values += !row->is_made && *row->value != '\0';
        *blanks += !row->is_made && *row->value == '\0';
    }
    json_edit_free(edit);
    json_decref(document);
    return true;
}

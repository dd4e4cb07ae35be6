#include "capture/export/merge_bodies.h"

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

struct body_row {
    const char *name;
    UT_hash_handle hh;
};

/* Each file that a request sends, by its name. */
static void each_body(const json_t *request, void (*each)(void *self, const char *name), void *self)
{
    const json_t *body = json_object_get(request, "body"), *part;
    const char *name = json_string_value(json_object_get(json_object_get(body, "file"), "src"));
    size_t i;

    if (name != NULL)
        each(self, name);
    json_array_foreach (json_object_get(body, "formdata"), i, part) {
        name = json_string_value(json_object_get(part, "src"));
        if (name != NULL)
            each(self, name);
    }
}

static void add_row(void *self, const char *name)
{
    struct body_row **rows = self, *row;

    HASH_FIND_STR(*rows, name, row);
    if (row != NULL)
        return;
    row = mem_new(struct body_row);
    row->name = name;
    HASH_ADD_KEYPTR(hh, *rows, row->name, strlen(row->name), row);
}

struct dropping {
    struct body_row *sent;
    struct files *files;
};

static void drop(void *self, const char *name)
{
    struct dropping *dropping = self;
    struct body_row *row;

    HASH_FIND_STR(dropping->sent, name, row);
    if (row == NULL)
        files_drop(dropping->files, name);
}

void merge_bodies_drop(const struct merge_tree *made, struct files *files)
{
    struct dropping dropping = { .files = files };
    struct body_row *row, *next;

    for (size_t i = 0; i < made->item_count; i++)
        if (made->items[i].partner == MERGE_NONE)
            each_body(made->items[i].request, add_row, &dropping.sent);
    for (size_t i = 0; i < made->item_count; i++)
        if (made->items[i].partner != MERGE_NONE)
            each_body(made->items[i].request, drop, &dropping);
    HASH_ITER (hh, dropping.sent, row, next) {
        HASH_DEL(dropping.sent, row);
        mem_free(row);
    }
}

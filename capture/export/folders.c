#include "capture/export/folders.h"

#include <stdlib.h>
#include <string.h>

#include "capture/export/text.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/base/table.h"

struct folder_row {
    char *key;
    size_t index;
    UT_hash_handle hh;
};

size_t folders_take(struct folders *folders, size_t scope, size_t parent, struct span name)
{
    struct strbuf key = STRBUF_EMPTY;
    struct folder_row *row;

    strbuf_printf(&key, "%zu ", scope);
    text_add_bytes(&key, name);
    HASH_FIND_STR(folders->by_name, strbuf_text(&key), row);
    if (row == NULL) {
        if (folders->count == folders->cap) {
            folders->cap = folders->cap != 0 ? folders->cap * 2 : 16;
            folders->list = mem_realloc(folders->list, folders->cap * sizeof(*folders->list));
        }
        row = mem_new(struct folder_row);
        row->index = folders->count++;
        folders->list[row->index] = (struct folder){
            .name = mem_strdup(strchr(strbuf_text(&key), ' ') + 1),
            .parent = parent,
        };
        row->key = strbuf_detach(&key);
        HASH_ADD_KEYPTR(hh, folders->by_name, row->key, strlen(row->key), row);
    }
    strbuf_clear(&key);
    folders->list[row->index].count++;
    return row->index;
}

/* Rows are of no use any more: places change. */
static void forget_names(struct folders *folders)
{
    struct folder_row *row, *tmp;

    HASH_ITER (hh, folders->by_name, row, tmp) {
        HASH_DEL(folders->by_name, row);
        mem_free(row->key);
        mem_free(row);
    }
}

struct place {
    size_t root; /* the folder that it lies in, else itself */
    size_t index;
};

/* A parent is always there before what lies in it. */
static int by_root(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->root != y->root)
        return x->root < y->root ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

size_t *folders_settle(struct folders *folders)
{
    struct folder *list = mem_array(struct folder, folders->cap);
    struct place *places = mem_array(struct place, folders->count);
    size_t *moved = mem_array(size_t, folders->count);

    forget_names(folders);
    for (size_t i = 0; i < folders->count; i++) {
        size_t parent = folders->list[i].parent;

        places[i] = (struct place){ parent != FOLDERS_NONE ? parent : i, i };
    }
    if (folders->count != 0)
        qsort(places, folders->count, sizeof(*places), by_root);
    for (size_t i = 0; i < folders->count; i++) {
        moved[places[i].index] = i;
        list[i] = folders->list[places[i].index];
    }
    for (size_t i = 0; i < folders->count; i++)
        if (list[i].parent != FOLDERS_NONE)
            list[i].parent = moved[list[i].parent];
    mem_free(places);
    mem_free(folders->list);
    folders->list = list;
    return moved;
}

void folders_clear(struct folders *folders)
{
    forget_names(folders);
    for (size_t i = 0; i < folders->count; i++)
        mem_free(folders->list[i].name);
    mem_free(folders->list);
    *folders = (struct folders){ .list = NULL };
}

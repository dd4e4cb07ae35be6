#include "capture/export/merge_match.h"

#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

static void pair_up(struct merge_tree *made, size_t i, struct merge_tree *file, size_t k)
{
    made->items[i].partner = k;
    file->items[k].partner = i;
}

/* --- by id --------------------------------------------------------------------------------------------- */

struct id_row {
    const char *id;
    size_t item;
    UT_hash_handle hh;
};

void merge_match_ids(struct merge_tree *made, struct merge_tree *file)
{
    struct id_row *rows = mem_array(struct id_row, file->item_count + 1), *by_id = NULL, *found;

    for (size_t k = 0; k < file->item_count; k++) {
        const char *id = file->items[k].id;

        if (!merge_is_our_id(id))
            continue;
        HASH_FIND_STR(by_id, id, found);
        rows[k] = (struct id_row){ .id = id, .item = k };
        if (found == NULL) /* of a copy that somebody made the first one counts */
            HASH_ADD_KEYPTR(hh, by_id, id, strlen(id), &rows[k]);
    }
    for (size_t i = 0; i < made->item_count; i++) {
        const char *id = made->items[i].id;

        found = NULL;
        if (id != NULL)
            HASH_FIND_STR(by_id, id, found);
        if (found != NULL && file->items[found->item].partner == MERGE_NONE)
            pair_up(made, i, file, found->item);
    }
    HASH_CLEAR(hh, by_id);
    mem_free(rows);
}

/* --- by call ------------------------------------------------------------------------------------------- */

/* Items of both sides with one key. */
struct key_row {
    char *key;
    size_t file_item, made_item; /* the first that has no partner yet */
    size_t file_count, made_count;
    UT_hash_handle hh;
};

static char *key_of(const struct merge_item *item, size_t host, bool is_exact)
{
    return mem_printf("%zu\x1f%s", host, is_exact ? item->call.exact : item->call.loose);
}

/* key is taken. */
static struct key_row *row_of(struct key_row **rows, char *key)
{
    struct key_row *row;

    HASH_FIND_STR(*rows, key, row);
    if (row != NULL) {
        mem_free(key);
        return row;
    }
    row = mem_new(struct key_row);
    *row = (struct key_row){ .key = key, .file_item = MERGE_NONE, .made_item = MERGE_NONE };
    HASH_ADD_KEYPTR(hh, *rows, row->key, strlen(row->key), row);
    return row;
}

static struct key_row *list_keys(const struct merge_tree *made, const struct merge_tree *file,
                                 const struct merge_hosts *hosts, bool is_exact)
{
    struct key_row *rows = NULL, *row;

    for (size_t k = 0; k < file->item_count; k++) {
        const struct merge_item *item = &file->items[k];
        size_t host = merge_hosts_of_file(hosts, item->call.host);

        if (host == MERGE_NONE || item->partner != MERGE_NONE || merge_is_our_id(item->id))
            continue;
        row = row_of(&rows, key_of(item, host, is_exact));
        if (row->file_count++ == 0)
            row->file_item = k;
    }
    for (size_t i = 0; i < made->item_count; i++) {
        const struct merge_item *item = &made->items[i];
        size_t host = merge_hosts_of_made(hosts, item->call.host);

        if (host == MERGE_NONE || item->partner != MERGE_NONE)
            continue;
        row = row_of(&rows, key_of(item, host, is_exact));
        if (row->made_count++ == 0)
            row->made_item = i;
    }
    return rows;
}

/* Of copies in the file the first one counts; what a capture has twice is not the same, and stays open. */
static void match_round(struct merge_tree *made, struct merge_tree *file, const struct merge_hosts *hosts,
                        bool is_exact)
{
    struct key_row *rows = list_keys(made, file, hosts, is_exact), *row, *next;

    HASH_ITER (hh, rows, row, next) {
        if (row->made_count == 1 && (is_exact ? row->file_count != 0 : row->file_count == 1))
            pair_up(made, row->made_item, file, row->file_item);
        HASH_DEL(rows, row);
        mem_free(row->key);
        mem_free(row);
    }
}

void merge_match_calls(struct merge_tree *made, struct merge_tree *file, const struct merge_hosts *hosts)
{
    match_round(made, file, hosts, true);
    match_round(made, file, hosts, false);
}

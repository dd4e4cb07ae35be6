/* folders: the folders of a collection while it is surveyed, each with the number of its items. A folder may
 * lie in another one of the same list. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_FOLDERS_H
#define WEIR_CAPTURE_EXPORT_FOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"

#define FOLDERS_NONE SIZE_MAX

struct folder {
    char *name;
    uint64_t count;
    size_t parent; /* its place; FOLDERS_NONE: it lies in none */
};

struct folders { /* empty when zeroed */
    struct folder *list;
    size_t count, cap;
    struct folder_row *by_name;
};

/* The place of the folder of that name, made if it is not there. scope tells folders of one name apart;
 * parent is the same at each call. Counts an item. */
size_t folders_take(struct folders *folders, size_t scope, size_t parent, struct span name);

/* Ends taking: the folders that lie in one follow it, and else they stay in order of appearance. Gives the
 * new place of each; the caller's, to mem_free. */
size_t *folders_settle(struct folders *folders);

void folders_clear(struct folders *folders);

#endif

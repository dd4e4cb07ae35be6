/* link_table: what is known of each value that an item carries, by its key (see link_place.h): 16 bytes each.
 * One thread. */
#ifndef WEIR_CAPTURE_EXPORT_LINK_TABLE_H
#define WEIR_CAPTURE_EXPORT_LINK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_AWAITED UINT32_MAX       /* nobody issued it, and nobody sent it */
#define LINK_OWN     (UINT32_MAX - 1) /* the client sent it before anybody issued it */

struct link_slot {
    uint64_t key;      /* 0: free */
    uint32_t link;     /* the number of the link that issues it, or one of the above */
    uint32_t last_use; /* seq of the last exchange that sent it after that */
};

struct link_table {
    struct link_slot *slots;
    size_t cap, count, max;
};

void link_table_init(struct link_table *out_table, size_t max);
void link_table_clear(struct link_table *table);
/* There is one afterwards, awaited if it is new. False: it is new, and there are max already. */
bool link_table_add(struct link_table *table, uint64_t key);
/* NULL: there is none. Borrowed until something is added. */
struct link_slot *link_table_find(const struct link_table *table, uint64_t key);

#endif

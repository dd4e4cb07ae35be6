#include "capture/export/link_table.h"

#include "proxy/base/mem.h"

void link_table_init(struct link_table *out_table, size_t max)
{
    *out_table = (struct link_table){ .max = max };
}

void link_table_clear(struct link_table *table)
{
    mem_free(table->slots);
    *table = (struct link_table){ .max = table->max };
}

/* The one of key, or the free one where it would be. A key is a hash, and 0 is free. */
static struct link_slot *slot_of(const struct link_table *table, uint64_t key)
{
    size_t at = (size_t)key & (table->cap - 1);

    while (table->slots[at].key != 0 && table->slots[at].key != key)
        at = (at + 1) & (table->cap - 1);
    return &table->slots[at];
}

static void grow(struct link_table *table)
{
    struct link_table old = *table;

    if ((table->count + 1) * 3 <= table->cap * 2)
        return;
    table->cap = old.cap != 0 ? old.cap * 2 : 256;
    table->slots = mem_array(struct link_slot, table->cap);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key != 0)
            *slot_of(table, old.slots[i].key) = old.slots[i];
    mem_free(old.slots);
}

bool link_table_add(struct link_table *table, uint64_t key)
{
    struct link_slot *slot = link_table_find(table, key);

    if (slot != NULL)
        return true;
    if (table->count == table->max)
        return false;
    grow(table);
    *slot_of(table, key) = (struct link_slot){ .key = key, .link = LINK_AWAITED };
    table->count++;
    return true;
}

struct link_slot *link_table_find(const struct link_table *table, uint64_t key)
{
    struct link_slot *slot = table->cap != 0 && key != 0 ? slot_of(table, key) : NULL;

    return slot != NULL && slot->key != 0 ? slot : NULL;
}

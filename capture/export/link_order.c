#include "capture/export/link_order.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/base/mem.h"

/* Needs of needs that are followed at once: more are no order that anybody captured. */
#define MAX_DEPTH 1000

#define NOWHERE UINT32_MAX

struct ordering {
    struct survey *survey;
    const struct link_need *needs; /* by item */
    size_t need_count;
    uint32_t *sibling_of; /* by place: which folder or item of those that are being ordered; NOWHERE: none */
    struct survey_item *from; /* as many as items, for moving them */
};

/* Folders, or items, that stand beside each other. */
struct siblings {
    const struct ordering *ordering;
    size_t *begins; /* of each among the items; one more than there are */
    size_t count;
    bool *is_seen;
    uint32_t *order; /* the new one */
    size_t ordered;
};

static int by_item(const void *a, const void *b)
{
    const struct link_need *x = a, *y = b;

    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static size_t first_need(const struct ordering *ordering, uint32_t item)
{
    size_t low = 0, high = ordering->need_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ordering->needs[middle].item < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Puts one behind all that it needs. */
static void visit(struct siblings *siblings, uint32_t sibling, unsigned depth)
{
    const struct ordering *ordering = siblings->ordering;

    siblings->is_seen[sibling] = true;
    for (size_t i = siblings->begins[sibling]; i < siblings->begins[sibling + 1] && depth < MAX_DEPTH; i++) {
        uint32_t item = ordering->survey->items[i].place;

        for (size_t n = first_need(ordering, item);
             n < ordering->need_count && ordering->needs[n].item == item; n++) {
            uint32_t first = ordering->sibling_of[ordering->needs[n].first];

            if (first != NOWHERE && !siblings->is_seen[first])
                visit(siblings, first, depth + 1);
        }
    }
    siblings->order[siblings->ordered++] = sibling;
}

/* An item that is right in a folder stands beside the folders that are in it. */
static bool is_beside(const struct survey *survey, size_t i, enum survey_level level)
{
    struct survey_place one, other;

    if (level == SURVEY_LEVELS)
        return true;
    one = survey_place_of(survey, &survey->items[i - 1]);
    other = survey_place_of(survey, &survey->items[i]);
    return one.at[level] != other.at[level] || (level != SURVEY_OUTER && one.at[level] == 0);
}

static void list(struct siblings *siblings, size_t begin, size_t end, enum survey_level level)
{
    const struct ordering *ordering = siblings->ordering;
    const struct survey_item *items = ordering->survey->items;

    for (size_t i = begin; i < end; i++) {
        if (i == begin || is_beside(ordering->survey, i, level))
            siblings->begins[siblings->count++] = i;
        ordering->sibling_of[items[i].place] = (uint32_t)siblings->count - 1;
    }
    siblings->begins[siblings->count] = end;
}

static void order_range(struct ordering *ordering, size_t begin, size_t end, enum survey_level level)
{
    struct survey_item *items = ordering->survey->items;
    struct siblings siblings = { .ordering = ordering, .begins = mem_array(size_t, end - begin + 1) };
    size_t to = begin;

    list(&siblings, begin, end, level);
    siblings.is_seen = mem_array(bool, siblings.count);
    siblings.order = mem_array(uint32_t, siblings.count);
    for (uint32_t i = 0; i < siblings.count; i++)
        if (!siblings.is_seen[i])
            visit(&siblings, i, 0);
    for (size_t i = begin; i < end; i++)
        ordering->sibling_of[items[i].place] = NOWHERE;
    memcpy(ordering->from + begin, items + begin, (end - begin) * sizeof(*items));
    for (size_t i = 0; i < siblings.count; i++) {
        size_t from = siblings.begins[siblings.order[i]], len = siblings.begins[siblings.order[i] + 1] - from;

        memcpy(items + to, ordering->from + from, len * sizeof(*items));
        to += len;
    }
    to = begin;
    for (size_t i = 0; i < siblings.count && level != SURVEY_LEVELS; i++) {
        size_t len = siblings.begins[siblings.order[i] + 1] - siblings.begins[siblings.order[i]];

        order_range(ordering, to, to + len, level + 1);
        to += len;
    }
    mem_free(siblings.begins);
    mem_free(siblings.is_seen);
    mem_free(siblings.order);
}

void link_order_items(struct survey *survey, struct link_need *needs, size_t count, size_t places)
{
    struct ordering ordering = { .survey = survey, .needs = needs, .need_count = count };

    if (count == 0)
        return;
    qsort(needs, count, sizeof(*needs), by_item);
    ordering.sibling_of = mem_array(uint32_t, places);
    memset(ordering.sibling_of, 0xff, places * sizeof(uint32_t));
    ordering.from = mem_array(struct survey_item, survey->count);
    order_range(&ordering, 0, survey->count, SURVEY_OUTER);
    mem_free(ordering.sibling_of);
    mem_free(ordering.from);
}

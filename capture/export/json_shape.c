/* Each path is a hash made of its parent's and the key; a shape is a set of those, and its hash their sum, so
 * that the order in which they come says nothing. */
#include "capture/export/json_shape.h"

#include <stdlib.h>
#include <xxhash.h>

#include "capture/export/json_walk.h"
#include "proxy/base/mem.h"

/* The set of hashes: open addressing, at most half full. */
#define MAX_SLOTS (4 * JSON_SHAPE_MAX_PATHS)

/* The root's path. */
#define ROOT 1

struct entry {
    uint64_t path; /* 0: free */
    unsigned kinds;
};

struct shape {
    uint64_t paths[JSON_WALK_MAX_DEPTH + 1]; /* of the containers that are open, by depth */
    struct entry *slots;
    size_t cap, used;
    bool is_full;
    struct strbuf key;
};

static uint64_t step_hash(struct shape *shape, uint64_t parent, struct span raw)
{
    if (span_find(raw, '\\') < raw.len) {
        strbuf_reset(&shape->key);
        json_walk_unescape(&shape->key, raw);
        raw = strbuf_span(&shape->key);
    }
    return XXH3_64bits_withSeed(raw.ptr, raw.len, parent) | 1;
}

static uint64_t elements_hash(uint64_t parent)
{
    return XXH3_64bits_withSeed("[]", 2, ~parent) | 1; /* no key's */
}

static struct entry *slot_of(struct entry *slots, size_t cap, uint64_t path)
{
    size_t at = (size_t)(path >> 1) & (cap - 1);

    while (slots[at].path != 0 && slots[at].path != path)
        at = (at + 1) & (cap - 1);
    return &slots[at];
}

static void grow(struct shape *shape)
{
    size_t cap = shape->cap != 0 ? shape->cap * 2 : 64;
    struct entry *grown = mem_array(struct entry, cap);

    for (size_t i = 0; i < shape->cap; i++)
        if (shape->slots[i].path != 0)
            *slot_of(grown, cap, shape->slots[i].path) = shape->slots[i];
    mem_free(shape->slots);
    shape->slots = grown;
    shape->cap = cap;
}

static int by_path(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->path < y->path ? -1 : x->path > y->path;
}

/* A full set keeps the smallest hashes, which are the same ones in whatever order they come: sorted, with
 * what it may forget at its end. */
static void shrink(struct shape *shape)
{
    struct entry *kept = mem_array(struct entry, shape->used);
    size_t count = 0;

    for (size_t i = 0; i < shape->cap; i++)
        if (shape->slots[i].path != 0)
            kept[count++] = shape->slots[i];
    qsort(kept, count, sizeof(*kept), by_path);
    if (count > JSON_SHAPE_MAX_PATHS) {
        count = JSON_SHAPE_MAX_PATHS;
        shape->is_full = true;
    }
    memset(shape->slots, 0, shape->cap * sizeof(*shape->slots));
    for (size_t i = 0; i < count; i++)
        *slot_of(shape->slots, shape->cap, kept[i].path) = kept[i];
    shape->used = count;
    mem_free(kept);
}

static void add(struct shape *shape, uint64_t path, enum json_walk_kind kind)
{
    struct entry *entry;

    if (shape->used * 2 >= shape->cap) {
        if (shape->cap < MAX_SLOTS)
            grow(shape);
        else
            shrink(shape);
    }
    entry = slot_of(shape->slots, shape->cap, path);
    shape->used += entry->path == 0;
    entry->path = path;
    entry->kinds |= 1u << (kind == JSON_WALK_INTEGER ? JSON_WALK_NUMBER : kind);
}

static bool on_value(void *self, const struct json_walk_value *value)
{
    struct shape *shape = self;
    uint64_t path = ROOT;

    if (value->depth != 0) {
        struct span key = value->path[value->depth - 1].key;
        uint64_t parent = shape->paths[value->depth - 1];

        path = key.ptr != NULL ? step_hash(shape, parent, key) : elements_hash(parent);
    }
    shape->paths[value->depth] = path;
    add(shape, path, value->kind);
    return true;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t both[2] = { a, b };

    return XXH3_64bits(both, sizeof(both));
}

static struct json_shape sum_up(const struct shape *shape)
{
    struct json_shape out = { .is_partial = shape->is_full };

    for (size_t i = 0; i < shape->cap; i++) {
        const struct entry *entry = &shape->slots[i];

        if (entry->path == 0)
            continue;
        out.hash += mix(entry->path, entry->kinds);
        out.keys += mix(entry->path, 0);
        out.paths += entry->path != ROOT;
    }
    out.hash |= out.hash == 0;
    out.keys |= out.keys == 0;
    return out;
}

bool json_shape_of(struct span text, bool is_front, struct json_shape *out_shape)
{
    static const struct json_walk_events events = { .on_value = on_value };
    struct shape shape = { .key = STRBUF_EMPTY };
    enum json_walk_answer answer;

    answer = json_walk(text, &events, &shape);
    if (shape.used > JSON_SHAPE_MAX_PATHS)
        shrink(&shape);
    if (answer == JSON_WALK_DONE || (answer == JSON_WALK_CUT && is_front && shape.used != 0)) {
        *out_shape = sum_up(&shape);
        out_shape->is_partial = out_shape->is_partial || answer == JSON_WALK_CUT;
        answer = JSON_WALK_DONE;
    }
    strbuf_clear(&shape.key);
    mem_free(shape.slots);
    return answer == JSON_WALK_DONE;
}

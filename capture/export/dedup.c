/* The first pass leaves a row for each exchange, and settles those that can be no item at all. The second
 * gives each row that is open to an item, by its identity. Then rows are looked at item by item: which
 * represents it, which are examples, and why the others are not. */
#include "capture/export/dedup.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "capture/export/location.h"
#include "capture/export/noise.h"
#include "proxy/base/mem.h"

#define NO_ITEM UINT32_MAX

/* A client that was cut off tries again at once. */
#define RETRY_US ((uint64_t)2 * 1000000)
/* A redirect that is followed is followed at once; one that a person follows may take a while. */
#define FOLLOW_US ((uint64_t)30 * 1000000)
/* Exchanges that wait for another one to come: what a busy browser has under way. */
#define MAX_AWAITED 256

enum row_flag {
    ROW_IS_CLOSED = 1 << 0, /* its fate is known */
    ROW_IS_ABORTED = 1 << 1,
    ROW_IS_SERVICE_WORKER = 1 << 2,
    ROW_IS_HOP = 1 << 3, /* a redirect, and the exchange that followed it is known */
};

struct row {
    uint32_t seq, item;
    uint64_t class; /* status, media type and shape of the response */
    uint32_t paths; /* of its body: how rich it is */
    uint16_t status;
    uint8_t fate, flags;
};

/* An exchange that says what comes next: the same again, or the target of a redirect. */
struct awaited {
    uint64_t hash; /* of client and what is awaited; 0: free */
    uint64_t until_us;
    uint32_t row;
};

struct awaiting {
    struct awaited list[MAX_AWAITED];
    size_t next; /* the oldest one */
};

struct hop {
    uint32_t row, target; /* target > row */
};

struct dedup {
    struct dedup_options options;
    struct row *rows;
    size_t row_count, row_cap, cursor;
    struct dedup_item *items;
    struct identity *keys; /* as many as items */
    size_t item_count, item_cap;
    uint32_t *slots; /* places of items + 1, by their keys; 0: free */
    size_t slot_cap;
    struct hop *hops;
    size_t hop_count, hop_cap;
    struct awaiting retries, redirects;
    struct dedup_example *examples;
    size_t example_count, example_cap;
};

const char *dedup_fate_text(enum dedup_fate fate)
{
    static const char *const texts[DEDUP_FATES] = {
        [DEDUP_ITEM] = "an item",
        [DEDUP_EXAMPLE] = "a further example of an item",
        [DEDUP_HOP] = "a redirect, kept as an example of where it led",
        [DEDUP_DUPLICATE] = "like another example of its item",
        [DEDUP_REPEAT] = "a repeat, such as polling and health checks make",
        [DEDUP_MAX_EXAMPLES] = "different, but its item has enough examples",
        [DEDUP_ABORTED] = "a cut response; its item has a whole one",
        [DEDUP_NOT_MODIFIED] = "304: its item has the response that was still good",
        [DEDUP_HOP_MERGED] = "a redirect like another one, or to an item with enough examples",
        [DEDUP_SERVICE_WORKER] = "fetched again by a service worker",
        [DEDUP_RETRANSMITTED] = "cut, and sent again at once by the same client",
        [DEDUP_PREFLIGHT] = "a preflight, in which a browser asks whether it may (CORS)",
        [DEDUP_NOISE] = "analytics, a crash report or an update check",
        [DEDUP_TUNNEL] = "a tunnel: its bytes are not HTTP",
        [DEDUP_UPGRADED] = "WebSocket or another protocol after a handshake",
        [DEDUP_OWN_RESPONSE] = "answered by weir itself",
        [DEDUP_NO_RESPONSE] = "not answered",
        [DEDUP_REQUEST_CUT] = "a request that was not recorded whole",
        [DEDUP_GONE] = "deleted meanwhile",
    };

    return texts[fate];
}

struct dedup *dedup_new(const struct dedup_options *options)
{
    struct dedup *dedup = mem_new(struct dedup);

    assert(options->max_examples >= 1);
    dedup->options = *options;
    return dedup;
}

void dedup_free(struct dedup *dedup)
{
    if (dedup == NULL)
        return;
    mem_free(dedup->rows);
    mem_free(dedup->items);
    mem_free(dedup->keys);
    mem_free(dedup->slots);
    mem_free(dedup->hops);
    mem_free(dedup->examples);
    mem_free(dedup);
}

/* Room for one more; returns the list. */
static void *grow(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    *cap = *cap != 0 ? *cap * 2 : 64;
    return mem_realloc(list, *cap * size);
}

/* --- the first pass ------------------------------------------------------------------------------------ */

static void await(struct awaiting *awaiting, uint64_t hash, uint32_t row, uint64_t until_us)
{
    awaiting->list[awaiting->next] = (struct awaited){ .hash = hash, .row = row, .until_us = until_us };
    awaiting->next = (awaiting->next + 1) % MAX_AWAITED;
}

/* The latest one that awaits hash; it awaits nothing more. False: none. */
static bool take_awaited(struct awaiting *awaiting, uint64_t hash, uint64_t now_us, uint32_t *out_row)
{
    struct awaited *found = NULL;

    for (size_t i = 0; i < MAX_AWAITED; i++) {
        struct awaited *at = &awaiting->list[i];

        if (at->hash == hash && now_us <= at->until_us && (found == NULL || at->row > found->row))
            found = at;
    }
    if (found == NULL)
        return false;
    *out_row = found->row;
    found->hash = 0;
    return true;
}

/* The client's address without its port. */
static uint64_t client_hash(const struct record *record)
{
    struct span addr = record->client_addr;
    const char *colon = addr.len != 0 ? memrchr(addr.ptr, ':', addr.len) : NULL;

    return XXH3_64bits(addr.ptr, colon != NULL ? (size_t)(colon - addr.ptr) : addr.len);
}

static uint64_t text_hash(const struct strbuf *text, uint64_t seed)
{
    return XXH3_64bits_withSeed(strbuf_text(text), text->len, seed) | 1;
}

static uint64_t url_hash(const struct record *record, uint64_t client)
{
    struct strbuf url = STRBUF_EMPTY;
    uint64_t hash;

    record_add_url(record, &url);
    hash = text_hash(&url, client);
    strbuf_clear(&url);
    return hash;
}

static uint64_t head_hash(const struct record *record, uint64_t client)
{
    struct strbuf head = STRBUF_EMPTY;
    uint64_t hash;

    strbuf_add(&head, record->method);
    strbuf_add_char(&head, ' ');
    record_add_url(record, &head);
    for (size_t i = 0; i < record->request_headers.count; i++) {
        strbuf_add_char(&head, '\n');
        strbuf_add(&head, record->request_headers.items[i].name);
        strbuf_add_char(&head, ':');
        strbuf_add(&head, record->request_headers.items[i].value);
    }
    hash = text_hash(&head, client);
    strbuf_clear(&head);
    return hash;
}

static bool is_get(const struct record *record)
{
    return span_eq(record->method, SPAN("GET")) || span_eq(record->method, SPAN("HEAD"));
}

static bool has_field(const struct record *record, struct span name, struct span value)
{
    struct span found;

    return record_find(&record->request_headers, name, &found) &&
           (value.ptr == NULL || span_ieq(found, value));
}

static bool is_preflight(const struct record *record)
{
    return span_eq(record->method, SPAN("OPTIONS")) && has_field(record, SPAN("Origin"), SPAN_NONE) &&
           has_field(record, SPAN("Access-Control-Request-Method"), SPAN_NONE);
}

/* False: it may be an item. */
static bool is_out(const struct dedup *dedup, const struct record *record, enum dedup_fate *out_fate)
{
    bool merges = !dedup->options.keeps_all;

    if (record_is_tunnel(record))
        *out_fate = DEDUP_TUNNEL;
    else if (record_is_upgrade(record))
        *out_fate = DEDUP_UPGRADED;
    else if ((record->flags & TAP_MADE_BY_WEIR) != 0)
        *out_fate = DEDUP_OWN_RESPONSE;
    else if (record->status == 0)
        *out_fate = DEDUP_NO_RESPONSE;
    else if (record->request_body.kept < record->request_body.bytes)
        *out_fate = DEDUP_REQUEST_CUT;
    else if (merges && is_preflight(record))
        *out_fate = DEDUP_PREFLIGHT;
    else if (merges && !dedup->options.keeps_noise && noise_is(record->host, record->path))
        *out_fate = DEDUP_NOISE;
    else
        return false;
    return true;
}

uint64_t dedup_class(int status, struct span type, const struct json_shape *shape)
{
    uint64_t seed = (uint64_t)status ^ (shape != NULL ? shape->hash : 0);

    return XXH3_64bits_withSeed(type.ptr, type.len, seed);
}

/* Whoever was waited for has come: what was cut is cut no more, a redirect has led somewhere. */
static void note_awaited(struct dedup *dedup, const struct record *record, uint32_t place)
{
    const struct row *row = &dedup->rows[place];
    uint64_t client = client_hash(record);
    struct strbuf target = STRBUF_EMPTY;
    uint32_t other;

    if (record->request_body.bytes == 0) {
        uint64_t head = head_hash(record, client);

        while (take_awaited(&dedup->retries, head, record->started_us, &other)) {
            dedup->rows[other].fate = DEDUP_RETRANSMITTED;
            dedup->rows[other].flags |= ROW_IS_CLOSED;
        }
        if ((row->flags & ROW_IS_ABORTED) != 0)
            await(&dedup->retries, head, place, record->started_us + RETRY_US);
    }
    while (take_awaited(&dedup->redirects, url_hash(record, client), record->started_us, &other)) {
        dedup->rows[other].flags |= ROW_IS_HOP;
        dedup->hops = grow(dedup->hops, dedup->hop_count, &dedup->hop_cap, sizeof(*dedup->hops));
        dedup->hops[dedup->hop_count++] = (struct hop){ .row = other, .target = place };
    }
    if ((row->flags & ROW_IS_CLOSED) == 0 && is_get(record) && location_add_target(record, &target))
        await(&dedup->redirects, text_hash(&target, client), place, record->started_us + FOLLOW_US);
    strbuf_clear(&target);
}

void dedup_note(struct dedup *dedup, const struct record *record, const struct json_shape *shape)
{
    enum dedup_fate fate = DEDUP_GONE; /* unless it comes again in the second pass */
    uint32_t place = (uint32_t)dedup->row_count;
    struct row *row;

    dedup->rows = grow(dedup->rows, dedup->row_count, &dedup->row_cap, sizeof(*dedup->rows));
    row = &dedup->rows[dedup->row_count++];
    *row = (struct row){ .seq = record->seq, .item = NO_ITEM, .status = (uint16_t)record->status };
    if (is_out(dedup, record, &fate))
        row->flags |= ROW_IS_CLOSED;
    row->fate = (uint8_t)fate;
    row->class = dedup_class(record->status, record->response_type, shape);
    row->paths = shape != NULL ? shape->paths : 0;
    if (record->state != RECORD_DONE || record->status == 0)
        row->flags |= ROW_IS_ABORTED;
    if (has_field(record, SPAN("Sec-Fetch-Dest"), SPAN("serviceworker")) ||
        has_field(record, SPAN("Service-Worker"), SPAN("script")))
        row->flags |= ROW_IS_SERVICE_WORKER;
    if (!dedup->options.keeps_all && (fate == DEDUP_GONE || fate == DEDUP_NO_RESPONSE))
        note_awaited(dedup, record, place);
}

/* --- the second pass ----------------------------------------------------------------------------------- */

/* The row of seq, from where the last one was found; NULL: there is none. */
static struct row *find_row(struct dedup *dedup, uint32_t seq)
{
    if (dedup->cursor >= dedup->row_count || dedup->rows[dedup->cursor].seq > seq)
        dedup->cursor = 0;
    while (dedup->cursor < dedup->row_count && dedup->rows[dedup->cursor].seq < seq)
        dedup->cursor++;
    return dedup->cursor < dedup->row_count && dedup->rows[dedup->cursor].seq == seq
               ? &dedup->rows[dedup->cursor]
               : NULL;
}

bool dedup_wants(struct dedup *dedup, const struct record *record)
{
    const struct row *row = find_row(dedup, record->seq);

    return row != NULL && (row->flags & ROW_IS_CLOSED) == 0;
}

static uint32_t *slot_of(const struct dedup *dedup, const struct identity *key)
{
    size_t at = (size_t)key->low & (dedup->slot_cap - 1);

    while (dedup->slots[at] != 0 && (dedup->keys[dedup->slots[at] - 1].low != key->low ||
                                     dedup->keys[dedup->slots[at] - 1].high != key->high))
        at = (at + 1) & (dedup->slot_cap - 1);
    return &dedup->slots[at];
}

static void grow_slots(struct dedup *dedup)
{
    if ((dedup->item_count + 1) * 3 <= dedup->slot_cap * 2)
        return;
    mem_free(dedup->slots);
    dedup->slot_cap = dedup->slot_cap != 0 ? dedup->slot_cap * 2 : 64;
    dedup->slots = mem_array(uint32_t, dedup->slot_cap);
    for (size_t i = 0; i < dedup->item_count; i++)
        *slot_of(dedup, &dedup->keys[i]) = (uint32_t)i + 1;
}

static uint32_t add_item(struct dedup *dedup, const struct identity *key, uint32_t seq)
{
    size_t cap = dedup->item_cap;

    dedup->items = grow(dedup->items, dedup->item_count, &dedup->item_cap, sizeof(*dedup->items));
    dedup->keys = grow(dedup->keys, dedup->item_count, &cap, sizeof(*dedup->keys));
    dedup->items[dedup->item_count] = (struct dedup_item){ .first = seq };
    dedup->keys[dedup->item_count] = *key;
    return (uint32_t)dedup->item_count++;
}

void dedup_add(struct dedup *dedup, const struct record *record, const struct identity *identity)
{
    struct row *row = find_row(dedup, record->seq);
    uint32_t *slot;

    if (row == NULL || (row->flags & ROW_IS_CLOSED) != 0 || row->item != NO_ITEM)
        return;
    if (dedup->options.keeps_all) {
        row->item = add_item(dedup, identity, row->seq);
        return;
    }
    grow_slots(dedup);
    slot = slot_of(dedup, identity);
    if (*slot == 0)
        *slot = add_item(dedup, identity, row->seq) + 1;
    row->item = *slot - 1;
}

/* --- redirects ----------------------------------------------------------------------------------------- */

/* An item of redirects alone is none: whoever calls it is led on, and comes to the item of the target.
 * Targets come later than what leads to them, so that going backwards the end of each chain is known. */
static void follow_hops(struct dedup *dedup)
{
    uint32_t *others = mem_array(uint32_t, dedup->item_count != 0 ? dedup->item_count : 1);
    uint32_t *targets = mem_array(uint32_t, dedup->row_count != 0 ? dedup->row_count : 1);

    for (size_t i = 0; i < dedup->hop_count; i++)
        targets[dedup->hops[i].row] = dedup->hops[i].target;
    for (size_t i = 0; i < dedup->row_count; i++) {
        const struct row *row = &dedup->rows[i];
        bool is_hop = (row->flags & ROW_IS_HOP) != 0 && dedup->rows[targets[i]].item != NO_ITEM;

        if (row->item != NO_ITEM && !is_hop)
            others[row->item]++;
    }
    for (size_t i = dedup->row_count; i > 0; i--) {
        struct row *row = &dedup->rows[i - 1];

        if (row->item == NO_ITEM || others[row->item] != 0)
            row->flags &= (uint8_t)~ROW_IS_HOP;
        else
            row->item = dedup->rows[targets[i - 1]].item;
    }
    mem_free(others);
    mem_free(targets);
}

/* --- items --------------------------------------------------------------------------------------------- */

/* What an item's exchanges with one class of response have in common. */
struct class
{
    uint64_t hash;
    size_t first, last; /* of those that can be examples; first SIZE_MAX: none */
    size_t count;
    uint16_t status;
    bool is_chosen;
};

/* The exchanges of one item. */
struct group {
    struct dedup *dedup;
    struct dedup_item *item;
    uint32_t *rows; /* in order */
    size_t count;
    size_t representative; /* among the rows of all */
    struct class *classes;
    size_t class_count;
};

static bool is_whole(const struct row *row)
{
    return (row->flags & (ROW_IS_ABORTED | ROW_IS_SERVICE_WORKER)) == 0 && row->status != 304;
}

/* Compared from the left; of equal ones the later wins. */
static uint64_t worth_of(const struct row *row)
{
    uint64_t worth = (row->flags & ROW_IS_HOP) == 0;

    worth = worth << 1 | ((row->flags & ROW_IS_ABORTED) == 0);
    worth = worth << 1 | (row->status >= 200 && row->status < 300);
    worth = worth << 1 | (row->status != 304);
    worth = worth << 1 | ((row->flags & ROW_IS_SERVICE_WORKER) == 0);
    return worth << 32 | row->paths;
}

static size_t find_representative(const struct group *group)
{
    const struct row *rows = group->dedup->rows;
    size_t best = group->rows[0];

    for (size_t i = 1; i < group->count; i++)
        if (worth_of(&rows[group->rows[i]]) >= worth_of(&rows[best]))
            best = group->rows[i];
    return best;
}

static int by_hash(const void *a, const void *b)
{
    const struct class *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int by_appearance(const void *a, const void *b)
{
    const struct class *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

static bool can_be_example(const struct group *group, size_t row)
{
    return row == group->representative || is_whole(&group->dedup->rows[row]);
}

/* One entry a row, sorted by class, then folded: an item has few classes and may have very many rows. */
static void list_classes(struct group *group)
{
    struct class *list = mem_array(struct class, group->count);
    size_t kept = 0;

    for (size_t i = 0; i < group->count; i++) {
        const struct row *row = &group->dedup->rows[group->rows[i]];

        list[i] = (struct class){ .hash = row->class, .status = row->status, .first = SIZE_MAX };
        if (can_be_example(group, group->rows[i]))
            list[i].first = list[i].last = group->rows[i];
        list[i].count = list[i].first != SIZE_MAX;
    }
    qsort(list, group->count, sizeof(*list), by_hash);
    for (size_t i = 0; i < group->count; i++) {
        struct class *into = kept != 0 ? &list[kept - 1] : NULL;

        if (into == NULL || into->hash != list[i].hash) {
            list[kept++] = list[i];
            continue;
        }
        into->first = list[i].first < into->first ? list[i].first : into->first;
        into->last = list[i].last > into->last ? list[i].last : into->last;
        into->count += list[i].count;
    }
    qsort(list, kept, sizeof(*list), by_appearance);
    group->classes = list;
    group->class_count = kept;
}

static void choose(struct group *group, struct class *class, size_t row)
{
    struct dedup *dedup = group->dedup;
    bool is_hop = (dedup->rows[row].flags & ROW_IS_HOP) != 0;

    class->is_chosen = true;
    dedup->rows[row].fate = is_hop ? DEDUP_HOP : DEDUP_EXAMPLE;
    dedup->examples =
        grow(dedup->examples, dedup->example_count, &dedup->example_cap, sizeof(*dedup->examples));
    dedup->examples[dedup->example_count++] =
        (struct dedup_example){ .seq = dedup->rows[row].seq, .class = dedup->rows[row].class };
    group->item->examples++;
}

static bool has_status(const struct group *group, uint16_t status)
{
    for (size_t i = 0; i < group->class_count; i++)
        if (group->classes[i].is_chosen && group->classes[i].status == status)
            return true;
    return false;
}

/* Representative, each further status, the rest. */
static void choose_examples(struct group *group)
{
    struct dedup *dedup = group->dedup;
    unsigned max = dedup->options.max_examples;

    group->item->example = (uint32_t)dedup->example_count;
    for (size_t i = 0; i < group->class_count; i++)
        if (group->classes[i].hash == dedup->rows[group->representative].class)
            choose(group, &group->classes[i], group->representative);
    for (int any_status = 0; any_status < 2; any_status++)
        for (size_t i = 0; i < group->class_count && group->item->examples < max; i++) {
            struct class *class = &group->classes[i];

            if (class->first != SIZE_MAX && !class->is_chosen &&
                (any_status != 0 || !has_status(group, class->status)))
                choose(group, class, class->last);
        }
    dedup->rows[group->representative].fate = DEDUP_ITEM;
}

static const struct class *class_with(const struct group *group, uint64_t hash)
{
    struct class key = { .hash = hash };

    return bsearch(&key, group->classes, group->class_count, sizeof(key), by_hash);
}

static enum dedup_fate why_not(const struct group *group, const struct row *row)
{
    const struct class *class = class_with(group, row->class);

    if ((row->flags & ROW_IS_ABORTED) != 0)
        return DEDUP_ABORTED;
    if (row->status == 304)
        return DEDUP_NOT_MODIFIED;
    if ((row->flags & ROW_IS_SERVICE_WORKER) != 0)
        return DEDUP_SERVICE_WORKER;
    if ((row->flags & ROW_IS_HOP) != 0)
        return DEDUP_HOP_MERGED;
    if (!class->is_chosen)
        return DEDUP_MAX_EXAMPLES;
    return class->count >= DEDUP_MIN_REPEATS ? DEDUP_REPEAT : DEDUP_DUPLICATE;
}

static void settle_group(struct group *group)
{
    struct row *rows = group->dedup->rows;

    group->representative = find_representative(group);
    group->item->seq = rows[group->representative].seq;
    list_classes(group);
    choose_examples(group);
    qsort(group->classes, group->class_count, sizeof(*group->classes), by_hash);
    for (size_t i = 0; i < group->count; i++) {
        struct row *row = &rows[group->rows[i]];

        group->item->count += (row->flags & ROW_IS_HOP) == 0;
        if (row->fate == DEDUP_GONE)
            row->fate = (uint8_t)why_not(group, row);
        group->item->repeats += row->fate == DEDUP_REPEAT;
    }
    mem_free(group->classes);
}

/* Items that hops have left empty go; rows learn the new places. begins: where each item's rows begin among
 * all rows sorted by item. */
static void drop_empty(struct dedup *dedup, size_t *begins)
{
    uint32_t *places = mem_array(uint32_t, dedup->item_count != 0 ? dedup->item_count : 1);
    size_t kept = 0;

    for (size_t i = 0; i < dedup->item_count; i++) {
        if (begins[i + 1] == begins[i])
            continue;
        dedup->items[kept] = dedup->items[i];
        begins[kept] = begins[i];
        places[i] = (uint32_t)kept++;
    }
    begins[kept] = begins[dedup->item_count];
    for (size_t i = 0; i < dedup->row_count; i++)
        if (dedup->rows[i].item != NO_ITEM)
            dedup->rows[i].item = places[dedup->rows[i].item];
    dedup->item_count = kept;
    mem_free(places);
}

/* Rows sorted by item, those of one item in their order: *out_begins has one more than there are items. */
static uint32_t *sort_rows(struct dedup *dedup, size_t **out_begins)
{
    size_t *begins = mem_array(size_t, dedup->item_count + 2);
    uint32_t *sorted = mem_array(uint32_t, dedup->row_count != 0 ? dedup->row_count : 1);

    for (size_t i = 0; i < dedup->row_count; i++)
        if (dedup->rows[i].item != NO_ITEM)
            begins[dedup->rows[i].item + 2]++;
    for (size_t i = 2; i < dedup->item_count + 2; i++)
        begins[i] += begins[i - 1];
    for (size_t i = 0; i < dedup->row_count; i++)
        if (dedup->rows[i].item != NO_ITEM)
            sorted[begins[dedup->rows[i].item + 1]++] = (uint32_t)i;
    *out_begins = begins;
    return sorted;
}

void dedup_settle(struct dedup *dedup)
{
    size_t *begins;
    uint32_t *sorted;

    if (!dedup->options.keeps_all)
        follow_hops(dedup);
    sorted = sort_rows(dedup, &begins);
    drop_empty(dedup, begins);
    for (size_t i = 0; i < dedup->item_count; i++) {
        struct group group = { .dedup = dedup,
                               .item = &dedup->items[i],
                               .rows = &sorted[begins[i]],
                               .count = begins[i + 1] - begins[i] };

        settle_group(&group);
    }
    mem_free(sorted);
    mem_free(begins);
    mem_free(dedup->keys);
    mem_free(dedup->slots);
    dedup->keys = NULL;
    dedup->slots = NULL;
    dedup->slot_cap = 0;
}

/* --- the outcome --------------------------------------------------------------------------------------- */

size_t dedup_count(const struct dedup *dedup)
{
    return dedup->item_count;
}

const struct dedup_item *dedup_item(const struct dedup *dedup, size_t i)
{
    return &dedup->items[i];
}

const struct dedup_example *dedup_examples(const struct dedup *dedup, const struct dedup_item *item)
{
    return &dedup->examples[item->example];
}

static int by_seq(const void *key, const void *row)
{
    uint32_t x = *(const uint32_t *)key, y = ((const struct row *)row)->seq;

    return x < y ? -1 : x > y;
}

bool dedup_find_item(const struct dedup *dedup, uint32_t seq, size_t *out_item)
{
    const struct row *row = dedup->row_count != 0
                                ? bsearch(&seq, dedup->rows, dedup->row_count, sizeof(*dedup->rows), by_seq)
                                : NULL;

    if (row == NULL || row->item == NO_ITEM || (row->flags & ROW_IS_HOP) != 0)
        return false;
    *out_item = row->item;
    return true;
}

void dedup_each(const struct dedup *dedup,
                void (*each)(void *self, uint32_t seq, enum dedup_fate fate, size_t item), void *self)
{
    for (size_t i = 0; i < dedup->row_count; i++) {
        const struct row *row = &dedup->rows[i];

        each(self, row->seq, (enum dedup_fate)row->fate, row->item != NO_ITEM ? row->item : SIZE_MAX);
    }
}

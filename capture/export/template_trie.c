#include "capture/export/template_trie.h"

#include <xxhash.h>

#include "capture/export/singular.h"
#include "proxy/base/mem.h"

/* Of one node: beyond the words that template.h tells of, fixed names are all that can come to so many. */
#define MAX_CHILDREN (4 * TEMPLATE_MAX_WORDS)

struct node *node_new(struct trie_budget *budget, enum node_kind kind, struct span text)
{
    struct node *node;

    if (budget->nodes >= TEMPLATE_MAX_NODES)
        return NULL;
    budget->nodes++;
    node = mem_new(struct node);
    node->kind = (uint8_t)kind;
    if (kind == NODE_VARIABLE)
        node->values = mem_new(struct values);
    else
        node->text = mem_spandup(text);
    return node;
}

static void values_free(struct values *values)
{
    if (values == NULL)
        return;
    mem_free(values->kept);
    mem_free(values->sample);
    mem_free(values->text);
    mem_free(values);
}

/* What it consists of, without what was below. */
static void node_drop(struct trie_budget *budget, struct node *node)
{
    values_free(node->values);
    mem_free(node->children);
    mem_free(node->text);
    mem_free(node);
    budget->nodes--;
}

void node_free(struct trie_budget *budget, struct node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++)
        node_free(budget, node->children[i]);
    node_free(budget, node->variable);
    node_drop(budget, node);
}

/* --- sets of the smallest ------------------------------------------------------------------------------ */

/* Into an array that is sorted, with zeros behind its last. */
static void add_smallest(uint64_t *set, size_t max, uint64_t value)
{
    size_t at = 0;

    while (at < max && set[at] != 0 && set[at] < value)
        at++;
    if (value == 0 || at == max || set[at] == value)
        return;
    memmove(&set[at + 1], &set[at], (max - at - 1) * sizeof(*set));
    set[at] = value;
}

static void values_add_hash(struct values *values, uint64_t hash)
{
    size_t low = 0, high = values->kept_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (values->kept[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < values->kept_count && values->kept[low] == hash)
        return;
    if (values->kept_count == VALUES_KEPT) {
        values->has_more = true;
        if (low == VALUES_KEPT)
            return;
        values->kept_count--;
    } else if (values->kept_count == values->kept_cap) {
        values->kept_cap = values->kept_cap != 0 ? values->kept_cap * 2 : 4;
        values->kept = mem_realloc(values->kept, values->kept_cap * sizeof(*values->kept));
    }
    memmove(&values->kept[low + 1], &values->kept[low], (values->kept_count - low) * sizeof(*values->kept));
    values->kept[low] = hash;
    values->kept_count++;
}

/* Hashes are spread evenly: where the last of the smallest k lies tells how many there are (k - 1 in that
 * part of all numbers). */
uint64_t values_count(const struct values *values)
{
    if (!values->has_more)
        return values->kept_count;
    return (uint64_t)((double)(VALUES_KEPT - 1) *
                      ((double)UINT64_MAX / (double)values->kept[VALUES_KEPT - 1]));
}

static void values_add_sample(struct values *values, struct span text)
{
    char *sample;

    if (text.len > VALUES_SAMPLE_BYTES)
        text.len = VALUES_SAMPLE_BYTES;
    sample = mem_spandup(text);
    if (values->sample == NULL || strcmp(sample, values->sample) < 0) {
        mem_free(values->sample);
        values->sample = sample;
    } else {
        mem_free(sample);
    }
}

static void values_add(struct values *values, struct span text, enum segment_class class, unsigned why)
{
    values->classes |= 1u << class;
    values->why |= why;
    values_add_hash(values, XXH3_64bits(text.ptr, text.len));
    values_add_sample(values, text);
}

static void values_merge(struct values *into, const struct values *from)
{
    for (size_t i = 0; i < VALUES_SHAPES; i++)
        add_smallest(into->shapes, VALUES_SHAPES, from->shapes[i]);
    into->classes |= from->classes;
    into->why |= from->why;
    into->has_more = into->has_more || from->has_more;
    for (size_t i = 0; i < from->kept_count; i++)
        values_add_hash(into, from->kept[i]);
    if (from->sample != NULL)
        values_add_sample(into, span_of(from->sample));
}

void node_add_answer(struct node *node, bool is_json, uint64_t shape)
{
    node->flags |= is_json ? NODE_HAS_JSON : NODE_HAS_PAGE;
    if (node->values != NULL)
        add_smallest(node->values->shapes, VALUES_SHAPES, shape);
    else
        add_smallest(node->shapes, NODE_SHAPES, shape);
}

/* --- children ------------------------------------------------------------------------------------------ */

bool node_is_plural(const struct node *node)
{
    return node->text != NULL && singular_is_plural(span_of(node->text));
}

static int compare(const char *text, struct span other)
{
    int order = strncmp(text, other.ptr, other.len);

    return order != 0 ? order : text[other.len] != '\0';
}

/* Where text is, or would be. */
static size_t place_of(const struct node *node, struct span text, bool *out_is_there)
{
    size_t low = 0, high = node->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare(node->children[middle]->text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_is_there = low < node->count && compare(node->children[low]->text, text) == 0;
    return low;
}

struct node *node_find(const struct node *node, struct span text)
{
    bool is_there;
    size_t at = place_of(node, text, &is_there);

    return is_there ? node->children[at] : NULL;
}

static void count_kind(struct node *node, const struct node *child, int by)
{
    if (child->kind == NODE_WORD)
        node->words += (uint32_t)by;
    else if (child->kind == NODE_SMALL_INT)
        node->small_ints += (uint32_t)by;
}

static void insert(struct node *node, struct node *child)
{
    bool is_there;
    size_t at = place_of(node, span_of(child->text), &is_there);

    if (node->count == node->cap) {
        node->cap = node->cap != 0 ? node->cap * 2 : 2;
        node->children = mem_realloc(node->children, node->cap * sizeof(*node->children));
    }
    memmove(&node->children[at + 1], &node->children[at], (node->count - at) * sizeof(*node->children));
    node->children[at] = child;
    node->count++;
    count_kind(node, child, 1);
}

static void detach(struct node *node, struct node *child)
{
    bool is_there;
    size_t at = place_of(node, span_of(child->text), &is_there);

    memmove(&node->children[at], &node->children[at + 1], (node->count - at - 1) * sizeof(*node->children));
    node->count--;
    count_kind(node, child, -1);
}

static struct node *variable_of(struct trie_budget *budget, struct node *node)
{
    if (node->variable == NULL)
        node->variable = node_new(budget, NODE_VARIABLE, SPAN_NONE);
    return node->variable;
}

/* --- merging ------------------------------------------------------------------------------------------- */

static void node_merge(struct trie_budget *budget, struct node *into, struct node *from);
static void collapse(struct trie_budget *budget, struct node *node);

void node_join(struct trie_budget *budget, struct node *node, struct node *child, unsigned why)
{
    enum segment_class class = child->kind == NODE_SMALL_INT ? SEGMENT_SMALL_INT : SEGMENT_WORD;
    struct node *variable = variable_of(budget, node);

    detach(node, child);
    node->flags |= class == SEGMENT_WORD ? NODE_OTHER_WORDS : NODE_ALL_INTS;
    if (variable == NULL) { /* no room for it: what was learned is lost, and what is a value is not */
        node_free(budget, child);
        return;
    }
    values_add(variable->values, span_of(child->text), class, why);
    node_merge(budget, variable, child);
}

static void join_all(struct trie_budget *budget, struct node *node, enum node_kind kind, unsigned why)
{
    for (size_t i = node->count; i > 0; i--)
        if (node->children[i - 1]->kind == kind)
            node_join(budget, node, node->children[i - 1], why);
}

static bool takes_integers(const struct node *node)
{
    return (node->flags & NODE_ALL_INTS) != 0 ||
           (node->variable != NULL && (node->variable->values->classes & 1u << SEGMENT_INT) != 0);
}

/* What can be said before all is seen: a second integer makes both of them values, and so do too many words.
 * Needed whenever a child came. */
static void collapse(struct trie_budget *budget, struct node *node)
{
    unsigned why = node->words > TEMPLATE_MAX_WORDS ? VALUES_MANY : 0;

    if (node->small_ints >= 2 || (node->small_ints == 1 && takes_integers(node)))
        join_all(budget, node, NODE_SMALL_INT, 0);
    if (why != 0)
        node->flags |= NODE_ALL_WORDS;
    if (node->words != 0 && (node->flags & NODE_ALL_WORDS) != 0)
        join_all(budget, node, NODE_WORD, why);
}

/* An override spoke of it, or of another one of its name. */
static void fix(struct node *node, struct node *child)
{
    count_kind(node, child, -1);
    child->kind = NODE_FIXED;
}

static void merge_child(struct trie_budget *budget, struct node *into, struct node *child)
{
    struct node *same = node_find(into, span_of(child->text));

    if (same == NULL) {
        insert(into, child);
        return;
    }
    if (child->kind == NODE_FIXED)
        fix(into, same);
    node_merge(budget, same, child);
}

/* from is gone afterwards. */
static void node_merge(struct trie_budget *budget, struct node *into, struct node *from)
{
    into->flags |= from->flags;
    for (size_t i = 0; i < NODE_SHAPES; i++) {
        if (into->values != NULL)
            add_smallest(into->values->shapes, VALUES_SHAPES, from->shapes[i]);
        else
            add_smallest(into->shapes, NODE_SHAPES, from->shapes[i]);
    }
    for (size_t i = 0; i < from->count; i++)
        merge_child(budget, into, from->children[i]);
    if (from->values != NULL && into->values != NULL)
        values_merge(into->values, from->values);
    if (into->variable == NULL)
        into->variable = from->variable;
    else if (from->variable != NULL)
        node_merge(budget, into->variable, from->variable);
    node_drop(budget, from);
    collapse(budget, into);
}

/* --- what is seen -------------------------------------------------------------------------------------- */

static struct node *add_child(struct trie_budget *budget, struct node *node, enum node_kind kind,
                              struct span text)
{
    struct node *child = node->count < MAX_CHILDREN ? node_new(budget, kind, text) : NULL;

    if (child != NULL)
        insert(node, child);
    return child;
}

struct node *node_take_fixed(struct trie_budget *budget, struct node *node, struct span text)
{
    struct node *child = node_find(node, text);

    if (child == NULL)
        return add_child(budget, node, NODE_FIXED, text);
    fix(node, child);
    return child;
}

struct node *node_take_value(struct trie_budget *budget, struct node *node, struct span text,
                             enum segment_class class, unsigned why)
{
    struct node *variable = variable_of(budget, node);

    if (variable == NULL)
        return NULL;
    if (class == SEGMENT_INT && (variable->values->classes & 1u << SEGMENT_INT) == 0) {
        values_add(variable->values, text, class, why);
        collapse(budget, node);
    } else {
        values_add(variable->values, text, class, why);
    }
    return node->variable;
}

struct node *node_take_word(struct trie_budget *budget, struct node *node, struct span text)
{
    struct node *child = node_find(node, text);

    if (child != NULL)
        return child;
    if ((node->flags & NODE_ALL_WORDS) != 0)
        return node_take_value(budget, node, text, SEGMENT_WORD, 0);
    child = add_child(budget, node, NODE_WORD, text);
    if (child == NULL || node->words <= TEMPLATE_MAX_WORDS)
        return child;
    collapse(budget, node);
    return node->variable;
}

struct node *node_take_small_int(struct trie_budget *budget, struct node *node, struct span text)
{
    struct node *child = node_find(node, text);

    if (child != NULL)
        return child;
    if (node_is_plural(node))
        return node_take_value(budget, node, text, SEGMENT_SMALL_INT, VALUES_BELOW_PLURAL);
    if (takes_integers(node))
        return node_take_value(budget, node, text, SEGMENT_SMALL_INT, 0);
    child = add_child(budget, node, NODE_SMALL_INT, text);
    if (child == NULL)
        return NULL;
    collapse(budget, node);
    child = node_find(node, text);
    return child != NULL ? child : node->variable;
}

/* From the leaves up, so that two words are compared by subtrees that are settled. What joins a variable
 * brings its subtree along, and the union of subtrees may tell what none of them did: it is settled again. */
#include <stdlib.h>
#include <xxhash.h>

#include "capture/export/singular.h"
#include "capture/export/template_trie.h"
#include "proxy/base/mem.h"

/* So many different words that look alike are no coincidence. */
#define MIN_ALIKE 4

struct candidate {
    struct node *node;
    uint64_t shape, subtree; /* 0: none that tells anything */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t both[2] = { a, b };

    return XXH3_64bits(both, sizeof(both)) | 1;
}

/* --- what is below ------------------------------------------------------------------------------------- */

static const uint64_t *shapes_of(const struct node *node)
{
    return node->values != NULL ? node->values->shapes : node->shapes;
}

/* A hash of what can follow node: names, variables, and the smallest shape of the answers. *is_telling: there
 * is a shape among them. */
static uint64_t subtree_of(const struct node *node, bool *is_telling)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= node->count; i++) {
        const struct node *child = i < node->count ? node->children[i] : node->variable;
        uint64_t name, shape;

        if (child == NULL)
            continue;
        shape = shapes_of(child)[0];
        *is_telling = *is_telling || shape != 0;
        name = child->text != NULL ? XXH3_64bits(child->text, strlen(child->text)) : 1;
        sum += mix(mix(name, shape), subtree_of(child, is_telling));
    }
    return sum;
}

/* --- groups -------------------------------------------------------------------------------------------- */

/* "tags" and "brands" below "/api" are collections, whatever they answer; below "/users" they are names. */
static bool may_be_value(const struct node *parent, const struct node *child)
{
    if (child->kind == NODE_SMALL_INT)
        return true;
    return child->kind == NODE_WORD && (node_is_plural(parent) || !singular_is_plural(span_of(child->text)));
}

static int by_shape(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->shape != y->shape)
        return x->shape < y->shape ? -1 : 1;
    return x->subtree < y->subtree ? -1 : x->subtree > y->subtree;
}

static struct candidate *add_candidate(struct candidate *at, struct node *node, uint64_t shape)
{
    bool is_telling = false;

    *at = (struct candidate){ .node = node, .shape = shape };
    at->subtree = subtree_of(node, &is_telling);
    return at + 1;
}

/* Words by each of their shapes, sorted. Those without any count by their subtree, if that tells something.
 */
static size_t list_candidates(const struct node *node, struct candidate *list)
{
    struct candidate *end = list;

    for (size_t i = 0; i < node->count; i++) {
        struct node *child = node->children[i];
        bool is_telling = false;

        if (!may_be_value(node, child))
            continue;
        for (size_t s = 0; s < NODE_SHAPES && child->shapes[s] != 0; s++)
            end = add_candidate(end, child, child->shapes[s]);
        if (child->shapes[0] == 0 && subtree_of(child, &is_telling) != 0 && is_telling)
            end = add_candidate(end, child, 0);
    }
    if (end != list)
        qsort(list, (size_t)(end - list), sizeof(*list), by_shape);
    return (size_t)(end - list);
}

/* Of candidates of one shape: how many have the same subtree, counting those that have none. */
static size_t count_alike(const struct candidate *group, size_t count)
{
    size_t leaves = 0, run = 0, most = 0;

    for (size_t i = 0; i < count; i++) {
        if (group[i].subtree == 0) {
            leaves++;
            continue;
        }
        run = i > 0 && group[i].subtree == group[i - 1].subtree ? run + 1 : 1;
        most = run > most ? run : most;
    }
    return leaves + most;
}

/* How many words there are that were answered, or lead somewhere that was: what a group must be half of where
 * nothing else says that values stand there. Many methods of an RPC answer alike, but not most of them. */
static size_t count_evidence(const struct node *node)
{
    size_t count = 0;

    for (size_t i = 0; i < node->count; i++) {
        const struct node *child = node->children[i];
        bool is_telling = false;

        if (child->kind != NODE_WORD && child->kind != NODE_SMALL_INT)
            continue;
        if ((child->flags & NODE_HAS_JSON) == 0)
            subtree_of(child, &is_telling);
        count += (child->flags & NODE_HAS_JSON) != 0 || is_telling;
    }
    return count;
}

static bool is_group(const struct node *node, size_t alike)
{
    return alike >= MIN_ALIKE && (node_is_plural(node) || 2 * alike >= count_evidence(node));
}

static bool join_all_of(struct trie_budget *budget, struct node *node, struct candidate *list, size_t count,
                        unsigned why)
{
    for (size_t i = 0; i < count; i++)
        node_join(budget, node, list[i].node, why);
    return count != 0;
}

/* One group a call: the list is no longer true after it. */
static bool join_group(struct trie_budget *budget, struct node *node)
{
    struct candidate *list = mem_array(struct candidate, (size_t)node->count * NODE_SHAPES);
    size_t count = list_candidates(node, list), next;
    bool has_joined = false;

    for (size_t i = 0; i < count && !has_joined; i = next) {
        for (next = i + 1; next < count && list[next].shape == list[i].shape &&
                           (list[i].shape != 0 || list[next].subtree == list[i].subtree);)
            next++;
        if (is_group(node, count_alike(&list[i], next - i)))
            has_joined = join_all_of(budget, node, &list[i], next - i,
                                     list[i].shape != 0 ? VALUES_ALIKE : VALUES_SUBTREE);
    }
    mem_free(list);
    return has_joined;
}

static bool has_shape(const uint64_t *set, size_t max, uint64_t shape)
{
    for (size_t i = 0; i < max; i++)
        if (shape != 0 && set[i] == shape)
            return true;
    return false;
}

/* Words that were answered like the values beside them. */
static bool join_like_values(struct trie_budget *budget, struct node *node)
{
    bool has_joined = false;

    if (node->variable == NULL)
        return false;
    for (size_t i = node->count; i > 0; i--) {
        struct node *child = node->children[i - 1];
        bool is_like = false;

        for (size_t s = 0; s < NODE_SHAPES; s++)
            is_like = is_like || has_shape(node->variable->values->shapes, VALUES_SHAPES, child->shapes[s]);
        if (is_like && may_be_value(node, child)) {
            node_join(budget, node, child, VALUES_ALIKE);
            has_joined = true;
        }
    }
    return has_joined;
}

static bool is_page(const struct node *node)
{
    return node->kind == NODE_WORD && (node->flags & (NODE_HAS_PAGE | NODE_HAS_JSON)) == NODE_HAS_PAGE;
}

static bool join_pages(struct trie_budget *budget, struct node *node)
{
    size_t pages = 0;

    for (size_t i = 0; i < node->count; i++)
        pages += is_page(node->children[i]);
    if (pages < TEMPLATE_MANY_PAGES)
        return false;
    for (size_t i = node->count; i > 0; i--)
        if (is_page(node->children[i - 1]))
            node_join(budget, node, node->children[i - 1], VALUES_PAGES);
    return true;
}

/* --- all of it ----------------------------------------------------------------------------------------- */

static void explain(struct node *parent)
{
    struct values *values = parent->variable->values;
    uint64_t count = values_count(values);
    struct strbuf text = STRBUF_EMPTY;
    bool has_class = false, is_one = count == 1 && !values->has_more;
    unsigned classes = values->classes;

    if ((classes & (1u << SEGMENT_SMALL_INT | 1u << SEGMENT_INT)) ==
        (1u << SEGMENT_SMALL_INT | 1u << SEGMENT_INT))
        classes &= ~(1u << SEGMENT_SMALL_INT); /* they have one name */
    strbuf_printf(&text, "%s%llu", values->has_more ? "about " : "", (unsigned long long)count);
    for (unsigned class = 0; class < SEGMENT_CLASSES; class ++) {
        if ((classes & 1u << class) == 0)
            continue;
        strbuf_printf(&text, "%s%s", has_class ? " or " : " ", segment_class_text(class, is_one));
        has_class = true;
    }
    if ((values->why & VALUES_BELOW_PLURAL) != 0 ||
        (node_is_plural(parent) && (classes & (1u << SEGMENT_SMALL_INT | 1u << SEGMENT_INT)) != 0))
        strbuf_add_str(&text, " below a plural");
    if ((values->why & VALUES_ALIKE) != 0)
        strbuf_add_str(&text, ", answered alike");
    if ((values->why & VALUES_SUBTREE) != 0)
        strbuf_add_str(&text, ", with the same paths below");
    if ((values->why & VALUES_PAGES) != 0)
        strbuf_add_str(&text, ", pages");
    if ((values->why & VALUES_MANY) != 0)
        strbuf_add_str(&text, ", too many to be names");
    if ((values->why & VALUES_OVERRIDE) != 0)
        strbuf_add_str(&text, ", as was asked for");
    mem_free(values->text);
    values->text = strbuf_detach(&text);
}

static void settle(struct trie_budget *budget, struct node *node)
{
    bool has_joined;

    for (size_t i = 0; i < node->count; i++)
        settle(budget, node->children[i]);
    do {
        if (node->variable != NULL)
            settle(budget, node->variable);
        has_joined = join_like_values(budget, node) || join_group(budget, node) || join_pages(budget, node);
    } while (has_joined);
}

static void explain_all(struct node *node)
{
    for (size_t i = 0; i < node->count; i++)
        explain_all(node->children[i]);
    if (node->variable == NULL)
        return;
    explain(node);
    explain_all(node->variable);
}

void trie_settle(struct trie_budget *budget, struct node *root)
{
    settle(budget, root);
    explain_all(root);
}

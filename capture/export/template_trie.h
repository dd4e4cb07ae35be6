/* template_trie: the paths of one host as template.c sees them: a node for each word and one for all values
 * in a place. Internal to template.c, template_trie.c and template_settle.c.
 *
 * All that a node knows is a set or a sum, so that what comes out of adding and merging does not depend on
 * their order. */
#ifndef WEIR_CAPTURE_EXPORT_TEMPLATE_TRIE_H
#define WEIR_CAPTURE_EXPORT_TEMPLATE_TRIE_H

#include "capture/export/segment.h"
#include "capture/export/template.h"

/* Different shapes of answers that are kept of a word, and of a variable. */
#define NODE_SHAPES   4
#define VALUES_SHAPES 8
/* Hashes of values kept; the smallest ones of more tell how many there are. */
#define VALUES_KEPT 256
/* Of one value, to show. */
#define VALUES_SAMPLE_BYTES 310

enum node_kind {
    NODE_WORD,
    NODE_SMALL_INT,
    NODE_FIXED, /* segment.h or an override says so */
    NODE_VARIABLE,
    NODE_ROOT,
};

enum node_flag {
    NODE_HAS_JSON = 1 << 0,    /* of its answers with 2xx, some are JSON */
    NODE_HAS_PAGE = 1 << 1,    /* some are not */
    NODE_ALL_INTS = 1 << 2,    /* integers below are values */
    NODE_ALL_WORDS = 1 << 3,   /* so are words */
    NODE_OTHER_WORDS = 1 << 4, /* words that have no node of their own are, now that all was seen */
};

enum values_why {
    VALUES_ALIKE = 1 << 0, /* words, answered alike */
    VALUES_SUBTREE = 1 << 1,
    VALUES_PAGES = 1 << 2,
    VALUES_MANY = 1 << 3,
    VALUES_OVERRIDE = 1 << 4,
    VALUES_BELOW_PLURAL = 1 << 5, /* a small integer */
};

/* What took the place of a variable. */
struct values {
    uint64_t shapes[VALUES_SHAPES]; /* of the answers: the smallest ones, 0 after the last */
    unsigned classes;               /* 1 << enum segment_class */
    unsigned why;                   /* enum values_why */
    uint64_t *kept;                 /* the smallest hashes of values, sorted */
    size_t kept_count, kept_cap;
    bool has_more; /* hashes than are kept */
    char *sample;  /* the first of them by bytes */
    char *text;    /* of template_variable.why; made when all is settled */
};

struct node {
    struct node **children; /* words, sorted by text */
    uint32_t count, cap;
    uint32_t words, small_ints; /* how many of them are of those kinds */
    uint8_t kind, flags;
    char *text;            /* of a word, as on the wire */
    struct node *variable; /* what stands for values below; NULL: none */
    struct values *values; /* of a variable */
    uint64_t shapes[NODE_SHAPES];
};

struct trie_budget {
    size_t nodes; /* how many there are, in all tries */
};

/* NULL: there are enough nodes. */
struct node *node_new(struct trie_budget *budget, enum node_kind kind, struct span text);
void node_free(struct trie_budget *budget, struct node *node); /* with all below */

struct node *node_find(const struct node *node, struct span text);
/* The child of that name, made where there is none; NULL: no room. May move others into the variable. */
struct node *node_take_fixed(struct trie_budget *budget, struct node *node, struct span text);
struct node *node_take_word(struct trie_budget *budget, struct node *node, struct span text);
struct node *node_take_small_int(struct trie_budget *budget, struct node *node, struct span text);
struct node *node_take_value(struct trie_budget *budget, struct node *node, struct span text,
                             enum segment_class class, unsigned why);

/* shape 0: none that tells anything. */
void node_add_answer(struct node *node, bool is_json, uint64_t shape);

/* child, one of node's words or small integers, becomes a value of its variable, with all below. */
void node_join(struct trie_budget *budget, struct node *node, struct node *child, unsigned why);

uint64_t values_count(const struct values *values);
/* Whether what stands below node stands below a plural: "users". */
bool node_is_plural(const struct node *node);

/* Decides all that neighbours tell, from the leaves up. */
void trie_settle(struct trie_budget *budget, struct node *root);

#endif

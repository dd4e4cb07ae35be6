/* dedup: a session's exchanges become items, one for each identity, and every exchange is accounted for: it
 * represents an item, is an example of one, or has a reason why it is neither.
 *
 * Two passes over the same exchanges in the same order, first with what their responses look like
 * (dedup_note), then, when paths are templated, with what their requests are (dedup_add); then dedup_settle.
 * An item is represented by its latest response of 2xx with the richest body. Its examples are the latest of
 * each (status, media type, shape), the representative first, then one of each further status, then the rest
 * in order of appearance, up to a maximum. 24 bytes an exchange, some 50 an item. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_DEDUP_H
#define WEIR_CAPTURE_EXPORT_DEDUP_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/identity.h"
#include "capture/export/json_shape.h"
#include "capture/record.h"

enum dedup_fate {
    DEDUP_ITEM,    /* represents its item */
    DEDUP_EXAMPLE, /* an example of its item */
    DEDUP_HOP,     /* a redirect, kept as an example of where it led */

    DEDUP_DUPLICATE,      /* like another one of its item */
    DEDUP_REPEAT,         /* the same, one of DEDUP_MIN_REPEATS or more: polling, health checks */
    DEDUP_MAX_EXAMPLES,   /* different, but its item has as many examples as it may */
    DEDUP_ABORTED,        /* its response was cut, and its item has whole ones */
    DEDUP_NOT_MODIFIED,   /* 304: its item has the response that was still good */
    DEDUP_HOP_MERGED,     /* a redirect like another one, or of an item that is full */
    DEDUP_SERVICE_WORKER, /* fetched again by a service worker */
    DEDUP_RETRANSMITTED,  /* cut, and sent again within 2 s by the same client */
    DEDUP_PREFLIGHT,      /* a browser asked whether it may (CORS) */
    DEDUP_NOISE,          /* see noise.h */
    DEDUP_TUNNEL,         /* bytes that are not HTTP */
    DEDUP_UPGRADED,       /* WebSocket and other protocols after a handshake */
    DEDUP_OWN_RESPONSE,   /* weir itself answered */
    DEDUP_NO_RESPONSE,    /* nobody did */
    DEDUP_REQUEST_CUT,    /* not all of its request was recorded */
    DEDUP_GONE,           /* deleted while it was being exported */
    DEDUP_FATES,
};

#define DEDUP_MIN_REPEATS 20

/* What one exchange is, for the report: "a redirect, kept as an example of where it led". */
const char *dedup_fate_text(enum dedup_fate fate);

struct dedup_options {
    unsigned max_examples; /* of an item, its representative included; at least 1 */
    bool keeps_all;        /* nothing is merged and nothing left out that can be an item at all */
    bool keeps_noise;
};

struct dedup;

struct dedup *dedup_new(const struct dedup_options *options);
void dedup_free(struct dedup *dedup); /* NULL is fine */

/* The first pass. shape: of the response's body; NULL: it is no JSON. */
void dedup_note(struct dedup *dedup, const struct record *record, const struct json_shape *shape);
/* The second pass. Whether what dedup_note knew leaves it open where the exchange belongs: only then are its
 * path, body and dedup_add needed. */
bool dedup_wants(struct dedup *dedup, const struct record *record);
void dedup_add(struct dedup *dedup, const struct record *record, const struct identity *identity);
void dedup_settle(struct dedup *dedup);

/* Equal for responses that are alike: status, media type (as record.response_type) and shape, NULL for what
 * is no JSON. The same in every session. */
uint64_t dedup_class(int status, struct span type, const struct json_shape *shape);

struct dedup_item {
    uint32_t first;    /* seq of the first exchange of that identity: the order of items */
    uint32_t seq;      /* of the representative */
    uint32_t count;    /* exchanges of that identity, hops not included */
    uint32_t repeats;  /* how many of them were DEDUP_REPEAT */
    uint32_t examples; /* how many */
    uint32_t example;  /* the first of them: see dedup_examples */
};

/* In order of first. */
size_t dedup_count(const struct dedup *dedup);
const struct dedup_item *dedup_item(const struct dedup *dedup, size_t i);
/* An item's examples, representative first; as many as the item says. */
struct dedup_example {
    uint32_t seq;
    uint64_t class; /* what tells it from the other examples of its item: see dedup_class */
};
const struct dedup_example *dedup_examples(const struct dedup *dedup, const struct dedup_item *item);

/* The item whose response the exchange of that number is, when that item is called: of those that are led on
 * there is none. */
bool dedup_find_item(const struct dedup *dedup, uint32_t seq, size_t *out_item);

/* What became of each exchange, in order of seq. item is its item's place, or SIZE_MAX for one that has
 * none. */
void dedup_each(const struct dedup *dedup,
                void (*each)(void *self, uint32_t seq, enum dedup_fate fate, size_t item), void *self);

#endif

/* link_place: the values that a request carries, each in its place, as far as a response may have issued
 * them: credentials, fields of its head, pairs of its query and forms, leaves of JSON, segments of its path.
 *
 * Cookies are none of them: a client's jar carries those by itself. Neither are fields that no collection
 * sends. What makes a value worth a link is said by its keys: two places, or a place and a leaf of a
 * response, that share a key hold the same value in the same sense. A value that nobody would write by chance
 * has one key, the same wherever it stands: 12 bytes and more with letters and digits, or 8 of what
 * secret_rules.h takes for a secret. An id, which may be a small number, has others: those of a place
 * ("/orders/7" of what
 * "/orders" issues), of a name ("order_id", ":orderId", the "id" of an "order") and, from 6 bytes on, of
 * being an id of that host at all. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_LINK_PLACE_H
#define WEIR_CAPTURE_EXPORT_LINK_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/policy.h"
#include "capture/export/secret_text.h"
#include "capture/export/template.h"

/* A longer value is a document. */
#define LINK_MAX_VALUE 8192
/* A long value has one, an id at most these. */
#define LINK_MAX_KEYS 3

enum link_place_kind {
    LINK_AUTH,    /* what follows the scheme in an Authorization field */
    LINK_FIELD,   /* a header field, also what follows a word and a blank in it */
    LINK_PAIR,    /* of a query or a form */
    LINK_LEAF,    /* of JSON */
    LINK_PART,    /* of a multipart body; no file */
    LINK_SEGMENT, /* of a path */
};

struct link_place { /* all borrowed */
    enum link_place_kind kind;
    struct span name; /* of the scheme, field, pair, leaf, part, variable of the path; may be empty */
    struct span value, spelled; /* decoded, and where it stands */
    uint64_t keys[LINK_MAX_KEYS];
    size_t key_count; /* at least 1 */
    bool is_secret;
};

/* Those worth a link, in order; the place is borrowed for the call. */
void link_places_of_text(const struct secret_text *text,
                         void (*each)(void *self, const struct link_place *place), void *self);
/* path: of the record, templated or not. */
void link_places_of_path(const struct record *record, const struct template_path *path,
                         void (*each)(void *self, const struct link_place *place), void *self);
/* Whether a field is one whose value may be linked. */
bool link_place_takes_field(const struct policy_facts *facts, const struct record_field *field);

/* --- keys ---------------------------------------------------------------------------------------------- */

/* What a value is called: "order_id" and "orderId" are the same. */
#define LINK_MAX_NAME 48
struct link_name {
    char text[LINK_MAX_NAME + 1];
    size_t len;
};
/* Letters and digits in lower case, appended to what is there; what is too long is cut. */
void link_name_add(struct link_name *name, struct span text);
/* "id", "orderid", "uuid". */
bool link_name_is_id(const struct link_name *name);

bool link_is_opaque(struct span value);
/* A value without blanks that has a digit, of letters, digits and "-_.~". */
bool link_is_id(struct span value);

uint64_t link_key_of_value(struct span value);
/* above: the path that the id stands behind, "/v1/orders". */
uint64_t link_key_below(const struct record *record, struct span above, struct span value);
uint64_t link_key_named(const struct record *record, const struct link_name *name, struct span value);
/* False: it is too short to be known by being an id. */
bool link_key_of_id(const struct record *record, struct span value, uint64_t *out_key);

#endif

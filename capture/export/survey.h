/* survey: what comes before a collection is written: which exchanges become items, in which order, under
 * which folders and base URLs, and who shows which credential. A faithful collection takes one pass, a
 * runnable one two and a look at each item (endpoints.h). It keeps some dozens of bytes an exchange. */
#ifndef WEIR_CAPTURE_EXPORT_SURVEY_H
#define WEIR_CAPTURE_EXPORT_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/endpoints.h"
#include "capture/export/folders.h"
#include "capture/export/job.h"
#include "capture/export/literals.h"
#include "proxy/base/table.h"

struct survey_origin {
    char *url;        /* "https://api.shop.test": the key, and the variable's value */
    char *variable;   /* its name, unique in the collection */
    char *host;       /* "api.shop.test", as folders and titles show it */
    uint64_t count;   /* exchanges, without analytics and the like */
    uint64_t foreign; /* how many of them a page of another site made, as its browser said */
    uint64_t items;
    UT_hash_handle hh;
};

/* The order of items: outer and inner are indices into the folders of their kind (0 of inner: right in the
 * outer one), or the start time in a chronological collection. */
struct survey_item {
    uint64_t order;
    uint64_t credential; /* see credential_hash */
    uint32_t seq;        /* of the exchange that represents it */
    uint32_t place;      /* of a runnable collection: among those of dedup */
};

struct survey {
    struct survey_origin *origins;    /* in order of appearance: hh.next */
    const struct survey_origin *main; /* the one with most exchanges; NULL: there is none */
    struct folders outer, inner;
    struct survey_item *items;
    size_t count, cap;
    struct literals *literals;
    struct template *template; /* with dedup; both NULL: every exchange is an item */
    struct dedup *dedup;
};

/* Outer folder of hosts that are none of the captured site's own: the last one. */
#define SURVEY_THIRD_PARTY      ((size_t)UINT32_MAX)
#define SURVEY_THIRD_PARTY_NAME "_third-party"

/* Whether everything is in order of time, in no folders. */
bool survey_is_flat(const struct export_options *options);

/* Whether that exchange becomes an item; if not, why. */
bool survey_takes(const struct record *record, enum export_reason *out_why);

/* The path as it is shown: templated, and without secrets. Appended. */
void survey_add_path(const struct survey *survey, const struct export_job *job, const struct record *record,
                     struct strbuf *out);

/* merges: exchanges of one endpoint are one item; if not, what is left out is counted into the job's report.
 */
bool survey_run(struct export_job *job, bool merges, struct survey *out_survey, struct err *err);
void survey_clear(struct survey *survey);

struct links;
/* Looks at the credentials of all items again, where some of them may be variables. Fails only when the store
 * does. */
bool survey_see_credentials(struct survey *survey, const struct export_job *job, const struct links *links,
                            struct err *err);

const struct survey_origin *survey_origin_of(const struct survey *survey, const struct record *record);

/* The folders that an item lies in: an outer one, an inner one, and one in that. */
enum survey_level { SURVEY_OUTER, SURVEY_INNER, SURVEY_NESTED, SURVEY_LEVELS };
struct survey_place {
    size_t at[SURVEY_LEVELS]; /* 0 of inner and nested: right in the one above */
};
struct survey_place survey_place_of(const struct survey *survey, const struct survey_item *item);

static inline size_t survey_outer(uint64_t order)
{
    return (size_t)(order >> 32);
}
static inline size_t survey_inner(uint64_t order)
{
    return (size_t)(order & UINT32_MAX);
}

#endif

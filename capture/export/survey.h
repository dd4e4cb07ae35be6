/* survey: the first pass over a session for a collection: which exchanges become items, in which order, under
 * which folders and base URLs. It keeps sixteen bytes an exchange and reads no response. */
#ifndef WEIR_CAPTURE_EXPORT_SURVEY_H
#define WEIR_CAPTURE_EXPORT_SURVEY_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "capture/export/job.h"
#include "capture/export/literals.h"

struct survey_origin {
    char *url;      /* "https://api.shop.test": the key, and the variable's value */
    char *variable; /* its name, unique in the collection */
    char *host;     /* "api.shop.test", as folders and titles show it */
    uint64_t count;
    UT_hash_handle hh;
};

struct survey_folder {
    char *name;
    uint64_t count;
};

/* The order of items: outer and inner are indices into the folders of their kind (0 of inner: right in the
 * outer one), or the start time in a chronological collection. */
struct survey_item {
    uint64_t order;
    uint32_t seq;
};

struct survey_folders {
    struct survey_folder *list;
    size_t count, cap;
    struct folder_row *by_name;
};

struct survey {
    struct survey_origin *origins;    /* in order of appearance: hh.next */
    const struct survey_origin *main; /* the one with most exchanges; NULL: there is none */
    struct survey_folders outer, inner;
    struct survey_item *items;
    size_t count, cap;
    struct literals *literals;
};

/* Whether that exchange becomes an item; if not, why. */
bool survey_takes(const struct record *record, enum export_reason *out_why);

/* Counts what is left out into the job's report. */
bool survey_run(struct export_job *job, struct survey *out_survey, struct err *err);
void survey_clear(struct survey *survey);

const struct survey_origin *survey_origin_of(const struct survey *survey, const struct record *record);
static inline size_t survey_outer(uint64_t order)
{
    return (size_t)(order >> 32);
}
static inline size_t survey_inner(uint64_t order)
{
    return (size_t)(order & UINT32_MAX);
}

#endif

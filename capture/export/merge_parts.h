/* merge_parts: what the parts of merge.h share: opening and asking (merge.c), the collection
 * (merge_collection.c), the environment (merge_values.c). Internal to these. */
#ifndef WEIR_CAPTURE_EXPORT_MERGE_PARTS_H
#define WEIR_CAPTURE_EXPORT_MERGE_PARTS_H

#include "capture/export/merge.h"
#include "capture/export/merge_file.h"
#include "proxy/base/table.h"

/* A value of the environment; of those with one name the last counts, as for newman. */
struct value_row {
    const char *name, *value;
    uint32_t node;
    bool is_secret;
    bool is_made;                /* the export has it, too */
    UT_hash_handle hh, hh_value; /* by name; secrets that are not empty also by value */
};

/* A variable that scripts of the collection set: its value is one of the run. */
struct set_row {
    char *name;
    UT_hash_handle hh;
};

struct merge {
    struct merge_file file, values;
    struct value_row *by_name, *by_value;
    struct set_row *set;
};

/* A JSON document of ours, from its beginning. ERR_LIMIT, ERR_SYS. */
bool merge_read_made(FILE *made, json_t **out_document, struct err *err);

#endif

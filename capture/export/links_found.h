/* links_found: what links.c finds and links_settle.c makes variables of. Internal to these. */
#ifndef WEIR_CAPTURE_EXPORT_LINKS_FOUND_H
#define WEIR_CAPTURE_EXPORT_LINKS_FOUND_H

#include "capture/export/link_place.h"
#include "capture/export/link_table.h"
#include "capture/export/links.h"

/* A link as it is found: one value. */
struct link_found {
    struct link link;
    uint64_t read_hash;  /* of the item and the expression */
    uint64_t role;       /* of a place that carries it, as one of an item does; 0: it replaces none */
    uint32_t last_use;   /* seq */
    uint32_t first_item; /* of those that carry it: the first in the order they are written */
    bool is_secret;      /* its place said so */
    bool is_kept;        /* it has a variable */
    char *name;          /* what to call a variable of it */
    char *values[LINK_SPELLINGS]; /* but for LINK_RAW only where one carries it in that spelling */
};

struct links {
    struct link_table table;
    struct link_found *found; /* by the numbers in the table */
    size_t found_count, found_cap;
    struct link_variable *variables;
    size_t variable_count;
    uint32_t *order; /* numbers of those that set a variable, one for each script line, by item */
    size_t kept_count;
};

/* Gives each link that is carried its variable. position_of: of each item, by its place, the order in which
 * they are written. */
void links_settle(struct links *links, const struct export_job *job, const struct survey *survey,
                  const uint32_t *position_of);

#endif

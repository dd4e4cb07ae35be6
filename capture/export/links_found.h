/* links_found: what links.c finds and links_settle.c makes variables of. Internal to these. */
#ifndef WEIR_CAPTURE_EXPORT_LINKS_FOUND_H
#define WEIR_CAPTURE_EXPORT_LINKS_FOUND_H

#include "capture/export/link_place.h"
#include "capture/export/link_table.h"
#include "capture/export/links.h"

/* A link as it is found: one value. */
struct link_found {
    struct link link;
    uint64_t read_hash; /* of the item and the expression */
    uint64_t role;      /* of a place that carries it, as one of an item does; 0: it replaces none */
    uint32_t last_use;  /* seq */
    bool is_secret;     /* its place said so */
    bool is_kept;       /* it has a variable */
    char *name;         /* what to call a variable of it */
    char *values[LINK_SPELLINGS]; /* but for LINK_RAW only where one carries it in that spelling */
};

/* An item carries a value. */
struct link_use {
    uint32_t link, place;
    bool is_last; /* it deletes what that is the id of */
};

struct links {
    struct link_table table;
    struct link_found *found; /* by the numbers in the table */
    size_t found_count, found_cap;
    struct link_use *uses; /* of a collection in folders, whose order they may change */
    size_t use_count, use_cap;
    struct link_variable *variables;
    size_t variable_count;
    uint32_t *order; /* numbers of those that set a variable, one for each script line, by item */
    size_t kept_count;
};

/* Gives each link that is carried its variable, and brings the items of survey in the order for that. */
void links_settle(struct links *links, const struct export_job *job, struct survey *survey);

#endif

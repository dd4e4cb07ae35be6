/* links: what responses of a session issued and later requests carry: tokens, CSRF fields, ids. In a
 * collection the item that issues such a value sets a variable, and those that carry it use the variable: a
 * run gets values of its own.
 *
 * Found in two passes. In the first the requests of all items say what they carry (link_place.h), in the
 * second all responses are asked whether they issued it (link_issue.h): what a client had sent before it was
 * issued is its own and no link, and the first response that issues a value is the one that sets it.
 *
 * Values become one variable when the same script reads them, such as those of a login that was called three
 * times; and credentials when one replaces the other, such as a token and the one that a refresh gives: in
 * the same place of requests to one host, and the one no longer sent once the other was issued. A variable is
 * called after its secret, which stands in the environment then; others are called after what they are, and
 * stand in the collection, with the value that was captured.
 *
 * Memory: 16 bytes for each value that an item carries, at most LINKS_MAX_CARRIED; the values themselves of
 * at most LINKS_MAX links. What is beyond stays as it was captured. Immutable once found. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_LINKS_H
#define WEIR_CAPTURE_EXPORT_LINKS_H

#include "capture/export/hidden.h"
#include "capture/export/job.h"
#include "capture/export/survey.h"

#define LINKS_MAX_CARRIED 600000
#define LINKS_MAX         50000

struct links;

/* survey: of a runnable collection. Its items and folders are brought into an order in which a run comes to
 * what sets a variable before what uses it, as far as there is one (link_order.h), and what they show who
 * calls is looked at again, since it may be a variable now. Fails only when the store does. */
bool links_find(struct export_job *job, struct survey *survey, struct links **out_links, struct err *err);
void links_free(struct links *links); /* NULL is fine */

/* Puts variables for what is linked into a text of a request, or its path. links NULL: nothing is. */
void links_mark(const struct links *links, const struct secret_text *text, struct hidden *hidden);
void links_mark_path(const struct links *links, const struct record *record, const struct template_path *path,
                     struct hidden *hidden);

#define LINK_MAX_USERS 8

/* The spellings in which a variable is asked for; each has a variable of its own. */
enum link_spelling { LINK_RAW, LINK_PERCENT, LINK_ESCAPED, LINK_SPELLINGS };

struct link_variable {
    char *names[LINK_SPELLINGS];  /* NULL: not asked for, but for LINK_RAW */
    char *values[LINK_SPELLINGS]; /* as captured; as many as names */
    bool is_secret;               /* it stands in the environment, not in the collection */
    bool is_late;                 /* an item uses it that comes before all that set it: */
    uint32_t late_user;           /* its exchange */
    struct hidden_variable shown[LINK_SPELLINGS];
};

/* An item, and how its response is read. */
struct link {
    uint32_t place;                 /* of the item: see survey_item */
    uint32_t seq;                   /* of the exchange that issued it */
    char *read;                     /* the expression in JavaScript */
    char *where;                    /* for a person */
    uint32_t variable;              /* see links_variable */
    uint32_t uses;                  /* items that carry it */
    uint32_t users[LINK_MAX_USERS]; /* exchanges: the first of them */
};

size_t links_variable_count(const struct links *links);
const struct link_variable *links_variable(const struct links *links, size_t i);
/* In order of place; of one place those with the same expression are one. */
size_t links_count(const struct links *links);
const struct link *links_at(const struct links *links, size_t i);
/* Those of an item are *out_begin and what follows: how many. */
size_t links_of_item(const struct links *links, uint32_t place, size_t *out_begin);

#endif

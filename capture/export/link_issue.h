/* link_issue: the values that a response issues, each with the script that reads it out of such a response
 * again: leaves of JSON, fields of its head, cookies, where its Location leads, hidden fields and meta tags
 * of HTML, pairs of a form, a text that is nothing else.
 *
 * What comes of it is asked by keys, as in link_place.h: a response of "/orders" whose leaf "id" is 7 shares
 * one with the request for "/orders/7". Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_LINK_ISSUE_H
#define WEIR_CAPTURE_EXPORT_LINK_ISSUE_H

#include "capture/export/html_field.h"
#include "capture/export/json_walk.h"
#include "capture/export/link_place.h"

enum link_issue_kind {
    LINK_FROM_JSON,
    LINK_FROM_FIELD,
    LINK_FROM_WORD,   /* what follows the last blank of a field */
    LINK_FROM_COOKIE, /* decoded, as scripts get it */
    LINK_FROM_COOKIE_ENCODED,
    LINK_FROM_LOCATION, /* the last segment of its path */
    LINK_FROM_LOCATION_PAIR,
    LINK_FROM_FORM,
    LINK_FROM_HTML,
    LINK_FROM_TEXT,
};

struct link_issue { /* all borrowed */
    enum link_issue_kind kind;
    struct span value; /* decoded */
    struct span name;  /* of leaf, field, cookie, pair; may be empty */
    const struct record *record;
    const struct json_walk_value *leaf; /* of LINK_FROM_JSON */
    const struct html_field *field;     /* of LINK_FROM_HTML, and the page it is in */
    struct span page;
    struct span above; /* of LINK_FROM_LOCATION: the path before the segment */
};

/* Only cookies, where led_on: a client that is led on to another response sees nothing else of this one. */
void link_issues_of_head(const struct record *record, bool led_on,
                         void (*each)(void *self, const struct link_issue *issue), void *self);
/* body: decoded, or the front of it: is_cut. False: it turned out to be no such body as it began, and what
 * was shown is not what a script would find. */
bool link_issues_of_body(const struct record *record, struct span body, bool is_cut,
                         void (*each)(void *self, const struct link_issue *issue), void *self);

/* A value that an id of a place has keys of its own for: see link_place.h. */
#define LINK_MAX_ISSUE_KEYS 5
size_t link_issue_keys(const struct link_issue *issue, uint64_t out_keys[LINK_MAX_ISSUE_KEYS]);

/* The expression in JavaScript. False: it can't be written. Appended. */
bool link_issue_add_read(const struct link_issue *issue, struct strbuf *out);
/* Where a person would look for it: "access_token in its JSON". Appended. */
void link_issue_add_where(const struct link_issue *issue, struct strbuf *out);

#endif

/* secret_text: the named values in a piece of captured text: query pairs, form fields, JSON leaves, cookies,
 * parts of multipart bodies, the parameters of URLs in header fields, elements and attributes of XML, fields
 * of forms in HTML.
 *
 * Nothing is parsed into a tree and written again: what is found is where it stands in the text. Text that is
 * damaged or cut gives what can be read of it. Any thread. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_TEXT_H
#define WEIR_CAPTURE_EXPORT_SECRET_TEXT_H

#include <stdbool.h>

#include "capture/record.h"
#include "proxy/base/span.h"

enum secret_text_kind {
    SECRET_TEXT_PLAIN, /* nothing in it has a name */
    SECRET_TEXT_QUERY, /* also a form */
    SECRET_TEXT_URL,   /* its query and fragment */
    SECRET_TEXT_FIELD, /* the value of a header field */
    SECRET_TEXT_JSON,  /* also several, one behind the other */
    SECRET_TEXT_MULTIPART,
    SECRET_TEXT_XML,
    SECRET_TEXT_HTML,
};

struct secret_text { /* all borrowed */
    enum secret_text_kind kind;
    struct span text;
    struct span name;            /* of a field its name, of a multipart body its Content-Type */
    const struct record *record; /* NULL: none; for names of variables */
    bool is_response;            /* it came from the origin */
    bool is_body;                /* from its first byte on */
};

/* What a body is, by its media type and its first byte. */
struct secret_text secret_text_of_body(const struct record *record, enum http_role direction,
                                       struct span body);
struct secret_text secret_text_of_field(const struct record *record, enum http_role direction,
                                        const struct record_field *field);
struct secret_text secret_text_of_message(const struct record *record, enum http_role direction,
                                          struct span payload);
struct secret_text secret_text_of_query(const struct record *record);

enum secret_place {
    SECRET_PLACE_PAIR,   /* of a query or a form */
    SECRET_PLACE_LEAF,   /* of JSON: a string */
    SECRET_PLACE_NUMBER, /* of JSON */
    SECRET_PLACE_PART,   /* of a multipart body */
    SECRET_PLACE_MARKUP, /* of XML or HTML */
    SECRET_PLACE_FIELD,  /* the value of a header field */
    SECRET_PLACE_AUTH,   /* what follows the scheme in an Authorization field; name: the scheme */
    SECRET_PLACE_COOKIE,
};

struct secret_leaf {
    enum secret_place place;
    struct span name, value; /* decoded */
    struct span spelled;     /* where the value stands in the text; ptr NULL: inside another leaf, encoded */
};
/* Each leaf in order; name and value are borrowed for the call. A leaf that is JSON or a URL itself is
 * followed by its own leaves, and Basic credentials by their password. */
void secret_text_each(const struct secret_text *text,
                      void (*each)(void *self, const struct secret_leaf *leaf), void *self);

#endif

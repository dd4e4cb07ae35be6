/* collection: a Postman collection (v2.1.0), split into the document (collection.c), its tree
 * (collection_tree.c), items (collection_item.c), examples (collection_example.c), scripts
 * (collection_tests.c, collection_link.c), requests (collection_request.c), URLs (collection_url.c) and
 * bodies (collection_body.c). Internal to these. */
#ifndef WEIR_CAPTURE_EXPORT_COLLECTION_H
#define WEIR_CAPTURE_EXPORT_COLLECTION_H

#include <jansson.h>

#include "capture/export/content.h"
#include "capture/export/credential.h"
#include "capture/export/environment.h"
#include "capture/export/hidden.h"
#include "capture/export/job.h"
#include "capture/export/json_out.h"
#include "capture/export/links.h"
#include "capture/export/multipart.h"
#include "capture/export/naming.h"
#include "capture/export/survey.h"

struct collection {
    struct export_job *job;
    struct json_out json;
    struct survey survey;
    struct links *links; /* NULL: values stay as they were captured */
    struct names *names; /* taken in the folder that is being written */
    bool is_faithful;
    bool is_flat;       /* in order of time, in no folders */
    uint64_t inherited; /* credential_hash of what items here inherit */
    struct fill_ins fill_ins;
};

/* Appends captured bytes as text that is only read: masks stand for secrets. */
void collection_add_shown(struct secrets *secrets, struct span bytes, struct strbuf *out);

/* What tells collections of one session apart. */
const char *collection_grouping(const struct export_options *options);

/* --- bodies -------------------------------------------------------------------------------------------- */

/* More than this is never text of a collection: nobody reads it there, and newman holds all of it in memory.
 */
#define COLLECTION_MAX_TEXT_BYTES (1024 * 1024)
/* Larger binary bodies lie beside the collection, where there is a place. */
#define COLLECTION_MAX_INLINE_BYTES (64 * 1024)

enum plan_mode {
    PLAN_NONE,
    PLAN_URLENCODED,
    PLAN_FORMDATA,
    PLAN_GRAPHQL,
    PLAN_RAW,
    PLAN_INLINE_FILE,
    PLAN_FILE
};

/* How a request's body is written: decided before its header fields are, since some depend on it. */
struct body_plan {
    enum plan_mode mode;
    struct content content;
    struct secret_text front; /* content's */
    struct hidden hidden;     /* of it */
    bool is_coded;            /* content is as it was sent, and so is its Content-Encoding */
    bool is_masked;           /* it is written as bytes, in which no variable can stand for a secret */
    const char *language;     /* of PLAN_RAW */
    json_t *graphql;
    struct multipart_part *parts;
    char **part_files; /* as many as parts: names beside the collection, NULL: inline */
    size_t part_count;
    char *file; /* of PLAN_FILE */
};
/* In an example large bodies are left out: they stand in the item already. */
bool body_plan_init(struct body_plan *out_plan, struct collection *collection, const struct record *record,
                    bool is_example, struct err *err);
void body_plan_clear(struct body_plan *plan);
/* Whether a form is written as its fields, each decoded: newman makes the same of them again. */
bool body_is_canonical_form(struct hidden *hidden, struct span body);
/* The member "body" of a request; nothing for PLAN_NONE. */
bool body_plan_write(struct body_plan *plan, struct export_job *job, struct json_out *json, struct err *err);

/* --- requests ------------------------------------------------------------------------------------------ */

/* A request that is about to be written: what its parts have to know of each other. */
struct request {
    const struct record *record;
    struct body_plan body;
    struct credential credential; /* of a faithful collection: none, fields are as they were */
    bool is_example;
};
bool request_init(struct request *out_request, struct collection *collection, const struct record *record,
                  bool is_example, struct err *err);
void request_clear(struct request *request);

/* The object. */
bool request_write(struct collection *collection, struct request *request, struct err *err);
/* The member protocolProfileBehavior, where this request needs one. */
void request_behavior_write(struct collection *collection, const struct request *request);
/* Lines of Markdown about what is not in the request as it was captured; "" when everything is. Counts it,
 * too. */
void request_notes(struct collection *collection, const struct request *request, struct strbuf *out);

/* The member "url". */
void url_write(struct collection *collection, const struct request *request);
/* A target with bytes that newman takes for something else, and that are written as %XX. */
bool url_is_escaped(const struct record *record);

/* --- items --------------------------------------------------------------------------------------------- */

/* number: its place in a flat collection, else 0. width: the digits of the last one. False: a record is gone;
 * err is set if not. */
bool item_write(struct collection *collection, const struct survey_item *item, const struct record *record,
                size_t number, int width, struct err *err);

bool example_write(struct collection *collection, const struct record *record, const char *id,
                   struct span item_name, struct err *err);
/* "json", "html", "xml", "javascript", "text". */
const char *example_language(struct span media_type);

/* Lines of a script: what the answer has to be like. */
bool tests_write(struct collection *collection, const struct record *record, struct err *err);

/* Lines of a script that sets the variables which an item's answer issues; whether there are any. */
bool link_is_issuer(const struct collection *collection, const struct survey_item *item);
void link_write_script(struct collection *collection, const struct survey_item *item);
/* Variables that stand in the collection. */
void link_write_variables(struct collection *collection);
/* Tells and counts each link. */
void link_report(struct collection *collection);

/* --- the tree ------------------------------------------------------------------------------------------ */

/* The member "auth" of whatever holds those items, where most of them show the same credential; from then on
 * it is inherited. */
bool tree_write_credential(struct collection *collection, size_t begin, size_t end, struct err *err);
/* All items. */
bool tree_write(struct collection *collection, struct err *err);

#endif

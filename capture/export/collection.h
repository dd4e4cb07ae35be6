/* collection: a Postman collection (v2.1.0), split into its tree (collection.c), items (collection_item.c),
 * requests (collection_request.c) and bodies (collection_body.c). Internal to these four. */
#ifndef WEIR_CAPTURE_EXPORT_COLLECTION_H
#define WEIR_CAPTURE_EXPORT_COLLECTION_H

#include <jansson.h>

#include "capture/export/content.h"
#include "capture/export/job.h"
#include "capture/export/json_out.h"
#include "capture/export/multipart.h"
#include "capture/export/naming.h"
#include "capture/export/survey.h"

struct collection {
    struct export_job *job;
    struct json_out json;
    struct survey survey;
    struct names *names; /* taken in the folder that is being written */
};

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
    const char *language; /* of PLAN_RAW */
    json_t *graphql;
    struct multipart_part *parts;
    char **part_files; /* as many as parts: names beside the collection, NULL: inline */
    size_t part_count;
    char *file; /* of PLAN_FILE */
};
bool body_plan_init(struct body_plan *out_plan, struct export_job *job, const struct record *record,
                    struct err *err);
void body_plan_clear(struct body_plan *plan);
/* The member "body" of a request; nothing for PLAN_NONE. */
bool body_plan_write(const struct body_plan *plan, struct export_job *job, struct json_out *json,
                     struct err *err);

/* --- requests ------------------------------------------------------------------------------------------ */

/* The object of a request. In an example large bodies are left out: they stand in the item already. */
bool request_write(struct collection *collection, const struct record *record, const struct body_plan *plan,
                   bool is_example, struct err *err);
/* The members of protocolProfileBehavior that this request needs; false: none. */
bool request_behavior_write(struct collection *collection, const struct record *record,
                            const struct body_plan *plan);
/* Lines of Markdown about what is not in the request as it was captured; "" when everything is. Counts it,
 * too. */
void request_notes(struct collection *collection, const struct record *record, const struct body_plan *plan,
                   struct strbuf *out);

/* --- items --------------------------------------------------------------------------------------------- */

/* number: its place in a chronological collection, else 0. width: the digits of the last one. */
bool item_write(struct collection *collection, const struct record *record, size_t number, int width,
                struct err *err);

#endif

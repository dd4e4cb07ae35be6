/* openapi_model: all that an OpenAPI document says, while it is learned: paths, their operations, and what
 * was seen of each.
 *
 * A path is the same on all origins that have it. What strangers size is bounded: OPENAPI_MAX_OPERATIONS,
 * OPENAPI_MAX_NODES of schemas and OPENAPI_MAX_NAMES in all, and the lists of an operation. Exchanges are
 * learned in order of seq, which is the order of everything in it. Internal to the openapi files. One thread.
 */
#ifndef WEIR_CAPTURE_EXPORT_OPENAPI_MODEL_H
#define WEIR_CAPTURE_EXPORT_OPENAPI_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/job.h"
#include "capture/export/openapi_auth.h"
#include "capture/export/openapi_values.h"
#include "capture/export/schema.h"
#include "capture/export/template.h"
#include "proxy/base/table.h"

#define OPENAPI_MAX_OPERATIONS 5000
#define OPENAPI_MAX_NODES      200000 /* some 50 MiB */
#define OPENAPI_MAX_NAMES      60000  /* of parameters, header fields and fields of forms: as much again */
/* Longer documents are no part of a schema. */
#define OPENAPI_MAX_DOCUMENT_BYTES (1024 * 1024)
#define OPENAPI_MAX_EXAMPLE_BYTES  (16 * 1024)

enum openapi_kind { OPENAPI_JSON, OPENAPI_FORM, OPENAPI_MULTIPART, OPENAPI_TEXT, OPENAPI_BINARY };

/* Bodies of one media type. */
struct openapi_media {
    char *type;
    enum openapi_kind kind;
    struct schema *schema;        /* of JSON */
    struct openapi_values fields; /* of forms */
    uint32_t example;             /* the exchange whose body is the example; 0: none */
};

#define OPENAPI_MAX_MEDIA 8
struct openapi_bodies {
    uint64_t seen;
    struct openapi_media list[OPENAPI_MAX_MEDIA];
    size_t count;
};

struct openapi_response {
    int status; /* 0: of none that OpenAPI knows */
    char *reason;
    struct openapi_values headers;
    struct openapi_bodies bodies;
};

enum openapi_method {
    OPENAPI_GET,
    OPENAPI_PUT,
    OPENAPI_POST,
    OPENAPI_DELETE,
    OPENAPI_OPTIONS,
    OPENAPI_HEAD,
    OPENAPI_PATCH,
    OPENAPI_TRACE,
    OPENAPI_METHODS,
};
extern const char *const openapi_method_names[OPENAPI_METHODS]; /* "get" */

#define OPENAPI_MAX_ALTERNATIVES 8
struct openapi_operation {
    uint64_t seen;
    struct openapi_values query, headers;
    struct openapi_bodies bodies;
    struct openapi_response *responses; /* in order of status */
    size_t response_count;
    uint32_t auth[OPENAPI_MAX_ALTERNATIVES]; /* masks of schemes */
    size_t auth_count;
};

struct openapi_path {
    char *key, *text, *tag;
    struct openapi_values variables;
    struct openapi_operation *operations[OPENAPI_METHODS]; /* NULL: not seen */
    uint32_t *origins;                                     /* places in the list of them */
    size_t origin_count;
    UT_hash_handle hh;
};

struct openapi_origin {
    char *url, *host; /* "https://api.shop.test:8443", "api.shop.test:8443" */
    uint64_t seen;
};

struct openapi {
    struct openapi_path *paths;
    struct openapi_origin *origins;
    size_t origin_count, origin_cap;
    struct openapi_schemes schemes;
    size_t operations, nodes;
    struct openapi_room room, path_room; /* paths have few variables, and are wrong without one of them */
    uint64_t first_us, last_us;          /* when what was learned began; 0: nothing was */
};

void openapi_init(struct openapi *out_openapi);
void openapi_clear(struct openapi *openapi);

/* Learns from an exchange. What can't be learned is counted in the job's report; *out_taken: whether the
 * exchange is in it. Fails only when the store does. */
bool openapi_learn(struct openapi *openapi, struct export_job *job, const struct template *template,
                   const struct record *record, bool *out_taken, struct err *err);

/* Learns from the body of one message: see openapi_learn. */
bool openapi_learn_body(struct openapi *openapi, struct export_job *job, const struct record *record,
                        bool is_request, struct openapi_bodies *bodies, struct err *err);

/* Writes the members "tags", "paths" and "components". */
bool openapi_write(const struct openapi *openapi, struct export_job *job, struct json_out *json,
                   struct err *err);
/* The member "content" of a body. */
bool openapi_write_content(struct export_job *job, const struct openapi_bodies *bodies, bool is_request,
                           struct json_out *json, struct err *err);

#endif

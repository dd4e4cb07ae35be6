/* What one exchange adds to the model. */
#include <stdlib.h>

#include "capture/export/naming.h"
#include "capture/export/openapi_model.h"
#include "capture/export/openapi_name.h"
#include "capture/export/policy.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* A status of its own for each answer is nobody's API. */
#define MAX_RESPONSES 16

const char *const openapi_method_names[OPENAPI_METHODS] = {
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
};

/* --- life ------------------------------------------------------------------------------------------- */

static void bodies_clear(struct openapi_bodies *bodies)
{
    for (size_t i = 0; i < bodies->count; i++) {
        mem_free(bodies->list[i].type);
        schema_free(bodies->list[i].schema);
        openapi_values_clear(&bodies->list[i].fields);
    }
}

static void operation_free(struct openapi_operation *operation)
{
    if (operation == NULL)
        return;
    openapi_values_clear(&operation->query);
    openapi_values_clear(&operation->headers);
    bodies_clear(&operation->bodies);
    for (size_t i = 0; i < operation->response_count; i++) {
        mem_free(operation->responses[i].reason);
        openapi_values_clear(&operation->responses[i].headers);
        bodies_clear(&operation->responses[i].bodies);
    }
    mem_free(operation->responses);
    mem_free(operation);
}

void openapi_init(struct openapi *out_openapi)
{
    *out_openapi =
        (struct openapi){ .room = { .left = OPENAPI_MAX_NAMES }, .path_room = { .left = SIZE_MAX } };
}

void openapi_clear(struct openapi *openapi)
{
    struct openapi_path *path, *next;

    HASH_ITER (hh, openapi->paths, path, next) {
        HASH_DEL(openapi->paths, path);
        for (size_t i = 0; i < OPENAPI_METHODS; i++)
            operation_free(path->operations[i]);
        openapi_values_clear(&path->variables);
        mem_free(path->origins);
        mem_free(path->key);
        mem_free(path->text);
        mem_free(path->tag);
        mem_free(path);
    }
    for (size_t i = 0; i < openapi->origin_count; i++) {
        mem_free(openapi->origins[i].url);
        mem_free(openapi->origins[i].host);
    }
    mem_free(openapi->origins);
    openapi_schemes_clear(&openapi->schemes);
    *openapi = (struct openapi){ .paths = NULL };
}

/* --- origins and paths --------------------------------------------------------------------------------- */

static size_t take_origin(struct openapi *openapi, const struct record *record)
{
    struct strbuf url = STRBUF_EMPTY;
    struct openapi_origin *origin;
    size_t scheme, i;

    strbuf_add(&url, record->scheme);
    strbuf_add_str(&url, "://");
    scheme = url.len;
    naming_add_host(&url, record);
    for (i = 0; i < openapi->origin_count; i++)
        if (span_eq(span_of(openapi->origins[i].url), strbuf_span(&url)))
            break;
    if (i == openapi->origin_count) {
        if (i == openapi->origin_cap) {
            openapi->origin_cap = i != 0 ? i * 2 : 8;
            openapi->origins = mem_realloc(openapi->origins, openapi->origin_cap * sizeof(*openapi->origins));
        }
        origin = &openapi->origins[openapi->origin_count++];
        *origin = (struct openapi_origin){ .host = mem_spandup(span_from(strbuf_span(&url), scheme)) };
        origin->url = strbuf_detach(&url);
    }
    openapi->origins[i].seen++;
    strbuf_clear(&url);
    return i;
}

static struct openapi_path *take_path(struct openapi *openapi, struct span key, struct span text)
{
    struct strbuf tag = STRBUF_EMPTY, shown = STRBUF_EMPTY;
    struct openapi_path *path;

    HASH_FIND(hh, openapi->paths, key.ptr, key.len, path);
    if (path != NULL)
        return path;
    path = mem_new(struct openapi_path);
    path->key = mem_spandup(key);
    path->text = mem_spandup(text);
    openapi_name_tag(&tag, text);
    text_add_bytes(&shown, strbuf_span(&tag));
    path->tag = mem_spandup(strbuf_span(&shown));
    HASH_ADD_KEYPTR(hh, openapi->paths, path->key, key.len, path);
    strbuf_clear(&tag);
    strbuf_clear(&shown);
    return path;
}

static void see_origin(struct openapi_path *path, size_t origin)
{
    for (size_t i = 0; i < path->origin_count; i++)
        if (path->origins[i] == origin)
            return;
    path->origins = mem_realloc(path->origins, (path->origin_count + 1) * sizeof(*path->origins));
    path->origins[path->origin_count++] = (uint32_t)origin;
}

/* Another origin may call its variables otherwise; the first name stays. */
static void see_variables(struct openapi *openapi, struct openapi_path *path,
                          const struct template_path *templated)
{
    openapi_values_begin(&path->variables, &openapi->path_room);
    for (size_t i = 0; i < templated->count; i++) {
        const char *name =
            i < path->variables.count ? path->variables.list[i].name : templated->variables[i].name;

        openapi_values_see(&path->variables, span_of(name), false, templated->variables[i].value);
    }
}

/* --- operations ---------------------------------------------------------------------------------------- */

static bool find_method(struct span method, enum openapi_method *out_method)
{
    for (size_t i = 0; i < OPENAPI_METHODS; i++) {
        if (span_ieq(method, span_of(openapi_method_names[i]))) {
            *out_method = (enum openapi_method)i;
            return true;
        }
    }
    return false;
}

static bool is_one_of(struct span name, const struct span *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_istarts(name, list[i]))
            return true;
    return false;
}

/* Fields of the API's own: what clients and proxies add by themselves says nothing of it. */
static bool is_told_of_request(struct span name)
{
    static const struct span others[] = { { "x-forwarded-", 12 }, { "x-requested-with", 16 },
                                          { "x-real-ip", 9 },     { "x-b3-", 5 },
                                          { "x-datadog-", 10 },   { "x-amzn-trace-id", 15 },
                                          { "x-client-data", 13 } };

    return (span_istarts(name, SPAN("x-")) || span_ieq(name, SPAN("Idempotency-Key"))) &&
           !is_one_of(name, others, sizeof(others) / sizeof(others[0]));
}

static bool is_told_of_response(struct span name)
{
    static const struct span told[] = { { "x-", 2 },
                                        { "ratelimit", 9 },
                                        { "location", 8 },
                                        { "etag", 4 },
                                        { "link", 4 },
                                        { "allow", 5 },
                                        { "retry-after", 11 },
                                        { "www-authenticate", 16 },
                                        { "content-disposition", 19 },
                                        { "last-modified", 13 } };
    static const struct span others[] = { { "x-powered-by", 12 },
                                          { "x-frame-options", 15 },
                                          { "x-xss-", 6 },
                                          { "x-content-type-options", 22 },
                                          { "x-cache", 7 },
                                          { "x-served-by", 11 },
                                          { "x-amz-cf-", 9 },
                                          { "x-timer", 7 },
                                          { "x-runtime", 9 },
                                          { "x-dns-prefetch-", 15 },
                                          { "x-download-options", 18 },
                                          { "x-permitted-", 12 },
                                          { "x-ua-compatible", 15 },
                                          { "x-robots-tag", 12 },
                                          { "x-varnish", 9 },
                                          { "x-envoy-", 8 } };

    return is_one_of(name, told, sizeof(told) / sizeof(told[0])) &&
           !is_one_of(name, others, sizeof(others) / sizeof(others[0]));
}

static void see_fields(struct openapi *openapi, struct openapi_values *values,
                       const struct record_fields *fields, bool (*is_told)(struct span name),
                       struct span skipped)
{
    openapi_values_begin(values, &openapi->room);
    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->items[i];

        if (is_told(field->name) && policy_is_sendable(field) &&
            (skipped.len == 0 || !span_ieq(field->name, skipped)))
            openapi_values_see(values, field->name, true, field->value);
    }
}

/* Who was turned away without showing anything does not prove that nothing need be shown. */
static void see_auth(struct openapi_operation *operation, uint32_t used, int status)
{
    if (used == 0 && (status == 401 || status == 403))
        return;
    for (size_t i = 0; i < operation->auth_count; i++)
        if (operation->auth[i] == used)
            return;
    if (operation->auth_count < OPENAPI_MAX_ALTERNATIVES)
        operation->auth[operation->auth_count++] = used;
}

static struct openapi_response *take_response(struct openapi_operation *operation, int status)
{
    size_t at = 0;

    if (status < 100 || status > 599)
        status = 0;
    while (at < operation->response_count && operation->responses[at].status < status)
        at++;
    if (at < operation->response_count && operation->responses[at].status == status)
        return &operation->responses[at];
    if (operation->response_count == MAX_RESPONSES)
        return NULL;
    operation->responses =
        mem_realloc(operation->responses, (operation->response_count + 1) * sizeof(*operation->responses));
    memmove(&operation->responses[at + 1], &operation->responses[at],
            (operation->response_count - at) * sizeof(*operation->responses));
    operation->responses[at] = (struct openapi_response){ .status = status };
    operation->response_count++;
    return &operation->responses[at];
}

static bool see_response(struct openapi *openapi, struct export_job *job, const struct record *record,
                         struct openapi_operation *operation, struct err *err)
{
    struct openapi_response *response = take_response(operation, record->status);
    struct strbuf reason = STRBUF_EMPTY;

    if (response == NULL) {
        job_count_exchange(job, EXPORT_SCHEMA_PARTIAL, record);
        return true;
    }
    if (response->reason == NULL && record->reason.len != 0) {
        text_add_bytes(&reason, record->reason);
        response->reason = mem_spandup(strbuf_span(&reason));
        strbuf_clear(&reason);
    }
    see_fields(openapi, &response->headers, &record->response_headers, is_told_of_response, SPAN_NONE);
    return openapi_learn_body(openapi, job, record, false, &response->bodies, err);
}

static bool see(struct openapi *openapi, struct export_job *job, const struct record *record,
                struct openapi_operation *operation, struct err *err)
{
    uint32_t used = openapi_auth_of(&openapi->schemes, record);

    operation->seen++;
    see_auth(operation, used, record->status);
    openapi_values_begin(&operation->query, &openapi->room);
    openapi_values_see_pairs(&operation->query, record->query,
                             openapi_auth_find(&openapi->schemes, used, OPENAPI_AUTH_QUERY));
    see_fields(openapi, &operation->headers, &record->request_headers, is_told_of_request,
               openapi_auth_find(&openapi->schemes, used, OPENAPI_AUTH_HEADER));
    return openapi_learn_body(openapi, job, record, true, &operation->bodies, err) &&
           see_response(openapi, job, record, operation, err);
}

/* NULL: there are too many. */
static struct openapi_operation *take_operation(struct openapi *openapi, const struct record *record,
                                                const struct template_path *templated, struct span key,
                                                struct span text, enum openapi_method method)
{
    struct openapi_path *path;

    if (openapi->operations == OPENAPI_MAX_OPERATIONS) {
        HASH_FIND(hh, openapi->paths, key.ptr, key.len, path);
        if (path == NULL || path->operations[method] == NULL)
            return NULL;
    }
    path = take_path(openapi, key, text);
    see_origin(path, take_origin(openapi, record));
    see_variables(openapi, path, templated);
    if (path->operations[method] == NULL) {
        path->operations[method] = mem_new(struct openapi_operation);
        openapi->operations++;
    }
    return path->operations[method];
}

bool openapi_learn(struct openapi *openapi, struct export_job *job, const struct template *template,
                   const struct record *record, bool *out_taken, struct err *err)
{
    struct strbuf text = STRBUF_EMPTY, key = STRBUF_EMPTY;
    struct template_path templated = { .count = 0 };
    struct openapi_operation *operation = NULL;
    enum openapi_method method;
    uint64_t refused = openapi->room.refused;
    bool ok = true;

    *out_taken = false;
    template_path_of(template, record->host, record->port, record->path, &templated);
    if (!find_method(record->method, &method) || !openapi_name_path(&templated, &text, &key)) {
        job_count_exchange(job, EXPORT_NO_OPERATION, record);
        goto out;
    }
    operation = take_operation(openapi, record, &templated, strbuf_span(&key), strbuf_span(&text), method);
    if (operation == NULL) {
        job_count_exchange(job, EXPORT_OPERATIONS_MANY, record);
        goto out;
    }
    *out_taken = true;
    if (openapi->first_us == 0)
        openapi->first_us = record->started_us;
    openapi->last_us = record->started_us > openapi->last_us ? record->started_us : openapi->last_us;
    ok = see(openapi, job, record, operation, err);
    if (openapi->room.refused != refused)
        job_count_exchange(job, EXPORT_NAMES_MANY, record);
out:
    template_path_clear(&templated);
    strbuf_clear(&text);
    strbuf_clear(&key);
    return ok;
}

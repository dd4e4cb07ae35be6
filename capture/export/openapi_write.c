/* The members of the document that come of the model: tags, paths, components. */
#include <stdlib.h>

#include "capture/export/openapi_model.h"
#include "capture/export/openapi_name.h"
#include "proxy/base/mem.h"
#include "proxy/http/message.h"

/* --- names that are unique ----------------------------------------------------------------------------- */

/* Of operations: how often each short name is used, and which names are taken. */
struct name {
    char *text;
    size_t count;
    UT_hash_handle hh;
};

struct writing {
    const struct openapi *openapi;
    struct export_job *job;
    struct json_out *json;
    struct name *tags;
    struct name *short_ids, *ids;
};

static size_t count_name(struct name **names, struct span text)
{
    struct name *name;

    HASH_FIND(hh, *names, text.ptr, text.len, name);
    if (name == NULL) {
        name = mem_new(struct name);
        name->text = mem_spandup(text);
        HASH_ADD_KEYPTR(hh, *names, name->text, text.len, name);
    }
    return ++name->count;
}

static void names_clear(struct name **names)
{
    struct name *name, *next;

    HASH_ITER (hh, *names, name, next) {
        HASH_DEL(*names, name);
        mem_free(name->text);
        mem_free(name);
    }
}

static void count_names(struct writing *writing)
{
    struct strbuf id = STRBUF_EMPTY;

    for (const struct openapi_path *path = writing->openapi->paths; path != NULL; path = path->hh.next) {
        for (size_t i = 0; i < OPENAPI_METHODS; i++) {
            if (path->operations[i] == NULL)
                continue;
            strbuf_reset(&id);
            openapi_name_operation(&id, openapi_method_names[i], span_of(path->text), false);
            count_name(&writing->short_ids, strbuf_span(&id));
            count_name(&writing->tags, span_of(path->tag));
        }
    }
    strbuf_clear(&id);
}

static void write_operation_id(struct writing *writing, const struct openapi_path *path, const char *method)
{
    struct strbuf id = STRBUF_EMPTY;
    struct name *name;
    size_t len;

    openapi_name_operation(&id, method, span_of(path->text), false);
    HASH_FIND(hh, writing->short_ids, id.ptr, id.len, name);
    if (name != NULL && name->count > 1) {
        strbuf_reset(&id);
        openapi_name_operation(&id, method, span_of(path->text), true);
    }
    len = id.len;
    for (unsigned n = 2; count_name(&writing->ids, strbuf_span(&id)) > 1; n++) {
        id.len = len;
        strbuf_printf(&id, "_%u", n);
    }
    jout_member_text(writing->json, "operationId", strbuf_span(&id));
    strbuf_clear(&id);
}

/* --- parameters ---------------------------------------------------------------------------------------- */

static void write_parameters(struct json_out *json, const struct openapi_values *values, const char *place)
{
    bool is_path = strcmp(place, "path") == 0;

    for (size_t i = 0; i < values->count; i++) {
        const struct openapi_value *value = &values->list[i];

        jout_open_object(json);
        jout_member_str(json, "name", value->name);
        jout_member_str(json, "in", place);
        if (is_path || openapi_value_is_required(values, value))
            jout_member_bool(json, "required", true);
        jout_key(json, "schema");
        openapi_value_write_schema(value, is_path, json);
        openapi_value_write_example(value, json);
        jout_close(json);
    }
}

static void write_headers(struct json_out *json, const struct openapi_values *values)
{
    if (values->count == 0)
        return;
    jout_key(json, "headers");
    jout_open_object(json);
    for (size_t i = 0; i < values->count; i++) {
        jout_key(json, values->list[i].name);
        jout_open_object(json);
        jout_key(json, "schema");
        openapi_value_write_schema(&values->list[i], false, json);
        openapi_value_write_example(&values->list[i], json);
        jout_close(json);
    }
    jout_close(json);
}

/* --- operations ---------------------------------------------------------------------------------------- */

static void write_security(const struct writing *writing, const struct openapi_operation *operation)
{
    struct json_out *json = writing->json;

    jout_key(json, "security");
    jout_open_array(json);
    for (size_t i = 0; i < operation->auth_count; i++)
        if (operation->auth[i] != 0 || operation->auth_count > 1)
            openapi_auth_write(&writing->openapi->schemes, operation->auth[i], json);
    jout_close(json);
}

static bool write_request_body(const struct writing *writing, const struct openapi_operation *operation,
                               struct err *err)
{
    struct json_out *json = writing->json;

    if (operation->bodies.count == 0)
        return true;
    jout_key(json, "requestBody");
    jout_open_object(json);
    if (operation->seen >= OPENAPI_MIN_REQUIRED_SEEN && operation->bodies.seen == operation->seen)
        jout_member_bool(json, "required", true);
    if (!openapi_write_content(writing->job, &operation->bodies, true, json, err))
        return false;
    jout_close(json);
    return true;
}

static bool write_response(const struct writing *writing, const struct openapi_response *response,
                           struct err *err)
{
    const char *reason = response->reason != NULL ? response->reason : http_reason(response->status);
    struct json_out *json = writing->json;
    char key[16];

    snprintf(key, sizeof(key), "%d", response->status);
    jout_key(json, response->status != 0 ? key : "default");
    jout_open_object(json);
    jout_member_str(json, "description", reason[0] != '\0' ? reason : "A status without a name");
    write_headers(json, &response->headers);
    if (response->bodies.count != 0 &&
        !openapi_write_content(writing->job, &response->bodies, false, json, err))
        return false;
    jout_close(json);
    return true;
}

static bool write_operation(struct writing *writing, const struct openapi_path *path,
                            const struct openapi_operation *operation, const char *method, struct err *err)
{
    struct json_out *json = writing->json;
    struct strbuf text = STRBUF_EMPTY;

    jout_key(json, method);
    jout_open_object(json);
    jout_key(json, "tags");
    jout_open_array(json);
    jout_str(json, path->tag);
    jout_close(json);
    openapi_name_summary(&text, method, span_of(path->text));
    jout_member_text(json, "summary", strbuf_span(&text));
    strbuf_reset(&text);
    strbuf_printf(&text, "Seen in %llu exchange%s.", (unsigned long long)operation->seen,
                  operation->seen != 1 ? "s" : "");
    jout_member_text(json, "description", strbuf_span(&text));
    strbuf_clear(&text);
    write_operation_id(writing, path, method);
    if (operation->query.count + operation->headers.count != 0) {
        jout_key(json, "parameters");
        jout_open_array(json);
        write_parameters(json, &operation->query, "query");
        write_parameters(json, &operation->headers, "header");
        jout_close(json);
    }
    if (!write_request_body(writing, operation, err))
        return false;
    jout_key(json, "responses");
    jout_open_object(json);
    for (size_t i = 0; i < operation->response_count; i++)
        if (!write_response(writing, &operation->responses[i], err))
            return false;
    jout_close(json);
    write_security(writing, operation);
    jout_close(json);
    return true;
}

/* --- paths --------------------------------------------------------------------------------------------- */

static bool write_path(struct writing *writing, const struct openapi_path *path, struct err *err)
{
    struct json_out *json = writing->json;

    jout_key(json, path->text);
    jout_open_object(json);
    if (path->origin_count != writing->openapi->origin_count) {
        jout_key(json, "servers");
        jout_open_array(json);
        for (size_t i = 0; i < path->origin_count; i++) {
            jout_open_object(json);
            jout_member_str(json, "url", writing->openapi->origins[path->origins[i]].url);
            jout_close(json);
        }
        jout_close(json);
    }
    if (path->variables.count != 0) {
        jout_key(json, "parameters");
        jout_open_array(json);
        write_parameters(json, &path->variables, "path");
        jout_close(json);
    }
    for (size_t i = 0; i < OPENAPI_METHODS; i++)
        if (path->operations[i] != NULL &&
            !write_operation(writing, path, path->operations[i], openapi_method_names[i], err))
            return false;
    jout_close(json);
    return true;
}

static void write_tags(const struct writing *writing)
{
    struct json_out *json = writing->json;
    char text[64];

    jout_key(json, "tags");
    jout_open_array(json);
    for (const struct name *tag = writing->tags; tag != NULL; tag = tag->hh.next) {
        jout_open_object(json);
        jout_member_str(json, "name", tag->text);
        snprintf(text, sizeof(text), "%zu operation%s.", tag->count, tag->count != 1 ? "s" : "");
        jout_member_str(json, "description", text);
        jout_close(json);
    }
    jout_close(json);
}

bool openapi_write(const struct openapi *openapi, struct export_job *job, struct json_out *json,
                   struct err *err)
{
    struct writing writing = { .openapi = openapi, .job = job, .json = json };
    bool ok = true;

    count_names(&writing);
    write_tags(&writing);
    jout_key(json, "paths");
    jout_open_object(json);
    for (const struct openapi_path *path = openapi->paths; ok && path != NULL; path = path->hh.next)
        ok = write_path(&writing, path, err);
    jout_close(json);
    if (openapi->schemes.count != 0) {
        jout_key(json, "components");
        jout_open_object(json);
        jout_key(json, "securitySchemes");
        openapi_schemes_write(&openapi->schemes, json);
        jout_close(json);
    }
    names_clear(&writing.tags);
    names_clear(&writing.short_ids);
    names_clear(&writing.ids);
    return ok;
}

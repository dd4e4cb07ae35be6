/* Bodies: what is learned of them, and the example that is written of them. */
#include <jansson.h>

#include "capture/export/content.h"
#include "capture/export/multipart.h"
#include "capture/export/openapi_model.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

/* An example that nests deeper is none that a person reads, and json_out has an end. */
#define MAX_EXAMPLE_DEPTH 32

/* --- learning ------------------------------------------------------------------------------------------ */

static enum openapi_kind kind_of(struct span type)
{
    static const struct span texts[] = { { "application/xml", 15 },
                                         { "application/javascript", 22 },
                                         { "application/graphql", 19 },
                                         { "application/x-ndjson", 20 } };

    if (span_ends(type, SPAN("/json")) || span_ends(type, SPAN("+json")))
        return OPENAPI_JSON;
    if (span_eq(type, SPAN("application/x-www-form-urlencoded")))
        return OPENAPI_FORM;
    if (span_eq(type, SPAN("multipart/form-data")))
        return OPENAPI_MULTIPART;
    if (span_starts(type, SPAN("text/")) || span_ends(type, SPAN("+xml")))
        return OPENAPI_TEXT;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (span_eq(type, texts[i]))
            return OPENAPI_TEXT;
    return OPENAPI_BINARY;
}

static struct span type_of(struct span type, struct span front)
{
    size_t at = 0;

    if (type.len != 0 && utf8_is_valid(type))
        return type;
    while (at < front.len && strchr(" \t\r\n", front.ptr[at]) != NULL && front.ptr[at] != '\0')
        at++;
    return at < front.len && (front.ptr[at] == '{' || front.ptr[at] == '[')
               ? SPAN("application/json")
               : SPAN("application/octet-stream");
}

static struct openapi_media *take_media(struct openapi_bodies *bodies, struct span type, struct span front)
{
    struct openapi_media *media;

    type = type_of(type, front);
    for (size_t i = 0; i < bodies->count; i++)
        if (span_eq(span_of(bodies->list[i].type), type))
            return &bodies->list[i];
    if (bodies->count == OPENAPI_MAX_MEDIA)
        return NULL;
    media = &bodies->list[bodies->count++];
    *media = (struct openapi_media){ .type = mem_spandup(type), .kind = kind_of(type) };
    if (media->kind == OPENAPI_JSON)
        media->schema = schema_new();
    return media;
}

static bool see_document(struct openapi *openapi, struct openapi_media *media, struct span text)
{
    size_t before = schema_nodes(media->schema);
    bool ok = openapi->nodes < OPENAPI_MAX_NODES && schema_see(media->schema, text);

    openapi->nodes += schema_nodes(media->schema) - before;
    return ok && !schema_is_partial(media->schema);
}

static bool see_parts(struct openapi *openapi, struct openapi_media *media, const struct record *record,
                      struct span body)
{
    struct multipart_part *parts = mem_array(struct multipart_part, MULTIPART_MAX_PARTS);
    struct strbuf boundary = STRBUF_EMPTY;
    struct span type = SPAN("");
    size_t count = 0;
    bool ok;

    record_find(&record->request_headers, SPAN("Content-Type"), &type);
    ok = text_parameter(type, SPAN("boundary"), &boundary) &&
         multipart_parse(body, strbuf_span(&boundary), parts, MULTIPART_MAX_PARTS, &count);
    if (ok)
        openapi_values_begin(&media->fields, &openapi->room);
    for (size_t i = 0; ok && i < count; i++) {
        if (parts[i].file_name.ptr != NULL)
            openapi_values_see_file(&media->fields, parts[i].name, parts[i].type);
        else
            openapi_values_see(&media->fields, parts[i].name, false, parts[i].value);
    }
    strbuf_clear(&boundary);
    mem_free(parts);
    return ok;
}

static bool see(struct openapi *openapi, struct openapi_media *media, const struct record *record,
                const struct content *content)
{
    struct span body = strbuf_span(&content->front);

    switch (media->kind) {
    case OPENAPI_JSON:
        return see_document(openapi, media, body);
    case OPENAPI_FORM:
        openapi_values_begin(&media->fields, &openapi->room);
        openapi_values_see_pairs(&media->fields, body, SPAN_NONE);
        return true;
    case OPENAPI_MULTIPART:
        return see_parts(openapi, media, record, body);
    case OPENAPI_TEXT:
    case OPENAPI_BINARY:
        return true;
    }
    return true;
}

static bool may_be_example(const struct export_job *job, const struct openapi_media *media,
                           const struct content *content)
{
    return content->is_text && content->front.len != 0 && content->front.len <= OPENAPI_MAX_EXAMPLE_BYTES &&
           content->front.len <= job->options->max_example_bytes &&
           (media->kind == OPENAPI_JSON || media->kind == OPENAPI_TEXT);
}

bool openapi_learn_body(struct openapi *openapi, struct export_job *job, const struct record *record,
                        bool is_request, struct openapi_bodies *bodies, struct err *err)
{
    const struct record_body *body = is_request ? &record->request_body : &record->response_body;
    struct openapi_media *media;
    struct content content;
    bool is_whole;

    if (body->bytes == 0)
        return true;
    if (!content_read(job->source, body, is_request ? &record->request_headers : &record->response_headers,
                      OPENAPI_MAX_DOCUMENT_BYTES, CONTENT_FRONT, &content, err))
        return false;
    bodies->seen++;
    media = take_media(bodies, is_request ? record->request_type : record->response_type,
                       strbuf_span(&content.front));
    is_whole = content.is_whole && !content.is_undecoded && body->kept == body->bytes;
    if (media == NULL ||
        (media->kind < OPENAPI_TEXT && (!is_whole || !see(openapi, media, record, &content))))
        job_count_exchange(job, EXPORT_SCHEMA_PARTIAL, record);
    else if (media->example == 0 && is_whole && may_be_example(job, media, &content))
        media->example = record->seq;
    content_clear(&content);
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------- */

static size_t depth_of(const json_t *value)
{
    size_t deepest = 0, i;
    const char *key;
    json_t *member;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member)
        {
            size_t depth = depth_of(member);
            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        json_array_foreach(value, i, member)
        {
            size_t depth = depth_of(member);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest + 1;
}

static void write_value(struct json_out *json, json_t *value)
{
    const char *key;
    json_t *member;
    char *text;
    size_t i;

    if (json_is_object(value)) {
        jout_open_object(json);
        json_object_foreach(value, key, member)
        {
            jout_key(json, key);
            write_value(json, member);
        }
        jout_close(json);
    } else if (json_is_array(value)) {
        jout_open_array(json);
        json_array_foreach(value, i, member)
        {
            write_value(json, member);
        }
        jout_close(json);
    } else if (json_is_string(value)) {
        jout_text(json, span_make(json_string_value(value), json_string_length(value)));
    } else {
        text = json_dumps(value, JSON_ENCODE_ANY);
        jout_raw(json, text != NULL ? text : "null");
        free(text);
    }
}

static void write_document(struct json_out *json, struct span text)
{
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (value != NULL && depth_of(value) <= MAX_EXAMPLE_DEPTH) {
        jout_key(json, "example");
        write_value(json, value);
    }
    json_decref(value);
}

/* The member "example". */
static bool write_example(struct export_job *job, const struct openapi_media *media, bool is_request,
                          struct json_out *json, struct err *err)
{
    const struct record *record;
    struct content content;

    if (media->kind == OPENAPI_FORM || media->kind == OPENAPI_MULTIPART)
        openapi_values_write_example(&media->fields, json);
    if (media->example == 0)
        return true;
    if (!job->source->at(job->source->self, media->example, &record, err))
        return false;
    if (record == NULL) /* deleted meanwhile: what it taught stays true */
        return true;
    if (!content_read(job->source, is_request ? &record->request_body : &record->response_body,
                      is_request ? &record->request_headers : &record->response_headers,
                      OPENAPI_MAX_DOCUMENT_BYTES, CONTENT_FRONT, &content, err))
        return false;
    if (media->kind == OPENAPI_JSON)
        write_document(json, strbuf_span(&content.front));
    else
        jout_member_text(json, "example", strbuf_span(&content.front));
    content_clear(&content);
    return true;
}

static void write_schema(const struct openapi_media *media, struct json_out *json)
{
    jout_key(json, "schema");
    switch (media->kind) {
    case OPENAPI_JSON:
        schema_write(media->schema, json);
        return;
    case OPENAPI_FORM:
    case OPENAPI_MULTIPART:
        openapi_values_write_object(&media->fields, json);
        return;
    case OPENAPI_TEXT:
    case OPENAPI_BINARY:
        jout_open_object(json);
        jout_member_str(json, "type", "string");
        if (media->kind == OPENAPI_BINARY)
            jout_member_str(json, "contentMediaType", media->type);
        jout_close(json);
        return;
    }
}

bool openapi_write_content(struct export_job *job, const struct openapi_bodies *bodies, bool is_request,
                           struct json_out *json, struct err *err)
{
    jout_key(json, "content");
    jout_open_object(json);
    for (size_t i = 0; i < bodies->count; i++) {
        jout_key(json, bodies->list[i].type);
        jout_open_object(json);
        write_schema(&bodies->list[i], json);
        if (!write_example(job, &bodies->list[i], is_request, json, err))
            return false;
        jout_close(json);
    }
    jout_close(json);
    return true;
}

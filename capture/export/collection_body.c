/* A structured body (form, multipart, GraphQL) is taken apart only where newman makes the same of it again;
 * anything else is raw text, or a file. */
#include "capture/export/collection.h"

#include "capture/export/files.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"

static bool is_json_type(struct span type)
{
    return span_ieq(type, SPAN("application/json")) || span_ends(type, SPAN("+json")) ||
           span_ends(type, SPAN("/json"));
}

/* --- application/x-www-form-urlencoded -------------------------------------------------------------------
 */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes what newman would encode in just that way; false for anything else: it leaves letters, digits and
 * -._~ alone and writes all other bytes as %XX, in capitals. */
static bool decode_canonical(struct span text, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c) != NULL)) {
            strbuf_add_char(out, c);
        } else if (c == '%' && i + 2 < text.len && hex_value(text.ptr[i + 1]) >= 0 &&
                   hex_value(text.ptr[i + 2]) >= 0) {
            char byte = (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]));

            if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~", byte) != NULL))
                return false;
            strbuf_add_char(out, byte);
            i += 2;
        } else {
            return false;
        }
    }
    return utf8_is_valid(strbuf_span(out)) && !literals_may_be_in(strbuf_span(out));
}

/* Newman holds the pieces in a JavaScript object: equal keys meet there, and keys like numbers go first. */
static bool is_number_like(struct span key)
{
    uint64_t number;

    return span_u64(key, &number);
}

static bool is_key_repeated(struct span body, struct span key, struct span until)
{
    struct span pair;

    while (span_split(&body, '&', &pair) && pair.ptr != until.ptr)
        if (span_eq(span_sub(pair, 0, span_find(pair, '=')), key))
            return true;
    return false;
}

/* More pieces than people fill in would make the search for equal keys slow. */
#define MAX_FORM_PIECES 500

static bool is_canonical_form(struct span body)
{
    struct span rest = body, pair;
    struct strbuf scratch = STRBUF_EMPTY;
    bool ok = body.len != 0 && !span_ends(body, SPAN("&"));

    for (size_t n = 0; ok && span_split(&rest, '&', &pair); n++) {
        size_t equals = span_find(pair, '=');
        struct span key = span_sub(pair, 0, equals);

        ok = n < MAX_FORM_PIECES && equals < pair.len && key.len != 0 && !is_number_like(key) &&
             !span_eq(key, SPAN("__proto__")) && decode_canonical(key, &scratch) &&
             decode_canonical(span_from(pair, equals + 1), &scratch) && !is_key_repeated(body, key, pair);
    }
    strbuf_clear(&scratch);
    return ok;
}

static void write_form(struct json_out *json, struct span body)
{
    struct strbuf scratch = STRBUF_EMPTY;
    struct span pair;

    jout_member_str(json, "mode", "urlencoded");
    jout_key(json, "urlencoded");
    jout_open_array(json);
    while (span_split(&body, '&', &pair)) {
        size_t equals = span_find(pair, '=');

        jout_open_object(json);
        decode_canonical(span_sub(pair, 0, equals), &scratch);
        jout_member_text(json, "key", strbuf_span(&scratch));
        decode_canonical(span_from(pair, equals + 1), &scratch);
        jout_member_text(json, "value", strbuf_span(&scratch));
        jout_member_str(json, "type", "text");
        jout_close(json);
    }
    jout_close(json);
    strbuf_clear(&scratch);
}

/* --- multipart/form-data ------------------------------------------------------------------------------- */

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
            return false;
    return true;
}

/* Whether newman writes that part as it is. */
static bool is_part_same(const struct multipart_part *part)
{
    bool is_file = part->file_name.ptr != NULL;

    if (!part->is_plain || !is_ascii(part->name) || !is_ascii(part->type) || part->name.len == 0 ||
        literals_may_be_in(part->name) || literals_may_be_in(part->value))
        return false;
    if (is_file)
        return part->type.ptr != NULL && part->value.len != 0 && part->file_name.len != 0 &&
               is_ascii(part->file_name) && !literals_may_be_in(part->file_name);
    return utf8_is_valid(part->value);
}

static bool plan_multipart(struct body_plan *plan, const struct record *record)
{
    struct strbuf boundary = STRBUF_EMPTY;
    struct span type;
    bool ok = false;

    if (!record_find(&record->request_headers, SPAN("Content-Type"), &type) ||
        !text_parameter(type, SPAN("boundary"), &boundary))
        return false;
    plan->parts = mem_array(struct multipart_part, MULTIPART_MAX_PARTS);
    ok = multipart_parse(strbuf_span(&plan->content.front), strbuf_span(&boundary), plan->parts,
                         MULTIPART_MAX_PARTS, &plan->part_count);
    for (size_t i = 0; ok && i < plan->part_count; i++)
        ok = is_part_same(&plan->parts[i]);
    strbuf_clear(&boundary);
    if (!ok) {
        mem_free(plan->parts);
        plan->parts = NULL;
        plan->part_count = 0;
    }
    return ok;
}

static bool put_part_files(struct body_plan *plan, struct files *files, struct err *err)
{
    plan->part_files = mem_array(char *, plan->part_count);
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct multipart_part *part = &plan->parts[i];

        if (files == NULL || part->file_name.ptr == NULL || part->value.len <= COLLECTION_MAX_INLINE_BYTES)
            continue;
        if (!files_begin(files, err) || !files_write(files, part->value, err) ||
            !files_end(files, part->file_name, &plan->part_files[i], err))
            return false;
    }
    return true;
}

static void write_multipart(const struct body_plan *plan, struct json_out *json)
{
    jout_member_str(json, "mode", "formdata");
    jout_key(json, "formdata");
    jout_open_array(json);
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct multipart_part *part = &plan->parts[i];
        bool is_file = part->file_name.ptr != NULL;

        jout_open_object(json);
        jout_member_text(json, "key", part->name);
        jout_member_str(json, "type", is_file ? "file" : "text");
        if (part->type.ptr != NULL)
            jout_member_text(json, "contentType", part->type);
        if (is_file)
            jout_member_text(json, "fileName", part->file_name);
        if (plan->part_files[i] != NULL) {
            jout_member_str(json, "src", plan->part_files[i]);
        } else {
            jout_key(json, "value");
            if (is_file)
                jout_base64(json, part->value);
            else
                jout_text(json, part->value);
        }
        jout_close(json);
    }
    jout_close(json);
}

/* --- GraphQL ------------------------------------------------------------------------------------------- */

/* Reals are spelled in many ways and would come back in another. */
static bool has_real(json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_real(value))
        return true;
    json_object_foreach(value, key, member)
    {
        if (has_real(member))
            return true;
    }
    json_array_foreach(value, i, member)
    {
        if (has_real(member))
            return true;
    }
    return false;
}

static bool is_graphql(json_t *document)
{
    json_t *query = json_object_get(document, "query"), *name = json_object_get(document, "operationName");
    json_t *variables = json_object_get(document, "variables");
    size_t known = (query != NULL) + (name != NULL) + (variables != NULL);

    return json_is_string(query) && json_object_size(document) == known &&
           (name == NULL || json_is_string(name)) && (variables == NULL || json_is_object(variables)) &&
           !has_real(variables);
}

static bool plan_graphql(struct body_plan *plan)
{
    struct span body = strbuf_span(&plan->content.front);

    /* An escaped brace could join another one to a literal that nobody saw. */
    if (literals_may_be_in(body) || memmem(body.ptr, body.len, "\\u007", 5) != NULL)
        return false;
    plan->graphql = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (is_graphql(plan->graphql))
        return true;
    json_decref(plan->graphql);
    plan->graphql = NULL;
    return false;
}

static void write_graphql(const struct body_plan *plan, struct json_out *json)
{
    json_t *name = json_object_get(plan->graphql, "operationName");
    json_t *variables = json_object_get(plan->graphql, "variables");

    jout_member_str(json, "mode", "graphql");
    jout_key(json, "graphql");
    jout_open_object(json);
    jout_member_str(json, "query", json_string_value(json_object_get(plan->graphql, "query")));
    if (name != NULL)
        jout_member_str(json, "operationName", json_string_value(name));
    if (variables != NULL) {
        char *text = json_dumps(variables, JSON_COMPACT);

        jout_member_str(json, "variables", text);
        free(text); /* jansson's */
    }
    jout_close(json);
}

/* --- text and files ------------------------------------------------------------------------------------ */

/* With the language "json" newman strips what looks like a comment, also inside a string. */
static const char *language_of(struct span type, struct span body)
{
    bool has_comment =
        memmem(body.ptr, body.len, "//", 2) != NULL || memmem(body.ptr, body.len, "/*", 2) != NULL;

    if (is_json_type(type))
        return has_comment ? "text" : "json";
    if (span_ends(type, SPAN("/xml")) || span_ends(type, SPAN("+xml")))
        return "xml";
    if (span_eq(type, SPAN("text/html")))
        return "html";
    if (span_ends(type, SPAN("/javascript")))
        return "javascript";
    return "text";
}

static bool put_bytes(void *self, struct span bytes, struct err *err)
{
    return files_write(self, bytes, err);
}

static bool put_file(struct body_plan *plan, struct export_job *job, struct err *err)
{
    return files_begin(job->files, err) &&
           content_stream(job->source, &plan->content, put_bytes, job->files, err) &&
           files_end(job->files, SPAN("body"), &plan->file, err);
}

static bool choose_mode(struct body_plan *plan, struct export_job *job, const struct record *record,
                        struct err *err)
{
    struct content *content = &plan->content;
    struct span body = strbuf_span(&content->front), type = record->request_type;
    bool is_structured = content->is_whole && content->is_text && !content->is_undecoded;

    if (content->body == 0 || (content->is_whole && body.len == 0)) {
        plan->mode = PLAN_NONE;
    } else if (is_structured && (is_json_type(type) || span_eq(type, SPAN("application/graphql+json"))) &&
               plan_graphql(plan)) {
        plan->mode = PLAN_GRAPHQL;
    } else if (is_structured && span_eq(type, SPAN("application/x-www-form-urlencoded")) &&
               is_canonical_form(body)) {
        plan->mode = PLAN_URLENCODED;
    } else if (content->is_whole && !content->is_undecoded && span_eq(type, SPAN("multipart/form-data")) &&
               plan_multipart(plan, record)) {
        plan->mode = PLAN_FORMDATA;
        return put_part_files(plan, job->files, err);
    } else if (is_structured) {
        plan->mode = PLAN_RAW;
        plan->language = language_of(type, body);
    } else if (job->files == NULL || (content->is_whole && body.len <= COLLECTION_MAX_INLINE_BYTES)) {
        plan->mode = PLAN_INLINE_FILE;
    } else {
        plan->mode = PLAN_FILE;
        return put_file(plan, job, err);
    }
    return true;
}

bool body_plan_init(struct body_plan *out_plan, struct export_job *job, const struct record *record,
                    struct err *err)
{
    struct body_plan plan = { .mode = PLAN_NONE };

    if (!content_read(job->source, &record->request_body, &record->request_headers, COLLECTION_MAX_TEXT_BYTES,
                      CONTENT_ALL, &plan.content, err))
        return false;
    if (!choose_mode(&plan, job, record, err)) {
        body_plan_clear(&plan);
        return false;
    }
    *out_plan = plan;
    return true;
}

void body_plan_clear(struct body_plan *plan)
{
    content_clear(&plan->content);
    json_decref(plan->graphql);
    for (size_t i = 0; plan->part_files != NULL && i < plan->part_count; i++)
        mem_free(plan->part_files[i]);
    mem_free(plan->part_files);
    mem_free(plan->parts);
    mem_free(plan->file);
    *plan = (struct body_plan){ .mode = PLAN_NONE };
}

static bool write_base64(void *self, struct span bytes, struct err *err)
{
    (void)err;
    jout_string_base64(self, bytes);
    return true;
}

static bool write_file(const struct body_plan *plan, struct export_job *job, struct json_out *json,
                       struct err *err)
{
    bool ok = true;

    jout_member_str(json, "mode", "file");
    jout_key(json, "file");
    jout_open_object(json);
    if (plan->mode == PLAN_FILE) {
        jout_member_str(json, "src", plan->file);
    } else {
        jout_key(json, "content");
        jout_string_begin(json);
        ok = content_stream(job->source, &plan->content, write_base64, json, err);
        jout_string_end(json);
    }
    jout_close(json);
    return ok;
}

static void write_raw(const struct body_plan *plan, struct json_out *json)
{
    jout_member_str(json, "mode", "raw");
    jout_member_text(json, "raw", strbuf_span(&plan->content.front));
    jout_key(json, "options");
    jout_open_object(json);
    jout_key(json, "raw");
    jout_open_object(json);
    jout_member_str(json, "language", plan->language);
    jout_close(json);
    jout_close(json);
}

bool body_plan_write(const struct body_plan *plan, struct export_job *job, struct json_out *json,
                     struct err *err)
{
    bool ok = true;

    if (plan->mode == PLAN_NONE)
        return true;
    jout_key(json, "body");
    jout_open_object(json);
    switch (plan->mode) {
    case PLAN_NONE:
        break;
    case PLAN_URLENCODED:
        write_form(json, strbuf_span(&plan->content.front));
        break;
    case PLAN_FORMDATA:
        write_multipart(plan, json);
        break;
    case PLAN_GRAPHQL:
        write_graphql(plan, json);
        break;
    case PLAN_RAW:
        write_raw(plan, json);
        break;
    case PLAN_INLINE_FILE:
    case PLAN_FILE:
        ok = write_file(plan, job, json, err);
        break;
    }
    jout_close(json);
    return ok;
}

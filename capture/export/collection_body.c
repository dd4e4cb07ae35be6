/* A structured body (form, multipart, GraphQL) is taken apart only where newman makes the same of it again;
 * anything else is raw text, or a file. */
#include "capture/export/collection.h"

#include "capture/export/files.h"
#include "capture/export/secret_stream.h"
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

/* What newman encodes again is decoded here, and a variable's value is encoded like any other: so a secret is
 * all of a field's value or no part of it. */
static bool is_canonical_value(struct hidden *hidden, struct span value, struct strbuf *scratch)
{
    if (!decode_canonical(value, scratch))
        return false;
    return hidden_is_whole(hidden, value, strbuf_span(scratch)) ||
           hidden_kind_of(hidden, value) == HIDDEN_NOTHING;
}

bool body_is_canonical_form(struct hidden *hidden, struct span body)
{
    struct span rest = body, pair;
    struct strbuf scratch = STRBUF_EMPTY;
    bool ok = body.len != 0 && !span_ends(body, SPAN("&"));

    for (size_t n = 0; ok && span_split(&rest, '&', &pair); n++) {
        size_t equals = span_find(pair, '=');
        struct span key = span_sub(pair, 0, equals);

        ok = n < MAX_FORM_PIECES && equals < pair.len && key.len != 0 && !is_number_like(key) &&
             !span_eq(key, SPAN("__proto__")) && decode_canonical(key, &scratch) &&
             hidden_kind_of(hidden, key) == HIDDEN_NOTHING &&
             is_canonical_value(hidden, span_from(pair, equals + 1), &scratch) &&
             !is_key_repeated(body, key, pair);
    }
    strbuf_clear(&scratch);
    return ok;
}

static void write_form(struct hidden *hidden, struct json_out *json, struct span body)
{
    struct strbuf scratch = STRBUF_EMPTY;
    struct span pair;

    jout_member_str(json, "mode", "urlencoded");
    jout_key(json, "urlencoded");
    jout_open_array(json);
    while (span_split(&body, '&', &pair)) {
        size_t equals = span_find(pair, '=');
        struct span value = span_from(pair, equals + 1);

        jout_open_object(json);
        decode_canonical(span_sub(pair, 0, equals), &scratch);
        jout_member_text(json, "key", strbuf_span(&scratch));
        decode_canonical(value, &scratch);
        if (hidden_is_whole(hidden, value, strbuf_span(&scratch))) {
            strbuf_reset(&scratch);
            hidden_add_whole(hidden, value, &scratch);
        }
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
static bool is_part_same(struct hidden *hidden, const struct multipart_part *part)
{
    bool is_file = part->file_name.ptr != NULL;

    if (hidden_kind_of(hidden, part->name) != HIDDEN_NOTHING ||
        hidden_kind_of(hidden, part->file_name) != HIDDEN_NOTHING ||
        hidden_kind_of(hidden, part->type) != HIDDEN_NOTHING)
        return false;

    if (!part->is_plain || !is_ascii(part->name) || !is_ascii(part->type) || part->name.len == 0 ||
        literals_may_be_in(part->name) || literals_may_be_in(part->value))
        return false;
    if (is_file)
        return part->type.ptr != NULL && part->value.len != 0 && part->file_name.len != 0 &&
               is_ascii(part->file_name) && !literals_may_be_in(part->file_name);
    return utf8_is_valid(part->value);
}

/* With the Content-Type, if it is spelled so, newman takes its boundary; after the last it ends the line. */
static bool is_framing_same(struct span type, struct span body)
{
    return span_starts(type, SPAN("multipart/form-data;")) && span_ends(body, SPAN("\r\n"));
}

static bool plan_multipart(struct body_plan *plan, const struct record *record, bool is_faithful)
{
    struct strbuf boundary = STRBUF_EMPTY;
    struct span type;
    bool ok = false;

    if (!record_find(&record->request_headers, SPAN("Content-Type"), &type) ||
        (is_faithful && !is_framing_same(type, strbuf_span(&plan->content.front))) ||
        !text_parameter(type, SPAN("boundary"), &boundary))
        return false;
    plan->parts = mem_array(struct multipart_part, MULTIPART_MAX_PARTS);
    ok = multipart_parse(strbuf_span(&plan->content.front), strbuf_span(&boundary), plan->parts,
                         MULTIPART_MAX_PARTS, &plan->part_count);
    for (size_t i = 0; ok && i < plan->part_count; i++)
        ok = is_part_same(&plan->hidden, &plan->parts[i]);
    strbuf_clear(&boundary);
    if (!ok) {
        mem_free(plan->parts);
        plan->parts = NULL;
        plan->part_count = 0;
    }
    return ok;
}

/* The bytes of a file part, with masks where secrets stood. */
static void add_masked(struct body_plan *plan, struct span value, struct strbuf *out)
{
    struct secret_text text = { .kind = SECRET_TEXT_PLAIN, .text = value };

    if (hidden_kind_of(&plan->hidden, value) == HIDDEN_NOTHING) {
        strbuf_add(out, value);
        return;
    }
    secrets_replace(plan->hidden.secrets, &text, SECRET_STYLE_MASK, out);
    plan->is_masked = true;
}

static bool put_part_file(struct body_plan *plan, struct files *files, size_t i, struct err *err)
{
    const struct multipart_part *part = &plan->parts[i];
    struct strbuf bytes = STRBUF_EMPTY;
    bool ok;

    add_masked(plan, part->value, &bytes);
    ok = files_begin(files, err) && files_write(files, strbuf_span(&bytes), err) &&
         files_end(files, part->file_name, &plan->part_files[i], err);
    strbuf_clear(&bytes);
    return ok;
}

static bool put_part_files(struct body_plan *plan, struct files *files, struct err *err)
{
    plan->part_files = mem_array(char *, plan->part_count);
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct multipart_part *part = &plan->parts[i];

        if (part->file_name.ptr == NULL)
            continue;
        plan->is_masked = plan->is_masked || hidden_kind_of(&plan->hidden, part->value) != HIDDEN_NOTHING;
        if (files != NULL && part->value.len > COLLECTION_MAX_INLINE_BYTES &&
            !put_part_file(plan, files, i, err))
            return false;
    }
    return true;
}

static void write_part_value(struct body_plan *plan, const struct multipart_part *part, struct json_out *json)
{
    struct strbuf value = STRBUF_EMPTY;

    jout_key(json, "value");
    if (part->file_name.ptr != NULL) {
        add_masked(plan, part->value, &value);
        jout_base64(json, strbuf_span(&value));
    } else {
        hidden_add(&plan->hidden, part->value, NULL, &value);
        jout_text(json, strbuf_span(&value));
    }
    strbuf_clear(&value);
}

static void write_multipart(struct body_plan *plan, struct json_out *json)
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
        if (plan->part_files[i] != NULL)
            jout_member_str(json, "src", plan->part_files[i]);
        else
            write_part_value(plan, part, json);
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
    struct strbuf text = STRBUF_EMPTY;

    /* An escaped brace could join another one to a literal that nobody saw. What is parsed here is put
     * together again by newman: a variable's value has to be what it stands for in all of it. */
    if (literals_may_be_in(body) || memmem(body.ptr, body.len, "\\u007", 5) != NULL ||
        hidden_kind_of(&plan->hidden, body) == HIDDEN_ENCODED)
        return false;
    hidden_add(&plan->hidden, body, NULL, &text);
    plan->graphql = json_loadb(strbuf_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
    strbuf_clear(&text);
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

static bool write_base64(void *self, struct span bytes, struct err *err)
{
    (void)err;
    jout_string_base64(self, bytes);
    return true;
}

struct masking {
    const struct secrets *secrets;
    store_sink sink;
    void *self;
    bool has_secrets;
};

static bool mask_piece(void *self, const struct secret_piece *piece, struct err *err)
{
    struct masking *masking = self;
    struct strbuf mask = STRBUF_EMPTY;
    bool ok;

    if (piece->secret == NULL)
        return masking->sink == NULL || masking->sink(masking->self, piece->text, err);
    masking->has_secrets = true;
    if (masking->sink == NULL)
        return true;
    secrets_add_mask(masking->secrets, piece, &mask);
    ok = masking->sink(masking->self, strbuf_span(&mask), err);
    strbuf_clear(&mask);
    return ok;
}

/* The body as bytes, with masks where secrets stood. sink NULL: only looks whether there are any. */
static bool stream_masked(const struct body_plan *plan, struct export_job *job, store_sink sink, void *self,
                          bool *out_has_secrets, struct err *err)
{
    struct masking masking = { .secrets = job->secrets, .sink = sink, .self = self };

    *out_has_secrets = false;
    if (job->secrets == NULL)
        return sink == NULL || content_stream(job->source, &plan->content, sink, self, err);
    if (!secret_stream(job->secrets, job->source, &plan->content, &plan->front, mask_piece, &masking, err))
        return false;
    *out_has_secrets = masking.has_secrets;
    return true;
}

static bool put_file(struct body_plan *plan, struct export_job *job, struct err *err)
{
    return files_begin(job->files, err) &&
           stream_masked(plan, job, put_bytes, job->files, &plan->is_masked, err) &&
           files_end(job->files, SPAN("body"), &plan->file, err);
}

static bool is_small(const struct content *content)
{
    return content->is_whole && content->front.len <= COLLECTION_MAX_INLINE_BYTES;
}

/* An example's body that is not shown has no place anywhere. */
static bool choose_file(struct body_plan *plan, struct export_job *job, bool is_example, struct err *err)
{
    if (is_example && !is_small(&plan->content)) {
        plan->mode = PLAN_NONE;
        return true;
    }
    if (job->files == NULL || is_small(&plan->content)) {
        plan->mode = PLAN_INLINE_FILE;
        return stream_masked(plan, job, NULL, NULL, &plan->is_masked, err);
    }
    plan->mode = PLAN_FILE;
    return put_file(plan, job, err);
}

static bool choose_mode(struct body_plan *plan, struct collection *collection, const struct record *record,
                        bool is_example, struct err *err)
{
    struct content *content = &plan->content;
    struct span body = strbuf_span(&content->front), type = record->request_type;
    bool is_whole = content->is_whole && body.len <= COLLECTION_MAX_TEXT_BYTES && !content->is_undecoded &&
                    !plan->is_coded;
    bool is_text = is_whole && content->is_text;

    if (content->body == 0 || (content->is_whole && body.len == 0)) {
        plan->mode = PLAN_NONE;
    } else if (is_example && !is_small(content)) {
        plan->mode = PLAN_NONE;
    } else if (is_text && !collection->is_faithful &&
               (is_json_type(type) || span_eq(type, SPAN("application/graphql+json"))) &&
               plan_graphql(plan)) {
        plan->mode = PLAN_GRAPHQL;
    } else if (is_text && span_eq(type, SPAN("application/x-www-form-urlencoded")) &&
               body_is_canonical_form(&plan->hidden, body)) {
        plan->mode = PLAN_URLENCODED;
    } else if (is_whole && span_eq(type, SPAN("multipart/form-data")) &&
               plan_multipart(plan, record, collection->is_faithful)) {
        plan->mode = PLAN_FORMDATA;
        return put_part_files(plan, is_example ? NULL : collection->job->files, err);
    } else if (is_text) {
        plan->mode = PLAN_RAW;
        plan->language = language_of(type, body);
    } else {
        return choose_file(plan, collection->job, is_example, err);
    }
    return true;
}

static bool read_content(struct body_plan *plan, struct export_job *job, const struct record *record,
                         bool is_decoded, struct err *err)
{
    static const struct record_fields none = { .count = 0 };
    size_t max = job->secrets != NULL ? SECRETS_MAX_TEXT : COLLECTION_MAX_TEXT_BYTES;

    content_clear(&plan->content);
    if (!content_read(job->source, &record->request_body, is_decoded ? &record->request_headers : &none, max,
                      CONTENT_ALL, &plan->content, err))
        return false;
    plan->front = secret_text_of_body(record, HTTP_REQUEST, strbuf_span(&plan->content.front));
    return true;
}

/* A faithful collection has bytes as they were sent, unless a content coding hides a secret in them. */
static bool read_body(struct body_plan *plan, struct collection *collection, const struct record *record,
                      struct err *err)
{
    struct export_job *job = collection->job;
    bool has_secrets = false;

    if (!read_content(plan, job, record, true, err))
        return false;
    if (!collection->is_faithful || plan->content.encodings.len == 0)
        return true;
    if (!stream_masked(plan, job, NULL, NULL, &has_secrets, err))
        return false;
    plan->is_coded = !has_secrets;
    return has_secrets || read_content(plan, job, record, false, err);
}

bool body_plan_init(struct body_plan *out_plan, struct collection *collection, const struct record *record,
                    bool is_example, struct err *err)
{
    struct body_plan plan = { .mode = PLAN_NONE };
    bool ok = read_body(&plan, collection, record, err);

    if (ok) {
        hidden_init(&plan.hidden, collection->job->secrets, &plan.front);
        if (!is_example)
            links_mark(collection->links, &plan.front, &plan.hidden);
        ok = choose_mode(&plan, collection, record, is_example, err);
    }
    if (!ok) {
        body_plan_clear(&plan);
        return false;
    }
    *out_plan = plan;
    return true;
}

void body_plan_clear(struct body_plan *plan)
{
    hidden_clear(&plan->hidden);
    content_clear(&plan->content);
    json_decref(plan->graphql);
    for (size_t i = 0; plan->part_files != NULL && i < plan->part_count; i++)
        mem_free(plan->part_files[i]);
    mem_free(plan->part_files);
    mem_free(plan->parts);
    mem_free(plan->file);
    *plan = (struct body_plan){ .mode = PLAN_NONE };
}

static bool write_file(const struct body_plan *plan, struct export_job *job, struct json_out *json,
                       struct err *err)
{
    bool ok = true, has_secrets;

    jout_member_str(json, "mode", "file");
    jout_key(json, "file");
    jout_open_object(json);
    if (plan->mode == PLAN_FILE) {
        jout_member_str(json, "src", plan->file);
    } else {
        jout_key(json, "content");
        jout_string_begin(json);
        ok = stream_masked(plan, job, write_base64, json, &has_secrets, err);
        jout_string_end(json);
    }
    jout_close(json);
    return ok;
}

static void write_raw(struct body_plan *plan, struct json_out *json)
{
    struct strbuf text = STRBUF_EMPTY;

    hidden_add(&plan->hidden, strbuf_span(&plan->content.front), NULL, &text);
    jout_member_str(json, "mode", "raw");
    jout_member_text(json, "raw", strbuf_span(&text));
    strbuf_clear(&text);
    jout_key(json, "options");
    jout_open_object(json);
    jout_key(json, "raw");
    jout_open_object(json);
    jout_member_str(json, "language", plan->language);
    jout_close(json);
    jout_close(json);
}

bool body_plan_write(struct body_plan *plan, struct export_job *job, struct json_out *json, struct err *err)
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
        write_form(&plan->hidden, json, strbuf_span(&plan->content.front));
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

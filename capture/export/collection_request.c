#include "capture/export/collection.h"

#include "capture/export/policy.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"

/* --- url ----------------------------------------------------------------------------------------------- */

/* Characters that newman would write as %XX where the capture has them bare. */
static bool is_exotic(struct span target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"'<>{}\\^`|", c) != NULL)
            return true;
    }
    return false;
}

/* What newman reads in its own way: a '#' ends the URL, and in a path a backslash becomes a slash. */
#define PATH_ESCAPED  "#\\"
#define QUERY_ESCAPED "#"

static bool is_escaped(struct span bytes, const char *escaped)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != '\0' && strchr(escaped, bytes.ptr[i]) != NULL)
            return true;
    return false;
}

/* One character a byte: with disableUrlEncoding newman sends them back as bytes. */
static void add_target(struct strbuf *out, struct span bytes, const char *escaped)
{
    for (size_t i = 0; i < bytes.len; i++) {
        struct span one = span_sub(bytes, i, 1);

        if (is_escaped(one, escaped))
            strbuf_printf(out, "%%%02X", (unsigned)one.ptr[0]);
        else
            text_add_latin1(out, one);
    }
}

static void write_target(struct json_out *json, struct span bytes, const char *escaped)
{
    struct strbuf text = STRBUF_EMPTY;

    add_target(&text, bytes, escaped);
    jout_text(json, strbuf_span(&text));
    strbuf_clear(&text);
}

static void write_path(struct json_out *json, struct span path)
{
    jout_key(json, "path");
    jout_open_array(json);
    if (path.len != 0 && path.ptr[0] == '/')
        path = span_from(path, 1);
    while (true) {
        size_t slash = span_find(path, '/');

        write_target(json, span_sub(path, 0, slash), PATH_ESCAPED);
        if (slash == path.len)
            break;
        path = span_from(path, slash + 1);
    }
    jout_close(json);
}

/* "k=v", "k=", "k", "=v" and nothing at all are five different pieces, and all of them come back. */
static void write_query(struct json_out *json, struct span query)
{
    jout_key(json, "query");
    jout_open_array(json);
    while (true) {
        size_t end = span_find(query, '&');
        struct span piece = span_sub(query, 0, end);
        size_t equals = span_find(piece, '=');

        jout_open_object(json);
        jout_key(json, "key");
        if (equals == 0)
            jout_null(json);
        else
            write_target(json, span_sub(piece, 0, equals), QUERY_ESCAPED);
        jout_key(json, "value");
        if (equals == piece.len)
            jout_null(json);
        else
            write_target(json, span_from(piece, equals + 1), QUERY_ESCAPED);
        jout_close(json);
        if (end == query.len)
            break;
        query = span_from(query, end + 1);
    }
    jout_close(json);
}

static void write_url(struct collection *collection, const struct record *record)
{
    struct json_out *json = &collection->json;
    const char *variable = survey_origin_of(&collection->survey, record)->variable;
    struct strbuf text = STRBUF_EMPTY;
    size_t host_len;

    strbuf_printf(&text, "{{%s}}", variable);
    host_len = text.len;
    if (record->path.len != 0 && record->path.ptr[0] != '/')
        strbuf_add_char(&text, '/');
    add_target(&text, record->path, PATH_ESCAPED);
    if (record->query.ptr != NULL) {
        strbuf_add_char(&text, '?');
        add_target(&text, record->query, QUERY_ESCAPED);
    }
    jout_key(json, "url");
    jout_open_object(json);
    jout_member_text(json, "raw", strbuf_span(&text));
    jout_key(json, "host");
    jout_open_array(json);
    jout_text(json, span_sub(strbuf_span(&text), 0, host_len));
    jout_close(json);
    write_path(json, record->path);
    if (record->query.ptr != NULL)
        write_query(json, record->query);
    jout_close(json);
    strbuf_clear(&text);
}

/* --- header fields ------------------------------------------------------------------------------------- */

static void init_facts(struct policy_facts *facts, const struct collection *collection,
                       const struct record *record, const struct body_plan *plan)
{
    policy_facts_init(facts, record, collection->job->options->keep_browser_headers);
    facts->is_decoded = !plan->content.is_undecoded;
    facts->is_multipart_rebuilt = plan->mode == PLAN_FORMDATA;
}

/* Newman keeps repeated fields only under one spelling: the first. */
static struct span spelling_of(const struct record_fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (span_ieq(fields->items[i].name, name))
            return fields->items[i].name;
    return name;
}

static void write_headers(struct collection *collection, const struct record *record,
                          const struct body_plan *plan)
{
    const struct record_fields *fields = &record->request_headers;
    struct json_out *json = &collection->json;
    struct policy_facts facts;

    init_facts(&facts, collection, record, plan);
    jout_key(json, "header");
    jout_open_array(json);
    for (size_t i = 0; i < fields->count; i++) {
        enum policy policy = policy_request(&facts, fields->items[i].name);

        if (policy == POLICY_DROP || !policy_is_sendable(&fields->items[i]))
            continue;
        jout_open_object(json);
        jout_member_text(json, "key", spelling_of(fields, fields->items[i].name));
        jout_key(json, "value");
        jout_latin1(json, fields->items[i].value);
        if (policy == POLICY_SHOW)
            jout_member_bool(json, "disabled", true);
        jout_close(json);
    }
    jout_close(json);
}

/* --- the request --------------------------------------------------------------------------------------- */

bool request_write(struct collection *collection, const struct record *record, const struct body_plan *plan,
                   bool is_example, struct err *err)
{
    struct json_out *json = &collection->json;
    bool has_body = !is_example || plan->content.bytes <= COLLECTION_MAX_INLINE_BYTES;
    bool ok = true;

    jout_open_object(json);
    jout_member_bytes(json, "method", record->method);
    write_headers(collection, record, plan);
    if (has_body)
        ok = body_plan_write(plan, collection->job, json, err);
    write_url(collection, record);
    jout_close(json);
    return ok;
}

static bool is_pruned_method(struct span method)
{
    static const char *const methods[] = { "GET", "HEAD", "COPY", "PURGE", "UNLOCK" };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (span_ieq(method, span_of(methods[i])))
            return true;
    return false;
}

bool request_behavior_write(struct collection *collection, const struct record *record,
                            const struct body_plan *plan)
{
    struct json_out *json = &collection->json;
    struct span type;
    bool is_pruned = plan->mode != PLAN_NONE && is_pruned_method(record->method);
    bool is_untyped =
        plan->mode != PLAN_NONE && !record_find(&record->request_headers, SPAN("Content-Type"), &type);
    bool is_bare = is_exotic(record->path) || is_exotic(record->query);

    if (!is_pruned && !is_untyped && !is_bare)
        return false;
    jout_key(json, "protocolProfileBehavior");
    jout_open_object(json);
    if (is_pruned)
        jout_member_bool(json, "disableBodyPruning", true);
    if (is_bare)
        jout_member_bool(json, "disableUrlEncoding", true);
    if (is_untyped) {
        jout_key(json, "disabledSystemHeaders");
        jout_open_object(json);
        jout_member_bool(json, "content-type", true);
        jout_close(json);
    }
    jout_close(json);
    return true;
}

/* --- notes --------------------------------------------------------------------------------------------- */

static void note(struct collection *collection, const struct record *record, struct strbuf *out,
                 enum export_reason reason, const char *text)
{
    job_count_exchange(collection->job, reason, record);
    strbuf_printf(out, "- %s\n", text);
}

static void note_cookies(const struct record *record, struct strbuf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < record->request_headers.count; i++) {
        struct span rest = record->request_headers.items[i].value, name, value;

        if (!span_ieq(record->request_headers.items[i].name, SPAN("Cookie")))
            continue;
        while (cookie_next(&rest, &name, &value)) {
            strbuf_add_str(out, count++ == 0 ? "- Cookies that were sent, and come from the jar: `" : "`, `");
            text_add_bytes(out, name);
        }
    }
    if (count != 0)
        strbuf_add_str(out, "`\n");
}

static void note_headers(struct collection *collection, const struct record *record,
                         const struct body_plan *plan, struct strbuf *out)
{
    const struct record_fields *fields = &record->request_headers;
    struct policy_facts facts;

    init_facts(&facts, collection, record, plan);
    for (size_t i = 0; i < fields->count; i++) {
        struct span name = fields->items[i].name;

        if (policy_request(&facts, name) == POLICY_DROP)
            continue;
        if (!policy_is_sendable(&fields->items[i]))
            note(collection, record, out, EXPORT_HEADER_UNFIT,
                 "A header field that no client can send was dropped.");
        else if (!span_eq(spelling_of(fields, name), name))
            note(collection, record, out, EXPORT_HEADER_SPELLING,
                 "A repeated header field was spelled in different ways; it has one spelling here.");
    }
    if (facts.is_host_elsewhere)
        strbuf_add_str(out, "- The Host field named another host than the URL; it is kept.\n");
}

static bool has_lower_case(struct span method)
{
    for (size_t i = 0; i < method.len; i++)
        if (method.ptr[i] >= 'a' && method.ptr[i] <= 'z')
            return true;
    return false;
}

void request_notes(struct collection *collection, const struct record *record, const struct body_plan *plan,
                   struct strbuf *out)
{
    note_cookies(record, out);
    note_headers(collection, record, plan, out);
    if (has_lower_case(record->method))
        note(collection, record, out, EXPORT_METHOD_CASE, "newman sends the method in upper case.");
    if (span_eq(record->path, SPAN("*")))
        note(collection, record, out, EXPORT_ASTERISK, "The target was `*`; newman sends `/*`.");
    if (is_escaped(record->path, PATH_ESCAPED) || is_escaped(record->query, QUERY_ESCAPED))
        note(collection, record, out, EXPORT_ESCAPED,
             "A bare `#` or `\\` in the target is written as `%23` or `%5C`.");
    if (record->request_trailers.count != 0)
        note(collection, record, out, EXPORT_TRAILERS, "The request had trailers; they were dropped.");
    if (plan->content.is_undecoded)
        note(collection, record, out, EXPORT_UNDECODED,
             "The body's Content-Encoding could not be undone: it is as captured.");
}

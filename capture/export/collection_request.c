#include "capture/export/collection.h"

#include "capture/export/policy.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"

/* --- header fields ------------------------------------------------------------------------------------- */

static void init_facts(struct policy_facts *facts, const struct collection *collection,
                       const struct request *request)
{
    policy_facts_init(facts, request->record, collection->job->options->keep_browser_headers);
    facts->is_faithful = collection->is_faithful;
    facts->sends_cookies = collection->job->options->cookies == EXPORT_COOKIES_HEADER;
    facts->is_decoded = !request->body.content.is_undecoded && !request->body.is_coded;
    facts->is_multipart_rebuilt = request->body.mode == PLAN_FORMDATA;
}

static enum policy policy_of(const struct policy_facts *facts, const struct request *request,
                             const struct record_field *field)
{
    if (credential_takes_field(&request->credential, field->name))
        return POLICY_DROP;
    if (request->credential.is_spent && span_ieq(field->name, request->credential.field))
        return POLICY_SHOW;
    return policy_request(facts, field->name);
}

/* Newman keeps repeated fields only under one spelling: the first. */
static struct span spelling_of(const struct record_fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (span_ieq(fields->items[i].name, name))
            return fields->items[i].name;
    return name;
}

static void write_field(struct collection *collection, const struct request *request,
                        const struct record_field *field, bool is_disabled)
{
    struct secret_text text = secret_text_of_field(request->record, HTTP_REQUEST, field);
    struct json_out *json = &collection->json;
    struct strbuf value = STRBUF_EMPTY;
    struct hidden hidden;

    hidden_init(&hidden, collection->job->secrets, &text);
    if (!request->is_example)
        links_mark(collection->links, &text, &hidden);
    hidden_add(&hidden, field->value, text_add_latin1, &value);
    jout_open_object(json);
    jout_member_text(json, "key", spelling_of(&request->record->request_headers, field->name));
    jout_member_text(json, "value", strbuf_span(&value));
    if (is_disabled)
        jout_member_bool(json, "disabled", true);
    jout_close(json);
    hidden_clear(&hidden);
    strbuf_clear(&value);
}

static void write_headers(struct collection *collection, const struct request *request)
{
    const struct record_fields *fields = &request->record->request_headers;
    struct json_out *json = &collection->json;
    struct policy_facts facts;

    init_facts(&facts, collection, request);
    jout_key(json, "header");
    jout_open_array(json);
    for (size_t i = 0; i < fields->count; i++) {
        enum policy policy = policy_of(&facts, request, &fields->items[i]);

        if (policy != POLICY_DROP && policy_is_sendable(&fields->items[i]))
            write_field(collection, request, &fields->items[i], policy == POLICY_SHOW);
    }
    jout_close(json);
}

/* --- the request --------------------------------------------------------------------------------------- */

bool request_init(struct request *out_request, struct collection *collection, const struct record *record,
                  bool is_example, struct err *err)
{
    struct request request = { .record = record, .is_example = is_example };

    if (!body_plan_init(&request.body, collection, record, is_example, err))
        return false;
    if (!collection->is_faithful)
        credential_init(&request.credential, record, collection->job->secrets,
                        is_example ? NULL : collection->links);
    *out_request = request;
    return true;
}

void request_clear(struct request *request)
{
    body_plan_clear(&request->body);
    credential_clear(&request->credential);
}

bool request_write(struct collection *collection, struct request *request, struct err *err)
{
    struct json_out *json = &collection->json;
    uint64_t inherited = request->is_example ? 0 : collection->inherited;

    jout_open_object(json);
    /* What is spent must not be replaced by what a folder gets later on, either. */
    if (credential_hash(&request->credential) != inherited ||
        (request->credential.is_spent && !request->is_example))
        credential_write(&request->credential, json);
    jout_member_bytes(json, "method", request->record->method);
    write_headers(collection, request);
    if (!body_plan_write(&request->body, collection->job, json, err))
        return false;
    url_write(collection, request);
    jout_close(json);
    return true;
}

static bool is_pruned_method(struct span method)
{
    static const char *const methods[] = { "GET", "HEAD", "COPY", "PURGE", "UNLOCK" };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (span_ieq(method, span_of(methods[i])))
            return true;
    return false;
}

/* Fields that newman adds by itself where a request has none. */
static void write_disabled_fields(struct collection *collection, const struct request *request)
{
    static const char *const added[] = { "content-type", "cache-control",   "postman-token", "user-agent",
                                         "accept",       "accept-encoding", "connection" };
    struct json_out *json = &collection->json;
    struct policy_facts facts;

    init_facts(&facts, collection, request);
    jout_key(json, "disabledSystemHeaders");
    jout_open_object(json);
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        struct span name = span_of(added[i]), value;
        bool is_sent = record_find(&request->record->request_headers, name, &value) &&
                       policy_request(&facts, name) != POLICY_DROP;

        if (!is_sent && (i == 0 ? request->body.mode != PLAN_NONE && request->body.mode != PLAN_FORMDATA
                                : collection->is_faithful))
            jout_member_bool(json, added[i], true);
    }
    jout_close(json);
}

void request_behavior_write(struct collection *collection, const struct request *request)
{
    struct json_out *json = &collection->json;
    bool has_body = request->body.mode != PLAN_NONE;
    bool is_pruned = has_body && !collection->is_faithful && is_pruned_method(request->record->method);
    struct span type;
    bool is_untyped =
        has_body && !record_find(&request->record->request_headers, SPAN("Content-Type"), &type);
    /* Each item says so by itself: the collection's behaviour is newman's alone, Postman's editor has none.
     */
    bool is_jarless = !collection->is_faithful && collection->job->options->cookies != EXPORT_COOKIES_JAR;
    /* A test looks at the last answer, and the captured one was a redirect. */
    bool is_tested_hop = !collection->is_flat && collection->job->options->tests != EXPORT_TESTS_NONE &&
                         request->record->status / 100 == 3;

    if (!is_pruned && !is_untyped && !is_jarless && !is_tested_hop && !collection->is_faithful)
        return;
    jout_key(json, "protocolProfileBehavior");
    jout_open_object(json);
    if (is_tested_hop)
        jout_member_bool(json, "followRedirects", false);
    if (is_jarless)
        jout_member_bool(json, "disableCookies", true);
    if (is_pruned)
        jout_member_bool(json, "disableBodyPruning", true);
    if (is_untyped || collection->is_faithful)
        write_disabled_fields(collection, request);
    jout_close(json);
}

/* --- notes --------------------------------------------------------------------------------------------- */

static void note(struct collection *collection, const struct record *record, struct strbuf *out,
                 enum export_reason reason, const char *text)
{
    job_count_exchange(collection->job, reason, record);
    strbuf_printf(out, "- %s\n", text);
}

static void note_cookies(const struct collection *collection, const struct record *record, struct strbuf *out)
{
    static const char *const fates[] = {
        [EXPORT_COOKIES_JAR] = "and come from the jar",
        [EXPORT_COOKIES_HEADER] = "and are sent again",
        [EXPORT_COOKIES_NONE] = "and are not sent again",
    };
    struct secrets *secrets = collection->job->secrets;
    size_t count = 0;

    for (size_t i = 0; i < record->request_headers.count; i++) {
        struct span rest = record->request_headers.items[i].value, name, value;

        if (!span_ieq(record->request_headers.items[i].name, SPAN("Cookie")))
            continue;
        while (cookie_next(&rest, &name, &value)) {
            if (count++ == 0)
                strbuf_printf(out, "- Cookies that were sent, %s: `",
                              fates[collection->job->options->cookies]);
            else
                strbuf_add_str(out, "`, `");
            collection_add_shown(secrets, name, out);
        }
    }
    if (count != 0)
        strbuf_add_str(out, "`\n");
}

static void note_headers(struct collection *collection, const struct request *request, struct strbuf *out)
{
    const struct record *record = request->record;
    const struct record_fields *fields = &record->request_headers;
    struct policy_facts facts;

    init_facts(&facts, collection, request);
    for (size_t i = 0; i < fields->count; i++) {
        struct span name = fields->items[i].name;

        if (policy_of(&facts, request, &fields->items[i]) == POLICY_DROP)
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
    if (facts.is_host_replaced)
        strbuf_add_str(out, "- The Host field named another host than the target, which the origin got.\n");
}

static bool has_lower_case(struct span method)
{
    for (size_t i = 0; i < method.len; i++)
        if (method.ptr[i] >= 'a' && method.ptr[i] <= 'z')
            return true;
    return false;
}

/* Counted with the note of a credential, if there is one. */
static void note_signatures(struct collection *collection, const struct request *request, struct strbuf *out)
{
    const struct record_fields *fields = &request->record->request_headers;
    bool has_any = false;

    for (size_t i = 0; i < fields->count; i++) {
        if (!policy_is_signature(fields->items[i].name))
            continue;
        strbuf_add_str(out, has_any ? "`, `" : "- The client signs each request anew; not sent again: `");
        collection_add_shown(collection->job->secrets, fields->items[i].name, out);
        has_any = true;
    }
    if (!has_any)
        return;
    strbuf_add_str(out, "`\n");
    if (request->credential.note == NULL)
        job_count_exchange(collection->job, EXPORT_CREDENTIAL, request->record);
}

static void note_credential(struct collection *collection, const struct request *request, struct strbuf *out)
{
    if (request->credential.note == NULL)
        return;
    note(collection, request->record, out, EXPORT_CREDENTIAL, request->credential.note);
    collection->fill_ins.aws = collection->fill_ins.aws || request->credential.kind == CREDENTIAL_AWS;
    collection->fill_ins.digest =
        collection->fill_ins.digest || request->credential.kind == CREDENTIAL_DIGEST;
}

void request_notes(struct collection *collection, const struct request *request, struct strbuf *out)
{
    const struct record *record = request->record;

    if (!collection->is_faithful) {
        note_cookies(collection, record, out);
        note_signatures(collection, request, out);
    }
    note_credential(collection, request, out);
    note_headers(collection, request, out);
    if (has_lower_case(record->method))
        note(collection, record, out, EXPORT_METHOD_CASE, "newman sends the method in upper case.");
    if (span_eq(record->path, SPAN("*")))
        note(collection, record, out, EXPORT_ASTERISK, "The target was `*`; newman sends `/*`.");
    if (url_is_escaped(record))
        note(collection, record, out, EXPORT_ESCAPED,
             "A bare `#` or `\\` in the target is written as `%23` or `%5C`.");
    if (record->request_trailers.count != 0)
        note(collection, record, out, EXPORT_TRAILERS, "The request had trailers; they were dropped.");
    if (request->body.content.is_undecoded)
        note(collection, record, out, EXPORT_UNDECODED,
             "The body's Content-Encoding could not be undone: it is as captured.");
    if (request->body.is_masked)
        note(collection, record, out, EXPORT_BODY_MASKED,
             "The body is a file, in which masks stand for secrets.");
}

#include "capture/export/collection.h"

#include "capture/export/policy.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"
#include "proxy/http/message.h"

/* --- examples ------------------------------------------------------------------------------------------ */

const char *example_language(struct span type)
{
    if (span_ends(type, SPAN("/json")) || span_ends(type, SPAN("+json")))
        return "json";
    if (span_eq(type, SPAN("text/html")))
        return "html";
    if (span_ends(type, SPAN("/xml")) || span_ends(type, SPAN("+xml")))
        return "xml";
    if (span_ends(type, SPAN("/javascript")))
        return "javascript";
    return "text";
}

static bool is_media(struct span type)
{
    return (span_starts(type, SPAN("image/")) && !span_ends(type, SPAN("+xml"))) ||
           span_starts(type, SPAN("audio/")) || span_starts(type, SPAN("video/")) ||
           span_starts(type, SPAN("font/"));
}

/* A field's value with variables for secrets. */
static void add_value(struct collection *collection, const struct record *record,
                      const struct record_field *field, struct strbuf *out)
{
    struct secret_text text = secret_text_of_field(record, HTTP_RESPONSE, field);
    struct hidden hidden;

    hidden_init(&hidden, collection->job->secrets, &text);
    hidden_add(&hidden, field->value, NULL, out);
    hidden_clear(&hidden);
}

static void write_response_headers(struct collection *collection, const struct record *record)
{
    struct json_out *json = &collection->json;
    struct strbuf value = STRBUF_EMPTY;

    jout_key(json, "header");
    jout_open_array(json);
    for (size_t i = 0; i < record->response_headers.count; i++) {
        const struct record_field *field = &record->response_headers.items[i];

        if (policy_response(field->name) == POLICY_DROP)
            continue;
        jout_open_object(json);
        strbuf_reset(&value);
        add_value(collection, record, field, &value);
        jout_member_bytes(json, "key", field->name);
        jout_member_bytes(json, "value", strbuf_span(&value));
        jout_close(json);
    }
    jout_close(json);
    strbuf_clear(&value);
}

static void write_extension(struct json_out *json, const char *key, struct span value)
{
    jout_open_object(json);
    jout_member_str(json, "key", key);
    jout_member_bytes(json, "value", value);
    jout_close(json);
}

static void write_cookie_extensions(struct json_out *json, const struct set_cookie *cookie)
{
    static const char *const same_sites[] = {
        [SAME_SITE_NONE] = "None", [SAME_SITE_LAX] = "Lax", [SAME_SITE_STRICT] = "Strict"
    };

    if (cookie->same_site == SAME_SITE_DEFAULT && !cookie->partitioned && cookie->priority.len == 0)
        return;
    jout_key(json, "extensions");
    jout_open_array(json);
    if (cookie->same_site != SAME_SITE_DEFAULT)
        write_extension(json, "SameSite", span_of(same_sites[cookie->same_site]));
    if (cookie->priority.len != 0)
        write_extension(json, "Priority", cookie->priority);
    if (cookie->partitioned)
        write_extension(json, "Partitioned", SPAN("true"));
    jout_close(json);
}

static void write_cookie(struct json_out *json, const struct record *record, const struct set_cookie *cookie)
{
    char text[TEXT_TIME_BYTES];
    int64_t last_s = cookie->expires_s < COOKIE_LAST_SECOND ? cookie->expires_s : COOKIE_LAST_SECOND;

    jout_open_object(json);
    jout_member_bytes(json, "name", cookie->name);
    jout_member_bytes(json, "value", cookie->value);
    jout_member_bytes(json, "domain", cookie->domain.len != 0 ? cookie->domain : record->host);
    jout_member_bytes(json, "path", cookie->path.len != 0 ? cookie->path : SPAN("/"));
    if (cookie->has_expires) {
        text_time_ms(text, last_s * 1000);
        jout_member_str(json, "expires", text);
    }
    if (cookie->has_max_age) {
        snprintf(text, sizeof(text), "%lld", (long long)cookie->max_age_s);
        jout_member_str(json, "maxAge", text);
    }
    jout_member_bool(json, "secure", cookie->secure);
    jout_member_bool(json, "httpOnly", cookie->http_only);
    jout_member_bool(json, "hostOnly", cookie->domain.len == 0);
    jout_member_bool(json, "session", !cookie->has_expires && !cookie->has_max_age);
    write_cookie_extensions(json, cookie);
    jout_close(json);
}

static void write_response_cookies(struct collection *collection, const struct record *record)
{
    struct json_out *json = &collection->json;
    struct strbuf value = STRBUF_EMPTY;

    jout_key(json, "cookie");
    jout_open_array(json);
    for (size_t i = 0; i < record->response_headers.count; i++) {
        const struct record_field *field = &record->response_headers.items[i];
        struct set_cookie cookie;
        struct err
            err; /* a line that no browser takes stands among the header fields, where it can be read */

        if (!span_ieq(field->name, SPAN("Set-Cookie")))
            continue;
        strbuf_reset(&value);
        add_value(collection, record, field, &value);
        if (set_cookie_parse(strbuf_span(&value), &cookie, &err))
            write_cookie(json, record, &cookie);
    }
    jout_close(json);
    strbuf_clear(&value);
}

/* What of a response's body stands in an example, and what its name says about the rest. */
struct example {
    struct content content;
    struct span body; /* of content's front; ptr NULL: none is shown */
    struct strbuf remark;
};

static void leave_out(struct export_job *job, const struct record *record, struct example *example)
{
    char size[TEXT_SIZE_BYTES];

    text_size(size, record->response_body.bytes);
    example->body = SPAN_NONE;
    strbuf_add_str(&example->remark, " (");
    text_add_bytes(&example->remark, record->response_type.len != 0 ? record->response_type : SPAN("binary"));
    strbuf_printf(&example->remark, ", %s, not included)", size);
    job_count_exchange(job, EXPORT_EXAMPLE_LEFT_OUT, record);
}

static void cut_short(struct export_job *job, const struct record *record, struct example *example,
                      size_t max)
{
    char shown[TEXT_SIZE_BYTES], all[TEXT_SIZE_BYTES];

    text_size(shown, max);
    text_size(all, example->content.bytes);
    strbuf_printf(&example->remark, " (truncated %s", shown);
    /* Of a body with a content coding only the front was decoded: nobody knows how long it would be. */
    if (example->content.is_read || example->content.encodings.len == 0) {
        text_size(all, example->content.is_read ? example->content.bytes : record->response_body.bytes);
        strbuf_printf(&example->remark, " of %s", all);
    }
    strbuf_add_char(&example->remark, ')');
    example->body = utf8_whole(example->body);
    /* Half a JSON document is none. */
    if (span_eq(span_of(example_language(record->response_type)), SPAN("json")))
        example->body = SPAN_NONE;
    job_count_exchange(job, EXPORT_EXAMPLE_CUT, record);
}

static bool example_init(struct example *example, struct export_job *job, const struct record *record,
                         struct err *err)
{
    size_t max = (size_t)job->options->max_example_bytes;

    *example = (struct example){ .body = SPAN("") };
    if (record->response_body.bytes == 0)
        return true;
    if (is_media(record->response_type) || record->response_body.id == 0) {
        leave_out(job, record, example);
        return true;
    }
    /* What begins within and ends behind is known only by reading on. */
    if (!content_read(job->source, &record->response_body, &record->response_headers,
                      job->secrets != NULL ? max + SECRET_MATCH_MAX : max, CONTENT_FRONT, &example->content,
                      err))
        return false;
    if (!example->content.is_text || example->content.is_undecoded) {
        leave_out(job, record, example);
        return true;
    }
    if (example->content.front.len == 0)
        return true;
    example->body = span_sub(strbuf_span(&example->content.front), 0,
                             example->content.front.len < max ? example->content.front.len : max);
    if (!example->content.is_whole || example->content.front.len > max ||
        record->response_body.kept < record->response_body.bytes)
        cut_short(job, record, example, example->body.len);
    return true;
}

static void write_response_time(struct json_out *json, const struct record *record)
{
    int64_t end_us = record->times[TAP_T_RECEIVED_LAST];

    jout_key(json, "responseTime");
    if (end_us == TAP_NEVER || end_us < 0)
        jout_null(json);
    else
        jout_int(json, (end_us + 500) / 1000);
}

static void write_body(struct collection *collection, const struct record *record,
                       const struct example *example)
{
    struct json_out *json = &collection->json;
    struct secret_text text;
    struct strbuf body = STRBUF_EMPTY;
    struct hidden hidden;

    jout_key(json, "body");
    if (example->body.ptr == NULL) {
        jout_null(json);
        return;
    }
    if (example->body.len == 0) {
        jout_str(json, "");
        return;
    }
    text = secret_text_of_body(record, HTTP_RESPONSE, strbuf_span(&example->content.front));
    hidden_init(&hidden, collection->job->secrets, &text);
    hidden_add(&hidden, example->body, NULL, &body);
    jout_text(json, strbuf_span(&body));
    hidden_clear(&hidden);
    strbuf_clear(&body);
}

static bool write_response(struct collection *collection, struct request *request, const char *id,
                           struct span item_name, struct example *example, struct err *err)
{
    const struct record *record = request->record;
    struct json_out *json = &collection->json;
    struct strbuf name = STRBUF_EMPTY, reason = STRBUF_EMPTY;
    bool ok;

    if (record->reason.len != 0)
        collection_add_shown(collection->job->secrets, record->reason, &reason);
    else
        strbuf_add_str(&reason, http_reason(record->status));
    /* Mock servers choose by name: the number makes it the only one in the collection. */
    strbuf_printf(&name, "%d %s · %.*s · #%u%s", record->status, strbuf_text(&reason), SPAN_ARG(item_name),
                  record->seq, strbuf_text(&example->remark));

    jout_open_object(json);
    jout_member_str(json, "id", id);
    jout_member_text(json, "name", strbuf_span(&name));
    jout_key(json, "originalRequest");
    ok = request_write(collection, request, err);
    if (ok) {
        jout_member_text(json, "status", strbuf_span(&reason));
        jout_member_int(json, "code", record->status);
        jout_member_str(json, "_postman_previewlanguage", example_language(record->response_type));
        write_response_headers(collection, record);
        write_response_cookies(collection, record);
        write_response_time(json, record);
        jout_key(json, "timings");
        jout_null(json);
        write_body(collection, record, example);
        jout_close(json);
    }
    strbuf_clear(&name);
    strbuf_clear(&reason);
    return ok;
}

bool example_write(struct collection *collection, const struct record *record, const char *id,
                   struct span item_name, struct err *err)
{
    struct example example;
    struct request request;
    bool ok;

    if (!example_init(&example, collection->job, record, err))
        return false;
    ok = request_init(&request, collection, record, true, err);
    if (ok) {
        ok = write_response(collection, &request, id, item_name, &example, err);
        request_clear(&request);
    }
    content_clear(&example.content);
    strbuf_clear(&example.remark);
    return ok;
}

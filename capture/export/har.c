/* HAR 1.2, entry by entry. The format was made for browsers: where it has no place for something (binary
 * request bodies, errors, WebSocket messages) the names that other tools read are used. Pages come after the
 * entries, by which they are known: one pass does. */
#include "capture/export/content.h"
#include "capture/export/har_pages.h"
#include "capture/export/job.h"
#include "capture/export/json_out.h"
#include "capture/export/multipart.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"
#include "proxy/base/mem.h"
#include "proxy/http/message.h"

/* Bodies up to this size are read once, larger ones twice: to see what they are, and to write them. */
#define FRONT_BYTES (256 * 1024)

static void write_time(struct json_out *json, const char *key, int64_t unix_ms)
{
    char text[TEXT_TIME_BYTES];

    text_time_ms(text, unix_ms);
    jout_member_str(json, key, text);
}

static const char *version_name(int version)
{
    switch (version) {
    case HTTP_1_0:
        return "HTTP/1.0";
    case HTTP_1_1:
        return "HTTP/1.1";
    case HTTP_2:
        return "HTTP/2";
    default:
        return "unknown";
    }
}

static void write_pair(struct json_out *json, struct span name, struct span value)
{
    jout_open_object(json);
    jout_member_bytes(json, "name", name);
    jout_member_bytes(json, "value", value);
    jout_close(json);
}

static void write_fields(struct json_out *json, const struct record_fields *fields)
{
    jout_key(json, "headers");
    jout_open_array(json);
    for (size_t i = 0; i < fields->count; i++)
        if (!span_starts(fields->items[i].name, SPAN(":")))
            write_pair(json, fields->items[i].name, fields->items[i].value);
    jout_close(json);
}

/* --- cookies ------------------------------------------------------------------------------------------- */

static void write_sent_cookies(struct json_out *json, const struct record_fields *fields)
{
    jout_key(json, "cookies");
    jout_open_array(json);
    for (size_t i = 0; i < fields->count; i++) {
        struct span rest = fields->items[i].value, name, value;

        if (!span_ieq(fields->items[i].name, SPAN("Cookie")))
            continue;
        while (cookie_next(&rest, &name, &value))
            write_pair(json, name, value);
    }
    jout_close(json);
}

static void write_set_cookie(struct json_out *json, const struct record *record,
                             const struct set_cookie *cookie)
{
    static const char *const same_sites[] = {
        [SAME_SITE_NONE] = "None", [SAME_SITE_LAX] = "Lax", [SAME_SITE_STRICT] = "Strict"
    };
    int64_t expires =
        cookie->has_max_age ? (int64_t)(record->started_us / 1000000) + cookie->max_age_s : cookie->expires_s;

    jout_open_object(json);
    jout_member_bytes(json, "name", cookie->name);
    jout_member_bytes(json, "value", cookie->value);
    if (cookie->path.len != 0)
        jout_member_bytes(json, "path", cookie->path);
    if (cookie->domain.len != 0)
        jout_member_bytes(json, "domain", cookie->domain);
    if (cookie->has_expires || cookie->has_max_age)
        write_time(json, "expires",
                   (expires < 0                    ? 0
                    : expires < COOKIE_LAST_SECOND ? expires
                                                   : COOKIE_LAST_SECOND) *
                       1000);
    jout_member_bool(json, "httpOnly", cookie->http_only);
    jout_member_bool(json, "secure", cookie->secure);
    if (cookie->same_site != SAME_SITE_DEFAULT)
        jout_member_str(json, "sameSite", same_sites[cookie->same_site]);
    jout_close(json);
}

static void write_set_cookies(struct json_out *json, const struct record *record)
{
    const struct record_fields *fields = &record->response_headers;

    jout_key(json, "cookies");
    jout_open_array(json);
    for (size_t i = 0; i < fields->count; i++) {
        struct set_cookie cookie;
        struct err err; /* a line that no browser takes still stands among the header fields */

        if (span_ieq(fields->items[i].name, SPAN("Set-Cookie")) &&
            set_cookie_parse(fields->items[i].value, &cookie, &err))
            write_set_cookie(json, record, &cookie);
    }
    jout_close(json);
}

/* --- bodies -------------------------------------------------------------------------------------------- */

static bool put_text(void *self, struct span bytes, struct err *err)
{
    (void)err;
    jout_string_text(self, bytes);
    return true;
}

static bool put_base64(void *self, struct span bytes, struct err *err)
{
    (void)err;
    jout_string_base64(self, bytes);
    return true;
}

/* The member "text", as text where it is some. */
static bool write_text(struct json_out *json, const struct export_source *source,
                       const struct content *content, struct err *err)
{
    bool ok;

    jout_key(json, "text");
    jout_string_begin(json);
    ok = content_stream(source, content, content->is_text ? put_text : put_base64, json, err);
    jout_string_end(json);
    return ok;
}

/* What a reader would else take for all of it, or for what was said. */
static void note_faults(struct export_job *job, struct json_out *json, const struct record *record,
                        const struct record_body *body, const struct content *content)
{
    struct strbuf text = STRBUF_EMPTY;

    if (body->kept < body->bytes) {
        strbuf_printf(&text, "the first %llu of %llu bytes were kept", (unsigned long long)body->kept,
                      (unsigned long long)body->bytes);
        job_count_exchange(job, EXPORT_BODY_CUT, record);
    }
    if (content->is_undecoded) {
        strbuf_add_str(&text, text.len != 0 ? "; " : "");
        strbuf_add_str(&text, "as captured: its Content-Encoding could not be undone");
        job_count_exchange(job, EXPORT_UNDECODED, record);
    }
    if (text.len != 0)
        jout_member_bytes(json, "comment", strbuf_span(&text));
    strbuf_clear(&text);
}

/* Messages with lengths before them, whatever their bytes look like. gRPC-Web has a form that is text. */
static bool is_grpc(struct span type)
{
    return span_starts(type, SPAN("application/grpc")) &&
           !span_starts(type, SPAN("application/grpc-web-text"));
}

static void write_form_params(struct json_out *json, struct span body)
{
    struct strbuf name = STRBUF_EMPTY, value = STRBUF_EMPTY;
    struct span pair;

    while (span_split(&body, '&', &pair)) {
        size_t equals = span_find(pair, '=');

        text_form_decode(&name, span_sub(pair, 0, equals));
        text_form_decode(&value, equals < pair.len ? span_from(pair, equals + 1) : SPAN_NONE);
        write_pair(json, strbuf_span(&name), strbuf_span(&value));
    }
    strbuf_clear(&name);
    strbuf_clear(&value);
}

static void write_part_param(struct json_out *json, const struct multipart_part *part)
{
    jout_open_object(json);
    jout_member_bytes(json, "name", part->name);
    if (part->file_name.ptr == NULL)
        jout_member_bytes(json, "value", part->value);
    else
        jout_member_bytes(json, "fileName", part->file_name);
    if (part->type.ptr != NULL)
        jout_member_bytes(json, "contentType", part->type);
    jout_close(json);
}

static void write_multipart_params(struct json_out *json, struct span type, struct span body)
{
    struct multipart_part *parts = mem_array(struct multipart_part, MULTIPART_MAX_PARTS);
    struct strbuf boundary = STRBUF_EMPTY;
    size_t count;

    if (text_parameter(type, SPAN("boundary"), &boundary) &&
        multipart_parse(body, strbuf_span(&boundary), parts, MULTIPART_MAX_PARTS, &count))
        for (size_t i = 0; i < count; i++)
            write_part_param(json, &parts[i]);
    strbuf_clear(&boundary);
    mem_free(parts);
}

/* The bytes are written as they were sent, with their content coding: the header fields beside them say
 * which. */
static bool write_post_data(struct export_job *job, struct json_out *json, const struct record *record,
                            struct err *err)
{
    const struct record_fields no_fields = { NULL, 0 };
    struct span type = SPAN("");
    struct content content;
    bool ok;

    if (record->request_body.bytes == 0)
        return true;
    if (!content_read(job->source, &record->request_body, &no_fields, FRONT_BYTES, CONTENT_ALL, &content,
                      err))
        return false;
    content.is_text = content.is_text && !is_grpc(record->request_type);
    record_find(&record->request_headers, SPAN("Content-Type"), &type);
    jout_key(json, "postData");
    jout_open_object(json);
    jout_member_bytes(json, "mimeType", type);
    jout_key(json, "params");
    jout_open_array(json);
    if (content.is_whole && span_eq(record->request_type, SPAN("application/x-www-form-urlencoded")))
        write_form_params(json, strbuf_span(&content.front));
    else if (content.is_whole && span_eq(record->request_type, SPAN("multipart/form-data")))
        write_multipart_params(json, type, strbuf_span(&content.front));
    jout_close(json);
    ok = write_text(json, job->source, &content, err);
    if (!content.is_text) {
        jout_member_str(json, "encoding", "base64");
        jout_member_str(json, "_encoding", "base64");
    }
    note_faults(job, json, record, &record->request_body, &content);
    jout_close(json);
    content_clear(&content);
    return ok;
}

static bool write_content(struct export_job *job, struct json_out *json, const struct record *record,
                          struct err *err)
{
    struct span type = SPAN("x-unknown");
    struct content content;
    bool ok = true;

    if (!content_read(job->source, &record->response_body, &record->response_headers, FRONT_BYTES,
                      CONTENT_ALL, &content, err))
        return false;
    content.is_text = content.is_text && !is_grpc(record->response_type);
    record_find(&record->response_headers, SPAN("Content-Type"), &type);
    jout_key(json, "content");
    jout_open_object(json);
    jout_member_int(json, "size", (int64_t)(content.body != 0 ? content.bytes : record->response_body.bytes));
    if (content.encodings.len != 0)
        jout_member_int(json, "compression", (int64_t)content.bytes - (int64_t)record->response_body.bytes);
    jout_member_bytes(json, "mimeType", type);
    if (content.body != 0) {
        ok = write_text(json, job->source, &content, err);
        if (!content.is_text)
            jout_member_str(json, "encoding", "base64");
    }
    note_faults(job, json, record, &record->response_body, &content);
    jout_close(json);
    content_clear(&content);
    return ok;
}

static bool is_websocket(const struct record *record)
{
    struct span upgrade;

    return span_ieq(record->protocol, SPAN("websocket")) ||
           (record->status == 101 && record_find(&record->request_headers, SPAN("Upgrade"), &upgrade) &&
            span_ieq(upgrade, SPAN("websocket")));
}

/* --- request, response, timings ------------------------------------------------------------------------ */

static void write_query_string(struct json_out *json, struct span query)
{
    struct span pair;

    jout_key(json, "queryString");
    jout_open_array(json);
    while (span_split(&query, '&', &pair)) {
        size_t equals = span_find(pair, '=');
        write_pair(json, span_sub(pair, 0, equals),
                   equals < pair.len ? span_from(pair, equals + 1) : SPAN_NONE);
    }
    jout_close(json);
}

/* A WebSocket in a stream of HTTP/2 (RFC 8441) is asked for by GET, as browsers say it in their archives,
 * too: readers of HARs know no CONNECT. */
static bool write_request(struct export_job *job, struct json_out *json, const struct record *record,
                          struct err *err)
{
    struct strbuf url = STRBUF_EMPTY;
    bool ok;

    record_add_url(record, &url);
    jout_key(json, "request");
    jout_open_object(json);
    jout_member_bytes(json, "method", is_websocket(record) ? SPAN("GET") : record->method);
    jout_member_bytes(json, "url", strbuf_span(&url));
    jout_member_str(json, "httpVersion", version_name(record->request_version));
    write_sent_cookies(json, &record->request_headers);
    write_fields(json, &record->request_headers);
    write_query_string(json, record->query);
    ok = write_post_data(job, json, record, err);
    jout_member_int(json, "headersSize", -1);
    jout_member_int(json, "bodySize", (int64_t)record->request_body.bytes);
    jout_close(json);
    strbuf_clear(&url);
    return ok;
}

static bool write_response(struct export_job *job, struct json_out *json, const struct record *record,
                           struct err *err)
{
    struct span location = SPAN("");
    bool ok;

    record_find(&record->response_headers, SPAN("Location"), &location);
    jout_key(json, "response");
    jout_open_object(json);
    jout_member_int(json, "status", record->status);
    if (record->reason.len != 0)
        jout_member_bytes(json, "statusText", record->reason);
    else
        jout_member_str(json, "statusText", http_reason(record->status));
    jout_member_str(json, "httpVersion", version_name(record->response_version));
    write_set_cookies(json, record);
    write_fields(json, &record->response_headers);
    ok = write_content(job, json, record, err);
    jout_member_bytes(json, "redirectURL", location);
    jout_member_int(json, "headersSize", -1);
    jout_member_int(json, "bodySize", record->status != 0 ? (int64_t)record->response_body.bytes : -1);
    if (record->error.len != 0)
        jout_member_bytes(json, "_error", record->error);
    jout_close(json);
    return ok;
}

/* Milliseconds between two times; -1 when one is missing, or both were before this exchange. */
static double between(const struct record *record, enum tap_time from, enum tap_time to)
{
    int64_t begin = record->times[from], end = record->times[to];

    if (begin == TAP_NEVER || end == TAP_NEVER || begin < 0 || end < begin)
        return -1;
    return (double)(end - begin) / 1000;
}

static double at_least_0(double value)
{
    return value > 0 ? value : 0;
}

static void write_timings(struct json_out *json, const struct record *record)
{
    bool is_tls = record->times[TAP_T_TLS_END] != TAP_NEVER;
    double dns = between(record, TAP_T_DNS_START, TAP_T_DNS_END);
    double ssl = between(record, TAP_T_TLS_START, TAP_T_TLS_END);
    double connect = between(record, TAP_T_CONNECT_START, is_tls ? TAP_T_TLS_END : TAP_T_CONNECT_END);
    double send = at_least_0(between(record, TAP_T_SENT_FIRST, TAP_T_SENT_LAST));
    double wait = at_least_0(between(record, TAP_T_SENT_LAST, TAP_T_RECEIVED_FIRST));
    double receive = at_least_0(between(record, TAP_T_RECEIVED_FIRST, TAP_T_RECEIVED_LAST));
    double sent_first =
        record->times[TAP_T_SENT_FIRST] != TAP_NEVER ? (double)record->times[TAP_T_SENT_FIRST] / 1000 : 0;
    double blocked = at_least_0(sent_first - at_least_0(dns) - at_least_0(connect));
    struct {
        const char *key;
        double value;
    } rows[] = { { "blocked", blocked }, { "dns", dns },   { "connect", connect }, { "ssl", ssl },
                 { "send", send },       { "wait", wait }, { "receive", receive } };

    jout_key(json, "time");
    jout_double(json, blocked + at_least_0(dns) + at_least_0(connect) + send + wait + receive);
    jout_key(json, "timings");
    jout_open_object(json);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jout_key(json, rows[i].key);
        jout_double(json, rows[i].value);
    }
    jout_close(json);
}

/* Up to the last ':'; empty when there is none. */
static struct span address_host(struct span address)
{
    size_t end = address.len;

    while (end > 0 && address.ptr[end - 1] != ':')
        end--;
    return span_sub(address, 0, end > 0 ? end - 1 : 0);
}

/* "192.0.2.1:443" and "[2001:db8::1]:443" without brackets and port. */
static void write_address(struct json_out *json, struct span address)
{
    struct span host = address_host(address);

    if (host.len >= 2 && host.ptr[0] == '[')
        host = span_sub(host, 1, host.len - 2);
    if (host.len != 0)
        jout_member_text(json, "serverIPAddress", host);
}

/* The port of the client's connection, which tells it from others. */
static void write_connection(struct json_out *json, struct span address)
{
    struct span host = address_host(address);

    if (host.len != 0)
        jout_member_text(json, "connection", span_from(address, host.len + 1));
}

/* --- WebSocket messages -------------------------------------------------------------------------------- */

struct socket {
    struct json_out *json;
    int close_code;       /* the first one; 0: none yet */
    struct strbuf faults; /* what broke the protocol */
};

/* RFC 6455 §11.8; 0: no message of a WebSocket. */
static int opcode_of(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_TEXT:
        return 1;
    case MESSAGE_BINARY:
        return 2;
    case MESSAGE_CLOSE:
        return 8;
    case MESSAGE_PING:
        return 9;
    case MESSAGE_PONG:
        return 10;
    default:
        return 0;
    }
}

static void write_data(struct json_out *json, const struct record_message *message)
{
    bool is_text = message->kind != MESSAGE_BINARY && (message->flags & RECORD_MESSAGE_UNDECODED) == 0;
    const char *comment = message->payload.ptr == NULL                       ? "its data was not kept"
                          : (message->flags & RECORD_MESSAGE_TRUNCATED) != 0 ? "only its beginning was kept"
                          : (message->flags & RECORD_MESSAGE_INCOMPLETE) != 0
                              ? "the connection ended before it did"
                          : (message->flags & RECORD_MESSAGE_UNDECODED) != 0
                              ? "compressed, as captured: it could not be decoded"
                              : NULL;

    if (is_text) {
        jout_member_bytes(json, "data", message->payload);
    } else {
        jout_key(json, "data");
        jout_base64(json, message->payload);
    }
    if (comment != NULL)
        jout_member_str(json, "comment", comment);
}

static bool write_message(void *self, const struct record_message *message, struct err *err)
{
    struct socket *socket = self;
    struct json_out *json = socket->json;
    int opcode = opcode_of(message->kind);
    char seconds[32];

    (void)err; /* the stream's error is looked at when everything is written */
    if (opcode == 0) {
        strbuf_add_str(&socket->faults, socket->faults.len != 0 ? "; " : "");
        strbuf_add(&socket->faults, message->payload);
        return true;
    }
    if (socket->close_code == 0)
        socket->close_code = message->close_code;
    snprintf(seconds, sizeof(seconds), "%llu.%06u", (unsigned long long)(message->time_us / 1000000),
             (unsigned)(message->time_us % 1000000));
    jout_open_object(json);
    jout_member_str(json, "type", message->direction == HTTP_REQUEST ? "send" : "receive");
    jout_key(json, "time");
    jout_raw(json, seconds);
    jout_member_int(json, "opcode", opcode);
    write_data(json, message);
    jout_close(json);
    return true;
}

static bool write_socket(struct export_job *job, struct json_out *json, const struct record *record,
                         struct err *err)
{
    struct socket socket = { .json = json };
    bool ok;

    if (!is_websocket(record))
        return true;
    jout_member_str(json, "_resourceType", "websocket");
    jout_key(json, "_webSocketMessages");
    jout_open_array(json);
    ok = record->messages == 0 ||
         job->source->messages(job->source->self, record->seq, write_message, &socket, err);
    jout_close(json);
    if (socket.close_code != 0) {
        jout_key(json, "_webSocketClose");
        jout_open_object(json);
        jout_member_int(json, "code", socket.close_code);
        jout_close(json);
    }
    if (socket.faults.len != 0)
        jout_member_bytes(json, "comment", strbuf_span(&socket.faults));
    strbuf_clear(&socket.faults);
    return ok;
}

/* --- entries ------------------------------------------------------------------------------------------- */

static bool write_entry(struct export_job *job, struct json_out *json, const struct record *record,
                        uint32_t page, struct err *err)
{
    char page_id[HAR_PAGE_ID_BYTES];

    jout_open_object(json);
    write_time(json, "startedDateTime", (int64_t)(record->started_us / 1000));
    if (page != 0) {
        har_pages_id(page, page_id);
        jout_member_str(json, "pageref", page_id);
    }
    if (!write_request(job, json, record, err) || !write_response(job, json, record, err))
        return false;
    jout_key(json, "cache");
    jout_open_object(json);
    jout_close(json);
    write_timings(json, record);
    write_address(json, record->origin_addr);
    write_connection(json, record->client_addr);
    if (!write_socket(job, json, record, err))
        return false;
    jout_member_int(json, "_exchange", record->seq);
    jout_close(json);
    return true;
}

static bool write_entries(struct export_job *job, struct json_out *json, struct har_pages *pages,
                          struct err *err)
{
    const struct export_source *source = job->source;
    const struct record *record;

    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        job->report->considered++;
        if (record_is_tunnel(record)) {
            job_count_exchange(job, EXPORT_TUNNEL, record);
            continue;
        }
        if (!write_entry(job, json, record, har_pages_add(pages, record), err))
            return false;
        job->report->written++;
    }
}

bool export_har(struct export_job *job, struct err *err)
{
    struct har_pages *pages = har_pages_new();
    struct json_out json;
    bool ok;

    jout_init(&json, job->out);
    jout_open_object(&json);
    jout_key(&json, "log");
    jout_open_object(&json);
    jout_member_str(&json, "version", "1.2");
    jout_key(&json, "creator");
    jout_open_object(&json);
    jout_member_str(&json, "name", "weir");
    jout_member_str(&json, "version", WEIR_VERSION);
    jout_close(&json);
    jout_key(&json, "entries");
    jout_open_array(&json);
    ok = write_entries(job, &json, pages, err);
    if (ok) {
        jout_close(&json);
        har_pages_write(pages, &json);
        jout_close(&json);
        jout_close(&json);
        jout_end_document(&json);
    }
    har_pages_free(pages);
    return ok;
}

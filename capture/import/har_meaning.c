/* What an entry means. Tools agree on the names and differ in the rest: what is missing is taken from where
 * else it stands, and what is said twice from where it is nearer to the wire. */
#include <math.h>
#include <stdio.h>

#include "capture/import/har_entry.h"
#include "capture/import/har_text.h"
#include "capture/import/json_value.h"
#include "capture/splitter.h"
#include "proxy/base/base64.h"

/* For parts of a form whose type names no boundary. */
#define BOUNDARY "weir-form-boundary"

static struct span shortened(const struct strbuf *text)
{
    struct span span = strbuf_span(text);

    return span_sub(span, 0, span.len < 80 ? span.len : 80);
}

/* --- request and response ------------------------------------------------------------------------------ */

static enum http_version version_of(struct har_entry *entry, const struct har_side *side,
                                    enum http_version otherwise)
{
    enum http_version version = otherwise;
    bool is_3 = false;

    if (!har_version(strbuf_span(&side->version), &version, &is_3) && side->has_pseudo)
        version = HTTP_2;
    if (is_3 && side == &entry->sides[HTTP_REQUEST])
        import_count(entry->job, IMPORT_HTTP_3, "%.*s", SPAN_ARG(shortened(&entry->url)));
    return version;
}

/* A WebSocket in a stream of HTTP/2 (RFC 8441), which archives have as a GET: nothing else there has
 * messages. */
static void restore_websocket_stream(const struct har_entry *entry, struct past *past)
{
    struct err err; /* the same URL has just been taken */

    if (entry->messages_at != 0 && past->request->version == HTTP_2 && entry->status != 101 &&
        past_set_request(past, SPAN("CONNECT"), strbuf_span(&entry->url), &err))
        past->request->protocol = SPAN("websocket");
}

static bool set_request(struct har_entry *entry, struct past *past)
{
    const struct strbuf *method = entry->method.len != 0 ? &entry->method : &entry->pseudo_method;
    struct span named;
    struct err err;

    if (!entry->sides[HTTP_REQUEST].is_there || method->len == 0 || entry->url.len == 0) {
        import_count(entry->job, IMPORT_NO_EXCHANGE, "entry %llu", (unsigned long long)entry->number);
        return false;
    }
    if (!past_set_request(past, strbuf_span(method), strbuf_span(&entry->url), &err)) {
        import_count(entry->job, err.code == ERR_PROTO ? IMPORT_NOT_HTTP : IMPORT_BAD_URL, "%.*s",
                     SPAN_ARG(shortened(&entry->url)));
        return false;
    }
    past->request->version = version_of(entry, &entry->sides[HTTP_REQUEST], HTTP_1_1);
    restore_websocket_stream(entry, past);
    named = strbuf_span(&entry->authority);
    if (named.len != 0 || headers_find(&entry->sides[HTTP_REQUEST].headers, SPAN("Host"), &named))
        past_prefer_named_host(past, named);
    return true;
}

static bool has_field(const struct headers *headers, struct span name)
{
    return headers_next(headers, name, 0) < headers->count;
}

static void move_fields(struct headers *from, struct headers *to)
{
    headers_clear(to);
    *to = *from;
    memset(from, 0, sizeof *from);
}

/* The type that stands beside the body, where all fields were taken out of the file. */
static void add_type(struct har_entry *entry, struct headers *headers, const struct strbuf *type)
{
    if (headers->count == 0 && type->len != 0 && !span_eq(strbuf_span(type), SPAN("x-unknown")))
        past_add_field(entry->job, headers, SPAN("Content-Type"), strbuf_span(type));
}

static void set_request_fields(struct har_entry *entry, struct past *past)
{
    struct har_side *side = &entry->sides[HTTP_REQUEST];

    add_type(entry, &side->headers, &side->type);
    if (side->cookies.len != 0 && !has_field(&side->headers, SPAN("Cookie")))
        past_add_field(entry->job, &side->headers, SPAN("Cookie"), strbuf_span(&side->cookies));
    move_fields(&side->headers, &past->request->headers);
}

static void set_response(struct har_entry *entry, struct past *past)
{
    struct har_side *side = &entry->sides[HTTP_RESPONSE];

    past_set_response(past, (int)entry->status, strbuf_span(&entry->status_text));
    past->response->version = version_of(entry, side, past->request->version);
    add_type(entry, &side->headers, &side->type);
    if (!has_field(&side->headers, SPAN("Set-Cookie")))
        for (size_t i = 0; i < side->set_cookies.count; i++)
            past_add_field(entry->job, &side->headers, headers_name(&side->set_cookies, i),
                           headers_value(&side->set_cookies, i));
    move_fields(&side->headers, &past->response->headers);
    if (entry->status == 101)
        past->flags |= TAP_UPGRADED;
}

/* --- bodies -------------------------------------------------------------------------------------------- */

static void set_text_body(const struct har_side *side, struct past_body *body)
{
    if (side->text_at == 0)
        return;
    body->kind = span_ieq(strbuf_span(&side->body_encoding), SPAN("base64")) ? PAST_BASE64 : PAST_TEXT;
    body->offset = side->text_at;
    body->may_be_decoded = true;
}

struct form {
    struct strbuf *out;
    struct strbuf name, value, file_name, type;
    struct span boundary; /* SPAN_NONE: urlencoded */
    uint64_t fields;
};

static bool read_param_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct form *form = self;

    if (span_eq(key, SPAN("name")))
        return json_value_text(json, token, &form->name);
    if (span_eq(key, SPAN("value")))
        return json_value_text(json, token, &form->value);
    if (span_eq(key, SPAN("fileName")))
        return json_value_text(json, token, &form->file_name);
    if (span_eq(key, SPAN("contentType")))
        return json_value_text(json, token, &form->type);
    return json_in_skip(json, token);
}

static bool read_param(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct form *form = self;

    (void)key;
    strbuf_reset(&form->name);
    strbuf_reset(&form->value);
    strbuf_reset(&form->file_name);
    strbuf_reset(&form->type);
    if (!json_value_object(json, token, read_param_member, form))
        return false;
    form->fields++;
    if (form->boundary.len != 0)
        har_add_part(form->out, form->boundary, strbuf_span(&form->name), strbuf_span(&form->value),
                     strbuf_span(&form->file_name), strbuf_span(&form->type));
    else
        har_add_form_field(form->out, strbuf_span(&form->name), strbuf_span(&form->value));
    return true;
}

/* A form of which the file has the fields and not the text. */
static void set_form_body(struct har_entry *entry, const struct past *past, struct past_body *body)
{
    struct json_in *json = json_in_new(entry->job->input);
    struct form form = { .out = &body->bytes };
    struct strbuf *texts[] = { &form.name, &form.value, &form.file_name, &form.type };
    struct span type = strbuf_span(&entry->sides[HTTP_REQUEST].type), field;

    if (headers_find(&past->request->headers, SPAN("Content-Type"), &field))
        type = field;
    if (span_istarts(type, SPAN("multipart/"))) {
        form.boundary = har_boundary(type);
        form.boundary = form.boundary.len != 0 ? form.boundary : SPAN(BOUNDARY);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        strbuf_init(texts[i], 16 * PAST_TEXT_BYTES);
    json_in_seek(json, entry->params_at, 1);
    json_value_array(json, json_in_next(json), read_param, &form); /* was read once, and is sound */
    if (form.fields != 0 && form.boundary.len != 0)
        har_end_parts(form.out, form.boundary);
    if (form.fields != 0) {
        body->kind = PAST_BYTES;
        import_count(entry->job, IMPORT_FORM_REMADE, "%.*s", SPAN_ARG(shortened(&entry->url)));
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        strbuf_clear(texts[i]);
    json_in_free(json);
}

static void note_missing(struct har_entry *entry, enum http_role role, struct past_body *body)
{
    double size = entry->sides[role].size;

    if (body->kind != PAST_NO_BODY || !(size >= 1 && size < 1e15))
        return;
    body->missing = (uint64_t)size;
    import_count(entry->job, IMPORT_NO_BODY, "%s of %.*s", role == HTTP_REQUEST ? "request" : "response",
                 SPAN_ARG(shortened(&entry->url)));
}

static void set_bodies(struct har_entry *entry, struct past *past)
{
    struct past_body *request = &past->bodies[HTTP_REQUEST];

    set_text_body(&entry->sides[HTTP_REQUEST], request);
    if (request->kind == PAST_NO_BODY && entry->params_at != 0)
        set_form_body(entry, past, request);
    note_missing(entry, HTTP_REQUEST, request);
    if (past->response == NULL)
        return;
    set_text_body(&entry->sides[HTTP_RESPONSE], &past->bodies[HTTP_RESPONSE]);
    if (!span_eq(past->request->method, SPAN("HEAD")) && entry->status != 304)
        note_missing(entry, HTTP_RESPONSE, &past->bodies[HTTP_RESPONSE]);
}

/* --- times --------------------------------------------------------------------------------------------- */

static int64_t us_of(double ms)
{
    return ms > 0 && ms < 1e12 ? llround(ms * 1000) : 0;
}

/* The phases one after the other; "connect" has "ssl" inside it. */
static void set_times(const struct har_entry *entry, struct past *past)
{
    const double *ms = entry->timings;
    int64_t connect = us_of(ms[HAR_CONNECT]), ssl = us_of(ms[HAR_SSL]), at = us_of(ms[HAR_BLOCKED]);

    if (ms[HAR_DNS] >= 0) {
        past->times[TAP_T_DNS_START] = at;
        past->times[TAP_T_DNS_END] = at += us_of(ms[HAR_DNS]);
    }
    if (ms[HAR_CONNECT] >= 0 || ssl > 0) {
        past->times[TAP_T_CONNECT_START] = at;
        past->times[TAP_T_CONNECT_END] = at + (connect > ssl ? connect - ssl : 0);
        if (ms[HAR_SSL] >= 0) {
            past->times[TAP_T_TLS_START] = past->times[TAP_T_CONNECT_END];
            past->times[TAP_T_TLS_END] = past->times[TAP_T_CONNECT_END] + ssl;
        }
        at += connect > ssl ? connect : ssl;
    }
    past->times[TAP_T_SENT_FIRST] = at;
    past->times[TAP_T_SENT_LAST] = at += us_of(ms[HAR_SEND]);
    if (past->response != NULL) {
        bool has_only_total = ms[HAR_WAIT] < 0 && ms[HAR_RECEIVE] < 0 && us_of(entry->time) > at;
        at = has_only_total ? us_of(entry->time) : at + us_of(ms[HAR_WAIT]);
        past->times[TAP_T_RECEIVED_FIRST] = at;
        past->times[TAP_T_RECEIVED_LAST] = at += us_of(ms[HAR_RECEIVE]);
    }
    past->times[TAP_T_DONE] = at;
}

static void set_start(struct har_entry *entry, struct past *past)
{
    if (har_time(strbuf_span(&entry->started), &past->started_us))
        return;
    past->started_us = entry->job->now_us;
    import_count(entry->job, IMPORT_NO_TIME, "%.*s", SPAN_ARG(shortened(&entry->url)));
}

/* "192.0.2.1", "[2001:db8::1]", "2001:db8::1". */
static void set_address(const struct har_entry *entry, struct past *past)
{
    struct span address = strbuf_span(&entry->address);
    const char *host;
    struct strbuf text = STRBUF_EMPTY;

    if (address.len >= 2 && address.ptr[0] == '[')
        address = span_sub(address, 1, span_find(span_from(address, 1), ']'));
    strbuf_add(&text, address);
    host = strbuf_text(&text);
    if (url_host_is_ip(host))
        snprintf(past->origin_addr, sizeof past->origin_addr, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                 host, past->port);
    strbuf_clear(&text);
}

/* --- messages ------------------------------------------------------------------------------------------ */

struct chatting {
    struct har_entry *entry;
    struct past *past;
    struct strbuf type, text, bytes;
    uint64_t text_len, number;
    double opcode, time;
};

static bool add_message_text(void *self, struct span text)
{
    struct chatting *chatting = self;
    size_t room = chatting->text.limit - chatting->text.len;

    chatting->text_len += text.len;
    strbuf_add(&chatting->text, span_sub(text, 0, text.len < room ? text.len : room));
    return true;
}

static bool read_message_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct chatting *chatting = self;

    if (span_eq(key, SPAN("type")))
        return json_value_text(json, token, &chatting->type);
    if (span_eq(key, SPAN("time")))
        return json_value_number(json, token, &chatting->time);
    if (span_eq(key, SPAN("opcode")))
        return json_value_number(json, token, &chatting->opcode);
    if (span_eq(key, SPAN("data")) && token == JSON_IN_STRING)
        return json_in_string(json, add_message_text, chatting);
    return json_in_skip(json, token);
}

static bool kind_of_opcode(double opcode, enum message_kind *out_kind)
{
    static const struct {
        int opcode;
        enum message_kind kind;
    } rows[] = { { 1, MESSAGE_TEXT },
                 { 2, MESSAGE_BINARY },
                 { 8, MESSAGE_CLOSE },
                 { 9, MESSAGE_PING },
                 { 10, MESSAGE_PONG } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (opcode == rows[i].opcode) {
            *out_kind = rows[i].kind;
            return true;
        }
    }
    return false;
}

/* Seconds since 1970, with some tools milliseconds. */
static uint64_t message_us(const struct chatting *chatting)
{
    double seconds = chatting->time > 1e11 ? chatting->time / 1000 : chatting->time;

    return seconds > 0 && seconds < 1e11 ? (uint64_t)llround(seconds * 1e6) : chatting->past->started_us;
}

static void tell_message(struct chatting *chatting)
{
    struct message message = { .payload = strbuf_span(&chatting->text), .size = chatting->text_len };
    struct span type = strbuf_span(&chatting->type);
    bool is_sent = span_eq(type, SPAN("send")) || span_eq(type, SPAN("request"));
    bool is_received = span_eq(type, SPAN("receive")) || span_eq(type, SPAN("response"));

    if ((!is_sent && !is_received) || !kind_of_opcode(chatting->opcode, &message.kind)) {
        import_count(chatting->entry->job, IMPORT_BAD_MESSAGE, "message %llu of %.*s",
                     (unsigned long long)chatting->number, SPAN_ARG(shortened(&chatting->entry->url)));
        return;
    }
    strbuf_reset(&chatting->bytes);
    message.is_truncated = chatting->text_len > chatting->text.len;
    if (message.kind == MESSAGE_BINARY) {
        size_t whole = message.is_truncated ? message.payload.len / 4 * 4 : message.payload.len;
        if (base64_read(&chatting->bytes, span_sub(message.payload, 0, whole))) {
            message.payload = strbuf_span(&chatting->bytes);
            message.size = message.is_truncated ? chatting->text_len / 4 * 3 : message.payload.len;
        }
    }
    message.wire_size = message.size;
    if (message.kind == MESSAGE_CLOSE && chatting->entry->close_code >= 1000)
        message.close_code = (uint16_t)chatting->entry->close_code;
    past_message(chatting->past, &message, is_sent ? HTTP_REQUEST : HTTP_RESPONSE, message_us(chatting));
}

static bool read_message(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct chatting *chatting = self;

    (void)key;
    strbuf_reset(&chatting->type);
    strbuf_reset(&chatting->text);
    chatting->text_len = 0;
    chatting->opcode = 1;
    chatting->time = 0;
    chatting->number++;
    if (!json_value_object(json, token, read_message_member, chatting))
        return false;
    tell_message(chatting);
    return true;
}

static void tell_messages(struct past *past, void *self)
{
    struct har_entry *entry = self;
    struct json_in *json = json_in_new(entry->job->input);
    struct chatting chatting = { .entry = entry, .past = past };

    strbuf_init(&chatting.type, 64);
    strbuf_init(&chatting.text, SPLITTER_PAYLOAD_BYTES / 3 * 4 + 4);
    json_in_seek(json, entry->messages_at, 1);
    json_value_array(json, json_in_next(json), read_message, &chatting); /* was read once, and is sound */
    strbuf_clear(&chatting.type);
    strbuf_clear(&chatting.text);
    strbuf_clear(&chatting.bytes);
    json_in_free(json);
}

/* ------------------------------------------------------------------------------------------------------- */

void har_entry_tell(struct har_entry *entry)
{
    struct past past;

    past_init(&past);
    if (set_request(entry, &past)) {
        set_request_fields(entry, &past);
        if (entry->status >= 100 && entry->status <= 999)
            set_response(entry, &past);
        strbuf_add(&past.error, strbuf_span(&entry->error));
        if (past.response == NULL && past.error.len == 0)
            strbuf_add_str(&past.error, "the file has no response");
        set_start(entry, &past);
        set_bodies(entry, &past);
        set_times(entry, &past);
        set_address(entry, &past);
        if (entry->messages_at != 0) {
            past.messages = tell_messages;
            past.messages_self = entry;
        }
        past_tell(entry->job, &past);
    }
    past_clear(&past);
}

/* Every exchange as an object of its own line. Members are called, and mean, what they do in `weir show
 * --json`, but that bodies are never cut. A body that does not decode is there as it was captured, and
 * "encoded" says so. */
#include <jansson.h>

#include "capture/export/content.h"
#include "capture/export/job.h"
#include "capture/export/json_out.h"
#include "capture/export/text.h"
#include "proxy/base/utf8.h"
#include "proxy/http/message.h"

/* Bodies up to this size are read once, larger ones twice: to see what they are, and to write them. */
#define FRONT_BYTES (256 * 1024)

static void write_fields(struct json_out *json, const char *key, const struct record_fields *fields)
{
    jout_key(json, key);
    jout_open_array(json);
    for (size_t i = 0; i < fields->count; i++) {
        jout_open_array(json);
        jout_bytes(json, fields->items[i].name);
        jout_bytes(json, fields->items[i].value);
        jout_close(json);
    }
    jout_close(json);
}

static bool put_text(void *self, struct span bytes, struct err *err)
{
    (void)err; /* the stream's error is looked at when everything is written */
    jout_string_text(self, bytes);
    return true;
}

static bool put_base64(void *self, struct span bytes, struct err *err)
{
    (void)err;
    jout_string_base64(self, bytes);
    return true;
}

static bool write_body(struct export_job *job, struct json_out *json, const char *key,
                       const struct record *record, const struct record_body *body,
                       const struct record_fields *headers, struct err *err)
{
    struct content content;
    bool ok;

    if (!content_read(job->source, body, headers, FRONT_BYTES, CONTENT_ALL, &content, err))
        return false;
    jout_key(json, key);
    jout_open_object(json);
    jout_member_int(json, "bytes", (int64_t)body->bytes);
    jout_member_int(json, "kept", (int64_t)body->kept);
    jout_member_bool(json, "whole", body->kept == body->bytes);
    if (content.is_undecoded) {
        jout_member_bool(json, "encoded", true);
        job_count_exchange(job, EXPORT_UNDECODED, record);
    }
    if (body->kept < body->bytes)
        job_count_exchange(job, EXPORT_BODY_CUT, record);
    jout_key(json, content.is_text ? "text" : "base64");
    jout_string_begin(json);
    ok = content_stream(job->source, &content, content.is_text ? put_text : put_base64, json, err);
    jout_string_end(json);
    jout_close(json);
    content_clear(&content);
    return ok;
}

/* JSON that was stored as such; null where there is none. */
static void write_stored(struct json_out *json, const char *key, struct span text)
{
    json_t *value = text.len != 0 ? json_loadb(text.ptr, text.len, 0, NULL) : NULL;
    char *line = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

    jout_key(json, key);
    if (line != NULL)
        jout_raw(json, line);
    else
        jout_null(json);
    free(line);
    json_decref(value);
}

static void write_int_or_null(struct json_out *json, const char *key, bool is_there, int64_t value)
{
    jout_key(json, key);
    if (is_there)
        jout_int(json, value);
    else
        jout_null(json);
}

static void write_times(struct json_out *json, const struct record *record)
{
    jout_key(json, "times_us");
    jout_open_object(json);
    for (size_t i = 0; i < TAP_T_COUNT; i++)
        write_int_or_null(json, record_time_names[i], record->times[i] != TAP_NEVER, record->times[i]);
    jout_close(json);
}

static const char *version_text(int version)
{
    return version == HTTP_1_0 ? "HTTP/1.0" : version == HTTP_2 ? "HTTP/2" : "HTTP/1.1";
}

/* What `weir list --json` has, too. */
static void write_summary(struct json_out *json, const struct record *record)
{
    static const char *const states[] = {
        [RECORD_OPEN] = "open", [RECORD_DONE] = "done", [RECORD_ABORTED] = "aborted"
    };
    int64_t done = record->times[TAP_T_DONE];
    struct strbuf url = STRBUF_EMPTY;
    char time[TEXT_TIME_BYTES];

    record_add_url(record, &url);
    text_time_us(time, record->started_us);
    jout_member_int(json, "exchange", record->seq);
    jout_member_str(json, "uid", record->uid);
    jout_member_str(json, "started", time);
    jout_member_str(json, "state", states[record->state]);
    jout_member_bytes(json, "method", record->method);
    jout_member_bytes(json, "url", strbuf_span(&url));
    write_int_or_null(json, "status", record->status != 0, record->status);
    jout_member_bytes(json, "request_type", record->request_type);
    jout_member_bytes(json, "response_type", record->response_type);
    jout_member_int(json, "request_bytes", (int64_t)record->request_body.bytes);
    jout_member_int(json, "response_bytes", (int64_t)record->response_body.bytes);
    jout_member_int(json, "message_count", record->messages);
    write_int_or_null(json, "duration_us", done != TAP_NEVER && done >= 0, done);
    jout_member_bool(json, "sealed", record->flags & TAP_SEALED);
    jout_key(json, "error");
    if (record->error.len != 0)
        jout_bytes(json, record->error);
    else
        jout_null(json);
    strbuf_clear(&url);
}

static bool is_text(struct span bytes)
{
    return utf8_is_valid(bytes) && span_find(bytes, '\0') == bytes.len;
}

static bool write_message(void *self, const struct record_message *message, struct err *err)
{
    struct json_out *json = self;
    char time[TEXT_TIME_BYTES];

    (void)err; /* the stream's error is looked at when everything is written */
    text_time_us(time, message->time_us);
    jout_open_object(json);
    jout_member_int(json, "message", message->n);
    jout_member_str(json, "time", time);
    jout_member_str(json, "direction", message->direction == HTTP_REQUEST ? "request" : "response");
    jout_member_str(json, "kind", record_message_kind_name(message->kind));
    jout_member_int(json, "bytes", (int64_t)message->size);
    jout_member_int(json, "wire_bytes", (int64_t)message->wire_size);
    if (message->payload.ptr != NULL && is_text(message->payload)) {
        jout_member_text(json, "text", message->payload);
    } else if (message->payload.ptr != NULL) {
        jout_key(json, "base64");
        jout_base64(json, message->payload);
    }
    for (size_t i = 0; i < RECORD_MESSAGE_FLAGS; i++)
        if ((message->flags & record_message_flag_names[i].flag) != 0)
            jout_member_bool(json, record_message_flag_names[i].name, true);
    if (message->close_code != 0)
        jout_member_int(json, "close_code", message->close_code);
    if (message->kind == MESSAGE_EVENT) {
        jout_member_bytes(json, "event_type", message->event_type);
        if (message->event_id.len != 0)
            jout_member_bytes(json, "event_id", message->event_id);
        if (message->has_retry)
            jout_member_int(json, "retry_ms", (int64_t)message->retry_ms);
    }
    if (message->note.len != 0)
        jout_member_bytes(json, "note", message->note);
    jout_close(json);
    return true;
}

static bool write_messages(struct export_job *job, struct json_out *json, const struct record *record,
                           struct err *err)
{
    bool ok;

    jout_key(json, "messages");
    jout_open_array(json);
    ok = record->messages == 0 ||
         job->source->messages(job->source->self, record->seq, write_message, json, err);
    jout_close(json);
    return ok;
}

static bool write_exchange(struct export_job *job, struct json_out *json, const struct record *record,
                           struct err *err)
{
    jout_open_object(json);
    write_summary(json, record);
    jout_member_bytes(json, "session", span_of(job->source->session->name));
    jout_member_bytes(json, "reason", record->reason);
    jout_member_str(json, "request_version", version_text(record->request_version));
    jout_key(json, "response_version");
    if (record->status != 0)
        jout_str(json, version_text(record->response_version));
    else
        jout_null(json);
    jout_member_bytes(json, "client", record->client_addr);
    jout_member_bytes(json, "origin", record->origin_addr);
    write_times(json, record);
    write_fields(json, "request_headers", &record->request_headers);
    if (!write_body(job, json, "request_body", record, &record->request_body, &record->request_headers, err))
        return false;
    write_fields(json, "request_trailers", &record->request_trailers);
    write_stored(json, "interim", record->interim);
    write_fields(json, "response_headers", &record->response_headers);
    if (!write_body(job, json, "response_body", record, &record->response_body, &record->response_headers,
                    err))
        return false;
    write_fields(json, "response_trailers", &record->response_trailers);
    jout_key(json, "protocol");
    if (record->protocol.len != 0)
        jout_bytes(json, record->protocol);
    else
        jout_null(json);
    if (!write_messages(job, json, record, err))
        return false;
    write_stored(json, "client_tls", record->client_tls);
    write_stored(json, "origin_tls", record->origin_tls);
    jout_member_int(json, "request_wire_bytes", (int64_t)record->request_wire_bytes);
    jout_member_int(json, "response_wire_bytes", (int64_t)record->response_wire_bytes);
    jout_member_int(json, "tunnel_sent_bytes", (int64_t)record->tunnel_sent_bytes);
    jout_member_int(json, "tunnel_received_bytes", (int64_t)record->tunnel_received_bytes);
    jout_member_int(json, "attempts", record->attempts);
    jout_member_int(json, "flags", record->flags);
    jout_close(json);
    jout_end_document(json);
    return true;
}

bool export_jsonl(struct export_job *job, struct err *err)
{
    const struct export_source *source = job->source;
    const struct record *record;
    struct json_out json;

    jout_init_line(&json, job->out);
    if (!source->rewind(source->self, err))
        return false;
    while (true) {
        if (!source->next(source->self, &record, err))
            return false;
        if (record == NULL)
            return true;
        job->report->considered++;
        if (!write_exchange(job, &json, record, err))
            return false;
        job->report->written++;
    }
}

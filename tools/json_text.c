#include "tools/json_text.h"

#include "proxy/base/base64.h"
#include "tools/text.h"

json_t *json_of_bytes(struct span bytes)
{
    struct strbuf text = STRBUF_EMPTY;
    json_t *value;

    text_add_utf8(&text, bytes);
    value = json_stringn(strbuf_text(&text), text.len);
    strbuf_clear(&text);
    return value;
}

json_t *json_of_time(uint64_t wall_us)
{
    struct strbuf text = STRBUF_EMPTY;
    json_t *value;

    text_add_iso(&text, wall_us);
    value = json_string(strbuf_text(&text));
    strbuf_clear(&text);
    return value;
}

json_t *json_of_fields(const struct record_fields *fields)
{
    json_t *list = json_array();

    for (size_t i = 0; i < fields->count; i++) {
        json_t *pair = json_array();
        json_array_append_new(pair, json_of_bytes(fields->items[i].name));
        json_array_append_new(pair, json_of_bytes(fields->items[i].value));
        json_array_append_new(list, pair);
    }
    return list;
}

json_t *json_of_record(const struct record *record)
{
    struct strbuf url = STRBUF_EMPTY;
    json_t *object = json_object();
    uint64_t duration_us;

    record_add_url(record, &url);
    json_object_set_new(object, "exchange", json_integer(record->seq));
    json_object_set_new(object, "uid", json_string(record->uid));
    json_object_set_new(object, "started", json_of_time(record->started_us));
    json_object_set_new(object, "state", json_string(record_state_name(record->state)));
    json_object_set_new(object, "method", json_of_bytes(record->method));
    json_object_set_new(object, "url", json_of_bytes(strbuf_span(&url)));
    json_object_set_new(object, "status", record->status != 0 ? json_integer(record->status) : json_null());
    json_object_set_new(object, "request_type", json_of_bytes(record->request_type));
    json_object_set_new(object, "response_type", json_of_bytes(record->response_type));
    json_object_set_new(object, "request_bytes", json_integer((json_int_t)record->request_body.bytes));
    json_object_set_new(object, "response_bytes", json_integer((json_int_t)record->response_body.bytes));
    json_object_set_new(object, "message_count", json_integer(record->messages));
    json_object_set_new(object, "duration_us",
                        record_duration(record, &duration_us) ? json_integer((json_int_t)duration_us)
                                                              : json_null());
    json_object_set_new(object, "sealed", json_boolean((record->flags & TAP_SEALED) != 0));
    json_object_set_new(object, "error", record->error.len != 0 ? json_of_bytes(record->error) : json_null());
    strbuf_clear(&url);
    return object;
}

void json_set_payload(json_t *object, struct span bytes)
{
    struct strbuf base64 = STRBUF_EMPTY;

    if (text_is_utf8(bytes) && span_find(bytes, '\0') == bytes.len) {
        json_object_set_new(object, "text", json_of_bytes(bytes));
        return;
    }
    base64_add(&base64, bytes);
    json_object_set_new(object, "base64", json_string(strbuf_text(&base64)));
    strbuf_clear(&base64);
}

json_t *json_of_message(const struct record_message *message)
{
    json_t *object = json_object();

    json_object_set_new(object, "message", json_integer(message->n));
    json_object_set_new(object, "time", json_of_time(message->time_us));
    json_object_set_new(object, "direction",
                        json_string(message->direction == HTTP_REQUEST ? "request" : "response"));
    json_object_set_new(object, "kind", json_string(record_message_kind_name(message->kind)));
    json_object_set_new(object, "bytes", json_integer((json_int_t)message->size));
    json_object_set_new(object, "wire_bytes", json_integer((json_int_t)message->wire_size));
    if (message->payload.ptr != NULL)
        json_set_payload(object, message->payload);
    for (size_t i = 0; i < RECORD_MESSAGE_FLAGS; i++)
        if ((message->flags & record_message_flag_names[i].flag) != 0)
            json_object_set_new(object, record_message_flag_names[i].name, json_true());
    if (message->close_code != 0)
        json_object_set_new(object, "close_code", json_integer(message->close_code));
    if (message->kind == MESSAGE_EVENT) {
        json_object_set_new(object, "event_type", json_of_bytes(message->event_type));
        if (message->event_id.len != 0)
            json_object_set_new(object, "event_id", json_of_bytes(message->event_id));
        if (message->has_retry)
            json_object_set_new(object, "retry_ms", json_integer((json_int_t)message->retry_ms));
    }
    if (message->note.len != 0)
        json_object_set_new(object, "note", json_of_bytes(message->note));
    return object;
}

void json_print(json_t *value, size_t flags)
{
    json_dumpf(value, stdout, flags); /* what could not be written is seen in stdout's error flag */
    putchar('\n');
    json_decref(value);
}

const char *record_state_name(enum record_state state)
{
    static const char *const names[] = {
        [RECORD_OPEN] = "open",
        [RECORD_DONE] = "done",
        [RECORD_ABORTED] = "aborted",
    };

    return names[state];
}

bool record_duration(const struct record *record, uint64_t *out_us)
{
    int64_t done = record->times[TAP_T_DONE];

    if (done == TAP_NEVER || done < 0)
        return false;
    *out_us = (uint64_t)done;
    return true;
}

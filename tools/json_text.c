#include "tools/json_text.h"
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
    json_object_set_new(object, "duration_us",
                        record_duration(record, &duration_us) ? json_integer((json_int_t)duration_us)
                                                              : json_null());
    json_object_set_new(object, "sealed", json_boolean((record->flags & TAP_SEALED) != 0));
    json_object_set_new(object, "error", record->error.len != 0 ? json_of_bytes(record->error) : json_null());
    strbuf_clear(&url);
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

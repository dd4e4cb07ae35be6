#include "capture/import/json_value.h"

#define KEY_BYTES 64

bool json_value_object(struct json_in *json, enum json_in_token token, json_value_reader reader, void *self)
{
    char copy[KEY_BYTES]; /* the reader's own is gone with the value's first token */
    struct span key;

    if (token != JSON_IN_OBJECT)
        return json_in_skip(json, token);
    while ((token = json_in_next(json)) == JSON_IN_KEY) {
        key = json_in_key(json);
        key.len = key.len < sizeof copy ? key.len : sizeof copy;
        memcpy(copy, key.ptr, key.len);
        token = json_in_next(json);
        if (token == JSON_IN_BROKEN || !reader(self, json, span_make(copy, key.len), token))
            return false;
    }
    return token == JSON_IN_OBJECT_END;
}

bool json_value_array(struct json_in *json, enum json_in_token token, json_value_reader reader, void *self)
{
    if (token != JSON_IN_ARRAY)
        return json_in_skip(json, token);
    while ((token = json_in_next(json)) != JSON_IN_ARRAY_END)
        if (token == JSON_IN_BROKEN || !reader(self, json, SPAN(""), token))
            return false;
    return true;
}

bool json_value_text(struct json_in *json, enum json_in_token token, struct strbuf *out)
{
    strbuf_reset(out);
    return token == JSON_IN_STRING ? json_in_text(json, out) : json_in_skip(json, token);
}

bool json_value_number(struct json_in *json, enum json_in_token token, double *out)
{
    if (token == JSON_IN_NUMBER)
        *out = json_in_number(json);
    return json_in_skip(json, token);
}

bool json_value_bool(struct json_in *json, enum json_in_token token, bool *out)
{
    if (token == JSON_IN_TRUE || token == JSON_IN_FALSE)
        *out = token == JSON_IN_TRUE;
    return json_in_skip(json, token);
}

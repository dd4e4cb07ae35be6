#include "capture/export/openapi_values.h"

#include "capture/export/text.h"
#include "proxy/base/mem.h"

enum kind { KIND_INTEGER = 1 << 0, KIND_NUMBER = 1 << 1, KIND_BOOLEAN = 1 << 2, KIND_STRING = 1 << 3 };

/* What any reader of JSON takes for the same number. */
#define MAX_INTEGER_DIGITS 15

void openapi_values_clear(struct openapi_values *values)
{
    for (size_t i = 0; i < values->count; i++) {
        mem_free(values->list[i].name);
        mem_free(values->list[i].sample);
        mem_free(values->list[i].file_type);
        schema_free(values->list[i].strings);
    }
    mem_free(values->list);
    *values = (struct openapi_values){ .list = NULL };
}

void openapi_values_begin(struct openapi_values *values, struct openapi_room *room)
{
    values->room = room;
    values->rounds++;
}

/* --- seeing -------------------------------------------------------------------------------------------- */

static size_t digits_at(struct span text, size_t from)
{
    size_t at = from;

    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at - from;
}

/* Only what is spelled as JSON spells numbers: "007" is somebody's name. */
static enum kind kind_of(struct span text)
{
    size_t at = text.len != 0 && text.ptr[0] == '-', whole = digits_at(text, at), part;

    if (span_eq(text, SPAN("true")) || span_eq(text, SPAN("false")))
        return KIND_BOOLEAN;
    if (whole == 0 || whole > MAX_INTEGER_DIGITS || (whole > 1 && text.ptr[at] == '0'))
        return KIND_STRING;
    at += whole;
    if (at == text.len)
        return KIND_INTEGER;
    if (text.ptr[at] != '.')
        return KIND_STRING;
    part = digits_at(text, at + 1);
    return part != 0 && part + whole <= MAX_INTEGER_DIGITS && at + 1 + part == text.len ? KIND_NUMBER
                                                                                        : KIND_STRING;
}

static void see_string(struct schema *schema, struct span text)
{
    struct strbuf json = STRBUF_EMPTY;

    strbuf_add_char(&json, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x20 || c == '"' || c == '\\')
            strbuf_printf(&json, "\\u%04x", c);
        else
            strbuf_add_char(&json, (char)c);
    }
    strbuf_add_char(&json, '"');
    schema_see(schema, strbuf_span(&json));
    strbuf_clear(&json);
}

/* NULL: there are too many, or nobody would read that one's name. */
static struct openapi_value *take(struct openapi_values *values, struct span name, bool ignores_case)
{
    struct openapi_value *value = NULL;

    if (name.len == 0)
        return NULL;
    for (size_t i = 0; i < values->count && value == NULL; i++) {
        struct span other = span_of(values->list[i].name);

        if (ignores_case ? span_ieq(other, name) : span_eq(other, name))
            value = &values->list[i];
    }
    if (value == NULL) {
        if (values->count == OPENAPI_MAX_VALUES || values->room->left == 0 ||
            name.len > OPENAPI_MAX_NAME_BYTES) {
            values->room->refused++;
            return NULL;
        }
        values->room->left--;
        if (values->count == values->cap) {
            values->cap = values->cap != 0 ? values->cap * 2 : 4;
            values->list = mem_realloc(values->list, values->cap * sizeof(*values->list));
        }
        value = &values->list[values->count++];
        *value = (struct openapi_value){ .name = mem_spandup(name), .strings = schema_new() };
    }
    if (value->last_round == values->rounds)
        value->is_repeated = true;
    else
        value->seen++;
    value->last_round = values->rounds;
    return value;
}

static bool is_text(struct span bytes)
{
    return utf8_is_valid(bytes) && span_find(bytes, '\0') == bytes.len;
}

void openapi_values_see(struct openapi_values *values, struct span name, bool ignores_case, struct span bytes)
{
    struct strbuf text = STRBUF_EMPTY, key = STRBUF_EMPTY;
    struct openapi_value *value;

    text_add_bytes(&key, name);
    value = is_text(name) ? take(values, strbuf_span(&key), ignores_case) : NULL;
    if (value != NULL) {
        text_add_bytes(&text, bytes);
        value->kinds |= kind_of(strbuf_span(&text));
        see_string(value->strings, strbuf_span(&text));
        if ((value->sample == NULL || value->sample[0] == '\0') && text.len <= OPENAPI_MAX_SAMPLE_BYTES &&
            is_text(bytes)) {
            mem_free(value->sample);
            value->sample = mem_spandup(strbuf_span(&text));
        }
    }
    strbuf_clear(&key);
    strbuf_clear(&text);
}

void openapi_values_see_file(struct openapi_values *values, struct span name, struct span type)
{
    struct openapi_value *value = is_text(name) ? take(values, name, false) : NULL;

    if (value == NULL)
        return;
    value->kinds |= KIND_STRING;
    if (type.ptr == NULL || !is_text(type) || type.len > OPENAPI_MAX_NAME_BYTES)
        type = SPAN("application/octet-stream");
    if (value->file_type == NULL)
        value->file_type = mem_spandup(type);
}

void openapi_values_see_pairs(struct openapi_values *values, struct span pairs, struct span skipped)
{
    struct strbuf name = STRBUF_EMPTY, value = STRBUF_EMPTY;
    struct span pair;

    while (span_split(&pairs, '&', &pair)) {
        size_t equals = span_find(pair, '=');

        text_form_decode(&name, span_sub(pair, 0, equals));
        text_form_decode(&value, equals < pair.len ? span_from(pair, equals + 1) : SPAN_NONE);
        if (skipped.len == 0 || !span_eq(strbuf_span(&name), skipped))
            openapi_values_see(values, strbuf_span(&name), false, strbuf_span(&value));
    }
    strbuf_clear(&name);
    strbuf_clear(&value);
}

/* --- writing ------------------------------------------------------------------------------------------- */

bool openapi_value_is_required(const struct openapi_values *values, const struct openapi_value *value)
{
    return values->rounds >= OPENAPI_MIN_REQUIRED_SEEN && value->seen == values->rounds;
}

/* Whether values are written without quotes. */
static bool is_bare(const struct openapi_value *value)
{
    return value->kinds != 0 &&
           (value->kinds == KIND_BOOLEAN || (value->kinds & ~(unsigned)(KIND_INTEGER | KIND_NUMBER)) == 0);
}

static void write_one_schema(const struct openapi_value *value, bool is_id, struct json_out *json)
{
    if (value->file_type == NULL && !is_bare(value)) {
        schema_write_as(value->strings, is_id ? "id" : value->name, json);
        return;
    }
    jout_open_object(json);
    if (value->file_type != NULL) {
        jout_member_str(json, "type", "string");
        jout_member_str(json, "contentMediaType", value->file_type);
    } else {
        jout_member_str(json, "type",
                        value->kinds == KIND_BOOLEAN   ? "boolean"
                        : value->kinds == KIND_INTEGER ? "integer"
                                                       : "number");
    }
    jout_close(json);
}

void openapi_value_write_schema(const struct openapi_value *value, bool is_id, struct json_out *json)
{
    if (!value->is_repeated) {
        write_one_schema(value, is_id, json);
        return;
    }
    jout_open_object(json);
    jout_member_str(json, "type", "array");
    jout_key(json, "items");
    write_one_schema(value, is_id, json);
    jout_close(json);
}

static bool has_example(const struct openapi_value *value)
{
    return value->sample != NULL && value->file_type == NULL;
}

static void write_sample(const struct openapi_value *value, struct json_out *json)
{
    if (value->is_repeated)
        jout_open_array(json);
    if (is_bare(value))
        jout_raw(json, value->sample);
    else
        jout_str(json, value->sample);
    if (value->is_repeated)
        jout_close(json);
}

void openapi_value_write_example(const struct openapi_value *value, struct json_out *json)
{
    if (!has_example(value))
        return;
    jout_key(json, "example");
    write_sample(value, json);
}

void openapi_values_write_example(const struct openapi_values *values, struct json_out *json)
{
    size_t count = 0;

    for (size_t i = 0; i < values->count; i++) {
        count += has_example(&values->list[i]);
        if (!has_example(&values->list[i]) && openapi_value_is_required(values, &values->list[i]))
            return;
    }
    if (count == 0)
        return;
    jout_key(json, "example");
    jout_open_object(json);
    for (size_t i = 0; i < values->count; i++) {
        if (!has_example(&values->list[i]))
            continue;
        jout_key(json, values->list[i].name);
        write_sample(&values->list[i], json);
    }
    jout_close(json);
}

void openapi_values_write_object(const struct openapi_values *values, struct json_out *json)
{
    bool has_required = false;

    jout_open_object(json);
    jout_member_str(json, "type", "object");
    if (values->count != 0) {
        jout_key(json, "properties");
        jout_open_object(json);
        for (size_t i = 0; i < values->count; i++) {
            jout_key(json, values->list[i].name);
            openapi_value_write_schema(&values->list[i], false, json);
        }
        jout_close(json);
    }
    for (size_t i = 0; i < values->count; i++) {
        if (!openapi_value_is_required(values, &values->list[i]))
            continue;
        if (!has_required) {
            jout_key(json, "required");
            jout_open_array(json);
        }
        has_required = true;
        jout_str(json, values->list[i].name);
    }
    if (has_required)
        jout_close(json);
    jout_close(json);
}

/* JSON: any bytes. Spans lie within the text, opens and closes balance, jansson takes what the walk takes,
 * every document has a shape that does not depend on its being cut behind its end, and a schema that can be
 * written. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/export/json_shape.h"
#include "capture/export/json_walk.h"
#include "capture/export/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct check {
    struct span text;
    size_t open;
    struct strbuf out;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool on_value(void *self, const struct json_walk_value *value)
{
    struct check *check = self;

    must(value->bytes.ptr >= check->text.ptr);
    must(value->bytes.ptr + value->bytes.len <= check->text.ptr + check->text.len);
    must(value->depth == check->open && value->depth <= JSON_WALK_MAX_DEPTH);
    check->open += value->kind == JSON_WALK_ARRAY || value->kind == JSON_WALK_OBJECT;
    strbuf_reset(&check->out);
    json_walk_pointer(&check->out, value->path, value->depth);
    if (value->kind == JSON_WALK_STRING)
        json_walk_unescape(&check->out, value->bytes);
    return true;
}

static void on_close(void *self, size_t depth)
{
    struct check *check = self;

    check->open--;
    must(check->open == depth);
}

static void write_schema(struct span text)
{
    struct schema *schema = schema_new();
    struct json_out json;
    char *written = NULL;
    size_t written_len;
    FILE *stream = open_memstream(&written, &written_len);

    must(schema_see(schema, text) && schema_seen(schema) == 1);
    jout_init(&json, stream);
    schema_write(schema, &json);
    fclose(stream);
    free(written);
    schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct json_walk_events events = { .on_value = on_value, .on_close = on_close };
    struct check check = { .text = span_make(data, len) };
    enum json_walk_answer answer = json_walk(check.text, &events, &check);
    struct json_shape whole, front;
    json_t *document;

    strbuf_clear(&check.out);
    must(answer != JSON_WALK_STOPPED && (answer != JSON_WALK_DONE || check.open == 0));
    must(json_shape_of(check.text, false, &whole) == (answer == JSON_WALK_DONE));
    document = json_loadb((const char *)data, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    must(document == NULL || answer != JSON_WALK_CUT); /* jansson holds less: numbers, surrogates */
    json_decref(document);
    if (answer != JSON_WALK_DONE)
        return 0;
    must(json_shape_of(check.text, true, &front));
    must(front.hash == whole.hash && front.keys == whole.keys && front.is_partial == whole.is_partial);
    write_schema(check.text);
    return 0;
}

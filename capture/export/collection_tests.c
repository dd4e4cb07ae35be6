/* Tests of a collection are scripts that newman runs on each answer: they hold it against the captured one.
 */
#include "capture/export/collection.h"

#include "proxy/base/mem.h"

/* Names of members that a path of dots can hold; others are not asked for. */
#define MAX_NAME_BYTES 64
#define MAX_PATHS      50
#define MAX_DEPTH      4

static void add_line(struct json_out *json, struct strbuf *line)
{
    jout_text(json, strbuf_span(line));
    strbuf_reset(line);
}

static bool is_plain_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > MAX_NAME_BYTES || (name[0] >= '0' && name[0] <= '9'))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

/* "user", "user.name": members of objects in objects. */
static void add_paths(json_t *value, const char *prefix, unsigned depth, size_t *count, struct strbuf *out)
{
    const char *name;
    json_t *member;

    json_object_foreach(value, name, member)
    {
        char *path;

        if (!is_plain_name(name) || *count == MAX_PATHS)
            continue;
        path = mem_printf("%s%s%s", prefix, prefix[0] != '\0' ? "." : "", name);
        strbuf_printf(out, "%s\"%s\"", (*count)++ != 0 ? ", " : "", path);
        if (depth < MAX_DEPTH)
            add_paths(member, path, depth + 1, count, out);
        mem_free(path);
    }
}

static void write_status(struct json_out *json, const struct record *record)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_printf(&line, "pm.test(\"status is %dxx\", () => {", record->status / 100);
    add_line(json, &line);
    strbuf_printf(&line, "    pm.expect(Math.floor(pm.response.code / 100)).to.equal(%d);",
                  record->status / 100);
    add_line(json, &line);
    jout_str(json, "});");
    strbuf_clear(&line);
}

static void write_type(struct json_out *json, const struct record *record)
{
    struct strbuf line = STRBUF_EMPTY, type = STRBUF_EMPTY;

    for (size_t i = 0; i < record->response_type.len; i++)
        if (strchr("\"\\'`\n\r", record->response_type.ptr[i]) == NULL)
            strbuf_add_char(&type, record->response_type.ptr[i]);
    strbuf_printf(&line, "pm.test(\"Content-Type is %s\", () => {", strbuf_text(&type));
    add_line(json, &line);
    strbuf_printf(&line, "    pm.expect(pm.response.headers.get(\"Content-Type\")).to.include(\"%s\");",
                  strbuf_text(&type));
    add_line(json, &line);
    jout_str(json, "});");
    strbuf_clear(&line);
    strbuf_clear(&type);
}

static void write_shape(struct json_out *json, json_t *document)
{
    struct strbuf paths = STRBUF_EMPTY, line = STRBUF_EMPTY;
    size_t count = 0;

    add_paths(document, "", 1, &count, &paths);
    if (count != 0) {
        jout_str(json, "pm.test(\"the body has its members\", () => {");
        jout_str(json, "    const body = pm.response.json();");
        strbuf_printf(&line, "    for (const path of [%s])", strbuf_text(&paths));
        add_line(json, &line);
        jout_str(json, "        pm.expect(body).to.have.nested.property(path);");
        jout_str(json, "});");
    }
    strbuf_clear(&paths);
    strbuf_clear(&line);
}

/* *out_document NULL: it is no JSON, or too much of it. */
static bool read_document(struct collection *collection, const struct record *record, json_t **out_document,
                          struct err *err)
{
    struct content content;

    *out_document = NULL;
    if (collection->job->options->tests != EXPORT_TESTS_SHAPE || record->response_body.id == 0 ||
        strcmp(example_language(record->response_type), "json") != 0)
        return true;
    if (!content_read(collection->job->source, &record->response_body, &record->response_headers,
                      COLLECTION_MAX_TEXT_BYTES, CONTENT_FRONT, &content, err))
        return false;
    if (content.is_whole && !content.is_undecoded)
        *out_document = json_loadb(strbuf_text(&content.front), content.front.len, JSON_DECODE_ANY, NULL);
    content_clear(&content);
    return true;
}

bool tests_write(struct collection *collection, const struct record *record, struct err *err)
{
    enum export_tests tests = collection->job->options->tests;
    struct json_out *json = &collection->json;
    json_t *document;

    if (!read_document(collection, record, &document, err))
        return false;
    write_status(json, record);
    if (tests >= EXPORT_TESTS_TYPE && record->response_type.len != 0)
        write_type(json, record);
    if (document != NULL)
        write_shape(json, document);
    json_decref(document);
    return true;
}

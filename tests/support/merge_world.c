#include "tests/support/merge_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

struct merge_world world;

int merge_world_setup(void **state)
{
    (void)state;
    strcpy(world.folder, "/tmp/weir-test-XXXXXX");
    if (mkdtemp(world.folder) == NULL)
        return -1;
    snprintf(world.path, sizeof world.path, "%s/shop.json", world.folder);
    snprintf(world.values_path, sizeof world.values_path, "%s/shop.postman_environment.json", world.folder);
    snprintf(world.report_path, sizeof world.report_path, "%s/report.txt", world.folder);
    snprintf(world.other_path, sizeof world.other_path, "%s/other.json", world.folder);
    world.fake = fake_source_new();
    return 0;
}

int merge_world_teardown(void **state)
{
    (void)state;
    fake_source_free(world.fake);
    export_report_clear(&world.report);
    unlink(world.path);
    unlink(world.values_path);
    unlink(world.report_path);
    unlink(world.other_path);
    return rmdir(world.folder);
}

/* --- captures ------------------------------------------------------------------------------------------ */

void world_capture_again(void)
{
    fake_source_free(world.fake);
    world.fake = fake_source_new();
}

void world_call_with(const char *origin, const char *request, const char *response)
{
    fake_source_add(world.fake, origin, span_of(request), span_of(response));
}

void world_call(const char *origin, const char *request, const char *token, const char *answer)
{
    char *head = token != NULL ? mem_printf("%s HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", request, token)
                               : mem_printf("%s HTTP/1.1\r\n\r\n", request);
    char *body = mem_printf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n%s", answer);

    world_call_with(origin, head, body);
    mem_free(head);
    mem_free(body);
}

void world_call_shop(void)
{
    world_call(API, "GET /v1/users/48213", "tok_one_abcdefgh", "{\"id\":48213,\"name\":\"zoe\"}");
    world_call(API, "GET /v1/users", "tok_one_abcdefgh", "[{\"id\":48213}]");
    world_call(API, "GET /v1/orders", "tok_one_abcdefgh", "[{\"no\":1}]");
    world_call(API, "GET /v1/orders/70001/lines", "tok_one_abcdefgh", "[{\"sku\":\"a\"}]");
    world_call(API, "GET /v1/health", NULL, "{\"up\":true}");
    world_call_with(API,
                    "POST /v1/orders HTTP/1.1\r\nContent-Type: application/json\r\n"
                    "Authorization: Bearer tok_one_abcdefgh\r\n\r\n{\"sku\":\"a\",\"n\":1}",
                    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"no\":2}");
}

/* --- exports ------------------------------------------------------------------------------------------- */

struct export_options world_options(const char *into)
{
    return (struct export_options){ .format = export_find_format("collection"),
                                    .into = into,
                                    .report_file = world.report_path,
                                    .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES };
}

bool world_try(const char *into, const char *to, struct err *err)
{
    struct export_options options = world_options(into);

    export_report_clear(&world.report);
    return export_to_file(fake_source_reader(world.fake), &options, to, &world.report, err);
}

void world_merge(void)
{
    struct err err;

    if (!world_try(world.path, world.path, &err))
        fail_msg("%s", err.text);
}

char *world_text_of(const char *file_path)
{
    FILE *file = fopen(file_path, "r");
    struct strbuf text = STRBUF_EMPTY;
    char bytes[4096];
    size_t len;

    assert_non_null(file);
    while ((len = fread(bytes, 1, sizeof bytes, file)) != 0)
        strbuf_add(&text, span_make(bytes, len));
    fclose(file);
    return text.ptr != NULL ? strbuf_detach(&text) : mem_strdup("");
}

void world_write(const char *file_path, const char *text)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

json_t *world_load(const char *file_path)
{
    json_error_t error;
    json_t *document = json_load_file(file_path, 0, &error);

    if (document == NULL)
        fail_msg("line %d: %s", error.line, error.text);
    return document;
}

void world_save(const char *file_path, json_t *document)
{
    assert_int_equal(json_dump_file(document, file_path, JSON_INDENT(2)), 0);
    json_decref(document);
}

void world_replace(const char *file_path, const char *from, const char *to)
{
    char *text = world_text_of(file_path), *rest = text, *at;
    struct strbuf out = STRBUF_EMPTY;

    if (strstr(text, from) == NULL)
        fail_msg("there is no '%s'", from);
    while ((at = strstr(rest, from)) != NULL) {
        strbuf_add(&out, span_make(rest, (size_t)(at - rest)));
        strbuf_add_str(&out, to);
        rest = at + strlen(from);
    }
    strbuf_add_str(&out, rest);
    world_write(file_path, strbuf_text(&out));
    strbuf_clear(&out);
    mem_free(text);
}

json_t *world_at(json_t *value, const char *where)
{
    char *copy = mem_strdup(where), *rest = copy, *step;

    while ((step = strsep(&rest, ">")) != NULL && value != NULL) {
        json_t *found = NULL, *element;
        size_t i;

        if (!json_is_array(value)) {
            value = json_object_get(value, step);
            continue;
        }
        json_array_foreach (value, i, element) {
            const char *name = json_string_value(json_object_get(element, "name"));
            const char *key = json_string_value(json_object_get(element, "key"));

            if ((name != NULL && strncmp(name, step, strlen(step)) == 0) ||
                (key != NULL && strcmp(key, step) == 0)) {
                found = element;
                break;
            }
        }
        value = found != NULL || strspn(step, "0123456789") != strlen(step)
                    ? found
                    : json_array_get(value, (size_t)atoi(step));
    }
    mem_free(copy);
    return value;
}

const char *world_text_at(json_t *value, const char *where)
{
    const char *text = json_string_value(world_at(value, where));

    if (text == NULL)
        fail_msg("there is no text at '%s'", where);
    return text;
}

void world_assert_unchanged(const char *file_path, const char *before)
{
    char *after = world_text_of(file_path);

    assert_string_equal(after, before);
    mem_free(after);
}

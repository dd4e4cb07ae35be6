/* A capture is merged into files as people leave them: edited by hand, moved about, through Postman's export
 * without ids. Each test makes the file by an export, changes it as a value or as text, and captures again.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "capture/export/export.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tests/support/fake_source.h"

#define API "https://api.shop.test"

static struct fake_source *fake; /* the latest capture */
static char folder[] = "/tmp/weir-test-XXXXXX";
static char path[64], values_path[64], report_path[64], other_path[64];
static struct export_report report;

static int make_world(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/shop.json", folder);
    snprintf(values_path, sizeof values_path, "%s/shop.postman_environment.json", folder);
    snprintf(report_path, sizeof report_path, "%s/report.txt", folder);
    snprintf(other_path, sizeof other_path, "%s/other.json", folder);
    fake = fake_source_new();
    return 0;
}

static int free_world(void **state)
{
    (void)state;
    fake_source_free(fake);
    export_report_clear(&report);
    unlink(path);
    unlink(values_path);
    unlink(report_path);
    unlink(other_path);
    return rmdir(folder);
}

/* --- captures ------------------------------------------------------------------------------------------ */

/* What was captured so far belongs to an earlier session. */
static void capture_again(void)
{
    fake_source_free(fake);
    fake = fake_source_new();
}

static void call_with(const char *origin, const char *request, const char *response)
{
    fake_source_add(fake, origin, span_of(request), span_of(response));
}

/* request: "GET /users"; token: NULL: nobody. */
static void call(const char *origin, const char *request, const char *token, const char *answer)
{
    char *head = token != NULL ? mem_printf("%s HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", request, token)
                               : mem_printf("%s HTTP/1.1\r\n\r\n", request);
    char *body = mem_printf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n%s", answer);

    call_with(origin, head, body);
    mem_free(head);
    mem_free(body);
}

static void call_shop(void)
{
    call(API, "GET /v1/users/48213", "tok_one_abcdefgh", "{\"id\":48213,\"name\":\"zoe\"}");
    call(API, "GET /v1/users", "tok_one_abcdefgh", "[{\"id\":48213}]");
    call(API, "GET /v1/orders", "tok_one_abcdefgh", "[{\"no\":1}]");
    call(API, "GET /v1/orders/70001/lines", "tok_one_abcdefgh", "[{\"sku\":\"a\"}]");
    call(API, "GET /v1/health", NULL, "{\"up\":true}");
    call_with(API,
              "POST /v1/orders HTTP/1.1\r\nContent-Type: application/json\r\n"
              "Authorization: Bearer tok_one_abcdefgh\r\n\r\n{\"sku\":\"a\",\"n\":1}",
              "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"no\":2}");
}

/* --- exports ------------------------------------------------------------------------------------------- */

static struct export_options options_into(const char *into)
{
    return (struct export_options){ .format = export_find_format("collection"),
                                    .into = into,
                                    .report_file = report_path,
                                    .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES };
}

static bool try_into(const char *into, const char *to, struct err *err)
{
    struct export_options options = options_into(into);

    export_report_clear(&report);
    return export_to_file(fake_source_reader(fake), &options, to, &report, err);
}

static void merge_again(void)
{
    struct err err;

    if (!try_into(path, path, &err))
        fail_msg("%s", err.text);
}

static char *text_of(const char *file_path)
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

static void write_text(const char *file_path, const char *text)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static json_t *load(const char *file_path)
{
    json_error_t error;
    json_t *document = json_load_file(file_path, 0, &error);

    if (document == NULL)
        fail_msg("line %d: %s", error.line, error.text);
    return document;
}

/* Takes document. */
static void save(const char *file_path, json_t *document)
{
    assert_int_equal(json_dump_file(document, file_path, JSON_INDENT(2)), 0);
    json_decref(document);
}

/* All occurrences in a file. */
static void replace_in(const char *file_path, const char *from, const char *to)
{
    char *text = text_of(file_path), *rest = text, *at;
    struct strbuf out = STRBUF_EMPTY;

    if (strstr(text, from) == NULL)
        fail_msg("there is no '%s'", from);
    while ((at = strstr(rest, from)) != NULL) {
        strbuf_add(&out, span_make(rest, (size_t)(at - rest)));
        strbuf_add_str(&out, to);
        rest = at + strlen(from);
    }
    strbuf_add_str(&out, rest);
    write_text(file_path, strbuf_text(&out));
    strbuf_clear(&out);
    mem_free(text);
}

/* A value by its path of keys, indices and names of items: "item>api.shop.test>item>users". */
static json_t *at(json_t *value, const char *where)
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

static const char *text_at(json_t *value, const char *where)
{
    const char *text = json_string_value(at(value, where));

    if (text == NULL)
        fail_msg("there is no text at '%s'", where);
    return text;
}

static void assert_unchanged(const char *file_path, const char *before)
{
    char *after = text_of(file_path);

    assert_string_equal(after, before);
    mem_free(after);
}

/* --- what stays ---------------------------------------------------------------------------------------- */

static void a_file_that_is_not_there_is_made_as_by_a_plain_export(void **state)
{
    struct err err;
    char *merged;

    (void)state;
    call_shop();
    merge_again();
    assert_false(report.is_merged);
    merged = text_of(path);
    assert_true(try_into(NULL, other_path, &err));
    assert_unchanged(other_path, merged);
    mem_free(merged);
    unlink(report.values_path);
}

static void the_same_session_merged_again_changes_nothing(void **state)
{
    char *before, *values;

    (void)state;
    call_shop();
    merge_again();
    before = text_of(path);
    values = text_of(values_path);
    merge_again();
    assert_true(report.is_merged);
    assert_int_equal(report.merged.added, 0);
    assert_int_equal(report.merged.updated, 0);
    assert_int_equal(report.merged.kept, 6);
    assert_unchanged(path, before);
    assert_unchanged(values_path, values);
    mem_free(before);
    mem_free(values);
}

static void what_a_merge_adds_is_there_the_next_time(void **state)
{
    static const size_t layouts[] = { JSON_INDENT(2), JSON_INDENT(4), JSON_COMPACT, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        json_t *document;
        char *before;

        capture_again();
        call_shop();
        unlink(path);
        merge_again();
        document = load(path);
        assert_int_equal(json_dump_file(document, path, layouts[i]), 0);
        json_decref(document);
        call(API, "GET /v1/carts", NULL, "{\"lines\":[]}");
        call(API, "GET /v1/users", "tok_one_abcdefgh", "[{\"id\":48213,\"name\":null}]");
        merge_again();
        assert_int_equal(report.merged.added, 1);
        assert_int_equal(report.merged.updated, 1);
        before = text_of(path);
        merge_again();
        assert_int_equal(report.merged.added + report.merged.updated, 0);
        assert_unchanged(path, before);
        /* All of it is laid out as the file was. */
        document = load(path);
        assert_int_equal(json_dump_file(document, other_path, layouts[i]), 0);
        json_decref(document);
        assert_unchanged(other_path, before);
        mem_free(before);
    }
}

static void what_a_person_edited_stays_as_it_is_spelled(void **state)
{
    static const char *const edits[] = {
        "\"name\": \"Who is it? \\u00e9 \\/\",\n\"x-weight\": 1.50e1",
        "\"event\": [ {\"listen\":\"test\",\"script\":{\"exec\":[\"pm.test('mine')\"]}} ]",
        "\"description\": \"by hand\"",
    };
    char *text;

    (void)state;
    call_shop();
    merge_again();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char *edited = mem_printf("%s,\n\"name\": \"GET v1/users\"", edits[i]);

        replace_in(path, "\"name\": \"GET v1/users\"", edited);
        mem_free(edited);
    }
    replace_in(path, "\"name\": \"weir", "\"name\": \"Shop, weir");
    capture_again();
    call(API, "GET /v1/carts", NULL, "{}");
    call(API, "GET /v1/users", "tok_two_abcdefgh", "[{\"id\":7}]");
    merge_again();
    assert_int_equal(report.merged.added, 1);
    assert_int_equal(report.merged.updated, 1);
    assert_int_equal(report.merged.kept, 5);
    text = text_of(path);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        assert_non_null(strstr(text, edits[i]));
    assert_non_null(strstr(text, "\"name\": \"Shop, weir"));
    mem_free(text);
    text = text_of(report_path);
    assert_non_null(strstr(text, "item GET v1/carts: added\n"));
    assert_non_null(strstr(text, "item GET v1/users: kept, with new examples\n"));
    assert_non_null(strstr(text, "item POST v1/orders: kept: this session has no call of it\n"));
    mem_free(text);
}

/* --- examples ------------------------------------------------------------------------------------------ */

static void an_example_is_refreshed_when_it_says_something_else(void **state)
{
    static const char request[] = "GET /v1/users HTTP/1.1\r\nUser-Agent: a\r\n\r\n";
    json_t *document;
    char *before, *name;

    (void)state;
    call_with(API, request,
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 01 Jan 2029\r\n\r\n{\"n\":1}");
    merge_again();
    document = load(path);
    name = mem_strdup(text_at(document, "item>api>item>0>response>0>name"));
    json_decref(document);
    before = text_of(path);
    capture_again();
    call(API, "GET /v1/health", NULL, "{}");
    call_with(API, "GET /v1/users HTTP/1.1\r\nUser-Agent: b\r\n\r\n",
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 02 Jan 2029\r\n\r\n{\"n\":1}");
    unlink(path);
    write_text(path, before);
    merge_again();
    assert_int_equal(report.merged.updated, 0);
    document = load(path);
    assert_string_equal(text_at(document, "item>api>item>0>response>0>header>Date>value"),
                        "Mon, 01 Jan 2029");
    json_decref(document);
    call_with(API, request,
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Wed, 03 Jan 2029\r\n\r\n{\"n\":2}");
    merge_again();
    assert_int_equal(report.merged.updated, 1);
    document = load(path);
    assert_int_equal(json_array_size(at(document, "item>api>item>0>response")), 1);
    assert_string_equal(text_at(document, "item>api>item>0>response>0>body"), "{\"n\":2}");
    assert_string_equal(text_at(document, "item>api>item>0>response>0>name"), name);
    json_decref(document);
    mem_free(name);
    mem_free(before);
}

static void examples_of_people_stay_and_names_are_unique(void **state)
{
    json_t *document, *example;

    (void)state;
    call(API, "GET /v1/users", NULL, "{\"n\":1}");
    merge_again();
    document = load(path);
    example = json_deep_copy(at(document, "item>api>item>0>response>0"));
    json_object_set_new(example, "name", json_string("404 Not Found · GET v1/users · #2"));
    json_object_set_new(example, "id", json_string("7f0e2a4c-0000-4000-8000-000000000001"));
    json_object_set_new(example, "code", json_integer(404));
    json_array_append_new(at(document, "item>api>item>0>response"), example);
    json_object_set_new(at(document, "item>api>item>0>response>0"), "name", json_string("Everybody"));
    save(path, document);
    capture_again();
    call(API, "GET /v1/users", NULL, "{\"n\":2}");
    call_with(API, "GET /v1/users HTTP/1.1\r\n\r\n",
              "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\nwho?");
    merge_again();
    document = load(path);
    assert_int_equal(json_array_size(at(document, "item>api>item>0>response")), 3);
    assert_string_equal(text_at(document, "item>api>item>0>response>0>name"), "Everybody");
    assert_string_equal(text_at(document, "item>api>item>0>response>0>body"), "{\"n\":2}");
    assert_string_equal(text_at(document, "item>api>item>0>response>1>body"), "{\"n\":1}");
    assert_string_equal(text_at(document, "item>api>item>0>response>2>name"),
                        "404 Not Found · GET v1/users · #2 (2)");
    json_decref(document);
}

static void the_list_of_examples_does_not_grow_for_ever(void **state)
{
    json_t *document;

    (void)state;
    for (int i = 0; i < 12; i++) {
        char *body = mem_printf("{\"n%d\":1}", i);

        capture_again();
        call(API, "GET /v1/users", NULL, body);
        mem_free(body);
        merge_again();
    }
    capture_again();
    call_with(API, "GET /v1/users HTTP/1.1\r\n\r\n", "HTTP/1.1 503 No\r\n\r\n");
    merge_again();
    document = load(path);
    assert_int_equal(json_array_size(at(document, "item>api>item>0>response")), EXPORT_MAX_EXAMPLES + 1);
    json_decref(document);
}

/* --- bodies beside the file ----------------------------------------------------------------------------- */

static void put_blob(const char *target, char fill)
{
    struct strbuf request = STRBUF_EMPTY;

    strbuf_printf(&request, "PUT /v1/%s HTTP/1.1\r\nContent-Type: application/octet-stream\r\n\r\n\xff",
                  target);
    for (int i = 0; i < 70000; i++)
        strbuf_add_char(&request, fill);
    fake_source_add(fake, API, strbuf_span(&request), SPAN("HTTP/1.1 204 No Content\r\n\r\n"));
    strbuf_clear(&request);
}

static size_t count_bodies(bool removes)
{
    char *bodies = mem_printf("%s/shop.files", folder), *name;
    DIR *list = opendir(bodies);
    struct dirent *entry;
    size_t count = 0;

    while (list != NULL && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        name = mem_printf("%s/%s", bodies, entry->d_name);
        if (removes)
            unlink(name);
        mem_free(name);
    }
    if (list != NULL)
        closedir(list);
    if (removes)
        rmdir(bodies);
    mem_free(bodies);
    return count;
}

static void bodies_that_nothing_sends_are_not_left(void **state)
{
    (void)state;
    put_blob("blob", 'a');
    merge_again();
    assert_int_equal(count_bodies(false), 1);
    capture_again();
    put_blob("blob", 'b');
    put_blob("new", 'c');
    merge_again();
    assert_int_equal(report.merged.added, 1);
    assert_int_equal(count_bodies(true), 2);
    capture_again();
    put_blob("blob", 'd');
    merge_again();
    assert_int_equal(count_bodies(true), 0);
}

/* --- where new items go -------------------------------------------------------------------------------- */

static void a_new_item_goes_where_those_like_it_are(void **state)
{
    json_t *document;

    (void)state;
    call_shop();
    merge_again();
    document = load(path);
    json_object_set_new(at(document, "item>api.shop.test>item>orders"), "name", json_string("Buying"));
    save(path, document);
    capture_again();
    call_shop();
    call(API, "GET /v1/orders/70001/bill", "tok_one_abcdefgh", "{\"sum\":1}");
    call(API, "GET /v1/users/48213/photo", "tok_one_abcdefgh", "{\"url\":1}");
    call(API, "GET /v1/carts", "tok_one_abcdefgh", "{\"lines\":1}");
    call("https://pay.test", "GET /v1/cards", NULL, "[]");
    merge_again();
    assert_int_equal(report.merged.added, 4);
    document = load(path);
    assert_non_null(at(document, "item>api.shop.test>item>Buying>item>orders/:orderId/bill>item>GET"));
    assert_non_null(at(document, "item>api.shop.test>item>users>item>users/:userId/photo>item>GET"));
    assert_non_null(at(document, "item>api.shop.test>item>carts>item>GET v1/carts"));
    assert_non_null(at(document, "item>pay.test>item>GET v1/cards"));
    assert_null(at(document, "item>api.shop.test>item>orders"));
    json_decref(document);
}

static void a_small_capture_keeps_to_the_folders_that_are_there(void **state)
{
    json_t *document;

    (void)state;
    call_shop();
    merge_again();
    capture_again();
    call(API, "GET /v1/users/48213/photo", "tok_one_abcdefgh", "{\"url\":1}");
    merge_again();
    document = load(path);
    assert_non_null(at(document, "item>api.shop.test>item>users>item>users/:userId/photo>item>GET"));
    json_decref(document);
}

static void a_name_that_is_taken_in_a_folder_gets_a_number(void **state)
{
    json_t *document;

    (void)state;
    call(API, "GET /v1/users", NULL, "[]");
    merge_again();
    capture_again();
    call(API, "GET /v1/users", "tok_one_abcdefgh", "[]");
    merge_again();
    assert_int_equal(report.merged.added, 1);
    document = load(path);
    assert_string_equal(text_at(document, "item>api>item>1>name"), "GET v1/users (2)");
    json_decref(document);
}

static void a_new_item_sends_what_it_was_captured_with(void **state)
{
    json_t *document;

    (void)state;
    call_shop();
    merge_again();
    document = load(path);
    assert_string_equal(text_at(document, "auth>bearer>token>value"), "{{apiShopBearer}}");
    json_object_set_new(
        document, "auth",
        json_pack("{s:s,s:[{s:s,s:s}]}", "type", "bearer", "bearer", "key", "token", "value", "{{mine}}"));
    save(path, document);
    capture_again();
    call_shop();
    call(API, "GET /v1/carts", "tok_one_abcdefgh", "{}");
    call(API, "GET /v1/users/48213/photo", "tok_one_abcdefgh", "{\"url\":1}");
    call(API, "DELETE /v1/users/48213", "tok_one_abcdefgh", "{\"gone\":1}");
    call(API, "GET /v1/users?page=2", NULL, "[]");
    merge_again();
    document = load(path);
    assert_string_equal(text_at(document, "auth>bearer>token>value"), "{{mine}}");
    assert_string_equal(text_at(document, "item>api>item>carts>auth>bearer>token>value"),
                        "{{apiShopBearer}}");
    assert_null(at(document, "item>api>item>carts>item>GET v1/carts>request>auth"));
    assert_string_equal(
        text_at(document, "item>api>item>users>item>users/:userId/photo>auth>bearer>token>value"),
        "{{apiShopBearer}}");
    assert_string_equal(text_at(document, "item>api>item>users>item>DELETE>request>auth>bearer>token>value"),
                        "{{apiShopBearer}}");
    assert_string_equal(text_at(document, "item>api>item>users>item>GET v1/users?page>request>auth>type"),
                        "noauth");
    json_decref(document);
}

/* --- variables ----------------------------------------------------------------------------------------- */

static void a_base_url_that_points_elsewhere_stays_and_is_used(void **state)
{
    json_t *document;

    (void)state;
    call_shop();
    merge_again();
    document = load(path);
    json_object_set_new(at(document, "variable>baseUrl"), "value", json_string("https://staging.shop.test"));
    save(path, document);
    capture_again();
    call(API, "GET /v1/users", "tok_one_abcdefgh", "[]");
    call(API, "GET /v1/carts", "tok_one_abcdefgh", "{}");
    merge_again();
    document = load(path);
    assert_int_equal(json_array_size(at(document, "variable")), 1);
    assert_string_equal(text_at(document, "variable>baseUrl>value"), "https://staging.shop.test");
    assert_string_equal(text_at(document, "item>api>item>carts>item>GET v1/carts>request>url>raw"),
                        "{{baseUrl}}/v1/carts");
    json_decref(document);
}

static void a_variable_of_another_host_is_not_taken_for_its_own(void **state)
{
    json_t *document;

    (void)state;
    call_shop();
    merge_again();
    replace_in(path, "{{baseUrl}}", "{{shop}}");
    replace_in(path, "\"key\": \"baseUrl\"", "\"key\": \"shop\"");
    capture_again();
    call("https://pay.test", "GET /v1/users", NULL, "[]");
    call("https://pay.test", "GET /v1/cards", NULL, "[]");
    call(API, "GET /v1/carts", NULL, "{}");
    merge_again();
    document = load(path);
    assert_string_equal(text_at(document, "variable>baseUrl>value"), "https://pay.test");
    assert_string_equal(text_at(document, "item>pay.test>item>GET v1/users>request>url>host>0"),
                        "{{baseUrl}}");
    assert_string_equal(text_at(document, "item>api>item>carts>item>GET v1/carts>request>url>host>0"),
                        "{{shop}}");
    json_decref(document);
    /* Now the name is taken. */
    capture_again();
    call("https://mail.test", "GET /v1/inbox", NULL, "[]");
    merge_again();
    document = load(path);
    assert_string_equal(text_at(document, "variable>mailBaseUrl>value"), "https://mail.test");
    assert_string_equal(
        text_at(document, "item>mail.test>item>GET v1/inbox>response>0>originalRequest>url>raw"),
        "{{mailBaseUrl}}/v1/inbox");
    json_decref(document);
}

static void literals_of_new_items_are_protected(void **state)
{
    static const char put[] = "PUT /v1/templates HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n"
                              "{{$guid}} {{baseUrl}}";
    json_t *document;
    char *text;

    (void)state;
    call_shop();
    merge_again();
    capture_again();
    call(API, "GET /v1/carts", NULL, "{}");
    call_with(API, put, "HTTP/1.1 200 OK\r\n\r\n");
    merge_again();
    document = load(path);
    assert_string_equal(text_at(document, "variable>$guid>value"), "{{$guid}}");
    assert_string_equal(text_at(document, "variable>baseUrl>value"), API);
    assert_string_equal(text_at(document, "item>api>item>carts>item>GET v1/carts>request>url>host>0"),
                        "{{baseUrl_2}}");
    json_decref(document);
    text = text_of(report_path);
    assert_non_null(strstr(text, "literal {{baseUrl}}: not protected"));
    mem_free(text);
}

static void a_variable_that_scripts_set_may_be_set_by_others(void **state)
{
    struct merge *merge;
    struct err err;

    (void)state;
    write_text(
        path,
        "{\"info\":{\"schema\":\"https://schema.getpostman.com/json/collection/v2.1.0/collection.json\"},"
        "\"variable\":[{\"key\":\"orderId\"},{\"key\":\"mine\"}],\"item\":[],\"event\":[{\"script\":"
        "{\"exec\":[\"pm.collectionVariables.set(\\\"orderId\\\", 7);\"]}}]}");
    write_text(values_path,
               "{\"values\":[{\"key\":\"a\",\"value\":\"one\",\"type\":\"secret\"},"
               "{\"key\":\"b\",\"value\":\"two\"},{\"key\":\"a\",\"value\":\"three\",\"type\":\"secret\"}]}");
    if (!merge_open(path, values_path, &merge, &err))
        fail_msg("%s", err.text);
    assert_false(merge_is_taken(merge, "orderId"));
    assert_true(merge_is_taken(merge, "mine"));
    assert_true(merge_is_taken(merge, "b"));
    assert_false(merge_is_taken(merge, "a"));
    assert_null(merge_secret_name(merge, SPAN("one")));
    assert_null(merge_secret_name(merge, SPAN("two")));
    assert_string_equal(merge_secret_name(merge, SPAN("three")), "a");
    merge_free(merge);
}

static void values_of_secrets_are_refreshed_and_those_of_people_kept(void **state)
{
    json_t *values;

    (void)state;
    call_shop();
    merge_again();
    values = load(values_path);
    json_array_append_new(at(values, "values"),
                          json_pack("{s:s,s:s,s:s}", "key", "mine", "value", "1", "type", "default"));
    json_array_append_new(at(values, "values"), json_pack("{s:s,s:s,s:s}", "key", "payBearer", "value",
                                                          "by hand", "type", "default"));
    save(values_path, values);
    capture_again();
    call(API, "GET /v1/users", "tok_two_abcdefgh", "[{\"id\":48213}]");
    call("https://pay.test", "GET /v1/cards", "tok_pay_abcdefgh", "[]");
    merge_again();
    values = load(values_path);
    assert_string_equal(text_at(values, "values>apiShopBearer>value"), "tok_two_abcdefgh");
    assert_string_equal(text_at(values, "values>mine>value"), "1");
    assert_string_equal(text_at(values, "values>payBearer>value"), "by hand");
    assert_string_equal(text_at(values, "values>payBearer_2>value"), "tok_pay_abcdefgh");
    json_decref(values);
}

static void a_value_that_the_environment_has_keeps_its_name_there(void **state)
{
    json_t *document;

    (void)state;
    call_shop();
    merge_again();
    replace_in(path, "{{apiShopBearer}}", "{{admin}}");
    replace_in(values_path, "apiShopBearer", "admin");
    capture_again();
    call(API, "GET /v1/carts", "tok_other_abcdefgh", "{}");
    call(API, "GET /v1/stock", "tok_one_abcdefgh", "{}");
    merge_again();
    document = load(path);
    assert_null(at(document, "item>api>item>stock>item>GET v1/stock>request>auth"));
    assert_string_equal(text_at(document, "auth>bearer>token>value"), "{{admin}}");
    assert_string_equal(text_at(document, "item>api>item>carts>auth>bearer>token>value"),
                        "{{apiShopBearer}}");
    json_decref(document);
}

/* --- files that were elsewhere ------------------------------------------------------------------------- */

/* As Postman exports what it imported: no ids, and its own order of members. */
static void drop_ids(json_t *items)
{
    json_t *item, *example;
    size_t i, k;

    json_array_foreach (items, i, item) {
        json_object_del(item, "id");
        drop_ids(json_object_get(item, "item"));
        json_array_foreach (json_object_get(item, "response"), k, example)
            json_object_del(example, "id");
    }
}

static void items_without_ids_are_known_by_what_they_call(void **state)
{
    json_t *document;
    char *before;

    (void)state;
    call_shop();
    merge_again();
    document = load(path);
    drop_ids(json_object_get(document, "item"));
    json_object_set_new(at(document, "variable>baseUrl"), "value", json_string("https://staging.shop.test"));
    json_object_set_new(at(document, "item>api>item>users>item>GET v1/users"), "name", json_string("All"));
    json_object_set_new(at(document, "item>api>item>users>item>All>request"), "auth",
                        json_pack("{s:s}", "type", "noauth"));
    save(path, document);
    before = text_of(path);
    merge_again();
    assert_int_equal(report.merged.added, 0);
    assert_int_equal(report.merged.kept, 6);
    assert_unchanged(path, before);
    capture_again();
    call_shop();
    call(API, "GET /v1/carts", NULL, "{}");
    call_with(API,
              "POST /v1/orders HTTP/1.1\r\nContent-Type: application/json\r\n"
              "Authorization: Bearer tok_one_abcdefgh\r\n\r\n{\"gift\":true}",
              "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"no\":3}");
    merge_again();
    assert_int_equal(report.merged.added, 2);
    assert_int_equal(report.merged.updated, 0);
    mem_free(before);
}

static void an_id_of_ours_says_that_another_call_is_another_item(void **state)
{
    (void)state;
    call(API, "GET /v1/users", "tok_one_abcdefgh", "[]");
    call(API, "GET /v1/carts", "tok_one_abcdefgh", "[]");
    merge_again();
    capture_again();
    call(API, "GET /v1/users", NULL, "[]");
    call(API, "GET /v1/carts", "tok_one_abcdefgh", "[]");
    merge_again();
    assert_int_equal(report.merged.added, 1);
    assert_int_equal(report.merged.kept, 2);
}

/* --- what is refused ----------------------------------------------------------------------------------- */

static void what_is_no_collection_is_refused_and_stays(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "no JSON at line 1" },
        { "{\"info\": {\n\"schema\": }", "no JSON at line 2" },
        { "{\"log\":{}}", "is no Postman collection" },
        { "[]", "is no Postman collection" },
        { "{\"info\":{\"schema\":\"https://schema.getpostman.com/json/collection/v2.0.0/collection.json\"},"
          "\"item\":[]}",
          "of another version" },
        { "{\"info\":{\"schema\":\"https://schema.getpostman.com/json/collection/v2.1.0/collection.json\"}}",
          "is no Postman collection" },
    };
    struct err err;

    (void)state;
    call_shop();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(path, cases[i].text);
        assert_false(try_into(path, path, &err));
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s", err.text);
        assert_unchanged(path, cases[i].text);
        assert_int_equal(access(values_path, F_OK), -1);
    }
}

static void an_environment_that_is_none_is_refused(void **state)
{
    struct err err;
    char *before;

    (void)state;
    call_shop();
    merge_again();
    before = text_of(path);
    write_text(values_path, "{\"values\":1}");
    call(API, "GET /v1/carts", NULL, "{}");
    assert_false(try_into(path, path, &err));
    assert_non_null(strstr(err.text, "is no Postman environment"));
    assert_unchanged(path, before);
    mem_free(before);
}

static void a_secret_that_stands_in_the_file_is_named_with_its_place(void **state)
{
    struct err err;
    char *before;

    (void)state;
    call_shop();
    merge_again();
    replace_in(path, "\"name\": \"GET v1/health\"",
               "\"name\": \"GET v1/health\", \"description\": \"try tok_one_abcdefgh\"");
    before = text_of(path);
    call(API, "GET /v1/carts", "tok_one_abcdefgh", "{}");
    assert_false(try_into(path, path, &err));
    assert_int_equal(err.code, ERR_LEAK);
    assert_null(strstr(err.text, "tok_one"));
    assert_non_null(strstr(err.text, "holds the secret apiShopBearer already, on line "));
    assert_non_null(strstr(err.text, "in item 'GET v1/health'"));
    assert_unchanged(path, before);
    mem_free(before);
}

static void a_result_may_go_elsewhere(void **state)
{
    struct err err;
    struct stat status;
    char *before;

    (void)state;
    call_shop();
    merge_again();
    before = text_of(path);
    call(API, "GET /v1/carts", NULL, "{}");
    assert_true(try_into(path, other_path, &err));
    assert_unchanged(path, before);
    assert_int_equal(stat(other_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    json_decref(load(other_path));
    unlink(report.values_path);
    mem_free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_made_as_by_a_plain_export, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(the_same_session_merged_again_changes_nothing, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(what_a_merge_adds_is_there_the_next_time, make_world, free_world),
        cmocka_unit_test_setup_teardown(what_a_person_edited_stays_as_it_is_spelled, make_world, free_world),
        cmocka_unit_test_setup_teardown(an_example_is_refreshed_when_it_says_something_else, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(examples_of_people_stay_and_names_are_unique, make_world, free_world),
        cmocka_unit_test_setup_teardown(the_list_of_examples_does_not_grow_for_ever, make_world, free_world),
        cmocka_unit_test_setup_teardown(bodies_that_nothing_sends_are_not_left, make_world, free_world),
        cmocka_unit_test_setup_teardown(a_new_item_goes_where_those_like_it_are, make_world, free_world),
        cmocka_unit_test_setup_teardown(a_small_capture_keeps_to_the_folders_that_are_there, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(a_name_that_is_taken_in_a_folder_gets_a_number, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(a_new_item_sends_what_it_was_captured_with, make_world, free_world),
        cmocka_unit_test_setup_teardown(a_base_url_that_points_elsewhere_stays_and_is_used, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(a_variable_of_another_host_is_not_taken_for_its_own, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(literals_of_new_items_are_protected, make_world, free_world),
        cmocka_unit_test_setup_teardown(a_variable_that_scripts_set_may_be_set_by_others, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(values_of_secrets_are_refreshed_and_those_of_people_kept, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(a_value_that_the_environment_has_keeps_its_name_there, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(items_without_ids_are_known_by_what_they_call, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(an_id_of_ours_says_that_another_call_is_another_item, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(what_is_no_collection_is_refused_and_stays, make_world, free_world),
        cmocka_unit_test_setup_teardown(an_environment_that_is_none_is_refused, make_world, free_world),
        cmocka_unit_test_setup_teardown(a_secret_that_stands_in_the_file_is_named_with_its_place, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(a_result_may_go_elsewhere, make_world, free_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

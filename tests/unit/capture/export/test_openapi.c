#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "capture/export/export.h"
#include "capture/export/openapi_model.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

#define OK_JSON  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
#define NO_BODY  "HTTP/1.1 204 No Content\r\n\r\n"
#define API      "https://api.shop.test"
#define AS_FORM  "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
#define AS_PARTS "Content-Type: multipart/form-data; boundary=b\r\n\r\n"

static char *export_text(struct fake_source *fake, const char *host, struct export_report *out_report)
{
    struct export_options options = { .format = export_find_format("openapi"),
                                      .host = host,
                                      .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES };
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    struct err err;

    if (!export_to_stream(fake_source_reader(fake), &options, stream, out_report, &err))
        fail_msg("%s", err.text);
    fclose(stream);
    return text;
}

static json_t *export_json(struct fake_source *fake, const char *host)
{
    struct export_report report;
    char *text = export_text(fake, host, &report);
    json_t *document = json_loads(text, 0, NULL);

    assert_non_null(document);
    export_report_clear(&report);
    free(text);
    return document;
}

/* The value that keys lead to; the last one is NULL. */
static json_t *at(json_t *value, ...)
{
    va_list keys;
    const char *key;

    va_start(keys, value);
    while ((key = va_arg(keys, const char *)) != NULL)
        value = json_object_get(value, key);
    va_end(keys);
    return value;
}

static void add(struct fake_source *fake, const char *origin, const char *line, const char *response)
{
    char *request = mem_printf("%s HTTP/1.1\r\n\r\n", line);

    fake_source_add(fake, origin, span_of(request), span_of(response));
    mem_free(request);
}

static void a_description_has_its_golden_form(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct export_report report;
    char *text;

    (void)state;
    for (int i = 1; i <= 3; i++) {
        char *request = mem_printf("GET /v1/users/%d?page=%d%s HTTP/1.1\r\nAuthorization: Bearer "
                                   "tok-8Fq2LxPz91KdWm\r\nX-Tenant: acme\r\nUser-Agent: x\r\n\r\n",
                                   i * 1000000, i, i == 2 ? "&tag=a&tag=b+c" : "");

        fake_source_add(fake, API, span_of(request),
                        i == 2 ? SPAN(OK_JSON "{\"id\":2,\"nick\":null,\"rate\":0.125}")
                               : SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                      "X-RateLimit-Limit: 100\r\n\r\n{\"id\":1,\"nick\":\"ann\"}"));
        mem_free(request);
    }
    add(fake, API, "GET /v1/users/4000000",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Type: text/plain\r\n\r\nno");
    fake_source_add(fake, API, SPAN("POST /login HTTP/1.1\r\n" AS_FORM "user=ann&password=pa55-Gh6JwEr8Uc"),
                    SPAN("HTTP/1.1 303 See Other\r\nLocation: /\r\n\r\n"));
    fake_source_add(
        fake, API,
        SPAN("POST /v1/files HTTP/1.1\r\nCookie: sid=abc; theme=dark\r\n" AS_PARTS
             "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nme\r\n--b\r\nContent-Disposition: "
             "form-data; name=\"f\"; filename=\"a\"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b--\r\n"),
        SPAN("HTTP/1.1 999\r\n\r\n"));
    add(fake, API, "GET /page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>");
    add(fake, API, "PROPFIND /dav", "HTTP/1.1 207 Multi-Status\r\n\r\n");
    add(fake, "http://other.test:8080", "GET /v1/status", OK_JSON "{\"ok\":true}");
    text = export_text(fake, NULL, &report);
    golden_compare(text, "tests/unit/capture/export/golden/session.openapi.json");
    assert_int_equal(report.considered, 9);
    assert_int_equal(report.written, 7);
    assert_int_equal(report.reasons[EXPORT_SITE].count, 1);
    assert_int_equal(report.reasons[EXPORT_NO_OPERATION].count, 1);
    assert_true(report.is_hidden);
    export_report_clear(&report);
    free(text);
    fake_source_free(fake);
}

static void a_form_has_an_example_unless_it_needs_a_file(void **state)
{
    static const char upload[] = "POST /files HTTP/1.1\r\n" AS_PARTS
                                 "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n"
                                 "PNG\r\n--b--\r\n";
    struct fake_source *fake = fake_source_new();
    json_t *document, *content, *example;

    (void)state;
    for (int i = 0; i < 2; i++)
        fake_source_add(fake, API, span_of(upload), SPAN(OK_JSON "{}"));
    fake_source_add(fake, API, SPAN("POST /search HTTP/1.1\r\n" AS_FORM "q=&tag=1&tag=2&all=true&none"),
                    SPAN(OK_JSON "{}"));
    fake_source_add(fake, API, SPAN("POST /search HTTP/1.1\r\n" AS_FORM "q=a+b&none="), SPAN(OK_JSON "{}"));
    document = export_json(fake, NULL);
    content = at(document, "paths", "/files", "post", "requestBody", "content", "multipart/form-data", NULL);
    assert_non_null(at(content, "schema", "required", NULL));
    assert_null(at(content, "example", NULL));
    example = at(document, "paths", "/search", "post", "requestBody", "content",
                 "application/x-www-form-urlencoded", "example", NULL);
    assert_string_equal(json_string_value(at(example, "q", NULL)), "a b");
    assert_string_equal(json_string_value(at(example, "none", NULL)), "");
    assert_int_equal(json_integer_value(json_array_get(at(example, "tag", NULL), 0)), 1);
    assert_true(json_is_true(at(example, "all", NULL)));
    json_decref(document);
    fake_source_free(fake);
}

static void a_host_is_described_alone_on_one_port_or_all(void **state)
{
    struct fake_source *fake = fake_source_new();
    json_t *document;

    (void)state;
    add(fake, "https://a.test", "GET /x", NO_BODY);
    add(fake, "https://a.test:8443", "GET /y", NO_BODY);
    add(fake, "https://b.test", "GET /z", NO_BODY);
    document = export_json(fake, "A.test");
    assert_int_equal(json_object_size(at(document, "paths", NULL)), 2);
    json_decref(document);
    document = export_json(fake, "a.test:8443");
    assert_int_equal(json_object_size(at(document, "paths", NULL)), 1);
    assert_non_null(at(document, "paths", "/y", NULL));
    assert_string_equal(json_string_value(at(document, "info", "title", NULL)), "a.test:8443");
    json_decref(document);
    document = export_json(fake, "c.test");
    assert_int_equal(json_object_size(at(document, "paths", NULL)), 0);
    json_decref(document);
    fake_source_free(fake);
}

static void paths_that_differ_in_names_of_variables_are_one(void **state)
{
    struct fake_source *fake = fake_source_new();
    json_t *document, *paths;

    (void)state;
    add(fake, "https://a.test", "GET /users/3f2b8c1e-9d4a-4c6b-8e1f-0a2b3c4d5e6f", NO_BODY);
    add(fake, "https://b.test", "PUT /users/a@shop.test", NO_BODY);
    document = export_json(fake, NULL);
    paths = at(document, "paths", NULL);
    assert_int_equal(json_object_size(paths), 1);
    assert_non_null(at(paths, "/users/{userId}", "get", NULL));
    assert_non_null(at(paths, "/users/{userId}", "put", NULL));
    assert_int_equal(json_array_size(at(document, "servers", NULL)), 2);
    json_decref(document);
    fake_source_free(fake);
}

static void operations_have_names_of_their_own(void **state)
{
    struct fake_source *fake = fake_source_new();
    json_t *document, *paths;

    (void)state;
    add(fake, API, "GET /v1/users", NO_BODY);
    add(fake, API, "GET /v2/users", NO_BODY);
    add(fake, API, "GET /line-items", NO_BODY);
    add(fake, API, "GET /line_items", NO_BODY);
    add(fake, API, "GET /", NO_BODY);
    add(fake, API, "GET /api/v3", NO_BODY);
    document = export_json(fake, NULL);
    paths = at(document, "paths", NULL);
    assert_string_equal(json_string_value(at(paths, "/v1/users", "get", "operationId", NULL)), "getV1Users");
    assert_string_equal(json_string_value(at(paths, "/v2/users", "get", "operationId", NULL)), "getV2Users");
    assert_string_equal(json_string_value(at(paths, "/line-items", "get", "operationId", NULL)),
                        "getLineItems");
    assert_string_equal(json_string_value(at(paths, "/line_items", "get", "operationId", NULL)),
                        "getLineItems_2");
    assert_string_equal(json_string_value(at(paths, "/", "get", "operationId", NULL)), "getRoot");
    assert_string_equal(json_string_value(at(paths, "/", "get", "summary", NULL)), "Get root");
    json_decref(document);
    fake_source_free(fake);
}

static void a_number_is_one_only_when_all_values_are(void **state)
{
    static const struct {
        const char *first, *second, *type;
    } rows[] = {
        { "1", "-2", "integer" },       { "1", "2.5", "number" },
        { "true", "false", "boolean" }, { "1", "x", "string" },
        { "007", "8", "string" },       { "1", "", "string" },
        { "true", "1", "string" },      { "1.", "2", "string" },
        { "1e5", "2", "string" },       { "12345678901234567", "1", "string" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake_source *fake = fake_source_new();
        char *first = mem_printf("GET /x?a=%s", rows[i].first),
             *second = mem_printf("GET /x?a=%s", rows[i].second);
        json_t *document, *parameter;

        add(fake, API, first, NO_BODY);
        add(fake, API, second, NO_BODY);
        document = export_json(fake, NULL);
        parameter = json_array_get(at(document, "paths", "/x", "get", "parameters", NULL), 0);
        assert_string_equal(json_string_value(at(parameter, "schema", "type", NULL)), rows[i].type);
        assert_true(json_is_true(at(parameter, "required", NULL)));
        json_decref(document);
        mem_free(first);
        mem_free(second);
        fake_source_free(fake);
    }
}

static void who_was_turned_away_proves_nothing_about_logging_in(void **state)
{
    struct fake_source *fake = fake_source_new();
    json_t *document, *security;

    (void)state;
    add(fake, API, "GET /a", "HTTP/1.1 401 Unauthorized\r\n\r\n");
    add(fake, API, "GET /a?api_key=k3y-Zr7YpQ4vTn2MbX", NO_BODY);
    add(fake, API, "GET /b", NO_BODY);
    add(fake, API, "GET /b?api_key=k3y-Zr7YpQ4vTn2MbX", NO_BODY);
    document = export_json(fake, NULL);
    security = at(document, "paths", "/a", "get", "security", NULL);
    assert_int_equal(json_array_size(security), 1);
    assert_non_null(at(json_array_get(security, 0), "apiKeyQuery", NULL));
    security = at(document, "paths", "/b", "get", "security", NULL);
    assert_int_equal(json_array_size(security), 2);
    assert_int_equal(json_object_size(json_array_get(security, 0)), 0);
    assert_null(at(document, "paths", "/b", "get", "parameters", NULL));
    json_decref(document);
    fake_source_free(fake);
}

static void bodies_that_teach_nothing_are_counted(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct export_report report;
    struct record *record;
    char *text;

    (void)state;
    add(fake, API, "GET /broken", OK_JSON "{\"a\":");
    record = fake_source_add(fake, API, SPAN("GET /cut HTTP/1.1\r\n\r\n"), SPAN(OK_JSON "{}"));
    record->response_body.bytes = 10;
    add(fake, API, "GET /whole", OK_JSON "{}");
    text = export_text(fake, NULL, &report);
    assert_int_equal(report.reasons[EXPORT_SCHEMA_PARTIAL].count, 2);
    assert_int_equal(report.written, 3);
    export_report_clear(&report);
    free(text);
    fake_source_free(fake);
}

static void what_a_stranger_sizes_has_an_end(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct export_report report;
    struct strbuf query = STRBUF_EMPTY;
    json_t *document;
    char *text;

    (void)state;
    strbuf_add_str(&query, "GET /many?");
    for (int i = 0; i < OPENAPI_MAX_VALUES + 10; i++)
        strbuf_printf(&query, "k%d=1&", i);
    add(fake, API, strbuf_text(&query), NO_BODY);
    text = export_text(fake, NULL, &report);
    document = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(at(document, "paths", "/many", "get", "parameters", NULL)),
                     OPENAPI_MAX_VALUES);
    assert_int_equal(report.reasons[EXPORT_NAMES_MANY].count, 1);
    export_report_clear(&report);
    json_decref(document);
    free(text);
    for (int i = 0; i < OPENAPI_MAX_OPERATIONS + 5; i++) {
        char *line = mem_printf("PUT /w%da/w%db/w%dc", i / 400, i % 400, i);

        add(fake, API, line, NO_BODY);
        mem_free(line);
    }
    text = export_text(fake, NULL, &report);
    assert_int_equal(report.considered - report.written, report.reasons[EXPORT_OPERATIONS_MANY].count);
    assert_int_equal(report.reasons[EXPORT_OPERATIONS_MANY].count, 6);
    export_report_clear(&report);
    free(text);
    strbuf_clear(&query);
    fake_source_free(fake);
}

static void a_secret_in_a_path_is_a_variable(void **state)
{
    struct fake_source *fake = fake_source_new();
    json_t *document;

    (void)state;
    add(fake, API,
        "GET /reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r",
        NO_BODY);
    add(fake, API,
        "GET /reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI5OTk5OTk5OTk5In0.Zk3ftJeZ4CVP-mB92K27uhbUJU1p1x",
        NO_BODY);
    document = export_json(fake, NULL);
    assert_int_equal(json_object_size(at(document, "paths", NULL)), 1);
    assert_non_null(at(document, "paths", "/reset/{resetId}", NULL));
    json_decref(document);
    fake_source_free(fake);
}

static void a_deep_document_has_a_schema_and_no_example(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf response = STRBUF_EMPTY;
    json_t *document, *media;

    (void)state;
    strbuf_add_str(&response, OK_JSON);
    for (int i = 0; i < 60; i++)
        strbuf_add_str(&response, i % 2 ? "[" : "{\"a\":");
    strbuf_add_str(&response, "1");
    for (int i = 59; i >= 0; i--)
        strbuf_add_str(&response, i % 2 ? "]" : "}");
    add(fake, API, "GET /deep", strbuf_text(&response));
    document = export_json(fake, NULL);
    media = at(document, "paths", "/deep", "get", "responses", "200", "content", "application/json", NULL);
    assert_string_equal(json_string_value(at(media, "schema", "properties", "a", "type", NULL)), "array");
    assert_null(at(media, "example", NULL));
    json_decref(document);
    strbuf_clear(&response);
    fake_source_free(fake);
}

static void a_broken_store_is_told(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct export_options options = { .format = export_find_format("openapi"), .host = "a b" };
    struct export_report report;
    struct err err;
    FILE *nowhere = fopen("/dev/null", "we");

    (void)state;
    add(fake, API, "GET /x", OK_JSON "{}");
    assert_false(export_to_stream(fake_source_reader(fake), &options, nowhere, &report, &err));
    assert_int_equal(err.code, ERR_USAGE);
    export_report_clear(&report);
    options.host = NULL;
    options.secrets = EXPORT_SECRETS_KEEP;
    fake_source_break(fake);
    assert_false(export_to_stream(fake_source_reader(fake), &options, nowhere, &report, &err));
    assert_int_equal(err.code, ERR_STORE);
    export_report_clear(&report);
    fclose(nowhere);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_has_its_golden_form),
        cmocka_unit_test(a_form_has_an_example_unless_it_needs_a_file),
        cmocka_unit_test(a_host_is_described_alone_on_one_port_or_all),
        cmocka_unit_test(paths_that_differ_in_names_of_variables_are_one),
        cmocka_unit_test(operations_have_names_of_their_own),
        cmocka_unit_test(a_number_is_one_only_when_all_values_are),
        cmocka_unit_test(who_was_turned_away_proves_nothing_about_logging_in),
        cmocka_unit_test(bodies_that_teach_nothing_are_counted),
        cmocka_unit_test(what_a_stranger_sizes_has_an_end),
        cmocka_unit_test(a_secret_in_a_path_is_a_variable),
        cmocka_unit_test(a_deep_document_has_a_schema_and_no_example),
        cmocka_unit_test(a_broken_store_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

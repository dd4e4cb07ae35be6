/* The golden file was replayed by newman against an origin that compared bytes, and is valid by the schema.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "capture/export/export.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

#define OK_JSON                                                                                              \
    SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}")

static struct fake_source *fake;

static int make_source(void **state)
{
    (void)state;
    fake = fake_source_new();
    return 0;
}

static int free_source(void **state)
{
    (void)state;
    fake_source_free(fake);
    return 0;
}

static struct record *add(const char *origin, const char *request)
{
    return fake_source_add(fake, origin, span_of(request), OK_JSON);
}

static json_t *parsed(char *text)
{
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);

    if (document == NULL)
        fail_msg("line %d: %s\n%s", error.line, error.text, text);
    free(text);
    return document;
}

static json_t *exported(const char *group)
{
    return parsed(fake_source_export(fake, "collection", group, NULL));
}

/* A value by its path of keys and indices: "item 0 request url". */
static json_t *at(json_t *value, const char *path)
{
    char *copy = mem_strdup(path), *rest = copy, *step;

    while ((step = strsep(&rest, " ")) != NULL && value != NULL)
        value =
            json_is_array(value) ? json_array_get(value, (size_t)atoi(step)) : json_object_get(value, step);
    mem_free(copy);
    return value;
}

static const char *text_at(json_t *value, const char *path)
{
    const char *text = json_string_value(at(value, path));

    if (text == NULL)
        fail_msg("there is no text at '%s'", path);
    return text;
}

static char *exported_as(enum export_profile profile, enum export_secrets secrets)
{
    struct export_options options = { .format = export_find_format("collection"),
                                      .profile = profile,
                                      .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES,
                                      .secrets = secrets };

    return fake_source_export_as(fake, &options);
}

static void add_shop(void)
{
    add("https://api.shop.test",
        "GET /v1/users/48213?expand=orders&expand=cards&flag&=x&& HTTP/1.1\r\nHost: api.shop.test\r\n"
        "Accept: application/json\r\nX-Dup: 1\r\nx-dup: 2\r\nUser-Agent: curl/8\r\n"
        "Authorization: Bearer abc\r\nCookie: sid=1; pref=2\r\nIf-None-Match: \"v7\"\r\n\r\n");
    add("https://api.shop.test",
        "POST /v1/login HTTP/1.1\r\nHost: api.shop.test\r\nOrigin: https://www.shop.test\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\nuser=a%20b&mail=x%40y.test");
    add("https://api.shop.test",
        "POST /graphql HTTP/1.1\r\nHost: api.shop.test\r\nContent-Type: application/json\r\n\r\n"
        "{\"query\":\"query Product($id: ID!) { product(id: $id) { name } "
        "}\",\"variables\":{\"id\":\"p1\"}}");
    add("https://api.shop.test",
        "POST /v1/upload HTTP/1.1\r\nHost: api.shop.test\r\nContent-Type: multipart/form-data; "
        "boundary=\"X\"\r\n\r\n"
        "--X\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntext\r\n"
        "--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"cat.png\"\r\nContent-Type: "
        "image/png\r\n\r\n\x89PNG\r\n--X--\r\n");
    add("https://api.shop.test", "PUT /v1/templates HTTP/1.1\r\nHost: api.shop.test\r\nContent-Type: "
                                 "text/plain\r\n\r\n{{$guid}} {{baseUrl}}");
    add("https://api.shop.test", "PUT /v1/blobs/b%2F1 HTTP/1.1\r\nHost: api.shop.test\r\n\r\n\xff\xfe");
    fake_source_add(fake, "http://127.0.0.1:8080",
                    SPAN("GET /{x}/\xe9 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"),
                    SPAN("HTTP/1.1 404 \r\nContent-Type: image/png\r\nSet-Cookie: sid=abc; Path=/; HttpOnly; "
                         "SameSite=Lax; "
                         "Max-Age=60\r\n\r\n\x89PNG"));
}

static void an_export_has_its_golden_form(void **state)
{
    char *text;

    (void)state;
    add_shop();
    text = exported_as(EXPORT_FAITHFUL, EXPORT_SECRETS_KEEP);
    golden_compare(text, "tests/unit/capture/export/golden/collection.json");
    free(text);
    text = exported_as(EXPORT_RUNNABLE, EXPORT_SECRETS_ENV);
    golden_compare(text, "tests/unit/capture/export/golden/collection-runnable.json");
    free(text);
    text = fake_source_export(fake, "environment", NULL, NULL);
    golden_compare(text, "tests/unit/capture/export/golden/environment.json");
    free(text);
}

static void hosts_and_resources_are_folders(void **state)
{
    static const char *const requests[] = { "GET /v1/users/1 HTTP/1.1\r\n\r\n",
                                            "GET /v1/orders HTTP/1.1\r\n\r\n",
                                            "GET / HTTP/1.1\r\n\r\n",
                                            "GET /v1/users/2 HTTP/1.1\r\n\r\n",
                                            "GET /favicon.ico HTTP/1.1\r\n\r\n",
                                            "GET /v1/users HTTP/1.1\r\n\r\n",
                                            "POST /v1/users HTTP/1.1\r\n\r\n" };
    json_t *document;

    (void)state;
    add("http://small.test", "GET /a/b HTTP/1.1\r\n\r\n");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        add("http://big.test", requests[i]);
    document = exported("both");
    assert_int_equal(json_array_size(at(document, "item")), 2);
    assert_string_equal(text_at(document, "item 0 name"), "small.test");
    assert_string_equal(text_at(document, "item 0 item 0 name"), "GET a/b");
    assert_string_equal(text_at(document, "item 1 item 0 name"), "GET /");
    assert_string_equal(text_at(document, "item 1 item 1 name"), "GET favicon.ico");
    assert_string_equal(text_at(document, "item 1 item 2 name"), "users");
    assert_int_equal(json_array_size(at(document, "item 1 item 2 item")), 3);
    assert_string_equal(text_at(document, "item 1 item 2 item 0 name"), "GET v1/users/:userId");
    assert_string_equal(text_at(document, "item 1 item 3 item 0 name"), "GET v1/orders");
    json_decref(document);
    document = exported("domain");
    assert_string_equal(text_at(document, "item 1 item 0 name"), "GET v1/users/:userId");
    json_decref(document);
    document = exported("endpoint");
    assert_string_equal(text_at(document, "item 0 name"), "GET /");
    assert_string_equal(text_at(document, "item 2 name"), "a");
    json_decref(document);
    document = exported("chronological");
    assert_string_equal(text_at(document, "item 0 name"), "001 GET a/b");
    assert_string_equal(text_at(document, "item 7 name"), "008 POST v1/users");
    json_decref(document);
}

static void what_a_resource_has_is_a_folder_in_its_folder(void **state)
{
    static const char *const requests[] = {
        "GET /v1/users/48213/orders HTTP/1.1\r\n\r\n",
        "GET /v1/carts HTTP/1.1\r\n\r\n",
        "GET /v1/users/48213/orders/17/lines HTTP/1.1\r\n\r\n",
        "GET /v1/users/48213/avatar.png HTTP/1.1\r\n\r\n",
        "GET /v1/users/48213/cards HTTP/1.1\r\n\r\n",
        "GET /v1/users/48213 HTTP/1.1\r\n\r\n",
        "GET /v1/users/export HTTP/1.1\r\n\r\n",
    };
    static const char *const groups[] = { "endpoint", "both" };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        add("http://big.test", requests[i]);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        json_t *document = exported(groups[i]);
        json_t *top = i == 0 ? document : at(document, "item 0");

        assert_int_equal(json_array_size(at(top, "item")), 2);
        assert_string_equal(text_at(top, "item 0 name"), "users");
        assert_int_equal(json_array_size(at(top, "item 0 item")), 5);
        assert_string_equal(text_at(top, "item 0 item 0 name"), "GET v1/users/:userId/avatar.png");
        assert_string_equal(text_at(top, "item 0 item 1 name"), "GET v1/users/:userId");
        assert_string_equal(text_at(top, "item 0 item 2 name"), "GET v1/users/export");
        assert_string_equal(text_at(top, "item 0 item 3 name"), "users/:userId/orders");
        assert_string_equal(text_at(top, "item 0 item 3 item 0 name"), "GET v1/users/:userId/orders");
        assert_string_equal(text_at(top, "item 0 item 3 item 1 name"),
                            "GET v1/users/:userId/orders/:orderId/lines");
        assert_string_equal(text_at(top, "item 0 item 4 name"), "users/:userId/cards");
        assert_string_equal(text_at(top, "item 1 name"), "carts");
        assert_string_not_equal(text_at(top, "item 0 id"), text_at(top, "item 0 item 3 id"));
        json_decref(document);
    }
}

/* As many items as make no folders, and one more; its further examples are no items. */
static void a_host_of_few_items_is_not_split(void **state)
{
    json_t *document;

    (void)state;
    add("http://a.test", "GET /users HTTP/1.1\r\n\r\n");
    add("http://a.test", "POST /users HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /users/48213 HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /users/48214 HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /users/48214/orders HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /carts HTTP/1.1\r\n\r\n");
    document = exported("both");
    assert_int_equal(json_array_size(at(document, "item 0 item")), 5);
    assert_string_equal(text_at(document, "item 0 item 4 name"), "GET carts");
    json_decref(document);
    add("http://a.test", "GET /terms HTTP/1.1\r\n\r\n");
    document = exported("both");
    assert_int_equal(json_array_size(at(document, "item 0 item")), 3);
    assert_string_equal(text_at(document, "item 0 item 0 name"), "users");
    json_decref(document);
}

static void what_pages_of_the_site_had_from_elsewhere_comes_last(void **state)
{
    static const char cross[] = "Sec-Fetch-Site: cross-site\r\n\r\n";
    static const char *const hosts[] = { "https://cdn.test", "https://fonts.test", "https://api.shop.test" };
    static const char *const groups[] = { "both", "domain", "endpoint" };
    json_t *document;

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char *request = mem_printf("GET /lib/%zu HTTP/1.1\r\n%s", i, cross);

        add(hosts[i], request);
        mem_free(request);
    }
    for (size_t i = 0; i < 3; i++)
        add("https://www.shop.test", "GET /cart HTTP/1.1\r\nSec-Fetch-Site: none\r\n\r\n");
    /* Somebody went there: it is no third party. */
    add("https://other.test", "GET /a HTTP/1.1\r\nSec-Fetch-Site: none\r\n\r\n");
    for (size_t i = 0; i < 2; i++) {
        document = exported(groups[i]);
        assert_int_equal(json_array_size(at(document, "item")), 4);
        assert_string_equal(text_at(document, "item 0 name"), "api.shop.test");
        assert_string_equal(text_at(document, "item 2 name"), "other.test");
        assert_string_equal(text_at(document, "item 3 name"), "_third-party");
        assert_string_equal(text_at(document, "item 3 item 0 name"), "cdn.test");
        assert_string_equal(text_at(document, "item 3 item 0 item 0 name"), "GET lib/0");
        assert_string_equal(text_at(document, "item 3 item 1 name"), "fonts.test");
        json_decref(document);
    }
    document = exported(groups[2]);
    assert_int_equal(json_array_size(at(document, "item")), 4);
    assert_string_equal(text_at(document, "item 0 name"), "lib");
    assert_int_equal(json_array_size(at(document, "item 0 item")), 1);
    assert_string_equal(text_at(document, "item 3 name"), "_third-party");
    assert_int_equal(json_array_size(at(document, "item 3 item")), 2);
    json_decref(document);
}

static void names_are_unique_within_their_folder(void **state)
{
    struct export_options options = { .group = EXPORT_BY_DOMAIN,
                                      .keeps_all = true,
                                      .secrets = EXPORT_SECRETS_KEEP };
    json_t *document;

    (void)state;
    add("http://a.test", "GET /x HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /x HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /x?status=1 HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /x HTTP/1.1\r\n\r\n");
    options.format = export_find_format("collection");
    document = parsed(fake_source_export_as(fake, &options));
    assert_string_equal(text_at(document, "item 0 item 0 name"), "GET x");
    assert_string_equal(text_at(document, "item 0 item 1 name"), "GET x (2)");
    assert_string_equal(text_at(document, "item 0 item 2 name"), "GET x?status");
    assert_string_equal(text_at(document, "item 0 item 3 name"), "GET x (3)");
    json_decref(document);
}

static void what_is_no_item_is_counted_with_its_reason(void **state)
{
    struct export_options options = { .format = export_find_format("collection") };
    struct export_report report;
    struct err err;
    FILE *sink = fopen("/dev/null", "w");

    (void)state;
    add("https://a.test", "CONNECT a.test:443 HTTP/1.1\r\n\r\n");
    add("https://a.test", "GET /tunnel HTTP/1.1\r\n\r\n")->flags = TAP_TUNNEL;
    add("https://a.test", "GET /ws HTTP/1.1\r\n\r\n")->status = 101;
    add("https://a.test", "CONNECT /ws HTTP/1.1\r\n\r\n")->protocol = SPAN("websocket");
    add("https://a.test", "GET /502 HTTP/1.1\r\n\r\n")->flags = TAP_MADE_BY_WEIR;
    fake_source_add(fake, "https://a.test", SPAN("GET /none HTTP/1.1\r\n\r\n"), SPAN_NONE);
    add("https://a.test", "POST /cut HTTP/1.1\r\n\r\nabc")->request_body.kept = 1;
    add("https://a.test", "GET /fine HTTP/1.1\r\n\r\n");
    assert_true(export_to_stream(fake_source_reader(fake), &options, sink, &report, &err));
    assert_int_equal(report.considered, 8);
    assert_int_equal(report.written, 1);
    assert_int_equal(report.reasons[EXPORT_TUNNEL].count, 2);
    assert_int_equal(report.reasons[EXPORT_UPGRADED].count, 2);
    assert_int_equal(report.reasons[EXPORT_OWN_RESPONSE].count, 1);
    assert_int_equal(report.reasons[EXPORT_NO_RESPONSE].count, 1);
    assert_int_equal(report.reasons[EXPORT_REQUEST_CUT].count, 1);
    assert_string_equal(report.reasons[EXPORT_REQUEST_CUT].first, "exchange 7");
    fclose(sink);
}

/* Only what newman builds in the same way is taken apart. */
static void structured_bodies_stay_raw_unless_they_come_back_the_same(void **state)
{
    static const struct {
        const char *type, *body, *mode;
    } cases[] = {
        { "application/x-www-form-urlencoded", "a=1&b=", "urlencoded" },
        { "application/x-www-form-urlencoded", "a=1+2", "raw" },
        { "application/x-www-form-urlencoded", "a=1&a=2", "raw" },
        { "application/x-www-form-urlencoded", "a=1&7=2", "raw" },
        { "application/x-www-form-urlencoded", "a=%c3%a9", "raw" },
        { "application/x-www-form-urlencoded", "a=%41", "raw" },
        { "application/x-www-form-urlencoded", "a=%FF", "raw" },
        { "application/x-www-form-urlencoded", "a=1&", "raw" },
        { "application/x-www-form-urlencoded", "a=%7B%7Bx%7D%7D", "raw" },
        { "application/json", "{\"query\":\"{ a }\"}", "graphql" },
        { "application/json", "{\"query\":\"{ a }\",\"extensions\":{}}", "raw" },
        { "application/json", "{\"query\":\"{ a }\",\"variables\":{\"n\":1.50}}", "raw" },
        { "application/json", "[{\"query\":\"{ a }\"}]", "raw" },
        { "application/octet-stream", "a\xff", "file" },
        { "multipart/form-data; boundary=X",
          "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n", "formdata" },
        { "multipart/form-data; boundary=X",
          "--X\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n1\r\n--X--\r\n", "raw" },
        { "multipart/form-data; boundary=X",
          "--X\r\nContent-Disposition: form-data; name=\"a\"\r\nX-Own: 1\r\n\r\n1\r\n--X--\r\n", "raw" },
        { "multipart/form-data; boundary=X", "--X\r\nnonsense", "raw" },
    };
    json_t *document;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *request =
            mem_printf("POST / HTTP/1.1\r\nContent-Type: %s\r\n\r\n%s", cases[i].type, cases[i].body);

        add("http://a.test", request);
        mem_free(request);
    }
    document = exported("chronological");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *mode = text_at(json_array_get(at(document, "item"), i), "request body mode");

        if (strcmp(mode, cases[i].mode) != 0)
            fail_msg("'%s' is %s, should be %s", cases[i].body, mode, cases[i].mode);
    }
    json_decref(document);
}

static void a_long_example_is_cut_at_a_code_point_and_says_so(void **state)
{
    struct strbuf response = STRBUF_EMPTY;
    json_t *document;
    const char *body;

    (void)state;
    strbuf_add_str(&response, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nx");
    for (size_t i = 0; i < 200000; i++)
        strbuf_add_str(&response, "é");
    fake_source_add(fake, "http://a.test", SPAN("GET / HTTP/1.1\r\n\r\n"), strbuf_span(&response));
    strbuf_clear(&response);
    document = exported("domain");
    body = text_at(document, "item 0 item 0 response 0 body");
    assert_int_equal(strlen(body), EXPORT_MAX_EXAMPLE_BYTES - 1);
    assert_string_equal(text_at(document, "item 0 item 0 response 0 name"),
                        "200 OK · GET / · #1 (truncated 256 KiB of 390.6 KiB)");
    json_decref(document);
}

static void a_failing_store_fails_the_export_and_leaves_the_old_file(void **state)
{
    struct export_options options = { .format = export_find_format("collection") };
    char path[] = "/tmp/weir-test-XXXXXX", text[8] = "";
    struct export_report report;
    struct err err;
    int fd = mkstemp(path);
    char *folder;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "old", 3), 3);
    close(fd);
    add("http://a.test", "POST / HTTP/1.1\r\n\r\nabc");
    fake_source_break(fake);
    assert_false(export_to_file(fake_source_reader(fake), &options, path, &report, &err));
    assert_int_equal(err.code, ERR_STORE);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(text, 1, sizeof(text), file), 3);
    fclose(file);
    unlink(path);
    folder = mem_printf("%s.files", path);
    assert_int_equal(access(folder, F_OK), -1);
    mem_free(folder);
    export_report_clear(&report);
}

static void a_large_body_lies_beside_the_file_and_inline_in_a_stream(void **state)
{
    struct export_options options = { .format = export_find_format("collection"),
                                      .group = EXPORT_CHRONOLOGICAL };
    char path[] = "/tmp/weir-test-XXXXXX";
    struct strbuf request = STRBUF_EMPTY;
    struct export_report report;
    struct err err;
    json_t *document;
    char *beside;
    int fd = mkstemp(path);

    (void)state;
    close(fd);
    strbuf_add_str(&request, "PUT / HTTP/1.1\r\nContent-Type: application/octet-stream\r\n\r\n");
    for (size_t i = 0; i < 70000; i++)
        strbuf_add_char(&request, (char)(i % 251));
    fake_source_add(fake, "http://a.test", strbuf_span(&request), OK_JSON);
    strbuf_clear(&request);
    if (!export_to_file(fake_source_reader(fake), &options, path, &report, &err))
        fail_msg("%s", err.text);
    assert_true(report.has_files);
    document = json_load_file(path, 0, NULL);
    beside = mem_printf("%s/%s", report.files_path, text_at(document, "item 0 request body file src"));
    assert_int_equal(access(beside, R_OK), 0);
    json_decref(document);
    unlink(beside);
    rmdir(report.files_path);
    unlink(path);
    mem_free(beside);
    export_report_clear(&report);
    document = exported("chronological");
    assert_int_equal(strlen(text_at(document, "item 0 request body file content")), (70000 + 2) / 3 * 4);
    json_decref(document);
}

/* The password is known from the first request; all others have it somewhere else. The export fails by itself
 * where one is left. */
static void a_secret_is_nowhere_in_it_however_it_is_spelled(void **state)
{
    static const char *const requests[] = {
        "POST /login HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"password\":\"hunter 2&\\\"more\"}",
        "GET /reset/hunter%202%26%22more/now HTTP/1.1\r\n\r\n",
        "GET /q?a=hunter+2%26%22more&b=xhunter%202%26%22morex HTTP/1.1\r\n\r\n",
        "POST /form HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        "a=hunter%202%26%22more&b=x",
        "POST /form2 HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        "a=xhunter%202%26%22morex",
        "POST /gql HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
        "{\"query\":\"{ a }\",\"variables\":{\"p\":\"hunter 2&\\\"more\"}}",
        "POST /bin HTTP/1.1\r\nContent-Type: application/octet-stream\r\n\r\n\xff hunter 2&\"more \xfe",
        "POST /parts HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X\r\n\r\n"
        "--X\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nhunter 2&\"more\r\n"
        "--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nContent-Type: "
        "text/plain\r\n\r\n"
        "in hunter 2&\"more a file\r\n--X--\r\n",
        "GET /basic HTTP/1.1\r\nAuthorization: Basic dTpodW50ZXIgMiYibW9yZQ==\r\n\r\n",
        "GET /header HTTP/1.1\r\nX-Note: it is hunter 2&\"more\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        add("http://a.test", requests[i]);
    fake_source_add(fake, "http://a.test", SPAN("GET /echo HTTP/1.1\r\n\r\n"),
                    SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Echo: hunter 2&\"more\r\n\r\n"
                         "<p>hunter 2&amp;&quot;more</p>"));
    for (int profile = EXPORT_RUNNABLE; profile <= EXPORT_FAITHFUL; profile++) {
        char *text = exported_as((enum export_profile)profile, EXPORT_SECRETS_ENV);

        assert_null(strstr(text, "hunter"));
        json_decref(parsed(text));
    }
}

/* Six of eight items show the same one. */
static void a_credential_is_hoisted_to_where_most_items_share_it(void **state)
{
    static const char *const paths[] = { "a", "b", "c", "d", "e", "f" };
    json_t *document;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char *request = mem_printf("GET /%s/x HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n", paths[i]);

        add("http://a.test", request);
        mem_free(request);
    }
    add("http://a.test", "GET /open HTTP/1.1\r\n\r\n");
    add("http://a.test", "GET /other HTTP/1.1\r\nX-API-Key: k\r\n\r\n");
    document = exported("domain");
    assert_string_equal(text_at(document, "auth bearer 0 value"), "abc");
    assert_null(at(document, "item 0 auth"));
    assert_null(at(document, "item 0 item 0 request auth"));
    assert_string_equal(text_at(document, "item 0 item 6 request auth type"), "noauth");
    assert_string_equal(text_at(document, "item 0 item 7 request auth type"), "apikey");
    json_decref(document);
}

#define collection_test(name) cmocka_unit_test_setup_teardown(name, make_source, free_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        collection_test(an_export_has_its_golden_form),
        collection_test(hosts_and_resources_are_folders),
        collection_test(what_a_resource_has_is_a_folder_in_its_folder),
        collection_test(a_host_of_few_items_is_not_split),
        collection_test(what_pages_of_the_site_had_from_elsewhere_comes_last),
        collection_test(names_are_unique_within_their_folder),
        collection_test(what_is_no_item_is_counted_with_its_reason),
        collection_test(structured_bodies_stay_raw_unless_they_come_back_the_same),
        collection_test(a_long_example_is_cut_at_a_code_point_and_says_so),
        collection_test(a_failing_store_fails_the_export_and_leaves_the_old_file),
        collection_test(a_secret_is_nowhere_in_it_however_it_is_spelled),
        collection_test(a_credential_is_hoisted_to_where_most_items_share_it),
        collection_test(a_large_body_lies_beside_the_file_and_inline_in_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

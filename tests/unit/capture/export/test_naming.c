#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/naming.h"

static struct record record_of(const char *scheme, const char *host, uint16_t port)
{
    return (struct record){ .scheme = span_of(scheme), .host = span_of(host), .port = port };
}

static void assert_variable(const char *scheme, const char *host, uint16_t port, const char *expected)
{
    struct record record = record_of(scheme, host, port);
    struct strbuf name = STRBUF_EMPTY;

    naming_add_variable(&name, &record);
    assert_string_equal(strbuf_text(&name), expected);
    strbuf_clear(&name);
}

static void a_variable_is_named_for_its_host(void **state)
{
    (void)state;
    assert_variable("https", "api.shop.test", 443, "apiShopBaseUrl");
    assert_variable("https", "my-api.shop.test", 8443, "myApiShopPort8443BaseUrl");
    assert_variable("http", "localhost", 80, "localhostBaseUrl");
    assert_variable("http", "127.0.0.1", 8080, "host127_0_0_1Port8080BaseUrl");
    assert_variable("http", "1st.test", 80, "host1stBaseUrl");
}

static void assert_resource(const char *path, const char *expected)
{
    struct span segment = SPAN_NONE;

    if (naming_find_resource(span_of(path), &segment) != (expected != NULL) ||
        (expected != NULL && !span_eq(segment, span_of(expected))))
        fail_msg("'%s' is about '%.*s'", path, SPAN_ARG(segment));
}

static void assert_part(const char *path, const char *expected)
{
    struct span part = SPAN_NONE;

    if (naming_find_part(span_of(path), &part) != (expected != NULL) ||
        (expected != NULL && !span_eq(part, span_of(expected))))
        fail_msg("'%s' has '%.*s'", path, SPAN_ARG(part));
}

static void a_part_of_a_resource_stands_behind_a_variable(void **state)
{
    (void)state;
    assert_part("/v1/users/:userId/orders", "users/:userId/orders");
    assert_part("/v1/users/:userId/orders/:orderId/lines", "users/:userId/orders");
    assert_part("/api/users/:userId/orders", "api/users/:userId/orders");
    assert_part("/users/:userId/:day/hours", "users/:userId/:day/hours");
    assert_part("/users/:userId", NULL);
    assert_part("/users/:userId/", NULL);
    assert_part("/users/:userId/:day", NULL);
    assert_part("/users/:userId/avatar.png", NULL);
    assert_part("/users/export", NULL);
    assert_part("/:shop/users", NULL);
    assert_part("/", NULL);
}

static void a_path_is_about_its_first_telling_segment(void **state)
{
    (void)state;
    assert_resource("/v1/users/5", "users");
    assert_resource("/2024-10/orders", "orders");
    assert_resource("/v2.1/x", "x");
    assert_resource("/48213/items", "items");
    assert_resource("/018f3c1a-0000-7000-8000-000000000001/items", "items");
    assert_resource("/deadbeefcafe0123/items", "items");
    assert_resource("/via/x", "via");
    assert_resource("/static/app.js", "static");
    assert_resource("/favicon.ico", NULL);
    assert_resource("/", NULL);
    assert_resource("", NULL);
    assert_resource("//", NULL);
    assert_resource("/v1", NULL);
    assert_resource("*", NULL);
}

static void assert_operation(const char *body, const char *expected)
{
    struct record record = record_of("http", "a.test", 80);
    struct strbuf name = STRBUF_EMPTY;

    naming_add_operation(&name, &record, span_of(body));
    assert_string_equal(strbuf_text(&name), expected);
    strbuf_clear(&name);
}

static void calls_to_one_url_are_told_apart_by_their_operation(void **state)
{
    (void)state;
    assert_operation("{\"query\":\"query Product($id: ID!) { a }\"}", " · query Product");
    assert_operation("{\"query\":\" mutation { a }\"}", " · mutation");
    assert_operation("{\"query\":\"{ a }\",\"operationName\":\"Named\"}", " · query Named");
    assert_operation("{\"query\":\"{ a }\"}", " · query");
    assert_operation("{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\"}", " · eth_call");
    assert_operation("{\"a\":1}", "");
    assert_operation("{\"query\":", "");
    assert_operation("text", "");
}

static void assert_claims(struct names *names, const char *query, const char *expected)
{
    struct strbuf name = STRBUF_EMPTY;

    strbuf_add_str(&name, "GET x");
    names_claim(names, &name, span_of(query));
    assert_string_equal(strbuf_text(&name), expected);
    strbuf_clear(&name);
}

static void equal_names_get_the_querys_keys_or_a_number(void **state)
{
    struct names *names = names_new();

    (void)state;
    assert_claims(names, "a=1", "GET x");
    assert_claims(names, "a=1&b=2", "GET x?a&b");
    assert_claims(names, "a=3&b=4", "GET x?a&b (2)");
    assert_claims(names, "", "GET x (2)");
    assert_claims(names, "", "GET x (3)");
    names_reset(names);
    assert_claims(names, "", "GET x");
    for (int i = 0; i < 1000; i++) {
        struct strbuf name = STRBUF_EMPTY;

        strbuf_add_str(&name, "GET x");
        names_claim(names, &name, SPAN_NONE);
        strbuf_clear(&name);
    }
    assert_claims(names, "", "GET x (1002)");
    names_free(names);
}

static void an_item_is_named_by_method_and_path(void **state)
{
    struct record record = { .method = SPAN("GET"), .path = SPAN("/v1/users") };
    struct strbuf name = STRBUF_EMPTY;
    char path[400];

    (void)state;
    naming_add_item(&name, record.method, record.path);
    assert_string_equal(strbuf_text(&name), "GET v1/users");
    strbuf_reset(&name);
    record.path = SPAN("/");
    naming_add_item(&name, record.method, record.path);
    assert_string_equal(strbuf_text(&name), "GET /");
    strbuf_reset(&name);
    memset(path, 'a', sizeof(path));
    record.path = span_make(path, sizeof(path));
    naming_add_item(&name, record.method, record.path);
    assert_true(name.len < 120);
    strbuf_clear(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_is_named_for_its_host),
        cmocka_unit_test(a_part_of_a_resource_stands_behind_a_variable),
        cmocka_unit_test(a_path_is_about_its_first_telling_segment),
        cmocka_unit_test(calls_to_one_url_are_told_apart_by_their_operation),
        cmocka_unit_test(equal_names_get_the_querys_keys_or_a_number),
        cmocka_unit_test(an_item_is_named_by_method_and_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

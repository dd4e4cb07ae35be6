/* Variables of the file and of its environment, those of people among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tests/support/merge_world.h"

static void a_base_url_that_points_elsewhere_stays_and_is_used(void **state)
{
    json_t *document;

    (void)state;
    world_call_shop();
    world_merge();
    document = world_load(world.path);
    json_object_set_new(world_at(document, "variable>baseUrl"), "value",
                        json_string("https://staging.shop.test"));
    world_save(world.path, document);
    world_capture_again();
    world_call(API, "GET /v1/users", "tok_one_abcdefgh", "[]");
    world_call(API, "GET /v1/carts", "tok_one_abcdefgh", "{}");
    world_merge();
    document = world_load(world.path);
    assert_int_equal(json_array_size(world_at(document, "variable")), 1);
    assert_string_equal(world_text_at(document, "variable>baseUrl>value"), "https://staging.shop.test");
    assert_string_equal(world_text_at(document, "item>api>item>carts>item>GET v1/carts>request>url>raw"),
                        "{{baseUrl}}/v1/carts");
    json_decref(document);
}

static void a_variable_of_another_host_is_not_taken_for_its_own(void **state)
{
    json_t *document;

    (void)state;
    world_call_shop();
    world_merge();
    world_replace(world.path, "{{baseUrl}}", "{{shop}}");
    world_replace(world.path, "\"key\": \"baseUrl\"", "\"key\": \"shop\"");
    world_capture_again();
    world_call("https://pay.test", "GET /v1/users", NULL, "[]");
    world_call("https://pay.test", "GET /v1/cards", NULL, "[]");
    world_call(API, "GET /v1/carts", NULL, "{}");
    world_merge();
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "variable>baseUrl>value"), "https://pay.test");
    assert_string_equal(world_text_at(document, "item>pay.test>item>GET v1/users>request>url>host>0"),
                        "{{baseUrl}}");
    assert_string_equal(world_text_at(document, "item>api>item>carts>item>GET v1/carts>request>url>host>0"),
                        "{{shop}}");
    json_decref(document);
    /* Now the name is taken. */
    world_capture_again();
    world_call("https://mail.test", "GET /v1/inbox", NULL, "[]");
    world_merge();
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "variable>mailBaseUrl>value"), "https://mail.test");
    assert_string_equal(
        world_text_at(document, "item>mail.test>item>GET v1/inbox>response>0>originalRequest>url>raw"),
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
    world_call_shop();
    world_merge();
    world_capture_again();
    world_call(API, "GET /v1/carts", NULL, "{}");
    world_call_with(API, put, "HTTP/1.1 200 OK\r\n\r\n");
    world_merge();
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "variable>$guid>value"), "{{$guid}}");
    assert_string_equal(world_text_at(document, "variable>baseUrl>value"), API);
    assert_string_equal(world_text_at(document, "item>api>item>carts>item>GET v1/carts>request>url>host>0"),
                        "{{baseUrl_2}}");
    json_decref(document);
    text = world_text_of(world.report_path);
    assert_non_null(strstr(text, "literal {{baseUrl}}: not protected"));
    mem_free(text);
}

static void a_variable_that_scripts_set_may_be_set_by_others(void **state)
{
    struct merge *merge;
    struct err err;

    (void)state;
    world_write(
        world.path,
        "{\"info\":{\"schema\":\"https://schema.getpostman.com/json/collection/v2.1.0/collection.json\"},"
        "\"variable\":[{\"key\":\"orderId\"},{\"key\":\"mine\"}],\"item\":[],\"event\":[{\"script\":"
        "{\"exec\":[\"pm.collectionVariables.set(\\\"orderId\\\", 7);\"]}}]}");
    world_write(
        world.values_path,
        "{\"values\":[{\"key\":\"a\",\"value\":\"one\",\"type\":\"secret\"},"
        "{\"key\":\"b\",\"value\":\"two\"},{\"key\":\"a\",\"value\":\"three\",\"type\":\"secret\"}]}");
    if (!merge_open(world.path, world.values_path, &merge, &err))
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
    world_call_shop();
    world_merge();
    values = world_load(world.values_path);
    json_array_append_new(world_at(values, "values"),
                          json_pack("{s:s,s:s,s:s}", "key", "mine", "value", "1", "type", "default"));
    json_array_append_new(world_at(values, "values"), json_pack("{s:s,s:s,s:s}", "key", "payBearer", "value",
                                                                "by hand", "type", "default"));
    world_save(world.values_path, values);
    world_capture_again();
    world_call(API, "GET /v1/users", "tok_two_abcdefgh", "[{\"id\":48213}]");
    world_call("https://pay.test", "GET /v1/cards", "tok_pay_abcdefgh", "[]");
    world_merge();
    values = world_load(world.values_path);
    assert_string_equal(world_text_at(values, "values>apiShopBearer>value"), "tok_two_abcdefgh");
    assert_string_equal(world_text_at(values, "values>mine>value"), "1");
    assert_string_equal(world_text_at(values, "values>payBearer>value"), "by hand");
    assert_string_equal(world_text_at(values, "values>payBearer_2>value"), "tok_pay_abcdefgh");
    json_decref(values);
}

static void a_value_that_the_environment_has_keeps_its_name_there(void **state)
{
    json_t *document;

    (void)state;
    world_call_shop();
    world_merge();
    world_replace(world.path, "{{apiShopBearer}}", "{{admin}}");
    world_replace(world.values_path, "apiShopBearer", "admin");
    world_capture_again();
    world_call(API, "GET /v1/carts", "tok_other_abcdefgh", "{}");
    world_call(API, "GET /v1/stock", "tok_one_abcdefgh", "{}");
    world_merge();
    document = world_load(world.path);
    assert_null(world_at(document, "item>api>item>stock>item>GET v1/stock>request>auth"));
    assert_string_equal(world_text_at(document, "auth>bearer>token>value"), "{{admin}}");
    assert_string_equal(world_text_at(document, "item>api>item>carts>auth>bearer>token>value"),
                        "{{apiShopBearer}}");
    json_decref(document);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_world_setup, merge_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_base_url_that_points_elsewhere_stays_and_is_used),
        TEST(a_variable_of_another_host_is_not_taken_for_its_own),
        TEST(literals_of_new_items_are_protected),
        TEST(a_variable_that_scripts_set_may_be_set_by_others),
        TEST(values_of_secrets_are_refreshed_and_those_of_people_kept),
        TEST(a_value_that_the_environment_has_keeps_its_name_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where new items go, and what they send there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/merge_world.h"

static void a_new_item_goes_where_those_like_it_are(void **state)
{
    json_t *document;

    (void)state;
    world_call_shop();
    world_merge();
    document = world_load(world.path);
    json_object_set_new(world_at(document, "item>api.shop.test>item>orders"), "name", json_string("Buying"));
    world_save(world.path, document);
    world_capture_again();
    world_call_shop();
    world_call(API, "GET /v1/orders/70001/bill", "tok_one_abcdefgh", "{\"sum\":1}");
    world_call(API, "GET /v1/users/48213/photo", "tok_one_abcdefgh", "{\"url\":1}");
    world_call(API, "GET /v1/carts", "tok_one_abcdefgh", "{\"lines\":1}");
    world_call("https://pay.test", "GET /v1/cards", NULL, "[]");
    world_merge();
    assert_int_equal(world.report.merged.added, 4);
    document = world_load(world.path);
    assert_non_null(world_at(document, "item>api.shop.test>item>Buying>item>orders/:orderId/bill>item>GET"));
    assert_non_null(world_at(document, "item>api.shop.test>item>users>item>users/:userId/photo>item>GET"));
    assert_non_null(world_at(document, "item>api.shop.test>item>carts>item>GET v1/carts"));
    assert_non_null(world_at(document, "item>pay.test>item>GET v1/cards"));
    assert_null(world_at(document, "item>api.shop.test>item>orders"));
    json_decref(document);
}

static void a_small_capture_keeps_to_the_folders_that_are_there(void **state)
{
    json_t *document;

    (void)state;
    world_call_shop();
    world_merge();
    world_capture_again();
    world_call(API, "GET /v1/users/48213/photo", "tok_one_abcdefgh", "{\"url\":1}");
    world_merge();
    document = world_load(world.path);
    assert_non_null(world_at(document, "item>api.shop.test>item>users>item>users/:userId/photo>item>GET"));
    json_decref(document);
}

static void a_name_that_is_taken_in_a_folder_gets_a_number(void **state)
{
    json_t *document;

    (void)state;
    world_call(API, "GET /v1/users", NULL, "[]");
    world_merge();
    world_capture_again();
    world_call(API, "GET /v1/users", "tok_one_abcdefgh", "[]");
    world_merge();
    assert_int_equal(world.report.merged.added, 1);
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "item>api>item>1>name"), "GET v1/users (2)");
    json_decref(document);
}

static void a_new_item_sends_what_it_was_captured_with(void **state)
{
    json_t *document;

    (void)state;
    world_call_shop();
    world_merge();
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "auth>bearer>token>value"), "{{apiShopBearer}}");
    json_object_set_new(
        document, "auth",
        json_pack("{s:s,s:[{s:s,s:s}]}", "type", "bearer", "bearer", "key", "token", "value", "{{mine}}"));
    world_save(world.path, document);
    world_capture_again();
    world_call_shop();
    world_call(API, "GET /v1/carts", "tok_one_abcdefgh", "{}");
    world_call(API, "GET /v1/users/48213/photo", "tok_one_abcdefgh", "{\"url\":1}");
    world_call(API, "DELETE /v1/users/48213", "tok_one_abcdefgh", "{\"gone\":1}");
    world_call(API, "GET /v1/users?page=2", NULL, "[]");
    world_merge();
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "auth>bearer>token>value"), "{{mine}}");
    assert_string_equal(world_text_at(document, "item>api>item>carts>auth>bearer>token>value"),
                        "{{apiShopBearer}}");
    assert_null(world_at(document, "item>api>item>carts>item>GET v1/carts>request>auth"));
    assert_string_equal(
        world_text_at(document, "item>api>item>users>item>users/:userId/photo>auth>bearer>token>value"),
        "{{apiShopBearer}}");
    assert_string_equal(
        world_text_at(document, "item>api>item>users>item>DELETE>request>auth>bearer>token>value"),
        "{{apiShopBearer}}");
    assert_string_equal(
        world_text_at(document, "item>api>item>users>item>GET v1/users?page>request>auth>type"), "noauth");
    json_decref(document);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_world_setup, merge_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_item_goes_where_those_like_it_are),
        TEST(a_small_capture_keeps_to_the_folders_that_are_there),
        TEST(a_name_that_is_taken_in_a_folder_gets_a_number),
        TEST(a_new_item_sends_what_it_was_captured_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A capture is merged into files as people leave them: edited by hand, moved about, through Postman's export
 * without ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tests/support/merge_world.h"

/* --- what stays ---------------------------------------------------------------------------------------- */

static void a_file_that_is_not_there_is_made_as_by_a_plain_export(void **state)
{
    struct err err;
    char *merged;

    (void)state;
    world_call_shop();
    world_merge();
    assert_false(world.report.is_merged);
    merged = world_text_of(world.path);
    assert_true(world_try(NULL, world.other_path, &err));
    world_assert_unchanged(world.other_path, merged);
    mem_free(merged);
    unlink(world.report.values_path);
}

static void the_same_session_merged_again_changes_nothing(void **state)
{
    char *before, *values;

    (void)state;
    world_call_shop();
    world_merge();
    before = world_text_of(world.path);
    values = world_text_of(world.values_path);
    world_merge();
    assert_true(world.report.is_merged);
    assert_int_equal(world.report.merged.added, 0);
    assert_int_equal(world.report.merged.updated, 0);
    assert_int_equal(world.report.merged.kept, 6);
    world_assert_unchanged(world.path, before);
    world_assert_unchanged(world.values_path, values);
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

        world_capture_again();
        world_call_shop();
        unlink(world.path);
        world_merge();
        document = world_load(world.path);
        assert_int_equal(json_dump_file(document, world.path, layouts[i]), 0);
        json_decref(document);
        world_call(API, "GET /v1/carts", NULL, "{\"lines\":[]}");
        world_call(API, "GET /v1/users", "tok_one_abcdefgh", "[{\"id\":48213,\"name\":null}]");
        world_merge();
        assert_int_equal(world.report.merged.added, 1);
        assert_int_equal(world.report.merged.updated, 1);
        before = world_text_of(world.path);
        world_merge();
        assert_int_equal(world.report.merged.added + world.report.merged.updated, 0);
        world_assert_unchanged(world.path, before);
        /* All of it is laid out as the file was. */
        document = world_load(world.path);
        assert_int_equal(json_dump_file(document, world.other_path, layouts[i]), 0);
        json_decref(document);
        world_assert_unchanged(world.other_path, before);
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
    world_call_shop();
    world_merge();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char *edited = mem_printf("%s,\n\"name\": \"GET v1/users\"", edits[i]);

        world_replace(world.path, "\"name\": \"GET v1/users\"", edited);
        mem_free(edited);
    }
    world_replace(world.path, "\"name\": \"weir", "\"name\": \"Shop, weir");
    world_capture_again();
    world_call(API, "GET /v1/carts", NULL, "{}");
    world_call(API, "GET /v1/users", "tok_two_abcdefgh", "[{\"id\":7}]");
    world_merge();
    assert_int_equal(world.report.merged.added, 1);
    assert_int_equal(world.report.merged.updated, 1);
    assert_int_equal(world.report.merged.kept, 5);
    text = world_text_of(world.path);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        assert_non_null(strstr(text, edits[i]));
    assert_non_null(strstr(text, "\"name\": \"Shop, weir"));
    mem_free(text);
    text = world_text_of(world.report_path);
    assert_non_null(strstr(text, "item GET v1/carts: added\n"));
    assert_non_null(strstr(text, "item GET v1/users: kept, with new examples\n"));
    assert_non_null(strstr(text, "item POST v1/orders: kept: this session has no call of it\n"));
    mem_free(text);
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
    world_call_shop();
    world_merge();
    document = world_load(world.path);
    drop_ids(json_object_get(document, "item"));
    json_object_set_new(world_at(document, "variable>baseUrl"), "value",
                        json_string("https://staging.shop.test"));
    json_object_set_new(world_at(document, "item>api>item>users>item>GET v1/users"), "name",
                        json_string("All"));
    json_object_set_new(world_at(document, "item>api>item>users>item>All>request"), "auth",
                        json_pack("{s:s}", "type", "noauth"));
    world_save(world.path, document);
    before = world_text_of(world.path);
    world_merge();
    assert_int_equal(world.report.merged.added, 0);
    assert_int_equal(world.report.merged.kept, 6);
    world_assert_unchanged(world.path, before);
    world_capture_again();
    world_call_shop();
    world_call(API, "GET /v1/carts", NULL, "{}");
    world_call_with(API,
                    "POST /v1/orders HTTP/1.1\r\nContent-Type: application/json\r\n"
                    "Authorization: Bearer tok_one_abcdefgh\r\n\r\n{\"gift\":true}",
                    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"no\":3}");
    world_merge();
    assert_int_equal(world.report.merged.added, 2);
    assert_int_equal(world.report.merged.updated, 0);
    mem_free(before);
}

static void an_id_of_ours_says_that_another_call_is_another_item(void **state)
{
    (void)state;
    world_call(API, "GET /v1/users", "tok_one_abcdefgh", "[]");
    world_call(API, "GET /v1/carts", "tok_one_abcdefgh", "[]");
    world_merge();
    world_capture_again();
    world_call(API, "GET /v1/users", NULL, "[]");
    world_call(API, "GET /v1/carts", "tok_one_abcdefgh", "[]");
    world_merge();
    assert_int_equal(world.report.merged.added, 1);
    assert_int_equal(world.report.merged.kept, 2);
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
    world_call_shop();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_write(world.path, cases[i].text);
        assert_false(world_try(world.path, world.path, &err));
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s", err.text);
        world_assert_unchanged(world.path, cases[i].text);
        assert_int_equal(access(world.values_path, F_OK), -1);
    }
}

static void an_environment_that_is_none_is_refused(void **state)
{
    struct err err;
    char *before;

    (void)state;
    world_call_shop();
    world_merge();
    before = world_text_of(world.path);
    world_write(world.values_path, "{\"values\":1}");
    world_call(API, "GET /v1/carts", NULL, "{}");
    assert_false(world_try(world.path, world.path, &err));
    assert_non_null(strstr(err.text, "is no Postman environment"));
    world_assert_unchanged(world.path, before);
    mem_free(before);
}

static void a_secret_that_stands_in_the_file_is_named_with_its_place(void **state)
{
    struct err err;
    char *before;

    (void)state;
    world_call_shop();
    world_merge();
    world_replace(world.path, "\"name\": \"GET v1/health\"",
                  "\"name\": \"GET v1/health\", \"description\": \"try tok_one_abcdefgh\"");
    before = world_text_of(world.path);
    world_call(API, "GET /v1/carts", "tok_one_abcdefgh", "{}");
    assert_false(world_try(world.path, world.path, &err));
    assert_int_equal(err.code, ERR_LEAK);
    assert_null(strstr(err.text, "tok_one"));
    assert_non_null(strstr(err.text, "holds the secret apiShopBearer already, on line "));
    assert_non_null(strstr(err.text, "in item 'GET v1/health'"));
    world_assert_unchanged(world.path, before);
    mem_free(before);
}

static void a_result_may_go_elsewhere(void **state)
{
    struct err err;
    struct stat status;
    char *before;

    (void)state;
    world_call_shop();
    world_merge();
    before = world_text_of(world.path);
    world_call(API, "GET /v1/carts", NULL, "{}");
    assert_true(world_try(world.path, world.other_path, &err));
    world_assert_unchanged(world.path, before);
    assert_int_equal(stat(world.other_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    json_decref(world_load(world.other_path));
    unlink(world.report.values_path);
    mem_free(before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_world_setup, merge_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_not_there_is_made_as_by_a_plain_export),
        TEST(the_same_session_merged_again_changes_nothing),
        TEST(what_a_merge_adds_is_there_the_next_time),
        TEST(what_a_person_edited_stays_as_it_is_spelled),
        TEST(items_without_ids_are_known_by_what_they_call),
        TEST(an_id_of_ours_says_that_another_call_is_another_item),
        TEST(what_is_no_collection_is_refused_and_stays),
        TEST(an_environment_that_is_none_is_refused),
        TEST(a_secret_that_stands_in_the_file_is_named_with_its_place),
        TEST(a_result_may_go_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

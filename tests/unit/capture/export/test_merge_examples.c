/* Examples of what was captured before, and the bodies beside the file. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tests/support/merge_world.h"

/* --- examples ------------------------------------------------------------------------------------------ */

static void an_example_is_refreshed_when_it_says_something_else(void **state)
{
    static const char request[] = "GET /v1/users HTTP/1.1\r\nUser-Agent: a\r\n\r\n";
    json_t *document;
    char *before, *name;

    (void)state;
    world_call_with(
        API, request,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 01 Jan 2029\r\n\r\n{\"n\":1}");
    world_merge();
    document = world_load(world.path);
    name = mem_strdup(world_text_at(document, "item>api>item>0>response>0>name"));
    json_decref(document);
    before = world_text_of(world.path);
    world_capture_again();
    world_call(API, "GET /v1/health", NULL, "{}");
    world_call_with(
        API, "GET /v1/users HTTP/1.1\r\nUser-Agent: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 02 Jan 2029\r\n\r\n{\"n\":1}");
    unlink(world.path);
    world_write(world.path, before);
    world_merge();
    assert_int_equal(world.report.merged.updated, 0);
    document = world_load(world.path);
    assert_string_equal(world_text_at(document, "item>api>item>0>response>0>header>Date>value"),
                        "Mon, 01 Jan 2029");
    json_decref(document);
    world_call_with(
        API, request,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Wed, 03 Jan 2029\r\n\r\n{\"n\":2}");
    world_merge();
    assert_int_equal(world.report.merged.updated, 1);
    document = world_load(world.path);
    assert_int_equal(json_array_size(world_at(document, "item>api>item>0>response")), 1);
    assert_string_equal(world_text_at(document, "item>api>item>0>response>0>body"), "{\"n\":2}");
    assert_string_equal(world_text_at(document, "item>api>item>0>response>0>name"), name);
    json_decref(document);
    mem_free(name);
    mem_free(before);
}

static void examples_of_people_stay_and_names_are_unique(void **state)
{
    json_t *document, *example;

    (void)state;
    world_call(API, "GET /v1/users", NULL, "{\"n\":1}");
    world_merge();
    document = world_load(world.path);
    example = json_deep_copy(world_at(document, "item>api>item>0>response>0"));
    json_object_set_new(example, "name", json_string("404 Not Found · GET v1/users · #2"));
    json_object_set_new(example, "id", json_string("7f0e2a4c-0000-4000-8000-000000000001"));
    json_object_set_new(example, "code", json_integer(404));
    json_array_append_new(world_at(document, "item>api>item>0>response"), example);
    json_object_set_new(world_at(document, "item>api>item>0>response>0"), "name", json_string("Everybody"));
    world_save(world.path, document);
    world_capture_again();
    world_call(API, "GET /v1/users", NULL, "{\"n\":2}");
    world_call_with(API, "GET /v1/users HTTP/1.1\r\n\r\n",
                    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\nwho?");
    world_merge();
    document = world_load(world.path);
    assert_int_equal(json_array_size(world_at(document, "item>api>item>0>response")), 3);
    assert_string_equal(world_text_at(document, "item>api>item>0>response>0>name"), "Everybody");
    assert_string_equal(world_text_at(document, "item>api>item>0>response>0>body"), "{\"n\":2}");
    assert_string_equal(world_text_at(document, "item>api>item>0>response>1>body"), "{\"n\":1}");
    assert_string_equal(world_text_at(document, "item>api>item>0>response>2>name"),
                        "404 Not Found · GET v1/users · #2 (2)");
    json_decref(document);
}

static void the_list_of_examples_does_not_grow_for_ever(void **state)
{
    json_t *document;

    (void)state;
    for (int i = 0; i < 12; i++) {
        char *body = mem_printf("{\"n%d\":1}", i);

        world_capture_again();
        world_call(API, "GET /v1/users", NULL, body);
        mem_free(body);
        world_merge();
    }
    world_capture_again();
    world_call_with(API, "GET /v1/users HTTP/1.1\r\n\r\n", "HTTP/1.1 503 No\r\n\r\n");
    world_merge();
    document = world_load(world.path);
    assert_int_equal(json_array_size(world_at(document, "item>api>item>0>response")),
                     EXPORT_MAX_EXAMPLES + 1);
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
    fake_source_add(world.fake, API, strbuf_span(&request), SPAN("HTTP/1.1 204 No Content\r\n\r\n"));
    strbuf_clear(&request);
}

static size_t count_bodies(bool removes)
{
    char *bodies = mem_printf("%s/shop.files", world.folder), *name;
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
    world_merge();
    assert_int_equal(count_bodies(false), 1);
    world_capture_again();
    put_blob("blob", 'b');
    put_blob("new", 'c');
    world_merge();
    assert_int_equal(world.report.merged.added, 1);
    assert_int_equal(count_bodies(true), 2);
    world_capture_again();
    put_blob("blob", 'd');
    world_merge();
    assert_int_equal(count_bodies(true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, merge_world_setup, merge_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_example_is_refreshed_when_it_says_something_else),
        TEST(examples_of_people_stay_and_names_are_unique),
        TEST(the_list_of_examples_does_not_grow_for_ever),
        TEST(bodies_that_nothing_sends_are_not_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

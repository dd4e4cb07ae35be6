#include "capture/export/har_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

#define HTML      "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
#define PLAIN     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
#define NAVIGATES "Sec-Fetch-Dest: document\r\n"

struct world {
    struct fake_source *fake;
    struct har_pages *pages;
};

static int set_up(void **state)
{
    struct world *world = mem_new(struct world);

    world->fake = fake_source_new();
    world->pages = har_pages_new();
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    har_pages_free(world->pages);
    fake_source_free(world->fake);
    mem_free(world);
    return 0;
}

/* The page of a GET, with these header lines, that has this answer. */
static uint32_t get(void **state, const char *origin, const char *target, const char *lines,
                    const char *response)
{
    struct world *world = *state;
    char *request = mem_printf("GET %s HTTP/1.1\r\n%s\r\n", target, lines);
    struct record *record = fake_source_add(world->fake, origin, span_of(request), span_of(response));

    mem_free(request);
    return har_pages_add(world->pages, record);
}

static void what_refers_to_a_page_belongs_to_it(void **state)
{
    assert_int_equal(get(state, "http://a.test", "/", "", HTML), 1);
    assert_int_equal(get(state, "http://a.test", "/x.css", "Referer: http://a.test/\r\n", PLAIN), 1);
    assert_int_equal(get(state, "http://b.test", "/x.woff", "Referer: http://a.test/x.css\r\n", PLAIN), 1);
    assert_int_equal(get(state, "http://a.test", "/?b", "", HTML), 2);
    assert_int_equal(get(state, "http://a.test", "/y", "Referer: http://a.test/?b#part\r\n", PLAIN), 2);
    assert_int_equal(get(state, "http://a.test", "/z", "Referer: http://a.test/\r\n", PLAIN), 1);
}

static void what_refers_to_nothing_known_has_no_page(void **state)
{
    assert_int_equal(get(state, "http://a.test", "/api", "", PLAIN), 0);
    assert_int_equal(get(state, "http://a.test", "/y", "Referer: http://a.test/api\r\n", PLAIN), 0);
    assert_int_equal(get(state, "http://a.test", "/z", "Referer: nonsense\r\n", HTML), 0);
    assert_int_equal(get(state, "http://a.test", "/z", "Referer: \r\n", PLAIN), 0);
}

static void a_frame_is_a_part_and_a_link_that_is_followed_a_page(void **state)
{
    assert_int_equal(get(state, "https://a.test", "/", NAVIGATES, HTML), 1);
    assert_int_equal(get(state, "https://a.test", "/frame",
                         "Sec-Fetch-Dest: iframe\r\nReferer: https://a.test/\r\n", HTML),
                     1);
    assert_int_equal(get(state, "https://a.test", "/in", "Referer: https://a.test/frame\r\n", PLAIN), 1);
    assert_int_equal(get(state, "https://a.test", "/empty", "Sec-Fetch-Dest: empty\r\n", HTML), 0);
    assert_int_equal(get(state, "https://a.test", "/next", NAVIGATES "Referer: https://a.test/\r\n", HTML),
                     2);
    assert_int_equal(get(state, "https://a.test", "/a.pdf", NAVIGATES, PLAIN), 3);
}

static void an_origin_alone_means_the_last_page_there(void **state)
{
    assert_int_equal(get(state, "https://a.test:8443", "/", NAVIGATES, HTML), 1);
    assert_int_equal(get(state, "https://a.test:8443", "/goods", NAVIGATES, HTML), 2);
    assert_int_equal(get(state, "https://cdn.test", "/1", "Referer: https://a.test:8443/\r\n", PLAIN), 2);
    assert_int_equal(get(state, "https://a.test:8443", "/2", "Referer: https://a.test:8443/\r\n", PLAIN), 1);
    assert_int_equal(get(state, "https://cdn.test", "/3", "Referer: https://a.test/\r\n", PLAIN), 0);
}

static void redirects_to_a_document_are_part_of_its_page(void **state)
{
    assert_int_equal(
        get(state, "https://a.test", "/old", NAVIGATES, "HTTP/1.1 302 Found\r\nLocation: new\r\n\r\n"), 1);
    assert_int_equal(get(state, "https://a.test", "/new", NAVIGATES, HTML), 1);
    assert_int_equal(get(state, "https://a.test", "/x", "Referer: https://a.test/new\r\n", PLAIN), 1);
    assert_int_equal(get(state, "https://a.test", "/new", NAVIGATES, HTML), 2);
}

static void clients_have_pages_of_their_own(void **state)
{
    struct world *world = *state;
    struct record *record;

    assert_int_equal(get(state, "http://a.test", "/", "", HTML), 1);
    record = fake_source_add(world->fake, "http://a.test",
                             SPAN("GET /x HTTP/1.1\r\nReferer: http://a.test/\r\n\r\n"), SPAN(PLAIN));
    record->client_addr = SPAN("192.0.2.99:50000");
    assert_int_equal(har_pages_add(world->pages, record), 0);
    record->client_addr = SPAN("127.0.0.1:50009");
    assert_int_equal(har_pages_add(world->pages, record), 1);
}

static void there_is_an_end_to_pages_and_to_titles(void **state)
{
    struct world *world = *state;
    char *long_target = mem_array(char, 5001), *text = NULL;
    struct record *record;
    struct json_out json;
    size_t len;
    FILE *file = open_memstream(&text, &len);

    memset(long_target, 'a', 5000);
    long_target[0] = '/';
    assert_int_equal(get(state, "http://a.test", long_target, "", HTML), 1);
    record = fake_source_add(world->fake, "http://a.test", SPAN("GET / HTTP/1.1\r\n\r\n"), SPAN(HTML));
    for (uint32_t i = 2; i <= HAR_PAGES_MAX; i++)
        assert_int_equal(har_pages_add(world->pages, record), i);
    assert_int_equal(har_pages_add(world->pages, record), 0);
    jout_init(&json, file);
    jout_open_object(&json);
    har_pages_write(world->pages, &json);
    jout_close(&json);
    fclose(file);
    assert_in_range(len, HAR_PAGES_MAX * 100, HAR_PAGES_MAX * 200);
    assert_non_null(strstr(text, "\"id\": \"page_8192\""));
    mem_free(long_target);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_refers_to_a_page_belongs_to_it),
        TEST(what_refers_to_nothing_known_has_no_page),
        TEST(a_frame_is_a_part_and_a_link_that_is_followed_a_page),
        TEST(an_origin_alone_means_the_last_page_there),
        TEST(redirects_to_a_document_are_part_of_its_page),
        TEST(clients_have_pages_of_their_own),
        TEST(there_is_an_end_to_pages_and_to_titles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

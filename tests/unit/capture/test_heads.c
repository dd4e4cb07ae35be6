#include "capture/heads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/support/recording.h"

static void a_path_is_as_sent_in_every_form_of_target(void **state)
{
    static const struct {
        const char *method, *target, *path, *query;
    } cases[] = {
        { "GET", "/a%20b?x=1?y", "/a%20b", "x=1?y" },
        { "GET", "/", "/", NULL },
        { "GET", "/?", "/", "" },
        { "GET", "http://a.test:81/p?q", "/p", "q" },
        { "GET", "http://a.test/p#f", "/p#f", NULL }, /* the origin has got it like that */
        { "GET", "http://a.test/p?q#f", "/p", "q#f" },
        { "GET", "http://a.test", "", NULL },
        { "OPTIONS", "*", "*", NULL },
        { "CONNECT", "a.test:443", "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_head *head = test_request(cases[i].method, cases[i].target, NULL);
        struct span path, query;
        heads_path(head, &path, &query);
        assert_true(span_eq(path, span_of(cases[i].path)));
        assert_int_equal(query.ptr == NULL, cases[i].query == NULL);
        assert_true(span_eq(query, span_of(cases[i].query)));
        http_head_free(head);
    }
}

static void a_copy_has_all_of_it_and_outlives_the_first(void **state)
{
    struct http_head *head = test_request("PUT", "/x", (const char *const[]){ "A: 1", "B:2", "A: 3", NULL });
    struct http_head *copy = heads_copy(head);

    (void)state;
    http_head_free(head);
    assert_true(span_eq(copy->method, SPAN("PUT")));
    assert_true(span_eq(copy->target, SPAN("/x")));
    assert_int_equal(copy->version, HTTP_1_1);
    assert_int_equal(copy->headers.count, 3);
    assert_true(span_eq(headers_name(&copy->headers, 1), SPAN("B")));
    assert_true(span_eq(headers_value(&copy->headers, 2), SPAN("3")));
    http_head_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_as_sent_in_every_form_of_target),
        cmocka_unit_test(a_copy_has_all_of_it_and_outlives_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/export/multipart.h"

#define assert_span(span_, text_) assert_true(span_eq((span_), SPAN(text_)))

static struct multipart_part parts[3];
static size_t count;

static bool parse(const char *body)
{
    return multipart_parse(span_of(body), SPAN("XX"), parts, 3, &count);
}

static void parts_are_fields_and_files(void **state)
{
    (void)state;
    assert_true(parse("--XX\r\nContent-Disposition: form-data; name=\"a b\"\r\n\r\n1 2\r\n3\r\n"
                      "--XX\r\nContent-Disposition: form-data; name=\"f\"; "
                      "filename=\"x;y.png\"\r\nContent-Type: image/png\r\n"
                      "\r\n\r\n--X\r\n--XX--\r\n"));
    assert_int_equal(count, 2);
    assert_span(parts[0].name, "a b");
    assert_span(parts[0].value, "1 2\r\n3");
    assert_null(parts[0].file_name.ptr);
    assert_null(parts[0].type.ptr);
    assert_span(parts[1].file_name, "x;y.png");
    assert_span(parts[1].type, "image/png");
    assert_span(parts[1].value, "\r\n--X");
    assert_true(parts[0].is_plain && parts[1].is_plain);
}

static void an_unusual_head_is_not_plain(void **state)
{
    static const char *const heads[] = {
        "content-disposition: form-data; name=\"a\"",
        "Content-Disposition: form-data; name=a",
        "Content-Disposition: form-data; name=\"a\\\"b\"",
        "Content-Disposition: form-data; name=\"a\"; filename*=UTF-8''x",
        "Content-Disposition: form-data; name=\"a\"\r\nX-More: 1",
        "Content-Type: text/plain\r\nContent-Disposition: form-data; name=\"a\"",
    };
    char body[256];

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        snprintf(body, sizeof(body), "--XX\r\n%s\r\n\r\n1\r\n--XX--\r\n", heads[i]);
        assert_true(parse(body));
        if (parts[0].is_plain)
            fail_msg("'%s' is plain", heads[i]);
    }
}

static void a_body_that_is_not_well_formed_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "--XX--\r\n",
        "--XX\r\n",
        "preamble\r\n--XX\r\nA: b\r\n\r\n1\r\n--XX--\r\n",
        "--XX\r\nA: b\r\n\r\n1\r\n--XX--\r\nepilogue",
        "--XX\r\nA: b\r\n\r\n1\r\n--XX",
        "--XX\r\nA: b\r\n1\r\n--XX--\r\n",
        "--XX\nA: b\n\n1\n--XX--\n",
        "--XX\r\n\r\n1\r\n--XX\r\n\r\n2\r\n--XX\r\n\r\n3\r\n--XX\r\n\r\n4\r\n--XX--\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (parse(bodies[i]))
            fail_msg("'%s' was taken", bodies[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_fields_and_files),
        cmocka_unit_test(an_unusual_head_is_not_plain),
        cmocka_unit_test(a_body_that_is_not_well_formed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

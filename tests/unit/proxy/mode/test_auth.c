#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/mode/auth.h"

static struct auth *auth_of(const char *text)
{
    struct auth *auth = NULL;
    struct err err;

    assert_true(auth_new(text, &auth, &err));
    return auth;
}

static struct http_head *request(const char *const *values)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct err err;

    headers_add(&head->headers, SPAN("Host"), SPAN("a"), &err);
    for (; *values != NULL; values++)
        assert_true(headers_add(&head->headers, SPAN("proxy-authorization"), span_of(*values), &err));
    headers_add(&head->headers, SPAN("Accept"), SPAN("*/*"), &err);
    return head;
}

static void only_the_pair_itself_is_right(void **state)
{
    struct auth *auth = auth_of("joe:a:b");
    char long_one[300] = "a:b";

    (void)state;
    assert_true(auth_check(auth, SPAN("joe"), SPAN("a:b")));
    assert_false(auth_check(auth, SPAN("joe"), SPAN("a:c")));
    assert_false(auth_check(auth, SPAN("jo"), SPAN("a:b")));
    assert_false(auth_check(auth, SPAN("joe"), SPAN("a:")));
    assert_false(auth_check(auth, SPAN("joe"), SPAN("a:b\0")));
    assert_false(auth_check(auth, SPAN("joe\0"), SPAN("a:b")));
    assert_false(auth_check(auth, SPAN_NONE, SPAN_NONE));
    assert_false(auth_check(auth, SPAN("a:b"), SPAN("joe")));
    assert_false(auth_check(auth, SPAN("joe"), span_make(long_one, sizeof long_one)));
    assert_true(auth_check(NULL, SPAN("joe"), SPAN_NONE));
    auth_free(auth);
}

static void a_pair_that_cannot_be_is_said_without_its_password(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "secret", "proxy authentication is USER:PASSWORD: there is no ':'" },
        { ":secret", "proxy authentication is USER:PASSWORD: the user is missing" },
        { "joe:", "proxy authentication is USER:PASSWORD: the password is missing" },
    };
    char text[300];
    struct auth *auth;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(auth_new(cases[i].text, &auth, &err));
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.text, cases[i].error);
    }
    memset(text, 'x', sizeof text);
    memcpy(text, "joe:", 4);
    text[4 + 255] = '\0';
    auth_free(auth_of(text));
    text[4 + 255] = 'x';
    text[4 + 256] = '\0';
    assert_false(auth_new(text, &auth, &err));
    assert_string_equal(err.text, "proxy authentication: a password has 255 bytes at most");
    memset(text, 'x', 256);
    text[256] = ':';
    text[258] = '\0';
    assert_false(auth_new(text, &auth, &err));
    assert_string_equal(err.text, "proxy authentication: a user has 255 bytes at most");
}

static void answers(const struct auth *auth, const char *const *values, enum auth_answer answer,
                    const char *user)
{
    struct http_head *head = request(values);
    struct strbuf name = STRBUF_EMPTY;

    strbuf_add_str(&name, "who came before");
    assert_int_equal(auth_check_head(auth, head, &name), answer);
    assert_string_equal(strbuf_text(&name), user);
    strbuf_clear(&name);
    http_head_free(head);
}

#define VALUES(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static void a_request_is_let_in_by_basic_and_its_pair(void **state)
{
    struct auth *auth = auth_of("joe:s3cret"); /* am9lOnMzY3JldA== */

    (void)state;
    answers(auth, VALUES(), AUTH_MISSING, "");
    answers(auth, VALUES("Basic am9lOnMzY3JldA=="), AUTH_OK, "joe");
    answers(auth, VALUES("bASIC   am9lOnMzY3JldA"), AUTH_OK, "joe");
    answers(auth, VALUES("Basic am9lOndyb25n"), AUTH_WRONG, "joe");
    answers(auth, VALUES("Basic amltOnMzY3JldA=="), AUTH_WRONG, "jim");
    answers(auth, VALUES("Basic am9l"), AUTH_WRONG, "");
    answers(auth, VALUES("Basic !!!!"), AUTH_WRONG, "");
    answers(auth, VALUES("Basic"), AUTH_WRONG, "");
    answers(auth, VALUES(""), AUTH_WRONG, "");
    answers(auth, VALUES("Bearer am9lOnMzY3JldA=="), AUTH_WRONG, "");
    answers(auth, VALUES("Basic am9lOnMzY3JldA==", "Basic am9lOnMzY3JldA=="), AUTH_WRONG, "");
    auth_free(auth);
}

static void where_nothing_is_demanded_a_name_is_kept(void **state)
{
    (void)state;
    answers(NULL, VALUES(), AUTH_OK, "");
    answers(NULL, VALUES("Basic am9lOnMzY3JldA=="), AUTH_OK, "joe");
    answers(NULL, VALUES("Bearer x"), AUTH_OK, "");
}

static void the_demand_names_basic(void **state)
{
    struct http_head *head = auth_demand();
    struct span value;

    (void)state;
    assert_int_equal(head->status, 407);
    assert_true(headers_find(&head->headers, SPAN("Proxy-Authenticate"), &value));
    assert_true(span_eq(value, SPAN("Basic realm=\"weir\"")));
    http_head_free(head);
}

static void a_masked_head_holds_no_credentials(void **state)
{
    struct http_head *head = request(VALUES("Basic am9lOnMzY3JldA==", "Digest  username=\"joe\", x=\"y\"",
                                            "opaque-token", "Basic a", "Basic"));
    static const char *const masked[] = { "Basic ***", "Digest  ***", "***", "Basic *", "***" };
    const struct headers *headers = &head->headers;
    size_t lines_len = headers->block_len;

    (void)state;
    auth_mask(head);
    assert_int_equal(headers->block_len, lines_len);
    assert_true(span_eq(headers_line(headers, 0), SPAN("Host: a")));
    assert_true(span_eq(headers_line(headers, 6), SPAN("Accept: */*")));
    for (size_t i = 0; i < 5; i++) {
        assert_true(span_eq(headers_value(headers, i + 1), span_of(masked[i])));
        assert_true(span_starts(headers_line(headers, i + 1), SPAN("proxy-authorization: ")));
    }
    assert_null(memmem(headers->block, headers->block_len, "am9l", 4));
    assert_null(memmem(headers->block, headers->block_len, "joe", 3));
    assert_null(memmem(headers->block, headers->block_len, "token", 5));
    auth_mask(head); /* twice is as once */
    assert_true(span_eq(headers_value(headers, 1), SPAN("Basic ***")));
    http_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_pair_itself_is_right),
        cmocka_unit_test(a_pair_that_cannot_be_is_said_without_its_password),
        cmocka_unit_test(a_request_is_let_in_by_basic_and_its_pair),
        cmocka_unit_test(where_nothing_is_demanded_a_name_is_kept),
        cmocka_unit_test(the_demand_names_basic),
        cmocka_unit_test(a_masked_head_holds_no_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

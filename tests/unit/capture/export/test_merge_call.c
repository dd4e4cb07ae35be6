/* Requests as weir writes them and as Postman and people do: the same call has the same keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/merge_call.h"
#include "proxy/base/mem.h"

static struct merge_call call_of(const char *request, const char *auth)
{
    json_error_t error;
    json_t *value = json_loads(request, JSON_DECODE_ANY, &error);
    json_t *of_auth = auth != NULL ? json_pack("{s:s}", "type", auth) : NULL;
    struct merge_call call;

    if (value == NULL)
        fail_msg("%s", error.text);
    merge_call_init(&call, value, of_auth);
    json_decref(value);
    json_decref(of_auth);
    return call;
}

/* like: how many of the two keys are the same, the loose one first. */
static void assert_alike(const char *one, const char *other, int like)
{
    struct merge_call a = call_of(one, NULL), b = call_of(other, NULL);

    assert_int_equal((strcmp(a.loose, b.loose) == 0) + (strcmp(a.exact, b.exact) == 0), like);
    merge_call_clear(&a);
    merge_call_clear(&b);
}

static void assert_host(const char *request, const char *host)
{
    struct merge_call call = call_of(request, NULL);

    assert_string_equal(call.host, host);
    merge_call_clear(&call);
}

#define USERS                                                                                                \
    "{\"method\":\"GET\",\"url\":{\"host\":[\"{{baseUrl}}\"],\"path\":[\"users\",\":userId\"],"              \
    "\"query\":[{\"key\":\"b\",\"value\":\"1\"},{\"key\":\"a\",\"value\":null},{\"key\":\"b\",\"value\":"    \
    "\"2\"}]}}"
#define ORDER(raw)                                                                                           \
    "{\"method\":\"POST\",\"header\":[{\"key\":\"content-type\",\"value\":\"application/JSON; x\"}],"        \
    "\"url\":\"{{b}}/o\",\"body\":{\"mode\":\"raw\",\"raw\":\"" raw "\"}}"

static void a_call_is_known_by_its_names_not_its_values(void **state)
{
    (void)state;
    assert_alike(USERS, "{\"method\":\"GET\",\"url\":\"https://x.test/users/:id?a=7&b=8#f\"}", 2);
    assert_alike(USERS, "\"https://x.test/users/{{id}}?a=7&b=8\"", 2);
    assert_alike(USERS, "{\"url\":{\"raw\":\"{{x}}/users/:id?a&b\"}}", 2);
    assert_alike(USERS,
                 "{\"url\":{\"host\":\"{{x}}\",\"path\":\"/users/:id\",\"query\":[{\"key\":\"a\"},"
                 "{\"key\":\"b\",\"disabled\":true}]}}",
                 2);
    assert_alike(USERS, "{\"url\":{\"raw\":\"{{x}}/users/:id?a\"}}", 0);
    assert_alike(USERS, "{\"url\":{\"raw\":\"{{x}}/users/48213?a&b\"}}", 0);
    assert_alike(USERS, "{\"method\":\"PUT\",\"url\":{\"raw\":\"{{x}}/users/:id?a&b\"}}", 0);
}

static void the_shape_of_a_body_counts_exactly_only(void **state)
{
    (void)state;
    assert_alike(ORDER("{\\\"a\\\":1}"), ORDER("{ \\\"a\\\": 2}"), 2);
    assert_alike(ORDER("{\\\"a\\\":1}"), ORDER("{\\\"b\\\":1}"), 1);
    assert_alike(ORDER("{\\\"a\\\":1}"), ORDER("{\\\"a\\\":{{n}}}"), 1);
    assert_alike(ORDER("{\\\"a\\\":1}"), "{\"method\":\"POST\",\"url\":\"{{b}}/o\"}", 0);
    assert_alike(ORDER("{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"method\\\":\\\"x\\\"}"),
                 ORDER("{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"method\\\":\\\"y\\\"}"), 0);
    assert_alike("{\"url\":\"x\",\"body\":{\"mode\":\"urlencoded\",\"urlencoded\":[{\"key\":\"a\"}]}}",
                 "{\"url\":\"x\",\"body\":{\"mode\":\"urlencoded\",\"urlencoded\":[{\"key\":\"b\"}]}}", 1);
    assert_alike("{\"url\":\"x\",\"body\":{\"mode\":\"graphql\",\"graphql\":{\"query\":\"{a}\"}}}",
                 "{\"url\":\"x\",\"body\":{\"mode\":\"graphql\",\"graphql\":{\"query\":\"{b}\"}}}", 0);
    assert_alike("{\"url\":\"x\",\"body\":{\"mode\":\"raw\",\"raw\":\"x\",\"disabled\":true}}",
                 "{\"url\":\"x\",\"body\":null}", 2);
}

static void credentials_count_exactly_only(void **state)
{
    struct merge_call none = call_of(USERS, NULL), bearer = call_of(USERS, "bearer");

    (void)state;
    assert_string_equal(none.loose, bearer.loose);
    assert_string_not_equal(none.exact, bearer.exact);
    merge_call_clear(&none);
    merge_call_clear(&bearer);
}

static void hosts_are_read_however_they_are_written(void **state)
{
    (void)state;
    assert_host(USERS, "{{baseUrl}}");
    assert_host("{\"url\":{\"protocol\":\"https\",\"host\":[\"api\",\"shop\",\"test\"],\"port\":\"8443\","
                "\"path\":[\"a\"]}}",
                "https://api.shop.test:8443");
    assert_host("{\"url\":{\"host\":[\"shop\",\"test\"]}}", "http://shop.test");
    assert_host("{\"url\":{\"host\":\"https://shop.test\"}}", "https://shop.test");
    assert_host("\"https://shop.test?a=b/c\"", "https://shop.test");
    assert_host("\"{{x}}\"", "{{x}}");
    assert_host("\"{{x\"", "{{x");
    assert_host("{\"url\":{\"path\":[\"a\"]}}", "");
    assert_host("{}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_known_by_its_names_not_its_values),
        cmocka_unit_test(the_shape_of_a_body_counts_exactly_only),
        cmocka_unit_test(credentials_count_exactly_only),
        cmocka_unit_test(hosts_are_read_however_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

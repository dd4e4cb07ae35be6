#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/identity.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

/* The readable identity of a request as it stands on the wire; its shape is cut to "#". */
static char *identity_in(const char *request, struct span templated, bool is_front)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf wire = STRBUF_EMPTY, text = STRBUF_EMPTY;
    const struct record *record;
    struct identity_request looked;
    const char *body;

    strbuf_add_str(&wire, request);
    record =
        fake_source_add(fake, "https://api.shop.test", strbuf_span(&wire), SPAN("HTTP/1.1 200 OK\r\n\r\n"));
    body = strstr(request, "\r\n\r\n") + 4;
    identity_request_init(&looked, record, span_of(body), is_front);
    identity_text(&text, record, templated.ptr != NULL ? templated : record->path, &looked);
    identity_request_clear(&looked);
    fake_source_free(fake);
    strbuf_clear(&wire);
    return strbuf_detach(&text);
}

static void assert_identity(const char *request, const char *expected)
{
    char *text = identity_in(request, SPAN_NONE, false);
    size_t len = strlen(expected);

    /* A star at the end stands for the hash of a shape. */
    if (len != 0 && expected[len - 1] == '*')
        assert_memory_equal(text, expected, len - 1);
    else
        assert_string_equal(text, expected);
    mem_free(text);
}

static bool are_one(const char *a, const char *b)
{
    char *first = identity_in(a, SPAN_NONE, false), *second = identity_in(b, SPAN_NONE, false);
    struct identity x = identity_of(span_of(first)), y = identity_of(span_of(second));
    bool are = strcmp(first, second) == 0;

    assert_int_equal(x.high == y.high && x.low == y.low, are);
    mem_free(first);
    mem_free(second);
    return are;
}

static void an_identity_is_readable(void **state)
{
    char *text;

    (void)state;
    assert_identity("GET / HTTP/1.1\r\n\r\n", "GET api.shop.test:443 / ? auth=none body=none");
    assert_identity("GET /x?b=1&a=2&b=3&&flag HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n",
                    "GET api.shop.test:443 /x ?a&b&flag auth=bearer body=none");
    assert_identity("POST /x HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"a\":1}",
                    "POST api.shop.test:443 /x ? auth=none body=json#*");
    assert_identity("DELETE /x HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"a\":1}",
                    "DELETE api.shop.test:443 /x ? auth=none body=json");
    assert_identity("PUT /x HTTP/1.1\r\nContent-Type: image/png\r\n\r\nPNG",
                    "PUT api.shop.test:443 /x ? auth=none body=other:image/png");
    text = identity_in("GET /users/7 HTTP/1.1\r\n\r\n", SPAN("/users/:userId"), false);
    assert_string_equal(text, "GET api.shop.test:443 /users/:userId ? auth=none body=none");
    mem_free(text);
}

static void values_make_no_difference_and_names_do(void **state)
{
    (void)state;
    assert_true(are_one("GET /x?a=1&b=2 HTTP/1.1\r\n\r\n", "GET /x?b=3&a=4&a HTTP/1.1\r\n\r\n"));
    assert_true(are_one("GET /x?a%5B%5D=1 HTTP/1.1\r\n\r\n", "GET /x?a[]=2 HTTP/1.1\r\n\r\n"));
    assert_false(are_one("GET /x?a=1 HTTP/1.1\r\n\r\n", "GET /x?b=1 HTTP/1.1\r\n\r\n"));
    assert_false(are_one("GET /x?a%26b HTTP/1.1\r\n\r\n", "GET /x?a&b HTTP/1.1\r\n\r\n"));
    assert_false(are_one("GET /x HTTP/1.1\r\n\r\n", "HEAD /x HTTP/1.1\r\n\r\n"));
    assert_true(are_one("GET /x HTTP/1.1\r\nAuthorization: Bearer a\r\n\r\n",
                        "GET /x HTTP/1.1\r\nauthorization: bearer b\r\n\r\n"));
    assert_false(are_one("GET /x HTTP/1.1\r\nAuthorization: Bearer a\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n"));
}

#define JSON_POST         "POST /x HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
#define FORM_POST         "POST /x HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
#define PARTS_POST        "POST /x HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\n\r\n"
#define PART(name, value) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static void bodies_of_another_shape_are_other_calls(void **state)
{
    (void)state;
    assert_true(are_one(JSON_POST "{\"a\":1}", JSON_POST "{\"a\":2}"));
    assert_false(are_one(JSON_POST "{\"a\":1}", JSON_POST "{\"b\":1}"));
    assert_true(are_one(FORM_POST "a=1&b=2", FORM_POST "b=3&a=4"));
    assert_false(are_one(FORM_POST "a=1&b=2", FORM_POST "a=1"));
    assert_true(are_one(PARTS_POST PART("a", "1") "--B--\r\n", PARTS_POST PART("a", "2") "--B--\r\n"));
    assert_false(are_one(PARTS_POST PART("a", "1") "--B--\r\n", PARTS_POST PART("b", "1") "--B--\r\n"));
    assert_false(are_one(JSON_POST "{}", FORM_POST "{}"));
    assert_false(are_one(JSON_POST "", JSON_POST "{}"));
}

static void operations_part_calls_of_one_url(void **state)
{
    (void)state;
    assert_identity(JSON_POST "{\"query\":\"query Product($id: ID!) { p }\",\"variables\":{}}",
                    "POST api.shop.test:443 /x ? auth=none body=graphql#*");
    assert_false(
        are_one(JSON_POST "{\"query\":\"query A { a }\"}", JSON_POST "{\"query\":\"query B { a }\"}"));
    assert_false(are_one(JSON_POST "{\"query\":\"{ a }\"}", JSON_POST "{\"query\":\"{ b }\"}"));
    assert_true(are_one(JSON_POST "{\"query\":\"{ a }\"}", JSON_POST "{\"query\":\"\\n{\\n  a\\n}\"}"));
    assert_true(are_one(JSON_POST "{\"query\":\"{ a\\n  b }\"}", JSON_POST "{\"query\":\"{ a b }\"}"));
    assert_false(are_one(JSON_POST "{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\",\"id\":1}",
                         JSON_POST "{\"jsonrpc\":\"2.0\",\"method\":\"eth_send\",\"id\":2}"));
    assert_true(are_one(JSON_POST "{\"query\":\"shoes\"}", JSON_POST "{\"query\":\"hats\"}"));
    assert_false(are_one(
        JSON_POST "{\"operationName\":\"A\",\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"1\"}}}",
        JSON_POST "{\"operationName\":\"B\",\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"2\"}}}"));
    assert_identity("GET /graphql?operationName=Cart&extensions=x HTTP/1.1\r\n\r\n",
                    "GET api.shop.test:443 /graphql ?extensions&operationName auth=none body=graphql:Cart");
    assert_identity("POST /s HTTP/1.1\r\nSOAPAction: \"urn:Get\"\r\nContent-Type: text/xml\r\n\r\n<x/>",
                    "POST api.shop.test:443 /s ? auth=none body=rpc:urn:Get");
}

static void credentials_are_known_by_their_kind(void **state)
{
    (void)state;
    assert_identity("GET / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x\r\n\r\n",
                    "GET api.shop.test:443 / ? auth=aws4-hmac-sha256 body=none");
    assert_identity("GET / HTTP/1.1\r\nAuthorization: s3cr3t\r\n\r\n",
                    "GET api.shop.test:443 / ? auth=token body=none");
    assert_identity("GET / HTTP/1.1\r\nX-API-Key: s3cr3t\r\n\r\n",
                    "GET api.shop.test:443 / ? auth=apikey:x-api-key body=none");
    assert_identity("GET /?api_key=s3cr3t HTTP/1.1\r\n\r\n",
                    "GET api.shop.test:443 / ?api_key auth=apikey:?api_key body=none");
}

static void the_beginning_of_a_body_is_enough(void **state)
{
    char *text;

    (void)state;
    text = identity_in(JSON_POST "{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\",\"params\":[\"0x", SPAN_NONE,
                       true);
    assert_non_null(strstr(text, "body=rpc#"));
    assert_non_null(strstr(text, ":eth_call"));
    mem_free(text);
    text = identity_in(JSON_POST "{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\",\"params\":[\"0x", SPAN_NONE,
                       false);
    assert_non_null(strstr(text, "body=other:application/json"));
    mem_free(text);
}

static void ids_are_made_of_the_identity(void **state)
{
    char first[DIGEST_UUID_BYTES], second[DIGEST_UUID_BYTES];

    (void)state;
    identity_uuid(SPAN("GET a:443 / ? auth=none body=none"), first);
    identity_uuid(SPAN("GET a:443 / ? auth=none body=none"), second);
    assert_string_equal(first, second);
    identity_uuid(SPAN("GET b:443 / ? auth=none body=none"), second);
    assert_string_not_equal(first, second);
    assert_int_equal(first[14], '5');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_is_readable),
        cmocka_unit_test(values_make_no_difference_and_names_do),
        cmocka_unit_test(bodies_of_another_shape_are_other_calls),
        cmocka_unit_test(operations_part_calls_of_one_url),
        cmocka_unit_test(credentials_are_known_by_their_kind),
        cmocka_unit_test(the_beginning_of_a_body_is_enough),
        cmocka_unit_test(ids_are_made_of_the_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

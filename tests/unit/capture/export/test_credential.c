#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/credential.h"
#include "tests/support/fake_source.h"

static struct fake_source *fake;

static int make_source(void **state)
{
    (void)state;
    fake = fake_source_new();
    return 0;
}

static int free_source(void **state)
{
    (void)state;
    fake_source_free(fake);
    return 0;
}

static const struct record *asked(const char *request)
{
    return fake_source_add(fake, "https://a.test", span_of(request), SPAN("HTTP/1.1 200 OK\r\n\r\n"));
}

/* "bearer token=abc" and the like, as it is written. */
static void assert_written(const char *request, const char *expected)
{
    struct credential credential;
    struct json_out json;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    credential_init(&credential, asked(request), NULL, NULL);
    jout_init_line(&json, stream);
    jout_open_object(&json);
    credential_write(&credential, &json);
    jout_close(&json);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
    credential_clear(&credential);
}

#define PAIR(key, value) "{\"key\":\"" key "\",\"value\":\"" value "\",\"type\":\"string\"}"

static void schemes_have_their_helpers(void **state)
{
    (void)state;
    assert_written("GET / HTTP/1.1\r\nAuthorization: bearer abc\r\n\r\n",
                   "{\"auth\":{\"type\":\"bearer\",\"bearer\":[" PAIR("token", "abc") "]}}");
    assert_written(
        "GET / HTTP/1.1\r\nAuthorization: Basic dTpwOnc=\r\n\r\n",
        "{\"auth\":{\"type\":\"basic\",\"basic\":[" PAIR("username", "u") "," PAIR("password", "p:w") "]}}");
    assert_written("GET / HTTP/1.1\r\nX-API-Key: k\r\n\r\n",
                   "{\"auth\":{\"type\":\"apikey\",\"apikey\":[" PAIR("key", "X-API-Key") "," PAIR(
                       "in", "header") "," PAIR("value", "k") "]}}");
    assert_written("GET /?api_key=0123456789abcdef HTTP/1.1\r\n\r\n",
                   "{\"auth\":{\"type\":\"apikey\",\"apikey\":[" PAIR("key", "api_key") "," PAIR(
                       "in", "query") "," PAIR("value", "0123456789abcdef") "]}}");
    assert_written(
        "GET / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/s3/aws4_request, "
        "SignedHeaders=host, Signature=00\r\n\r\n",
        "{\"auth\":{\"type\":\"awsv4\",\"awsv4\":[" PAIR("accessKey", "AK") "," PAIR(
            "secretKey", "{{awsSecretKey}}") "," PAIR("region", "eu-west-1") "," PAIR("service", "s3") "]}}");
    assert_written("GET / HTTP/1.1\r\nAuthorization: Digest username=\"u\", realm=\"r\", nonce=\"n\"\r\n\r\n",
                   "{\"auth\":{\"type\":\"digest\",\"digest\":[" PAIR("username", "u") "," PAIR(
                       "password", "{{digestPassword}}") "," PAIR("realm", "r") "]}}");
}

static void what_does_not_come_back_the_same_is_no_helper(void **state)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nAuthorization: abc\r\n\r\n",
        "GET / HTTP/1.1\r\nAuthorization: Basic dTpw=\r\n\r\n",    /* padding that nobody would write */
        "GET / HTTP/1.1\r\nAuthorization: Basic dXNlcg==\r\n\r\n", /* no colon */
        "GET / HTTP/1.1\r\nAuthorization: Negotiate abc\r\n\r\n",  /* one connection's */
        "GET / HTTP/1.1\r\nAuthorization: Digest nonce=n\r\n\r\n", /* nobody's */
        "GET /?key=color HTTP/1.1\r\n\r\n",                        /* a word */
        "GET /?token=0123456789abcdef&token=0123456789abcdef HTTP/1.1\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        assert_written(requests[i], "{\"auth\":{\"type\":\"noauth\"}}");
}

static void a_spent_signature_is_shown_with_a_note(void **state)
{
    struct credential credential;

    (void)state;
    credential_init(&credential, asked("GET / HTTP/1.1\r\nAuthorization: NTLM abc\r\n\r\n"), NULL, NULL);
    assert_true(credential.is_spent);
    assert_non_null(credential.note);
    assert_false(credential_takes_field(&credential, SPAN("Authorization")));
    credential_clear(&credential);
}

static void what_a_helper_makes_is_not_written_besides(void **state)
{
    struct credential credential;

    (void)state;
    credential_init(&credential, asked("GET /?a=1&api_key=0123456789abcdef HTTP/1.1\r\nX-B: c\r\n\r\n"),
                    NULL, NULL);
    assert_true(credential_takes_pair(&credential, SPAN("api_key")));
    assert_false(credential_takes_pair(&credential, SPAN("a")));
    assert_false(credential_takes_field(&credential, SPAN("X-B")));
    credential_clear(&credential);
}

static void equal_credentials_have_equal_hashes(void **state)
{
    struct credential one, other, none;

    (void)state;
    credential_init(&one, asked("GET /a HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n"), NULL, NULL);
    credential_init(&other, asked("GET /b HTTP/1.1\r\nAuthorization: Bearer abd\r\n\r\n"), NULL, NULL);
    credential_init(&none, asked("GET /c HTTP/1.1\r\n\r\n"), NULL, NULL);
    assert_int_not_equal(credential_hash(&one), credential_hash(&other));
    assert_int_equal(credential_hash(&none), 0);
    credential_clear(&other);
    credential_init(&other, asked("GET /d HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n"), NULL, NULL);
    assert_int_equal(credential_hash(&one), credential_hash(&other));
    credential_clear(&one);
    credential_clear(&other);
    credential_clear(&none);
}

#define credential_test(name) cmocka_unit_test_setup_teardown(name, make_source, free_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        credential_test(schemes_have_their_helpers),
        credential_test(what_does_not_come_back_the_same_is_no_helper),
        credential_test(a_spent_signature_is_shown_with_a_note),
        credential_test(what_a_helper_makes_is_not_written_besides),
        credential_test(equal_credentials_have_equal_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

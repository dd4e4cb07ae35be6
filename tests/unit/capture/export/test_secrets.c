/* Planted secrets are in no export; what is none stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "capture/export/export.h"
#include "capture/export/secrets.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"

static char *export_as(struct fake_source *fake, const char *format, enum export_secrets secrets)
{
    struct export_options options = { .format = export_find_format(format),
                                      .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES,
                                      .secrets = secrets };
    struct export_report report;
    struct err err;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    if (!export_to_stream(fake_source_reader(fake), &options, stream, &report, &err))
        fail_msg("%s: %s", format, err.text);
    fclose(stream);
    export_report_clear(&report);
    return text;
}

static struct strbuf gzipped(struct span bytes)
{
    struct strbuf out = STRBUF_EMPTY;
    z_stream stream = { .next_in = (unsigned char *)bytes.ptr, .avail_in = (unsigned)bytes.len };

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (unsigned char *)strbuf_reserve(&out, 4096);
    stream.avail_out = 4096;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.len += 4096 - stream.avail_out;
    deflateEnd(&stream);
    return out;
}

#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r"
#define PEM "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkq\\n-----END PRIVATE KEY-----"

static const char *const planted[] = {
    "tok_Bearer1",      "sid-Cookie2",
    "set-Cookie3",      "q-Token4",
    "form-Pass 5",      "form-Pass%205",
    "form-Pass+5",      "json-Secret6",
    "part-Token7",      "loc-Token8",
    "ref-Session9",     "basic-Pass10",
    "YmFzaWMtUGFzczEw", "OmJhc2ljLVBhc3MxM",
    "gql-Token11",      "key-Header12",
    "gzip-Secret13",    "msg-Secret14",
    "4111111111111111", "AKIAIOSFODNN7EXAMPLE",
    "MIIEvQIBADANBgkq", JWT,
    "sig-Nature15",     "frag-Token16",
    "url-Pass17",       "7391",
    "pq\\\"r-Secret18", "inner-Secret19",
    "trail-Token20",    "soap-Pass&amp;21",
    "soap-Pass&21",     "attr-Token22",
    "cdata-Secret23",   "key-Token24",
    "plist-Secret25",   "hidden-Csrf26",
    "meta-Csrf27",      "href-Session28",
    "script-Token29",   "b2s%2FPj5%2Ba2V5LTMw",
};

static struct fake_source *planted_session(void)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf text = STRBUF_EMPTY, zip = gzipped(SPAN("{\"access_token\":\"gzip-Secret13\"}"));
    struct record *record;

    fake_source_add(
        fake, "https://api.shop.test",
        SPAN(
            "POST /a?access_token=q-Token4&sig=sig-Nature15&x=1 HTTP/1.1\r\n"
            "Host: api.shop.test\r\nAuthorization: Bearer tok_Bearer1\r\nCookie: sid=sid-Cookie2; lang=en\r\n"
            "X-Api-Key: key-Header12\r\nReferer: https://api.shop.test/x?session=ref-Session9\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            "user=bob&password=form-Pass%205&again=form-Pass+5"),
        SPAN("HTTP/1.1 302 Found\r\nSet-Cookie: sid=set-Cookie3; Path=/\r\n"
             "Location: https://u:url-Pass17@api.shop.test/cb?token=loc-Token8#access_token=frag-Token16\r\n"
             "Content-Type: application/json\r\n\r\n"
             "{\"a\":[{\"client_secret\":\"json-Secret6\"}],\"note\":\"form-Pass 5 and "
             "tok_Bearer1\",\"pin\":7391,"
             "\"card\":4111111111111111,\"k\":\"AKIAIOSFODNN7EXAMPLE\",\"pem\":\"" PEM "\",\"j\":\"" JWT "\","
             "\"secret\":\"pq\\\"r-Secret18\",\"inner\":\"{\\\"token\\\":\\\"inner-Secret19\\\"}\"}"));
    fake_source_add(
        fake, "https://api.shop.test",
        SPAN("POST /graphql HTTP/1.1\r\nAuthorization: Basic Ym9iOmJhc2ljLVBhc3MxMA==\r\n"
             "Content-Type: application/json\r\n\r\n"
             "{\"query\":\"mutation{x}\",\"variables\":{\"token\":\"gql-Token11\"}}"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbasic-Pass10 q-Token4 Zm9ybS1QYXNzIDU="));
    fake_source_add(
        fake, "https://api.shop.test",
        SPAN("POST /up HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\n\r\n"
             "--B\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\npart-Token7\r\n--B--\r\n"),
        SPAN_NONE);
    strbuf_add_str(&text,
                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n");
    strbuf_add(&text, strbuf_span(&zip));
    fake_source_add(fake, "https://api.shop.test", SPAN("GET /gzip HTTP/1.1\r\n\r\n"), strbuf_span(&text));
    strbuf_reset(&text);
    strbuf_add_str(&text,
                   "POST /gzip HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n");
    strbuf_add(&text, strbuf_span(&zip));
    fake_source_add(fake, "https://api.shop.test", strbuf_span(&text), SPAN_NONE);
    fake_source_add(fake, "https://api.shop.test", SPAN("PUT /bin HTTP/1.1\r\n\r\n\0\xff tok_Bearer1 \1"),
                    SPAN_NONE);
    fake_source_add(
        fake, "https://api.shop.test",
        SPAN("POST /soap HTTP/1.1\r\nContent-Type: text/xml\r\n\r\n"
             "<?xml version='1.0'?><s:Envelope xmlns:s='x' xmlns:token='urn:t'><wsse:Password "
             "Type=\"Text\">soap-Pass&amp;21</wsse:Password><call authToken='attr-Token22'/>"
             "<clientSecret><![CDATA[cdata-Secret23]]></clientSecret><entry "
             "key=\"api-key\">key-Token24</entry>"
             "<key>password</key>\n<string>plist-Secret25</string></s:Envelope>"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><meta content=meta-Csrf27 "
             "name=csrf-token><form><input type=\"hidden\" name=\"authenticity_token\" "
             "value=\"hidden-Csrf26\">"
             "<a href='/x?a=1&amp;session=href-Session28'>soap-Pass&amp;21</a>"
             "<script>{\"token\":\"script-Token29\"}</script>"));
    fake_source_add(fake, "https://api.shop.test",
                    SPAN("GET /?token=ok%3F%3E%3E~key-30&b=b2s%2FPj5%2Ba2V5LTMw HTTP/1.1\r\n\r\n"),
                    SPAN_NONE);
    record = fake_source_add(fake, "https://api.shop.test",
                             SPAN("GET /ws HTTP/1.1\r\nX-Trace-Token: trail-Token20\r\n\r\n"),
                             SPAN("HTTP/1.1 101 Switching\r\n\r\n"));
    fake_source_add_message(fake, (struct record_message){ .time_us = record->started_us,
                                                           .kind = MESSAGE_TEXT,
                                                           .payload = SPAN("{\"token\":\"msg-Secret14\"}"),
                                                           .size = 24 });
    strbuf_clear(&text);
    strbuf_clear(&zip);
    return fake;
}

static void no_export_holds_a_planted_secret(void **state)
{
    static const char *const formats[] = { "jsonl", "har", "http", "curl", "collection", "openapi" };
    struct fake_source *fake = planted_session();

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char *text = export_as(fake, formats[i], EXPORT_SECRETS_ENV);
        char *again = export_as(fake, formats[i], EXPORT_SECRETS_ENV);

        for (size_t j = 0; j < sizeof(planted) / sizeof(planted[0]); j++)
            if (strstr(text, planted[j]) != NULL)
                fail_msg("%s holds %s:\n%s", formats[i], planted[j], text);
        assert_string_equal(text, again);
        assert_non_null(strstr(text, "apiShopBearer"));
        free(text);
        free(again);
    }
    fake_source_free(fake);
}

static void keep_and_the_environment_have_all_of_them(void **state)
{
    struct fake_source *fake = planted_session();
    char *kept = export_as(fake, "jsonl", EXPORT_SECRETS_KEEP);
    char *values = export_as(fake, "environment", EXPORT_SECRETS_ENV);
    char *empty = export_as(fake, "environment", EXPORT_SECRETS_DROP);

    (void)state;
    assert_non_null(strstr(kept, "tok_Bearer1"));
    assert_non_null(strstr(values, "\"key\": \"apiShopBearer\""));
    assert_non_null(strstr(values, "\"value\": \"tok_Bearer1\""));
    assert_non_null(strstr(values, "gzip-Secret13"));
    assert_non_null(strstr(empty, "\"key\": \"apiShopBearer\""));
    assert_null(strstr(empty, "tok_Bearer1"));
    free(kept);
    free(values);
    free(empty);
    fake_source_free(fake);
}

static void what_is_masked_is_still_json(void **state)
{
    struct fake_source *fake = planted_session();
    char *text = export_as(fake, "jsonl", EXPORT_SECRETS_ENV);
    json_t *line = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL), *body;

    (void)state;
    body = json_loads(json_string_value(json_object_get(json_object_get(line, "response_body"), "text")), 0,
                      NULL);
    assert_string_equal(json_string_value(json_object_get(body, "pin")), "REDACTED_apiShopPin");
    assert_string_equal(json_string_value(json_object_get(body, "card")), "REDACTED_apiShopCardNumber");
    json_decref(body);
    json_decref(line);
    free(text);
    fake_source_free(fake);
}

static size_t count_in(enum secret_text_kind kind, const char *value)
{
    struct secrets *secrets = secrets_new();
    struct secret_text text = { .kind = kind, .text = span_of(value) };
    struct err err;
    size_t count;

    assert_true(secrets_add_text(secrets, &text, &err));
    count = secrets_count(secrets);
    secrets_free(secrets);
    return count;
}

static void every_name_of_a_secret_is_known(void **state)
{
    static const char *const names[] = {
        "password",
        "user[passwd]",
        "passPhrase",
        "pwd",
        "pass",
        "api_key",
        "AWSAccessKeyId",
        "private-key",
        "secret_key",
        "key",
        "access_token",
        "client_secret",
        "session_id",
        "sig",
        "X-Amz-Signature",
        "_csrf",
        "XSRF-TOKEN",
        "client_assertion",
        "assertion",
        "SAMLResponse",
        "SAMLRequest",
        "authorization",
        "credentials",
        "jwt",
        "bearer",
        "sid",
        "PHPSESSID",
        "code",
        "codeVerifier",
        "otp",
        "mfa",
        "otp_code",
        "mfa-code",
        "totp",
        "pin",
        "pinCode",
        "cvv",
        "cvc",
        "securityCode",
        "userPwd",
        "credential",
        "subscription-key",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *query = mem_printf("a=b&%s=Abc123-def456-XYZ&c=d", names[i]);

        if (count_in(SECRET_TEXT_QUERY, query) != 1)
            fail_msg("%s", names[i]);
        mem_free(query);
    }
    assert_int_equal(count_in(SECRET_TEXT_QUERY, "name=Abc123-def456-XYZ&token_type=Abc123-def456-XYZ"), 0);
}

/* Far more than once in a body, which is not searched whole for each of them. */
static void a_code_is_a_grant_beside_what_says_so(void **state)
{
    static const struct record record = { .path = SPAN("/x") };
    struct secrets *secrets = secrets_new();
    struct strbuf form = STRBUF_EMPTY;
    struct secret_text text = { .kind = SECRET_TEXT_QUERY, .record = &record };
    struct err err;

    (void)state;
    strbuf_add_str(&form, "grant_type=x&code=Abc123-def456&");
    for (unsigned i = 0; i < 100000; i++)
        strbuf_printf(&form, "code=%06u-Ab&", i % 1000);
    strbuf_add_str(&form, "code=Uvw123-xyz456&state=1");
    text.text = strbuf_span(&form);
    assert_true(secrets_add_text(secrets, &text, &err));
    assert_non_null(secrets_find(secrets, SPAN("Abc123-def456")));
    assert_non_null(secrets_find(secrets, SPAN("Uvw123-xyz456")));
    assert_null(secrets_find(secrets, SPAN("000500-Ab")));
    strbuf_clear(&form);
    secrets_free(secrets);
}

static void every_known_token_is_seen_by_what_it_looks_like(void **state)
{
    static const char *const fronts[] = {
        "AKIA",  "ASIA",  "ghp_",   "gho_",  "ghu_",    "ghs_",     "ghr_",     "github_pat_", "glpat-",
        "xoxa-", "xoxb-", "xoxp-",  "xoxr-", "xoxs-",   "sk_live_", "rk_live_", "sk_test_",    "sk-",
        "AIza",  "PMAK-", "shpat_", "npm_",  "dop_v1_", "ya29.",    "SG.",
    };
    static const char *const cards[] = { "2223003122003222", "3530111333300000", "4111111111111111",
                                         "5500000000000004", "6011000990139424" };

    (void)state;
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        char *text = mem_printf("it is %s0123456789abcdefghijklmnopqrstuvwxyz there", fronts[i]);

        if (count_in(SECRET_TEXT_PLAIN, text) != 1)
            fail_msg("%s", fronts[i]);
        mem_free(text);
    }
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
        assert_int_equal(count_in(SECRET_TEXT_PLAIN, cards[i]), 1);
}

/* --- what is no secret --------------------------------------------------------------------------------- */

static void common_values_are_left_alone(void **state)
{
    struct fake_source *fake = fake_source_new();
    char *masked, *kept;

    (void)state;
    fake_source_add(
        fake, "https://shop.test",
        SPAN("GET /v1/items/550e8400-e29b-41d4-a716-446655440000?page=2&code=DE&key=name HTTP/1.1\r\n"
             "Host: shop.test\r\nAccept: application/json\r\nIf-None-Match: "
             "\"33a64df551425fcc55e4d42a148795d9\"\r\n"
             "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n\r\n"),
        SPAN(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"0a1b2c3d4e5f\"\r\n\r\n"
            "{\"id\":\"550e8400-e29b-41d4-a716-446655440000\",\"at\":\"2026-11-21T20:14:00.123Z\",\"price\":"
            "1299.99,"
            "\"version\":\"10.15.7\",\"max_tokens\":4096,\"token_type\":\"bearer\",\"expires_in\":3600,"
            "\"snowflake\":4123456789012345678,\"ean\":\"4006381333931\",\"phone\":\"+49 30 123456\","
            "\"password\":\"Please enter your password\",\"hash\":\"9f86d081884c7d659a2feaa0c55ad015\","
            "\"token\":null,\"secret\":true,\"session\":0,\"passwordHint\":\"your first "
            "cat\",\"code\":\"E1234567\","
            "\"key\":\"some.translation.key\",\"risk-free\":\"sk-learn ask-me-anything-about-this-thing\"}"));
    masked = export_as(fake, "jsonl", EXPORT_SECRETS_ENV);
    kept = export_as(fake, "jsonl", EXPORT_SECRETS_KEEP);
    assert_string_equal(masked, kept);
    free(masked);
    free(kept);
    fake_source_free(fake);
}

static void markup_without_secrets_is_left_alone(void **state)
{
    struct fake_source *fake = fake_source_new();
    char *masked, *kept;

    (void)state;
    fake_source_add(
        fake, "https://shop.test", SPAN("GET / HTTP/1.1\r\n\r\n"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><title>Password</title>"
             "<!-- <input name=token value=abc-123-XYZ> --><label for=\"password\">Your password</label>"
             "<input id=\"password\" type=\"password\" autocomplete=\"current-password\" value=\"\">"
             "<div data-password-toggle=\"#password-1\"><meta name=\"theme\" content=\"#AbC123def\">"
             "<code>session_Start42</code><script>if (a<b) token = \"later\"</script>"));
    fake_source_add(
        fake, "https://shop.test", SPAN("GET /wsdl HTTP/1.1\r\n\r\n"),
        SPAN(
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<xs:schema xmlns:token=\"urn:Some-Token9\">"
            "<xs:element name=\"password\" type=\"xs:string\"/><password><hint>Name1-of-pet</hint></password>"
            "<tokenType>Bearer-1</tokenType><Token></Token><secret>false</secret></xs:schema>"));
    masked = export_as(fake, "jsonl", EXPORT_SECRETS_ENV);
    kept = export_as(fake, "jsonl", EXPORT_SECRETS_KEEP);
    assert_string_equal(masked, kept);
    free(masked);
    free(kept);
    fake_source_free(fake);
}

static void a_weak_value_is_masked_where_it_was_given_alone(void **state)
{
    struct fake_source *fake = fake_source_new();
    char *text;

    (void)state;
    fake_source_add(
        fake, "https://shop.test",
        SPAN(
            "POST /admin HTTP/1.1\r\nCookie: lang=english\r\n"
            "Content-Type: application/json\r\n\r\n{\"user\":\"admin\",\"password\":\"admin\",\"pin\":1234}"),
        SPAN("HTTP/1.1 200 OK\r\n\r\nenglish admin 1234"));
    text = export_as(fake, "jsonl", EXPORT_SECRETS_ENV);
    assert_non_null(strstr(text, "https://shop.test/admin\""));
    assert_non_null(strstr(text, "lang=REDACTED_shopLang\""));
    assert_non_null(strstr(text, "\\\"user\\\":\\\"admin\\\",\\\"password\\\":\\\"REDACTED_shopPassword\\\","
                                 "\\\"pin\\\":\\\"REDACTED_shopPin\\\"}"));
    assert_non_null(strstr(text, "english admin 1234"));
    free(text);
    fake_source_free(fake);
}

/* --- names and patterns -------------------------------------------------------------------------------- */

static bool is_first_taken(void *self, const char *name)
{
    (void)self;
    return strcmp(name, "weirToken") == 0;
}

static void names_are_unique_and_keep_clear_of_others(void **state)
{
    struct secrets *secrets = secrets_new();
    struct secret_text text = {
        .kind = SECRET_TEXT_JSON,
        .text = SPAN("{\"token\":\"abc-123-X\",\"Token\":\"def-456-Y\",\"a\":{\"token\":"
                     "\"abc-123-X\"},\"x_token\":\"has weirOtp99 in\",\"otp\":\"weirOtp99\"}")
    };
    struct strbuf name = STRBUF_EMPTY;
    struct err err;

    (void)state;
    assert_true(secrets_add_text(secrets, &text, &err));
    secrets_seal(secrets, is_first_taken, NULL);
    assert_int_equal(secrets_count(secrets), 4);
    secrets_add_name(secrets, secrets_at(secrets, 0), &name);
    assert_string_equal(strbuf_text(&name), "weirToken_2");
    strbuf_reset(&name);
    secrets_add_name(secrets, secrets_at(secrets, 1), &name);
    assert_string_equal(strbuf_text(&name), "weirToken_3");
    strbuf_clear(&name);
    secrets_free(secrets);
}

/* Also where it comes before the secret, and for a spelling. */
static void a_name_that_stands_in_the_traffic_as_a_token_is_nobodys(void **state)
{
    struct secrets *secrets = secrets_new();
    struct secret_text before = { .kind = SECRET_TEXT_PLAIN,
                                  .text = SPAN("Hi {{weirPassword}}, {{weirPassword_2_form}}") };
    struct secret_text form = { .kind = SECRET_TEXT_QUERY, .text = SPAN("password=p%40ss%20W1") };
    struct strbuf out = STRBUF_EMPTY;
    struct err err;

    (void)state;
    assert_true(secrets_add_text(secrets, &before, &err));
    assert_true(secrets_add_text(secrets, &form, &err));
    secrets_seal(secrets, NULL, NULL);
    secrets_add_name(secrets, secrets_at(secrets, 0), &out);
    assert_string_equal(strbuf_text(&out), "weirPassword_2");
    strbuf_reset(&out);
    secrets_replace(secrets, &form, SECRET_STYLE_VARIABLE, &out);
    assert_string_equal(strbuf_text(&out), "password={{weirPassword_2_form_2}}");
    strbuf_clear(&out);
    secrets_free(secrets);
}

static void each_spelling_is_a_variable_of_exactly_that_text(void **state)
{
    struct secrets *secrets = secrets_new();
    struct secret_text form = { .kind = SECRET_TEXT_QUERY,
                                .text = SPAN("password=p%40ss%20W1&b=p@ss+W1&c=1") };
    struct secret_text plain = { .kind = SECRET_TEXT_PLAIN, .text = SPAN("-p@ss W1-p%40ss%20W1-") };
    struct strbuf out = STRBUF_EMPTY;
    struct err err;

    (void)state;
    assert_true(secrets_add_text(secrets, &form, &err));
    secrets_seal(secrets, NULL, NULL);
    secrets_replace(secrets, &form, SECRET_STYLE_VARIABLE, &out);
    assert_string_equal(strbuf_text(&out), "password={{weirPassword_form}}&b={{weirPassword_form_2}}&c=1");
    strbuf_reset(&out);
    secrets_replace(secrets, &plain, SECRET_STYLE_VARIABLE, &out);
    assert_string_equal(strbuf_text(&out), "-{{weirPassword}}-{{weirPassword_form}}-");
    strbuf_clear(&out);
    secrets_free(secrets);
}

static char *temporary_file(const char *content)
{
    char *path = mem_strdup("/tmp/weir-test-secrets-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return path;
}

static void patterns_of_a_person_are_secrets_everywhere(void **state)
{
    char *path = temporary_file("# ours\n\ntenantId=\\btenant=(\\w+)\nemp-\\d{5}\n");
    char *wrong = temporary_file("a\n(\n");
    struct secrets *secrets = secrets_new();
    struct secret_text text = { .kind = SECRET_TEXT_PLAIN, .text = SPAN("tenant=acme emp-12345 acme emp-1") };
    struct strbuf out = STRBUF_EMPTY;
    struct err err;

    (void)state;
    assert_true(secrets_load_patterns(secrets, path, &err));
    assert_true(secrets_add_text(secrets, &text, &err));
    secrets_seal(secrets, NULL, NULL);
    secrets_replace(secrets, &text, SECRET_STYLE_VARIABLE, &out);
    assert_string_equal(strbuf_text(&out), "tenant={{tenantId}} {{weirSecret}} {{tenantId}} emp-1");
    strbuf_clear(&out);
    secrets_free(secrets);
    secrets = secrets_new();
    assert_false(secrets_load_patterns(secrets, wrong, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.text, "line 2"));
    secrets_free(secrets);
    unlink(path);
    unlink(wrong);
    mem_free(path);
    mem_free(wrong);
}

/* Half a list would be a leak. */
static void too_many_secrets_are_an_error_that_says_what_to_do(void **state)
{
    struct secrets *secrets = secrets_new();
    struct strbuf json = STRBUF_EMPTY;
    struct secret_text text = { .kind = SECRET_TEXT_JSON };
    struct err err;
    unsigned added = 0;
    bool ok = true;

    (void)state;
    for (; ok && added <= SECRETS_MAX_BYTES / (1024 * 1024); added++) {
        strbuf_reset(&json);
        strbuf_printf(&json, "{\"password\":\"%u", added);
        while (json.len < 1024 * 1024)
            strbuf_add(&json, SPAN("abcdefghijklmnopqrstuvwxyz012345"));
        strbuf_add_str(&json, "\"}");
        text.text = strbuf_span(&json);
        ok = secrets_add_text(secrets, &text, &err);
    }
    assert_false(ok);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "--filter"));
    assert_non_null(strstr(err.text, "--secrets keep"));
    strbuf_clear(&json);
    secrets_free(secrets);
}

static void many_sessions_of_one_name_are_told_apart(void **state)
{
    enum { COUNT = 100000 };
    struct secrets *secrets = secrets_new();
    struct strbuf out = STRBUF_EMPTY;
    char value[40], name[40];
    struct secret_text text = { .kind = SECRET_TEXT_FIELD, .name = SPAN("X-Auth-Token") };
    struct err err;

    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        snprintf(value, sizeof value, "t-%016llx", (unsigned long long)((i + 1) * 0x9e3779b97f4a7c15u));
        text.text = span_of(value);
        assert_true(secrets_add_text(secrets, &text, &err));
    }
    secrets_seal(secrets, NULL, NULL);
    assert_int_equal(secrets_count(secrets), COUNT);
    text.kind = SECRET_TEXT_PLAIN;
    for (uint64_t i = 1; i < COUNT; i += 997) {
        snprintf(value, sizeof value, "t-%016llx", (unsigned long long)((i + 1) * 0x9e3779b97f4a7c15u));
        snprintf(name, sizeof name, "REDACTED_weirAuthToken_%u", (unsigned)i + 1);
        text.text = span_of(value);
        strbuf_reset(&out);
        secrets_replace(secrets, &text, SECRET_STYLE_MASK, &out);
        assert_string_equal(strbuf_text(&out), name);
    }
    strbuf_clear(&out);
    secrets_free(secrets);
}

/* --- bodies -------------------------------------------------------------------------------------------- */

/* Bytes that no word of a shell can hold, with a token among them, come back from the script and its values.
 */
static void a_script_puts_its_values_back_into_binary_bodies(void **state)
{
    struct fake_source *fake = planted_session();
    struct export_options options = { .format = export_find_format("curl") };
    struct export_report report;
    char folder[] = "/tmp/weir-test-secrets-XXXXXX", output[4096];
    struct strbuf path = STRBUF_EMPTY;
    struct err err;
    size_t len;
    char *command;
    FILE *bash;

    (void)state;
    assert_non_null(mkdtemp(folder));
    strbuf_printf(&path, "%s/x.sh", folder);
    assert_true(export_to_file(fake_source_reader(fake), &options, strbuf_text(&path), &report, &err));
    assert_true(report.is_hidden);
    assert_true(strstr(report.values_path, "/x.env") != NULL);
    command = mem_printf(
        "bash -c 'curl() { case \"$*\" in *data-binary*) cat;; *) printf \"%%s\\n\" \"$@\";; esac; }; . %s'",
        strbuf_text(&path));
    bash = popen(command, "r");
    len = fread(output, 1, sizeof output, bash);
    assert_int_equal(pclose(bash), 0);
    assert_non_null(memmem(output, len, "\0\xff tok_Bearer1 \1", 16));
    assert_non_null(memmem(output, len, "Authorization: Bearer tok_Bearer1\n", 34));
    assert_non_null(memmem(output, len, "user=bob&password=form-Pass%205&again=form-Pass+5\n", 50));
    assert_non_null(memmem(output, len, "{\"access_token\":\"gzip-Secret13\"}\n", 33));
    unlink(strbuf_text(&path));
    unlink(report.values_path);
    assert_int_equal(rmdir(folder), 0);
    export_report_clear(&report);
    mem_free(command);
    strbuf_clear(&path);
    fake_source_free(fake);
}

static void a_long_body_is_masked_in_all_its_length(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf response = STRBUF_EMPTY;
    char *text;

    (void)state;
    strbuf_add_str(&response, "HTTP/1.1 200 OK\r\nContent-Type: "
                              "application/json\r\n\r\n{\"token\":\"abc-123-XYZ\",\"pin\":1234,\"l\":\"");
    while (response.len < SECRETS_MAX_TEXT + 100000)
        strbuf_add_str(&response, "0123456789 abc-123-XYZ ");
    strbuf_add_str(&response, "\"}");
    fake_source_add(fake, "https://shop.test", SPAN("GET / HTTP/1.1\r\n\r\n"), strbuf_span(&response));
    text = export_as(fake, "jsonl", EXPORT_SECRETS_ENV);
    assert_null(strstr(text, "abc-123-XYZ"));
    assert_non_null(strstr(text, "\\\"pin\\\":\\\"REDACTED_shopPin\\\","));
    free(text);
    strbuf_clear(&response);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_export_holds_a_planted_secret),
        cmocka_unit_test(keep_and_the_environment_have_all_of_them),
        cmocka_unit_test(what_is_masked_is_still_json),
        cmocka_unit_test(every_name_of_a_secret_is_known),
        cmocka_unit_test(a_code_is_a_grant_beside_what_says_so),
        cmocka_unit_test(every_known_token_is_seen_by_what_it_looks_like),
        cmocka_unit_test(common_values_are_left_alone),
        cmocka_unit_test(markup_without_secrets_is_left_alone),
        cmocka_unit_test(a_weak_value_is_masked_where_it_was_given_alone),
        cmocka_unit_test(names_are_unique_and_keep_clear_of_others),
        cmocka_unit_test(a_name_that_stands_in_the_traffic_as_a_token_is_nobodys),
        cmocka_unit_test(each_spelling_is_a_variable_of_exactly_that_text),
        cmocka_unit_test(patterns_of_a_person_are_secrets_everywhere),
        cmocka_unit_test(too_many_secrets_are_an_error_that_says_what_to_do),
        cmocka_unit_test(many_sessions_of_one_name_are_told_apart),
        cmocka_unit_test(a_script_puts_its_values_back_into_binary_bodies),
        cmocka_unit_test(a_long_body_is_masked_in_all_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

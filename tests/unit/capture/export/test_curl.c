#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/curl.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

#define OK SPAN("HTTP/1.1 200 OK\r\n\r\n")

static void a_script_has_its_golden_form(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record_field trailer = { SPAN("T"), SPAN("1") };
    struct record *record;
    char *text;

    (void)state;
    fake_source_add(
        fake, "https://shop.test",
        SPAN("GET /a?x=1 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: t\r\nAccept-Encoding: br\r\n\r\n"), OK);
    fake_source_add(fake, "http://shop.test:8080",
                    SPAN("POST /a/../b[1] HTTP/1.1\r\nAccept: */*\r\nhost: shop.test:8080\r\nX-Empty:\r\n"
                         "Content-Length: 7\r\nProxy-Connection: close\r\nQ: it's\xff\r\n\r\n{\"a\":1}"),
                    OK);
    record = fake_source_add(
        fake, "http://shop.test",
        SPAN("PUT /{{x}}# HTTP/1.0\r\nTransfer-Encoding: chunked\r\nBlank: \v\r\n\r\n\xff\x00"), OK);
    record->request_version = HTTP_1_0;
    record->request_trailers = (struct record_fields){ &trailer, 1 };
    fake_source_add(fake, "http://shop.test", SPAN("HEAD / HTTP/1.1\r\nHost: shop.test\r\n\r\n"), SPAN_NONE);
    fake_source_add(fake, "http://shop.test",
                    SPAN("HEAD / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\n\r\nx"), OK);
    fake_source_add(fake, "http://shop.test",
                    SPAN("PUT / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n"), OK);
    record =
        fake_source_add(fake, "https://other.test", SPAN("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"), OK);
    record->flags = TAP_HOST_DIFFERS;
    record->client_tls = SPAN("{\"version\":\"TLSv1.3\",\"sni\":\"shop.test\"}");
    record =
        fake_source_add(fake, "https://other.test", SPAN("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"), OK);
    record->flags = TAP_HOST_DIFFERS;
    record = fake_source_add(fake, "http://shop.test", SPAN("GET / HTTP/1.1\r\nHost: lies.test\r\n\r\n"), OK);
    fake_source_add(fake, "https://shop.test", SPAN("CONNECT shop.test:443 HTTP/1.1\r\n\r\n"), SPAN_NONE);
    record = fake_source_add(fake, "https://shop.test", SPAN("CONNECT /chat HTTP/1.1\r\n\r\n"), OK);
    record->protocol = SPAN("websocket");
    text = fake_source_export(fake, "curl", NULL, NULL);
    golden_compare(text, "tests/unit/capture/export/golden/session.sh");
    free(text);
    fake_source_free(fake);
}

static void assert_taken(const struct record *record)
{
    enum export_reason why;

    assert_true(curl_takes(record, &why));
}

static void assert_left_out(const struct record *record, enum export_reason expected)
{
    enum export_reason why;

    assert_false(curl_takes(record, &why));
    assert_int_equal(why, expected);
}

static void only_a_whole_request_is_taken(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record *record;

    (void)state;
    record = fake_source_add(fake, "http://a.test", SPAN("PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
                             SPAN_NONE);
    assert_taken(record);
    record->request_body.kept = 2;
    assert_left_out(record, EXPORT_REQUEST_CUT);
    record->request_body.bytes = 2;
    assert_left_out(record, EXPORT_REQUEST_CUT);
    record = fake_source_add(fake, "http://a.test",
                             SPAN("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nabc"), OK);
    assert_taken(record);
    record->times[TAP_T_SENT_LAST] = TAP_NEVER;
    assert_left_out(record, EXPORT_REQUEST_CUT);
    fake_source_free(fake);
}

static void what_went_to_no_origin_is_left_out(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record *record = fake_source_add(fake, "http://a.test", SPAN("GET / HTTP/1.1\r\n\r\n"), OK);

    (void)state;
    record->flags = TAP_MADE_BY_WEIR;
    record->status = 400;
    assert_left_out(record, EXPORT_OWN_RESPONSE);
    record->status = 502; /* it would have gone */
    assert_taken(record);
    record->flags = TAP_TUNNEL;
    assert_left_out(record, EXPORT_TUNNEL);
    record->flags = TAP_UPGRADED;
    assert_left_out(record, EXPORT_UPGRADED);
    fake_source_free(fake);
}

static void a_head_that_curl_cannot_hold_is_left_out(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record *record =
        fake_source_add(fake, "http://a.test", SPAN("GET / HTTP/1.1\r\nA: b\r\n\r\n"), OK);
    char *bytes = mem_array(char, 1024 * 1024);

    (void)state;
    memset(bytes, '/', 1024 * 1024);
    record->path = span_make(bytes, 127 * 1024);
    assert_taken(record);
    record->path = span_make(bytes, 128 * 1024);
    assert_left_out(record, EXPORT_HEAD_LONG);
    record->path = SPAN("/");
    record->request_headers.items[0].value = span_make(bytes, 1020 * 1024);
    assert_taken(record);
    record->request_headers.items[0].value = span_make(bytes, 1024 * 1024);
    assert_left_out(record, EXPORT_HEAD_LONG);
    mem_free(bytes);
    fake_source_free(fake);
}

static void no_word_is_longer_than_an_argument(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf request = STRBUF_EMPTY;
    struct span rest, line;
    char *text;

    (void)state;
    strbuf_add_str(&request, "POST / HTTP/1.1\r\n");
    for (int i = 0; i < 10000; i++)
        strbuf_printf(&request, "X-%d: '%d'\r\n", i, i);
    strbuf_add_str(&request, "\r\n");
    for (int i = 0; i < 300000; i++)
        strbuf_add_char(&request, (char)('a' + i % 26));
    fake_source_add(fake, "http://a.test", strbuf_span(&request), OK);
    text = fake_source_export(fake, "curl", NULL, NULL);
    assert_non_null(strstr(text, "-H @<(base64 -d <<'HEAD'\n"));
    assert_non_null(strstr(text, "\nHEAD\n) \\\n  --data-binary @<(base64 -d <<'BODY'\n"));
    assert_non_null(strstr(text, "\nBODY\n)\n"));
    rest = span_of(text);
    while (span_split(&rest, '\n', &line))
        assert_true(line.len <= 110);
    free(text);
    strbuf_clear(&request);
    fake_source_free(fake);
}

static void a_store_that_fails_fails_the_export(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct export_options options = { .format = export_find_format("curl") };
    struct export_report report;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);
    struct err err;

    (void)state;
    fake_source_add(fake, "http://a.test", SPAN("PUT / HTTP/1.1\r\n\r\nabc"), OK);
    fake_source_break(fake);
    assert_false(export_to_stream(fake_source_reader(fake), &options, stream, &report, &err));
    assert_int_equal(err.code, ERR_STORE);
    export_report_clear(&report);
    fclose(stream);
    free(text);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_has_its_golden_form),
        cmocka_unit_test(only_a_whole_request_is_taken),
        cmocka_unit_test(what_went_to_no_origin_is_left_out),
        cmocka_unit_test(a_head_that_curl_cannot_hold_is_left_out),
        cmocka_unit_test(no_word_is_longer_than_an_argument),
        cmocka_unit_test(a_store_that_fails_fails_the_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/http/coding.h"
#include "tests/support/imported.h"

#define REQUEST(rest)                                                                                        \
    "\"request\":{\"method\":\"GET\",\"url\":\"http://a.test/x?y=1\",\"httpVersion\":\"HTTP/1.1\","          \
    "\"headers\":[{\"name\":\"Host\",\"value\":\"a.test\"}]" rest "}"
#define RESPONSE(rest)                                                                                       \
    "\"response\":{\"status\":200,\"statusText\":\"Fine\",\"httpVersion\":\"HTTP/1.1\","                     \
    "\"headers\":[{\"name\":\"Content-Type\",\"value\":\"text/plain\"}]" rest "}"
#define STARTED      "\"startedDateTime\":\"2026-11-21T20:14:00.123+01:00\""
#define ENTRY        "{" STARTED "," REQUEST("") "," RESPONSE("") "}"
#define HAR(entries) "{\"log\":{\"version\":\"1.2\",\"entries\":[" entries "]}}"

static void import(struct imported *world, const char *document)
{
    imported_add(world, span_of(document), NULL);
    if (!world->ok)
        fail_msg("%s", world->err.text);
}

/* One document alone; how many rows sql finds afterwards. */
static int64_t count_in(const char *document, const char *sql)
{
    struct imported world = { 0 };
    int64_t count;

    import(&world, document);
    count = imported_number(&world, sql);
    imported_clear(&world);
    return count;
}
#define assert_one(document, where)                                                                          \
    assert_int_equal(count_in(document, "SELECT count(*) FROM exchange WHERE " where), 1)

static void an_entry_becomes_an_exchange(void **state)
{
    (void)state;
    assert_one(HAR(ENTRY), "method = 'GET' AND scheme = 'http' AND host = 'a.test' AND port = 80 AND "
                           "path = '/x' AND query = 'y=1' AND status = 200 AND reason = 'Fine' AND "
                           "state = 1 AND request_headers = '[[\"Host\",\"a.test\"]]' AND "
                           "response_type = 'text/plain' AND started_us = 1795288440123000");
    assert_int_equal(count_in(HAR(ENTRY), "SELECT count(*) FROM host WHERE host = 'a.test'"), 1);
    assert_int_equal(count_in(HAR(ENTRY), "SELECT exchanges FROM session"), 1);
}

static void documents_of_older_tools_are_taken(void **state)
{
    (void)state;
    assert_one("\xef\xbb\xbf" HAR(ENTRY), "status = 200");
    assert_one("{\"log\":{\"entries\":[" ENTRY ",],\"version\":\"1.1\",\"pages\":[{\"id\":\"p\"}]}}",
               "status = 200");
    assert_one("{\"log\":{\"version\":\"1.1\",\"pages\":[{" STARTED ",\"id\":\"p\"}],\"entries\":[" ENTRY
               "]},\"x\":1}",
               "status = 200");
}

static void times_follow_the_timings(void **state)
{
    (void)state;
    assert_one(HAR("{" STARTED ",\"timings\":{\"blocked\":1,\"dns\":2,\"connect\":10,\"ssl\":4,\"send\":0.5,"
                   "\"wait\":20,\"receive\":3}," REQUEST("") "," RESPONSE("") "}"),
               "t_dns_start = 1000 AND t_dns_end = 3000 AND t_connect_start = 3000 AND t_connect_end = 9000 "
               "AND t_tls_start = 9000 AND t_tls_end = 13000 AND t_sent_first = 13000 AND "
               "t_sent_last = 13500 AND t_received_first = 33500 AND t_received_last = 36500 AND "
               "t_done = 36500");
    assert_one(HAR("{" STARTED ",\"time\":50,\"timings\":{}," REQUEST("") "," RESPONSE("") "}"),
               "t_dns_start IS NULL AND t_connect_start IS NULL AND t_received_last = 50000");
}

static void pseudo_header_fields_are_no_fields(void **state)
{
    (void)state;
    assert_one(HAR("{" STARTED ",\"request\":{\"method\":\"\",\"url\":\"https://192.0.2.7/\","
                   "\"httpVersion\":\"http/2.0\",\"headers\":[{\"name\":\":method\",\"value\":\"PUT\"},"
                   "{\"name\":\":authority\",\"value\":\"shop.test\"},{\"name\":\"a\",\"value\":\"b\"}]},"
                   "\"response\":{\"status\":204,\"httpVersion\":\"\",\"headers\":["
                   "{\"name\":\":status\",\"value\":\"204\"}]}}"),
               "method = 'PUT' AND host = 'shop.test' AND origin_addr = '192.0.2.7:443' AND flags = 4 AND "
               "request_version = 20 AND response_version = 20 AND request_headers = '[[\"a\",\"b\"]]' AND "
               "response_headers = '[]'");
}

static void versions_are_spelled_in_many_ways(void **state)
{
    static const struct {
        const char *spelling;
        int version;
    } rows[] = { { "HTTP/2", 20 }, { "h2", 20 },     { "http/2.0", 20 }, { "HTTP/1.0", 10 },
                 { "h3", 20 },     { "HTTP/3", 20 }, { "http/1.1", 11 }, { "unknown", 11 } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *document = mem_printf(
            HAR("{" STARTED
                ",\"request\":{\"method\":\"GET\",\"url\":\"wss://a.test\",\"httpVersion\":\"%s\"}}"),
            rows[i].spelling);
        assert_int_equal(count_in(document, "SELECT request_version FROM exchange WHERE scheme = 'https' "
                                            "AND path = '/' AND port = 443"),
                         rows[i].version);
        mem_free(document);
    }
}

static void a_host_field_names_what_an_address_stands_for(void **state)
{
    (void)state;
    assert_one(HAR("{" STARTED ",\"serverIPAddress\":\"[2001:db8::1]\",\"request\":{\"method\":\"GET\","
                   "\"url\":\"http://192.0.2.7:8080/\",\"headers\":[{\"name\":\"host\",\"value\":"
                   "\"A.test:81\"}]}}"),
               "host = 'a.test' AND port = 81");
    assert_one(HAR("{" STARTED ",\"request\":{\"method\":\"GET\",\"url\":\"http://b.test/\",\"headers\":["
                   "{\"name\":\"host\",\"value\":\"a.test\"}]},\"serverIPAddress\":\"2001:db8::1\"}"),
               "host = 'b.test' AND origin_addr = '[2001:db8::1]:80'");
}

static void without_a_response_an_exchange_has_failed(void **state)
{
    (void)state;
    assert_one(HAR("{" STARTED "," REQUEST("") ",\"response\":{\"status\":0,\"statusText\":\"\","
                                               "\"_error\":\"net::ERR_FAILED\"}}"),
               "state = 2 AND status IS NULL AND error = 'net::ERR_FAILED'");
    assert_one(HAR("{" STARTED "," REQUEST("") "}"), "state = 2 AND error LIKE '%no response%'");
}

static void assert_body(const char *document, enum http_role role, struct span expected)
{
    struct imported world = { 0 };
    struct strbuf body = STRBUF_EMPTY;

    import(&world, document);
    imported_body(&world, role, &body);
    assert_int_equal(body.len, expected.len);
    assert_memory_equal(body.ptr, expected.ptr, expected.len);
    strbuf_clear(&body);
    imported_clear(&world);
}

static void bodies_are_text_or_base64(void **state)
{
    (void)state;
    assert_body(HAR("{" STARTED "," REQUEST("") "," RESPONSE(
                    ",\"content\":{\"text\":\"\\u00fc\\ud83d\\ude00\\ud83d \\n\",\"mimeType\":\"x\"}") "}"),
                HTTP_RESPONSE, SPAN("\xc3\xbc\xf0\x9f\x98\x80\xef\xbf\xbd \n"));
    assert_body(HAR("{" STARTED "," REQUEST("") "," RESPONSE(
                    ",\"content\":{\"text\":\"AP/+\\r\\nAQ==\",\"encoding\":\"base64\"}") "}"),
                HTTP_RESPONSE, SPAN("\0\xff\xfe\x01"));
    assert_body(HAR("{" STARTED "," REQUEST("") "," RESPONSE(
                    ",\"content\":{\"text\":\"no base64!\",\"encoding\":\"base64\"}") "}"),
                HTTP_RESPONSE, SPAN("no base64!"));
    assert_body(
        HAR("{" STARTED "," REQUEST(",\"postData\":{\"text\":\"AA==\",\"_encoding\":\"base64\"}") "}"),
        HTTP_REQUEST, SPAN("\0"));
}

#define FORM(type, params)                                                                                   \
    HAR("{" STARTED "," REQUEST(",\"postData\":{\"params\":[" params "],\"mimeType\":\"" type "\"}") "}")
static void a_form_is_made_of_its_fields(void **state)
{
    (void)state;
    assert_body(FORM("application/x-www-form-urlencoded", "{\"name\":\"a b\",\"value\":\"1&\\u00fc\"},"
                                                          "{\"name\":\"c\"}"),
                HTTP_REQUEST, SPAN("a+b=1%26%C3%BC&c="));
    assert_body(FORM("multipart/form-data; boundary=B", "{\"name\":\"f\",\"fileName\":\"x\\\"y\",\"value\":"
                                                        "\"v\",\"contentType\":\"text/plain\"}"),
                HTTP_REQUEST,
                SPAN("--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x%22y\"\r\n"
                     "Content-Type: text/plain\r\n\r\nv\r\n--B--\r\n"));
}

static bool add(void *self, struct span bytes, struct err *err)
{
    (void)err;
    strbuf_add(self, bytes);
    return true;
}

static void a_coding_is_on_the_body_that_its_field_names(void **state)
{
    static const char *const codings[] = { "gzip", "deflate", "br", "zstd" };

    (void)state;
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        char *document =
            mem_printf(HAR("{" STARTED "," REQUEST("") ",\"response\":{\"status\":200,\"headers\":[{\"name\":"
                                                       "\"Content-Encoding\",\"value\":\"%s\"}],\"content\":{"
                                                       "\"text\":\"decoded by the tool\"}}}"),
                       codings[i]);
        struct imported world = { 0 };
        struct strbuf body = STRBUF_EMPTY, decoded = STRBUF_EMPTY;
        struct coding *coding;
        struct err err;

        import(&world, document);
        imported_body(&world, HTTP_RESPONSE, &body);
        assert_true(coding_new(span_of(codings[i]), 0, &coding, &err));
        assert_true(coding_feed(coding, strbuf_span(&body), add, &decoded, &err));
        assert_true(coding_finish(coding, &err));
        assert_string_equal(strbuf_text(&decoded), "decoded by the tool");
        coding_free(coding);
        strbuf_clear(&body);
        strbuf_clear(&decoded);
        imported_clear(&world);
        mem_free(document);
    }
    /* What is coded in the file already stays as it is. */
    assert_body(
        HAR("{" STARTED "," REQUEST(
            "") ",\"response\":{\"status\":200,\"headers\":[{\"name\":"
                "\"Content-Encoding\",\"value\":\"gzip\"}],\"content\":{\"encoding\":\"base64\",\"text\":"
                "\"H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA==\"}}}"),
        HTTP_RESPONSE,
        SPAN("\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x10"
             "6\x05\0\0\0"));
}

static void a_body_that_is_not_there_keeps_its_length(void **state)
{
    (void)state;
    assert_one(HAR("{" STARTED "," REQUEST("") "," RESPONSE(",\"content\":{\"size\":700}") "}"),
               "response_bytes = 700 AND response_kept = 0 AND response_body IS NULL");
}

static void a_long_body_is_cut_as_a_captured_one(void **state)
{
    struct strbuf document = STRBUF_EMPTY, body = STRBUF_EMPTY;
    struct imported world = { 0 };

    (void)state;
    strbuf_add_str(&document,
                   "{\"log\":{\"entries\":[{" STARTED "," REQUEST("") ",\"response\":{\"status\":200,"
                                                                      "\"content\":{\"text\":\"");
    for (int i = 0; i < 100000; i++)
        strbuf_printf(&document, "%06d\\n", i);
    strbuf_add_str(&document, "\"}}}]}}");
    imported_add(&world, strbuf_span(&document), NULL);
    assert_true(world.ok);
    imported_body(&world, HTTP_RESPONSE, &body);
    assert_int_equal(body.len, 700000);
    assert_memory_equal(body.ptr + 699993, "099999\n", 7);
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM body_piece"), 3);
    strbuf_clear(&document);
    strbuf_clear(&body);
    imported_clear(&world);
}

#define COOKIES                                                                                              \
    "\"cookies\":[{\"name\":\"sid\",\"value\":\"1\",\"path\":\"/"                                            \
    "\",\"domain\":\".a.test\",\"httpOnly\":true,"                                                           \
    "\"secure\":true,\"expires\":\"2030-01-01T00:00:00.000Z\",\"sameSite\":\"None\"}]"
static void cookies_without_their_fields_become_fields(void **state)
{
    static const char DOCUMENT[] =
        HAR("{" STARTED ",\"request\":{\"method\":\"GET\",\"url\":\"https://a.test/\"," COOKIES
            "},\"response\":{\"status\":200," COOKIES "}}");

    (void)state;
    assert_one(DOCUMENT, "request_headers = '[[\"Cookie\",\"sid=1\"]]' AND response_headers = "
                         "'[[\"Set-Cookie\",\"sid=1; Domain=.a.test; Path=/; Expires=Tue, 01 Jan 2030 "
                         "00:00:00 GMT; Secure; HttpOnly; SameSite=None\"]]'");
    assert_int_equal(count_in(DOCUMENT, "SELECT count(*) FROM cookie"), 2);
    assert_int_equal(count_in(DOCUMENT, "SELECT count(*) FROM cookie WHERE time_us = 1795288440123000"), 2);
}

static void set_cookies_in_one_value_are_parted(void **state)
{
    (void)state;
    assert_int_equal(
        count_in(HAR("{" STARTED "," REQUEST("") ",\"response\":{\"status\":200,\"headers\":[{"
                                                 "\"name\":\"Set-Cookie\",\"value\":\"a=1\\nb=2\"}]}}"),
                 "SELECT count(*) FROM cookie WHERE name IN (x'61', x'62') AND line IS NOT NULL"),
        2);
}

static void messages_of_a_websocket_are_its_messages(void **state)
{
    static const char DOCUMENT[] =
        HAR("{" STARTED ",\"_webSocketMessages\":["
            "{\"type\":\"send\",\"time\":1795288440.5,\"opcode\":1,\"data\":\"h\\u00e9\"},"
            "{\"type\":\"receive\",\"time\":1795288441,\"opcode\":2,\"data\":\"AAE=\"},"
            "{\"type\":\"error\",\"opcode\":-1,\"data\":\"x\"}],"
            "\"request\":{\"method\":\"GET\",\"url\":\"wss://a.test/\"},\"response\":{\"status\":101}}");

    (void)state;
    assert_one(DOCUMENT, "messages = 2 AND flags = 32 AND scheme = 'https'");
    assert_int_equal(count_in(DOCUMENT, "SELECT count(*) FROM message WHERE n = 1 AND direction = 0 AND "
                                        "kind = 'text' AND payload = x'68c3a9' AND "
                                        "time_us = 1795288440500000"),
                     1);
    assert_int_equal(count_in(DOCUMENT, "SELECT count(*) FROM message WHERE n = 2 AND direction = 1 AND "
                                        "kind = 'binary' AND payload = x'0001' AND size = 2"),
                     1);
}

/* Also one that was refused, and had none. */
static void a_websocket_in_a_stream_of_http_2_is_a_connect_again(void **state)
{
    static const char MESSAGE[] = "{\"type\":\"send\",\"time\":1795288440.5,\"opcode\":1,\"data\":\"x\"}";

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *document =
            mem_printf(HAR("{" STARTED ",\"_webSocketMessages\":[%s],\"request\":{\"method\":\"GET\","
                           "\"httpVersion\":\"HTTP/2\",\"url\":\"https://a.test/"
                           "ws?a=1\"},\"response\":{\"status\":%d}}"),
                       i == 0 ? MESSAGE : "", i == 0 ? 200 : 403);

        assert_one(document,
                   "method = 'CONNECT' AND protocol = 'websocket' AND path = '/ws' AND query = 'a=1' "
                   "AND host = 'a.test' AND flags = 0 AND request_version = 20");
        mem_free(document);
    }
    assert_one(HAR("{" STARTED ",\"request\":{\"method\":\"GET\",\"httpVersion\":\"HTTP/2\",\"url\":"
                   "\"https://a.test/\"},\"response\":{\"status\":200}}"),
               "method = 'GET' AND protocol IS NULL");
}

static void what_cannot_be_imported_is_counted(void **state)
{
    struct imported world = { 0 };

    (void)state;
    import(&world,
           HAR("{" STARTED ",\"request\":{\"method\":\"GET\",\"url\":\"data:text/plain,x\"}},"
               "{" STARTED ",\"request\":{\"method\":\"GET\",\"url\":\"http://a b:x/\"}},"
               "{" STARTED ",\"request\":{\"method\":\"G\\u0000T\",\"url\":\"http://a.test/\"}},"
               "{},7,{\"request\":{\"method\":\"GET\",\"url\":\"http://u:p@a.test/b c#d\",\"headers\":["
               "{\"name\":\"a b\",\"value\":\"1\"},{\"name\":\"x\",\"value\":\"a\\u0000b\"}]}}"));
    assert_int_equal(world.report.exchanges, 1);
    assert_int_equal(world.report.reasons[IMPORT_NOT_HTTP].count, 1);
    assert_int_equal(world.report.reasons[IMPORT_BAD_URL].count, 2);
    assert_int_equal(world.report.reasons[IMPORT_NO_EXCHANGE].count, 2);
    assert_int_equal(world.report.reasons[IMPORT_NO_TIME].count, 1);
    assert_int_equal(world.report.reasons[IMPORT_BAD_FIELD].count, 2);
    assert_int_equal(world.report.damage_count, 0);
    assert_string_equal(world.report.reasons[IMPORT_NO_EXCHANGE].first, "entry 4");
    assert_int_equal(imported_number(&world, "SELECT count(*) FROM exchange WHERE host = 'a.test' AND "
                                             "path = '/b%20c'"),
                     1);
    imported_clear(&world);
}

static void damage_is_told_and_the_rest_imported(void **state)
{
    static const struct {
        const char *document;
        unsigned exchanges, damages;
        const char *text;
    } rows[] = {
        { HAR(ENTRY ",\n{" STARTED ",\"request\":{\"method\":oops}}," ENTRY), 2, 1, "line 2, in entry 2" },
        { HAR(ENTRY ",{" STARTED ",\"comment\":\"no end," REQUEST("") "}," ENTRY "," ENTRY), 3, 1,
          "entry 2" },
        { HAR(ENTRY ",{" STARTED "," REQUEST("") ",\"comment\":\"no end}," ENTRY "," ENTRY), 3, 1,
          "entry 2" },
        { HAR(ENTRY ENTRY), 2, 1, "after entry 1: ',' or ']' was expected" },
        { "{\"log\":{\"creator\":{],\"pages\":[{" STARTED ",\"id\":\"p\"}],\"entries\":[" ENTRY "]}}", 1, 1,
          "before the first entry" },
        { HAR(ENTRY) "}", 1, 1, "something follows its end" },
        { "{\"log\":{\"entries\":[" ENTRY "," ENTRY, 2, 1, "it ends inside an array" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct imported world = { 0 };
        import(&world, rows[i].document);
        assert_int_equal(world.report.damage_count, rows[i].damages);
        if (strstr(world.report.damages[0], rows[i].text) == NULL)
            fail_msg("'%s' does not say '%s'", world.report.damages[0], rows[i].text);
        assert_int_equal(world.report.exchanges, rows[i].exchanges);
        imported_clear(&world);
    }
}

#define SHORT "{\"request\":{\"method\":\"GET\",\"url\":\"http://a.test/\"}}"
static void of_a_cut_document_the_whole_entries_are_imported(void **state)
{
    static const char DOCUMENT[] = HAR(SHORT "," SHORT);
    const char *first = strstr(DOCUMENT, SHORT), *second = strstr(first + 1, SHORT);
    size_t first_end = (size_t)(first - DOCUMENT) + strlen(SHORT);
    size_t second_end = (size_t)(second - DOCUMENT) + strlen(SHORT);
    struct imported world = { 0 };

    (void)state;
    for (size_t len = strlen("{\"log\":{"); len < strlen(DOCUMENT); len++) {
        imported_add(&world, span_make(DOCUMENT, len), NULL);
        if (!world.ok)
            fail_msg("%zu bytes: %s", len, world.err.text);
        assert_int_equal(world.report.exchanges, (len >= first_end) + (len >= second_end));
        assert_int_equal(world.report.damage_count, 1);
    }
    imported_clear(&world);
}

static void a_session_with_nothing_in_it_is_not_kept(void **state)
{
    (void)state;
    assert_int_equal(count_in(HAR(""), "SELECT count(*) FROM session"), 0);
}

static void a_session_can_be_added_to(void **state)
{
    struct imported world = { 0 };

    (void)state;
    for (int i = 0; i < 2; i++)
        imported_add(&world, SPAN(HAR(ENTRY)), "both");
    imported_add(&world, SPAN(HAR("")), "both");
    assert_true(world.ok);
    assert_int_equal(imported_number(&world, "SELECT exchanges FROM session WHERE name = 'both'"), 2);
    assert_int_equal(imported_number(&world, "SELECT max(seq) FROM exchange"), 2);
    imported_clear(&world);
}

static void what_is_no_known_format_is_refused(void **state)
{
    struct imported world = { 0 };

    (void)state;
    imported_add(&world, SPAN("{\"a\":1}"), NULL);
    assert_false(world.ok);
    assert_int_equal(world.err.code, ERR_PROTO);
    imported_add(&world, SPAN(""), NULL);
    assert_false(world.ok);
    imported_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_becomes_an_exchange),
        cmocka_unit_test(documents_of_older_tools_are_taken),
        cmocka_unit_test(times_follow_the_timings),
        cmocka_unit_test(pseudo_header_fields_are_no_fields),
        cmocka_unit_test(versions_are_spelled_in_many_ways),
        cmocka_unit_test(a_host_field_names_what_an_address_stands_for),
        cmocka_unit_test(without_a_response_an_exchange_has_failed),
        cmocka_unit_test(bodies_are_text_or_base64),
        cmocka_unit_test(a_form_is_made_of_its_fields),
        cmocka_unit_test(a_coding_is_on_the_body_that_its_field_names),
        cmocka_unit_test(a_body_that_is_not_there_keeps_its_length),
        cmocka_unit_test(a_long_body_is_cut_as_a_captured_one),
        cmocka_unit_test(cookies_without_their_fields_become_fields),
        cmocka_unit_test(set_cookies_in_one_value_are_parted),
        cmocka_unit_test(messages_of_a_websocket_are_its_messages),
        cmocka_unit_test(a_websocket_in_a_stream_of_http_2_is_a_connect_again),
        cmocka_unit_test(what_cannot_be_imported_is_counted),
        cmocka_unit_test(damage_is_told_and_the_rest_imported),
        cmocka_unit_test(of_a_cut_document_the_whole_entries_are_imported),
        cmocka_unit_test(a_session_with_nothing_in_it_is_not_kept),
        cmocka_unit_test(a_session_can_be_added_to),
        cmocka_unit_test(what_is_no_known_format_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

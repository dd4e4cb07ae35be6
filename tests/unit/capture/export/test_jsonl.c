#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

/* "hello" by gzip. */
#define GZIPPED                                                                                              \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"

static void lines_have_their_golden_form(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record *record;
    char *text;

    (void)state;
    record = fake_source_add(
        fake, "https://shop.test",
        SPAN("POST /a?x HTTP/1.1\r\nHost: shop.test\r\nX: \xff\r\n\r\n\"zo\xc3\xab\"\n"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" GZIPPED));
    record->client_tls = SPAN("{ \"sni\": \"shop.test\" }");
    record->interim = SPAN("[[103, [[\"Link\", \"x\"]]]]");
    fake_source_add(
        fake, "https://shop.test", SPAN("PUT /b HTTP/1.1\r\n\r\n\xff\x00\x01"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\nnot gzip"));
    record = fake_source_add(fake, "https://shop.test", SPAN("GET /cut HTTP/1.1\r\n\r\n"), SPAN_NONE);
    record->response_body.bytes = 10;
    record->times[TAP_T_DONE] = TAP_NEVER;
    record->state = RECORD_ABORTED;
    record->error = SPAN("the origin closed the connection");
    record->origin_tls = SPAN("not JSON");
    fake_source_add(fake, "https://shop.test", SPAN("CONNECT shop.test:443 HTTP/1.1\r\n\r\n"), SPAN_NONE);
    record = fake_source_add(fake, "https://shop.test", SPAN("CONNECT /chat HTTP/1.1\r\n\r\n"),
                             SPAN("HTTP/1.1 200 OK\r\n\r\n"));
    record->protocol = SPAN("websocket");
    fake_source_add_message(fake, (struct record_message){ .time_us = record->started_us + 250000,
                                                           .direction = HTTP_REQUEST,
                                                           .kind = MESSAGE_TEXT,
                                                           .payload = SPAN("zo\xc3\xab"),
                                                           .size = 4,
                                                           .wire_size = 9,
                                                           .flags = RECORD_MESSAGE_COMPRESSED });
    fake_source_add_message(fake, (struct record_message){ .time_us = record->started_us + 300000,
                                                           .direction = HTTP_RESPONSE,
                                                           .kind = MESSAGE_BINARY,
                                                           .payload = SPAN("\0\xff"),
                                                           .size = 4000,
                                                           .wire_size = 4000,
                                                           .flags = RECORD_MESSAGE_TRUNCATED,
                                                           .note = SPAN("why") });
    fake_source_add_message(fake, (struct record_message){ .time_us = record->started_us + 400000,
                                                           .direction = HTTP_RESPONSE,
                                                           .kind = MESSAGE_CLOSE,
                                                           .size = 3,
                                                           .wire_size = 3,
                                                           .close_code = 1001 });
    fake_source_add_message(fake, (struct record_message){ .time_us = record->started_us + 500000,
                                                           .direction = HTTP_RESPONSE,
                                                           .kind = MESSAGE_EVENT,
                                                           .payload = SPAN(""),
                                                           .event_type = SPAN("message"),
                                                           .event_id = SPAN("7"),
                                                           .has_retry = true,
                                                           .retry_ms = 3000 });
    text = fake_source_export(fake, "jsonl", NULL, NULL);
    golden_compare(text, "tests/unit/capture/export/golden/session.jsonl");
    free(text);
    fake_source_free(fake);
}

static void a_long_body_is_whole_and_on_the_same_line(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf request = STRBUF_EMPTY;
    json_t *line;
    char *text;

    (void)state;
    strbuf_add_str(&request, "PUT / HTTP/1.1\r\n\r\n");
    for (int i = 0; i < 100000; i++)
        strbuf_add_str(&request, "zo\xc3\xab\r\n");
    fake_source_add(fake, "http://a.test", strbuf_span(&request), SPAN_NONE);
    text = fake_source_export(fake, "jsonl", NULL, NULL);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    line = json_loads(text, 0, NULL);
    assert_int_equal(json_string_length(json_object_get(json_object_get(line, "request_body"), "text")),
                     600000);
    json_decref(line);
    free(text);
    strbuf_clear(&request);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_their_golden_form),
        cmocka_unit_test(a_long_body_is_whole_and_on_the_same_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/export.h"
#include "proxy/http/message.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

/* "hello" by gzip. */
#define GZIPPED                                                                                              \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"

static void an_archive_has_its_golden_form(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record *record;
    char *text;

    (void)state;
    fake_source_add(
        fake, "https://shop.test",
        SPAN("GET /a?x=1&flag&y= HTTP/1.1\r\nHost: shop.test\r\nCookie: sid=1; pref=a=b\r\n\r\n"),
        SPAN("HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: a=1; Path=/; HttpOnly; SameSite=Lax\r\n"
             "Set-Cookie: b=2; Max-Age=60; Secure\r\n\r\n"));
    fake_source_add(
        fake, "https://shop.test",
        SPAN("POST /f HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=1+2&b=%C3%A9"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" GZIPPED));
    fake_source_add(fake, "https://shop.test", SPAN("PUT /b HTTP/1.1\r\n\r\n\xff\x00\x01"),
                    SPAN("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG"));
    fake_source_add(
        fake, "https://shop.test", SPAN("GET /damaged HTTP/1.1\r\n\r\n"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\nnot gzip"));
    record = fake_source_add(fake, "https://shop.test", SPAN("GET /cut HTTP/1.1\r\n\r\n"),
                             SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabc"));
    record->response_body.bytes = 10;
    record->state = RECORD_ABORTED;
    record->error = SPAN("the origin closed the connection");
    record =
        fake_source_add(fake, "https://[2001:db8::1]:8443", SPAN("GET /none HTTP/1.1\r\n\r\n"), SPAN_NONE);
    record->origin_addr = SPAN("[2001:db8::1]:8443");
    fake_source_add(fake, "https://shop.test", SPAN("CONNECT shop.test:443 HTTP/1.1\r\n\r\n"), SPAN_NONE);
    record = fake_source_add(fake, "https://shop.test", SPAN("CONNECT /chat HTTP/1.1\r\n\r\n"),
                             SPAN("HTTP/1.1 200 OK\r\n\r\n"));
    record->protocol = SPAN("websocket"); /* in a stream of HTTP/2: has a path and an answer */
    text = fake_source_export(fake, "har", NULL, NULL);
    golden_compare(text, "tests/unit/capture/export/golden/session.har");
    free(text);
    fake_source_free(fake);
}

static void say(struct fake_source *fake, struct record_message message)
{
    message.time_us = 1795292050123456;
    message.size = message.wire_size = message.payload.len;
    fake_source_add_message(fake, message);
}

static void messages_of_websockets_and_other_streams_have_their_golden_form(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct record *record;
    char *text;

    (void)state;
    record = fake_source_add(fake, "https://shop.test",
                             SPAN("GET /chat HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"),
                             SPAN("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
    record->flags |= TAP_UPGRADED;
    record->client_addr = SPAN("[::1]:50001");
    say(fake, (struct record_message){ .kind = MESSAGE_TEXT, .payload = SPAN("gr\xc3\xbc\xc3\x9f \"\n") });
    say(fake, (struct record_message){
                  .kind = MESSAGE_BINARY, .direction = HTTP_RESPONSE, .payload = SPAN("\x00\x01\xff") });
    say(fake, (struct record_message){ .kind = MESSAGE_PING, .payload = SPAN("") });
    say(fake, (struct record_message){ .kind = MESSAGE_PONG, .direction = HTTP_RESPONSE });
    say(fake, (struct record_message){
                  .kind = MESSAGE_TEXT, .payload = SPAN("abc"), .flags = RECORD_MESSAGE_TRUNCATED });
    say(fake, (struct record_message){
                  .kind = MESSAGE_TEXT, .payload = SPAN("\x01\x02"), .flags = RECORD_MESSAGE_UNDECODED });
    say(fake, (struct record_message){ .kind = MESSAGE_CLOSE, .payload = SPAN("bye"), .close_code = 1000 });
    say(fake,
        (struct record_message){ .kind = MESSAGE_CLOSE, .direction = HTTP_RESPONSE, .close_code = 1001 });
    say(fake, (struct record_message){ .kind = MESSAGE_FAULT, .payload = SPAN("a frame with no mask") });
    record = fake_source_add(fake, "https://shop.test", SPAN("CONNECT /chat HTTP/1.1\r\n\r\n"),
                             SPAN("HTTP/1.1 200 OK\r\n\r\n"));
    record->protocol = SPAN("websocket");
    record->request_version = record->response_version = HTTP_2;
    fake_source_add(fake, "https://shop.test", SPAN("GET /events HTTP/1.1\r\n\r\n"),
                    SPAN("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"));
    say(fake,
        (struct record_message){ .kind = MESSAGE_EVENT, .direction = HTTP_RESPONSE, .payload = SPAN("1") });
    fake_source_add(fake, "https://shop.test",
                    SPAN("POST /shop.Shop/Find HTTP/1.1\r\nContent-Type: application/grpc\r\n\r\nlike text"),
                    SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\n\r\nlike text"));
    fake_source_add(
        fake, "https://shop.test",
        SPAN("POST /shop.Shop/Find HTTP/1.1\r\nContent-Type: application/grpc-web-text\r\n\r\nAAAA"),
        SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web-text+proto\r\n\r\nAAAA"));
    text = fake_source_export(fake, "har", NULL, NULL);
    golden_compare(text, "tests/unit/capture/export/golden/messages.har");
    free(text);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_archive_has_its_golden_form),
        cmocka_unit_test(messages_of_websockets_and_other_streams_have_their_golden_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

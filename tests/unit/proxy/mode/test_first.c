#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/mode/first.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void one_byte_tells_socks_and_tls(void **state)
{
    (void)state;
    assert_int_equal(first_look(SPAN("")), FIRST_NEED_MORE);
    assert_int_equal(first_look(SPAN("\x04")), FIRST_SOCKS4);
    assert_int_equal(first_look(SPAN("\x05")), FIRST_SOCKS5);
    assert_int_equal(first_look(SPAN("\x16")), FIRST_TLS);
    assert_int_equal(first_look(SPAN("\x16\x03\x01")), FIRST_TLS);
}

static void http_1_is_what_is_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(first_look(SPAN("G")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("C")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("\r\nGET")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("\x00")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("\x80")), FIRST_HTTP1);
}

static void a_post_is_known_at_its_second_byte(void **state)
{
    (void)state;
    assert_int_equal(first_look(SPAN("P")), FIRST_NEED_MORE);
    assert_int_equal(first_look(SPAN("PO")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("PRO")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("pri")), FIRST_HTTP1);
    assert_int_equal(first_look(SPAN("PRI * HTTP/1")), FIRST_HTTP1);
}

static void the_preface_is_known_as_soon_as_http_1_cannot_be(void **state)
{
    (void)state;
    for (size_t len = 1; len < sizeof PREFACE; len++)
        assert_int_equal(first_look(span_make(PREFACE, len)), len < 12 ? FIRST_NEED_MORE : FIRST_HTTP2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte_tells_socks_and_tls),
        cmocka_unit_test(http_1_is_what_is_nothing_else),
        cmocka_unit_test(a_post_is_known_at_its_second_byte),
        cmocka_unit_test(the_preface_is_known_as_soon_as_http_1_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The names are those that were published for these clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/base/strbuf.h"
#include "proxy/tls/hello_hash.h"

static void add_number(struct strbuf *buf, size_t value, size_t bytes)
{
    while (bytes-- != 0)
        strbuf_add_char(buf, (char)(value >> (8 * bytes)));
}

static void add_extension(struct strbuf *extensions, uint16_t type, struct span body)
{
    add_number(extensions, type, 2);
    add_number(extensions, body.len, 2);
    strbuf_add(extensions, body);
}

/* Extensions are cleared. The hello points into a message that lives until the next call. */
static struct hello make(uint16_t version, struct span suites, struct strbuf *extensions)
{
    static struct strbuf message;
    struct hello hello;

    strbuf_clear(&message);
    add_number(&message, 1, 1);
    add_number(&message, 2 + 32 + 1 + 2 + suites.len + 2 + (extensions->len != 0 ? 2 + extensions->len : 0),
               3);
    add_number(&message, version, 2);
    strbuf_add(&message, SPAN("0123456789abcdef0123456789abcdef"));
    add_number(&message, 0, 1);
    add_number(&message, suites.len, 2);
    strbuf_add(&message, suites);
    add_number(&message, 0x0100, 2);
    if (extensions->len != 0) {
        add_number(&message, extensions->len, 2);
        strbuf_add(&message, strbuf_span(extensions));
    }
    strbuf_clear(extensions);
    assert_true(hello_parse(strbuf_span(&message), &hello));
    return hello;
}

static void ja3_is_the_one_that_was_published(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;
    char ja3[JA3_BYTES];

    add_extension(&extensions, 0, SPAN("\0\4\0\0\1a"));
    add_extension(&extensions, 0x3a3a, SPAN(""));
    add_extension(&extensions, 10, SPAN("\0\10\x4a\x4a\0\27\0\30\0\31"));
    add_extension(&extensions, 11, SPAN("\1\0"));
    hello = make(0x0301,
                 SPAN("\x1a\x1a\0\x2f\0\x35\0\5\0\x0a\xc0\x09\xc0\x0a\xc0\x13\xc0\x14\0\x32\0\x38\0\x13\0\4"),
                 &extensions);
    hello_ja3(&hello, ja3);
    assert_string_equal(ja3, "ada70206e40642a3e4461f35503241d5");

    hello = make(0x0301, SPAN("\0\4\0\5\0\x0a\0\x09\0\x64\0\x62\0\3\0\6\0\x13\0\x12\0\x63"), &extensions);
    hello_ja3(&hello, ja3);
    assert_string_equal(ja3, "de350869b8c85de67a350c8d186f11e6");
}

#define CHROME_SUITES                                                                                        \
    "\x0a\x0a\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\xc0\x13\xc0\x14\0\x9c" \
    "\0\x9d\0"                                                                                               \
    "\x2f\0\x35"

static void add_chrome(struct strbuf *extensions)
{
    add_extension(extensions, 0x2a2a, SPAN(""));
    add_extension(extensions, 27, SPAN("\2\0\2"));
    add_extension(extensions, 0, SPAN("\0\4\0\0\1a"));
    add_extension(extensions, 51, SPAN("\0\5\0\x1d\0\1x"));
    add_extension(extensions, 16, SPAN("\0\x0c\2h2\10http/1.1"));
    add_extension(extensions, 0x4469, SPAN(""));
    add_extension(extensions, 23, SPAN(""));
    add_extension(extensions, 43, SPAN("\6\x6a\x6a\3\4\3\3"));
    add_extension(extensions, 13, SPAN("\0\x10\4\3\x08\4\4\1\5\3\x08\5\5\1\x08\6\6\1"));
    add_extension(extensions, 5, SPAN("\1\0\0\0\0"));
    add_extension(extensions, 11, SPAN("\1\0"));
    add_extension(extensions, 0xff01, SPAN("\0"));
    add_extension(extensions, 45, SPAN("\1\1"));
    add_extension(extensions, 18, SPAN(""));
    add_extension(extensions, 10, SPAN("\0\2\0\x1d"));
    add_extension(extensions, 35, SPAN(""));
    add_extension(extensions, 21, SPAN("\0\0\0"));
}

static void ja4_is_the_one_that_was_published(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello;
    char ja4[JA4_BYTES];

    add_chrome(&extensions);
    hello = make(0x0303, SPAN(CHROME_SUITES), &extensions);
    hello_ja4(&hello, ja4);
    assert_string_equal(ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

static void what_is_not_there_is_said_in_zeroes(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    struct hello hello = make(0x0300, SPAN("\x0a\x0a"), &extensions);
    char ja4[JA4_BYTES];

    hello_ja4(&hello, ja4);
    assert_string_equal(ja4, "ts3i000000_000000000000_000000000000");
    add_extension(&extensions, 16, SPAN("\0\5\4\xab\0\0\xcd"));
    hello = make(0x0302, SPAN("\0\x2f"), &extensions);
    hello_ja4(&hello, ja4);
    ja4[10] = '\0';
    assert_string_equal(ja4, "t11i0101ad");
}

static void a_list_of_any_length_has_a_name(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY, suites = STRBUF_EMPTY;
    struct hello hello;
    char ja3[JA3_BYTES], ja4[JA4_BYTES];

    for (size_t i = 0; i < 30000; i++)
        add_number(&suites, 60000, 2);
    hello = make(0x0303, strbuf_span(&suites), &extensions);
    hello_ja3(&hello, ja3);
    hello_ja4(&hello, ja4);
    assert_int_equal(strlen(ja3), JA3_BYTES - 1);
    assert_int_equal(strlen(ja4), JA4_BYTES - 1);
    assert_int_equal(strncmp(ja4, "t12i9900", 8), 0);
    strbuf_clear(&suites);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ja3_is_the_one_that_was_published),
        cmocka_unit_test(ja4_is_the_one_that_was_published),
        cmocka_unit_test(what_is_not_there_is_said_in_zeroes),
        cmocka_unit_test(a_list_of_any_length_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* plain: every byte at every place, against the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/base/plain.h"

#define LONGEST 27

static void one_odd_byte_is_seen_at_every_place_of_every_length(void **state)
{
    char bytes[LONGEST];
    (void)state;

    for (size_t len = 1; len <= LONGEST; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                bool is_plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                memset(bytes, 'a', len);
                bytes[at] = (char)c;
                assert_int_equal(plain_is_all(span_make(bytes, len)), is_plain);
                assert_int_equal(plain_prefix(span_make(bytes, len)), is_plain ? len : at);
            }
        }
    }
}

static void plain_bytes_beside_each_other_borrow_nothing(void **state)
{
    static const char edges[] = { ' ', '!', '#', '[', ']', '~', 0x7f };
    char bytes[16];
    (void)state;

    for (size_t i = 0; i < sizeof edges; i++) {
        for (size_t j = 0; j < sizeof edges; j++) {
            for (size_t at = 0; at < sizeof bytes; at++)
                bytes[at] = edges[at % 2 != 0 ? i : j];
            assert_true(plain_is_all(span_make(bytes, sizeof bytes)));
            assert_int_equal(plain_prefix(span_make(bytes, sizeof bytes)), sizeof bytes);
        }
    }
}

static void several_odd_bytes_do_not_hide_each_other(void **state)
{
    static const char odd[] = { '\0', '\n', '\r', 0x1f, '"', '\\', (char)0x80, (char)0xff };
    char bytes[] = "abcdefgh";
    (void)state;

    for (size_t i = 0; i < sizeof odd; i++) {
        for (size_t j = 0; j < sizeof odd; j++) {
            bytes[2] = odd[i];
            bytes[3] = odd[j];
            assert_false(plain_is_all(span_make(bytes, 8)));
            assert_int_equal(plain_prefix(span_make(bytes, 8)), 2);
        }
    }
}

static void nothing_is_plain(void **state)
{
    (void)state;

    assert_true(plain_is_all(SPAN_NONE));
    assert_int_equal(plain_prefix(SPAN_NONE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_odd_byte_is_seen_at_every_place_of_every_length),
        cmocka_unit_test(plain_bytes_beside_each_other_borrow_nothing),
        cmocka_unit_test(several_odd_bytes_do_not_hide_each_other),
        cmocka_unit_test(nothing_is_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

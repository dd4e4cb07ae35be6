#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/piece.h"

static void add_expected(struct strbuf *out, const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < 0x20)
            strbuf_printf(out, "\\u%04x", c);
        else if (c >= 0x80)
            strbuf_printf(out, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
        else
            strbuf_add_char(out, (char)c);
    }
}

/* Bytes are looked at eight at a time: so each one stands at each place of values that are shorter and longer
 * than that. */
static void fields_become_json_whatever_byte_is_where(void **state)
{
    struct strbuf json = STRBUF_EMPTY, want = STRBUF_EMPTY;
    struct err err;

    (void)state;
    for (size_t len = 3; len <= 19; len += 8) {
        for (unsigned byte = 1; byte < 256; byte++) {
            for (size_t at = 1; byte != '\r' && byte != '\n' && at + 1 < len; at++) {
                struct headers headers;
                char value[20];
                memset(value, 'v', len);
                value[at] = (char)byte;
                headers_init(&headers, 0, 0);
                assert_true(headers_add(&headers, SPAN("Name"), span_make(value, len), &err));
                strbuf_reset(&json);
                piece_headers_json(&json, &headers);
                strbuf_reset(&want);
                strbuf_add_str(&want, "[[\"Name\",\"");
                add_expected(&want, value, len);
                strbuf_add_str(&want, "\"]]");
                assert_string_equal(strbuf_text(&json), strbuf_text(&want));
                assert_int_equal(json.len, want.len);
                headers_clear(&headers);
            }
        }
    }
    strbuf_clear(&json);
    strbuf_clear(&want);
}

static void fields_stand_in_order_and_no_field_is_an_empty_list(void **state)
{
    struct strbuf json = STRBUF_EMPTY;
    struct headers headers;
    struct err err;

    (void)state;
    headers_init(&headers, 0, 0);
    piece_headers_json(&json, &headers);
    assert_string_equal(strbuf_text(&json), "[]");
    assert_true(headers_add(&headers, SPAN("A"), SPAN("1"), &err));
    assert_true(headers_add(&headers, SPAN("B"), SPAN("\"2\""), &err));
    assert_true(headers_add(&headers, SPAN("A"), SPAN(""), &err));
    strbuf_reset(&json);
    piece_headers_json(&json, &headers);
    assert_string_equal(strbuf_text(&json), "[[\"A\",\"1\"],[\"B\",\"\\\"2\\\"\"],[\"A\",\"\"]]");
    headers_clear(&headers);
    strbuf_clear(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_json_whatever_byte_is_where),
        cmocka_unit_test(fields_stand_in_order_and_no_field_is_an_empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/json_out.h"

static struct json_out json;
static FILE *stream;
static char *text;
static size_t len;

static void begin(void)
{
    stream = open_memstream(&text, &len);
    jout_init(&json, stream);
}

static void assert_written(const char *expected)
{
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

static void members_stand_one_a_line(void **state)
{
    (void)state;
    begin();
    jout_open_object(&json);
    jout_member_int(&json, "a", -1);
    jout_key(&json, "b");
    jout_open_array(&json);
    jout_bool(&json, true);
    jout_null(&json);
    jout_open_object(&json);
    jout_close(&json);
    jout_close(&json);
    jout_close(&json);
    jout_end_document(&json);
    assert_written("{\n\t\"a\": -1,\n\t\"b\": [\n\t\ttrue,\n\t\tnull,\n\t\t{}\n\t]\n}\n");
}

static void what_json_forbids_is_escaped(void **state)
{
    (void)state;
    begin();
    jout_text(&json, SPAN("\"\\/\b\f\n\r\t\v\0\x7f é"));
    assert_written("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u000b\\u0000\x7f é\"");
}

static void a_byte_that_is_no_text_is_replaced_or_kept_as_a_character(void **state)
{
    (void)state;
    begin();
    jout_text(&json, SPAN("a\xff\xc3\xa9\xed\xa0\x80"));
    assert_written("\"a\xef\xbf\xbdé\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    begin();
    jout_bytes(&json, SPAN("a\xff\xc3\xa9"));
    assert_written("\"aÿÃ©\"");
    begin();
    jout_latin1(&json, SPAN("é"));
    assert_written("\"Ã©\"");
}

static void base64_is_the_same_in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 5; piece++) {
        begin();
        jout_string_begin(&json);
        for (size_t at = 0; at < 5; at += piece)
            jout_string_base64(&json, span_sub(SPAN("hello"), at, 5 - at < piece ? 5 - at : piece));
        jout_string_end(&json);
        assert_written("\"aGVsbG8=\"");
    }
    begin();
    jout_base64(&json, SPAN("\xff"));
    assert_written("\"/w==\"");
}

static void numbers_have_no_needless_zeros(void **state)
{
    (void)state;
    begin();
    jout_open_array(&json);
    jout_double(&json, 84);
    jout_double(&json, 0.25);
    jout_double(&json, -1);
    jout_double(&json, 100.1239);
    jout_close(&json);
    assert_written("[\n\t84,\n\t0.25,\n\t-1,\n\t100.124\n]");
}

static void a_document_may_be_one_line(void **state)
{
    (void)state;
    begin();
    jout_init_line(&json, json.file);
    jout_open_object(&json);
    jout_member_str(&json, "a", "b\nc");
    jout_key(&json, "d");
    jout_open_array(&json);
    jout_null(&json);
    jout_raw(&json, "{\"e\":1}");
    jout_close(&json);
    jout_close(&json);
    jout_end_document(&json);
    assert_written("{\"a\":\"b\\nc\",\"d\":[null,{\"e\":1}]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stand_one_a_line),
        cmocka_unit_test(what_json_forbids_is_escaped),
        cmocka_unit_test(a_byte_that_is_no_text_is_replaced_or_kept_as_a_character),
        cmocka_unit_test(base64_is_the_same_in_any_pieces),
        cmocka_unit_test(numbers_have_no_needless_zeros),
        cmocka_unit_test(a_document_may_be_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

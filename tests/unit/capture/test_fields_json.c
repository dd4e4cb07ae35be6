#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/fields_json.h"
#include "proxy/http/headers.h"

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

/* "name: value\n" of each field, then how it ended. */
static void read_all(struct span json, struct strbuf *out)
{
    struct fields_json fields = { .rest = json };
    struct fields_json_text name, value;
    enum fields_json_answer answer;

    strbuf_reset(out);
    while ((answer = fields_json_next(&fields, &name, &value)) == FIELDS_JSON_FIELD) {
        bool ok = fields_json_bytes(out, name);
        strbuf_add_str(out, ": ");
        ok = fields_json_bytes(out, value) && ok;
        strbuf_add_str(out, ok ? "\n" : " (no bytes)\n");
    }
    strbuf_add_str(out, answer == FIELDS_JSON_END ? "end" : "broken");
}

static void reads(const char *json, const char *want)
{
    struct strbuf got = STRBUF_EMPTY;
    char *copy = test_malloc(strlen(json)); /* so that a read past its end is seen */

    memcpy(copy, json, strlen(json));
    read_all(span_make(copy, strlen(json)), &got);
    if (strcmp(strbuf_text(&got), want) != 0)
        fail_msg("%s gives '%s', not '%s'", json, strbuf_text(&got), want);
    strbuf_clear(&got);
    test_free(copy);
}

static void there_and_back(const char *value, size_t len, struct strbuf *json, struct strbuf *want)
{
    struct headers headers;
    struct err err;

    headers_init(&headers, 0, 0);
    assert_true(headers_add(&headers, SPAN("Name"), span_make(value, len), &err));
    strbuf_reset(json);
    fields_json_add(json, &headers);
    headers_clear(&headers);
    strbuf_reset(want);
    strbuf_add_str(want, "[[\"Name\",\"");
    add_expected(want, value, len);
    strbuf_add_str(want, "\"]]");
    assert_string_equal(strbuf_text(json), strbuf_text(want));
    assert_int_equal(json->len, want->len);

    read_all(strbuf_span(want), json);
    strbuf_reset(want);
    strbuf_add_str(want, "Name: ");
    strbuf_add(want, span_make(value, len));
    strbuf_add_str(want, "\nend");
    assert_int_equal(json->len, want->len);
    assert_memory_equal(strbuf_text(json), strbuf_text(want), want->len);
}

/* Bytes are looked at eight at a time: so each one stands at each place of values that are shorter and longer
 * than that. */
static void every_byte_comes_back_wherever_it_is(void **state)
{
    struct strbuf json = STRBUF_EMPTY, want = STRBUF_EMPTY;

    (void)state;
    for (size_t len = 3; len <= 19; len += 8) {
        for (unsigned byte = 1; byte < 256; byte++) {
            for (size_t at = 1; byte != '\r' && byte != '\n' && at + 1 < len; at++) {
                char value[20];
                memset(value, 'v', len);
                value[at] = (char)byte;
                there_and_back(value, len, &json, &want);
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
    fields_json_add(&json, &headers);
    assert_string_equal(strbuf_text(&json), "[]");
    assert_true(headers_add(&headers, SPAN("A"), SPAN("1"), &err));
    assert_true(headers_add(&headers, SPAN("B"), SPAN("\"2\""), &err));
    assert_true(headers_add(&headers, SPAN("A"), SPAN(""), &err));
    strbuf_reset(&json);
    fields_json_add(&json, &headers);
    assert_string_equal(strbuf_text(&json), "[[\"A\",\"1\"],[\"B\",\"\\\"2\\\"\"],[\"A\",\"\"]]");
    headers_clear(&headers);
    strbuf_clear(&json);
    reads("[[\"A\",\"1\"],[\"B\",\"\\\"2\\\"\"],[\"A\",\"\"]]", "A: 1\nB: \"2\"\nA: \nend");
    reads("[]", "end");
}

static void json_is_read_however_it_is_spaced_and_escaped(void **state)
{
    (void)state;
    reads(" [ [ \"A\" ,\t\"1\" ] ,\r\n[\"B\",\"2\"] ] \n", "A: 1\nB: 2\nend");
    reads("[[\"\\u0041\\\\\\u0042\",\"\\/\\b\\f\\n\\r\\t\\u00e9\\u00FF\"]]",
          "A\\B: /\b\f\n\r\t\xe9\xff\nend");
    reads("[[\"A\",\"\xc3\xa9\\u00e9\xc2\x80\"]]", "A: \xe9\xe9\x80\nend");
}

static void what_is_no_byte_is_said(void **state)
{
    (void)state;
    reads("[[\"A\",\"\xe2\x82\xac\"],[\"B\",\"2\"]]", "A:  (no bytes)\nB: 2\nend");
    reads("[[\"A\",\"\\u0141\"]]", "A:  (no bytes)\nend");
    reads("[[\"A\",\"\\x\"]]", "A:  (no bytes)\nend");
    reads("[[\"A\",\"\\u00\"]]", "A:  (no bytes)\nend");
    reads("[[\"A\",\"\\u00g1\"]]", "A:  (no bytes)\nend");
}

static void what_is_no_list_of_fields_is_broken_where_it_stops_to_be_one(void **state)
{
    static const char *const broken[] = {
        "",
        " ",
        "{}",
        "null",
        "[",
        "[]]",
        "[,]",
        "[[]]",
        "[1]",
        "[[\"A\"]]",
        "[[\"A\",2]]",
        "[[\"A\",\"1\",\"2\"]]",
        "[[\"A\",\"1",
        "[[\"A\",\"\\",
        "[[\"A\",\"\n\"]]",
        "[\"A\",\"1\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        reads(broken[i], "broken");
    reads("[[\"A\",\"1\"],]", "A: 1\nbroken");
    reads("[[\"A\",\"1\"] [\"B\",\"2\"]]", "A: 1\nbroken");
    reads("[[\"A\",\"1\"]", "A: 1\nbroken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_comes_back_wherever_it_is),
        cmocka_unit_test(fields_stand_in_order_and_no_field_is_an_empty_list),
        cmocka_unit_test(json_is_read_however_it_is_spaced_and_escaped),
        cmocka_unit_test(what_is_no_byte_is_said),
        cmocka_unit_test(what_is_no_list_of_fields_is_broken_where_it_stops_to_be_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "capture/import/json_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/base/mem.h"

/* The tokens of a document, a letter each; strings, keys and numbers with what is in them. */
static void transcribe(struct span document, struct strbuf *out)
{
    static const char letters[] = "!.{}[]ksntf0";
    struct input *input = input_of(document);
    struct json_in *json = json_in_new(input);
    enum json_in_token token;

    do {
        token = json_in_next(json);
        strbuf_add_char(out, letters[token]);
        if (token == JSON_IN_KEY)
            strbuf_add(out, json_in_key(json));
        if (token == JSON_IN_NUMBER)
            strbuf_printf(out, "%g", json_in_number(json));
        if (token == JSON_IN_STRING && !json_in_text(json, out))
            token = JSON_IN_BROKEN;
        strbuf_add_char(out, ' ');
    } while (token != JSON_IN_BROKEN && token != JSON_IN_END);
    if (token == JSON_IN_BROKEN)
        strbuf_printf(out, "%s", json_in_why(json));
    json_in_free(json);
    input_free(input);
}

static void assert_read(struct span document, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;

    transcribe(document, &out);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void every_kind_of_value_is_a_token(void **state)
{
    (void)state;
    assert_read(SPAN("{\"a\":[1,-2.5e2,\"x\",true,false,null,{},[]],\"b\":\"\"}"),
                "{ ka [ n1 n-250 sx t f 0 { } [ ] ] kb s } . ");
    assert_read(SPAN("\xef\xbb\xbf \"x\" \n"), "sx . ");
    assert_read(SPAN("[1,]"), "[ n1 ] . ");
}

static void escapes_are_undone(void **state)
{
    (void)state;
    assert_read(SPAN("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "s\"\\/\b\f\n\r\t . ");
    assert_read(SPAN("\"\\u0041\\u00FC\\u20ac\\ud83d\\ude00\""), "sA\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 . ");
    assert_read(SPAN("\"\\ud83dx\\ude00\\ud83d\\ud83d\\ude00\\ud83d\""),
                "s\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd . ");
}

static void what_is_no_json_is_broken(void **state)
{
    (void)state;
    assert_read(SPAN(""), "! it ends where a value was expected");
    assert_read(SPAN("[1 2]"), "[ n1 ! ',' or ']' was expected");
    assert_read(SPAN("{\"a\" 1}"), "{ ! ':' was expected after a key");
    assert_read(SPAN("{a:1}"), "{ ! a key in quotes was expected");
    assert_read(SPAN("{\"a\":1]"), "{ ka n1 ! ',' or '}' was expected");
    assert_read(SPAN("[01x]"), "[ ! a value was expected");
    assert_read(SPAN("[1.]"), "[ ! a value was expected");
    assert_read(SPAN("nulls"), "! a value was expected");
    assert_read(SPAN("\"a"), "sa it ends inside a string");
    assert_read(SPAN("\"\\x\""), "s no such escape in a string");
    assert_read(SPAN("\"\\u12g4\""), "s '\\u' without four hexadecimal digits");
    assert_read(SPAN("1 2"), "n1 ! something follows its end");
}

static void depth_is_bounded(void **state)
{
    struct strbuf deep = STRBUF_EMPTY, out = STRBUF_EMPTY;

    (void)state;
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&deep, '[');
    transcribe(strbuf_span(&deep), &out);
    assert_non_null(strstr(strbuf_text(&out), "nested too deep"));
    strbuf_clear(&deep);
    strbuf_clear(&out);
}

/* Every token and escape of a document lies across the end of the reader's window once. */
static void a_window_may_end_anywhere(void **state)
{
    static const char DOCUMENT[] = "{\"k\\u00fc\": [\"a\\ud83d\\ude00\\n\",\t-12.5e1 , true,{ }]}";

    (void)state;
    for (size_t pad = 65536 - sizeof DOCUMENT; pad <= 65536; pad++) {
        char *padded = mem_alloc(pad + sizeof DOCUMENT);
        memset(padded, '\n', pad);
        memcpy(padded + pad, DOCUMENT, sizeof DOCUMENT);
        assert_read(span_make(padded, pad + sizeof DOCUMENT - 1),
                    "{ kk\xc3\xbc [ sa\xf0\x9f\x98\x80\n n-125 t { } ] } . ");
        mem_free(padded);
    }
}

static void what_is_not_asked_for_is_passed_over(void **state)
{
    struct input *input = input_of(SPAN("{\"a\":{\"b\":[\"]}\\\"\",{}]},\"c\":7}"));
    struct json_in *json = json_in_new(input);

    (void)state;
    assert_int_equal(json_in_next(json), JSON_IN_OBJECT);
    assert_int_equal(json_in_next(json), JSON_IN_KEY);
    assert_true(json_in_skip(json, json_in_next(json)));
    assert_int_equal(json_in_next(json), JSON_IN_KEY);
    assert_true(span_eq(json_in_key(json), SPAN("c")));
    assert_int_equal(json_in_next(json), JSON_IN_NUMBER);
    json_in_free(json);
    input_free(input);
}

static void a_string_can_be_read_where_it_lies(void **state)
{
    struct input *input = input_of(SPAN("[\n\"first\", \"second\"]"));
    struct json_in *json = json_in_new(input);
    struct strbuf text = STRBUF_EMPTY;
    uint64_t at;

    (void)state;
    json_in_next(json);
    assert_int_equal(json_in_next(json), JSON_IN_STRING);
    at = json_in_token_at(json);
    assert_int_equal(at, 2);
    assert_int_equal(json_in_token_line(json), 2);
    assert_int_equal(json_in_next(json), JSON_IN_STRING);
    json_in_seek(json, at, 2);
    assert_int_equal(json_in_next(json), JSON_IN_STRING);
    assert_true(json_in_text(json, &text));
    assert_string_equal(strbuf_text(&text), "first");
    strbuf_clear(&text);
    json_in_free(json);
    input_free(input);
}

static void a_text_is_cut_at_its_limit(void **state)
{
    struct input *input = input_of(SPAN("[\"12345\",\"x\"]"));
    struct json_in *json = json_in_new(input);
    struct strbuf text;

    (void)state;
    strbuf_init(&text, 3);
    json_in_next(json);
    json_in_next(json);
    assert_true(json_in_text(json, &text));
    assert_string_equal(strbuf_text(&text), "123");
    assert_true(text.is_full);
    assert_int_equal(json_in_next(json), JSON_IN_STRING);
    strbuf_clear(&text);
    json_in_free(json);
    input_free(input);
}

static bool is_k(void *self, struct span key)
{
    (void)self;
    return span_eq(key, SPAN("k"));
}

static void an_object_is_found_by_its_first_key(void **state)
{
    struct input *input = input_of(SPAN("oops {\"x\":\"{\\\"k\\\":1}\", {{ \"k\" :1},{\"k\":2}]}} "));
    struct json_in *json = json_in_new(input);

    (void)state;
    assert_true(json_in_find(json, 0, 1, 3, is_k, NULL));
    assert_int_equal(json_in_offset(json), 24);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(json_in_next(json), JSON_IN_OBJECT);
        assert_int_equal(json_in_next(json), JSON_IN_KEY);
        assert_int_equal(json_in_next(json), JSON_IN_NUMBER);
        assert_int_equal(json_in_next(json), JSON_IN_OBJECT_END);
    }
    assert_int_equal(json_in_next(json), JSON_IN_ARRAY_END);
    assert_int_equal(json_in_next(json), JSON_IN_OBJECT_END);
    assert_int_equal(json_in_next(json), JSON_IN_OBJECT_END);
    assert_int_equal(json_in_next(json), JSON_IN_END);
    assert_false(json_in_find(json, 40, 1, 3, is_k, NULL));
    json_in_free(json);
    input_free(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_a_token),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(what_is_no_json_is_broken),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_window_may_end_anywhere),
        cmocka_unit_test(what_is_not_asked_for_is_passed_over),
        cmocka_unit_test(a_string_can_be_read_where_it_lies),
        cmocka_unit_test(a_text_is_cut_at_its_limit),
        cmocka_unit_test(an_object_is_found_by_its_first_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/json_indent.h"

static char *indented(struct span text, size_t piece)
{
    struct json_indent indent = { 0 };
    struct strbuf out = STRBUF_EMPTY;

    for (size_t at = 0; at < text.len; at += piece)
        json_indent_feed(&indent, span_sub(text, at, text.len - at < piece ? text.len - at : piece), &out);
    return strbuf_detach(&out);
}

static void indents_to(struct span text, const char *expected)
{
    char *whole = indented(text, text.len), *bytewise = indented(text, 1);

    assert_string_equal(whole, expected);
    assert_string_equal(bytewise, expected);
    free(whole);
    free(bytewise);
}

static void objects_and_lists_get_lines(void **state)
{
    (void)state;
    indents_to(SPAN("{\"a\":1,\"b\":[true , null],\"c\":{}}"), "{\n"
                                                               "  \"a\": 1,\n"
                                                               "  \"b\": [\n"
                                                               "    true,\n"
                                                               "    null\n"
                                                               "  ],\n"
                                                               "  \"c\": {}\n"
                                                               "}");
    indents_to(SPAN("[[], [ ] ,{ }]"), "[\n  [],\n  [],\n  {}\n]");
    indents_to(SPAN("{ \"a\" : \"b\" }"), "{\n  \"a\": \"b\"\n}");
    indents_to(SPAN("  7 "), "7");
}

static void several_texts_in_a_row_stay_apart(void **state)
{
    (void)state;
    indents_to(SPAN("1 2\n\"x\"\n{}"), "1\n2\n\"x\"\n{}");
}

static void strings_are_not_touched(void **state)
{
    (void)state;
    indents_to(SPAN("[\"a , {b} : \\\" [\\\\\",\"  \"]"), "[\n  \"a , {b} : \\\" [\\\\\",\n  \"  \"\n]");
}

static void remove_blanks(char *text)
{
    bool in_string = false, after_backslash = false;
    char *to = text;

    for (; *text != '\0'; text++) {
        if (!in_string && strchr(" \t\r\n", *text) != NULL)
            continue;
        if (in_string && !after_backslash && *text == '"')
            in_string = false;
        else if (!in_string && *text == '"')
            in_string = true;
        after_backslash = in_string && !after_backslash && *text == '\\';
        *to++ = *text;
    }
    *to = '\0';
}

static void nothing_but_whitespace_changes(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1.0e+5,\"a\":1.50,\"\\u00e9\":\"\\/\",\"big\":123456789012345678901234567890}",
        "{\"bytes\":\"\xff\xfe\",\"t\":[1,2,{\"x\":[{}]}]}",
        "{\"cut\":[1,2,{\"x\":\"",
        "]]}}{[,,::",
        "<html>not json</html>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *out = indented(span_of(texts[i]), 3), *in = strdup(texts[i]);
        remove_blanks(out);
        remove_blanks(in);
        assert_string_equal(out, in);
        free(in);
        free(out);
    }
}

static void deep_nesting_does_not_explode(void **state)
{
    struct strbuf deep = STRBUF_EMPTY;
    char *out;

    (void)state;
    for (size_t i = 0; i < 10000; i++)
        strbuf_add_char(&deep, '[');
    out = indented(strbuf_span(&deep), deep.len);
    assert_true(strlen(out) < 100 * deep.len);
    free(out);
    strbuf_clear(&deep);
}

static void media_types_of_json_are_known(void **state)
{
    (void)state;
    assert_true(json_indent_is_json(SPAN("application/json")));
    assert_true(json_indent_is_json(SPAN("application/problem+json")));
    assert_false(json_indent_is_json(SPAN("text/html")));
    assert_false(json_indent_is_json(SPAN_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_and_lists_get_lines),   cmocka_unit_test(several_texts_in_a_row_stay_apart),
        cmocka_unit_test(strings_are_not_touched),       cmocka_unit_test(nothing_but_whitespace_changes),
        cmocka_unit_test(deep_nesting_does_not_explode), cmocka_unit_test(media_types_of_json_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

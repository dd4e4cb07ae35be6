#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/json_walk.h"
#include "proxy/base/mem.h"

struct transcript {
    struct strbuf text;
    size_t stop_after; /* values; 0: never */
    size_t values;
};

static bool show_value(void *self, const struct json_walk_value *value)
{
    static const char *const kinds[] = { "null", "bool", "int", "num", "str", "array", "object" };
    struct transcript *transcript = self;

    json_walk_pointer(&transcript->text, value->path, value->depth);
    strbuf_printf(&transcript->text, " %s %.*s\n", kinds[value->kind], SPAN_ARG(value->bytes));
    return ++transcript->values != transcript->stop_after;
}

static void show_close(void *self, size_t depth)
{
    strbuf_printf(&((struct transcript *)self)->text, "close %zu\n", depth);
}

static const struct json_walk_events events = { .on_value = show_value, .on_close = show_close };

static void assert_walk(const char *text, enum json_walk_answer answer, const char *expected)
{
    struct transcript transcript = { .text = STRBUF_EMPTY };

    assert_int_equal(json_walk(span_of(text), &events, &transcript), answer);
    assert_string_equal(strbuf_text(&transcript.text), expected);
    strbuf_clear(&transcript.text);
}

static void each_value_is_shown_with_its_path_and_its_bytes(void **state)
{
    (void)state;
    assert_walk(" {\"a\" : [1, -2.5e3, \"x\\ny\"], \"\": {}, \"b\":{\"c\":null,\"d\":[[true]]}} ",
                JSON_WALK_DONE,
                " object {\n"
                "/a array [\n"
                "/a/0 int 1\n"
                "/a/1 num -2.5e3\n"
                "/a/2 str x\\ny\n"
                "close 1\n"
                "/ object {\n"
                "close 1\n"
                "/b object {\n"
                "/b/c null null\n"
                "/b/d array [\n"
                "/b/d/0 array [\n"
                "/b/d/0/0 bool true\n"
                "close 3\n"
                "close 2\n"
                "close 1\n"
                "close 0\n");
    assert_walk("\xef\xbb\xbf\"x\"", JSON_WALK_DONE, " str x\n");
    assert_walk("{\"a/b~c\":0,\"\\u0041\\u00e9\":1}", JSON_WALK_DONE,
                " object {\n/a~1b~0c int 0\n/A\xc3\xa9 int 1\nclose 0\n");
}

static void a_walk_stops_when_it_is_told_to(void **state)
{
    struct transcript transcript = { .text = STRBUF_EMPTY, .stop_after = 2 };

    (void)state;
    assert_int_equal(json_walk(SPAN("[1,2,3]"), &events, &transcript), JSON_WALK_STOPPED);
    assert_string_equal(strbuf_text(&transcript.text), " array [\n/0 int 1\n");
    strbuf_clear(&transcript.text);
}

static void what_is_no_json_is_told_from_what_was_cut(void **state)
{
    static const char *const wrong[] = {
        "x",       "{]",         "[1,]",      "[1 2]",        "{\"a\" 1}",
        "{a:1}",   "[01]",       "[1.]",      "[+1]",         "[.5]",
        "\"\\x\"", "\"\\u12g\"", "\"\t\"",    "tru3",         "[]]",
        "1 2",     "{\"a\":1,}", "\"\xff\"",  "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
        "nul1",    "[1e+]",      "{\"a\":1]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (json_walk(span_of(wrong[i]), NULL, NULL) != JSON_WALK_WRONG)
            fail_msg("'%s' is not wrong", wrong[i]);
}

static void every_beginning_of_a_document_is_one_that_was_cut(void **state)
{
    static const char text[] =
        "{\"a\\u00e9\\n\":[1.5e-3,-7,true,false,null,\"\xe2\x82\xac\\\"\"],\"b\":{\"c\":{}}}";

    (void)state;
    for (size_t len = 0; len + 1 < sizeof(text); len++) {
        char *front = mem_dup(text, len != 0 ? len : 1); /* so that a byte too many is seen */

        if (json_walk(span_make(front, len), NULL, NULL) != JSON_WALK_CUT)
            fail_msg("%zu bytes are not cut", len);
        mem_free(front);
    }
    assert_int_equal(json_walk(span_of(text), NULL, NULL), JSON_WALK_DONE);
}

static void what_nests_too_deep_is_wrong(void **state)
{
    char text[2 * JSON_WALK_MAX_DEPTH + 3];

    (void)state;
    memset(text, '[', JSON_WALK_MAX_DEPTH);
    memset(text + JSON_WALK_MAX_DEPTH, ']', JSON_WALK_MAX_DEPTH);
    assert_int_equal(json_walk(span_make(text, 2 * JSON_WALK_MAX_DEPTH), NULL, NULL), JSON_WALK_DONE);
    memset(text, '[', JSON_WALK_MAX_DEPTH + 1);
    memset(text + JSON_WALK_MAX_DEPTH + 1, ']', JSON_WALK_MAX_DEPTH + 1);
    assert_int_equal(json_walk(span_make(text, 2 * JSON_WALK_MAX_DEPTH + 2), NULL, NULL), JSON_WALK_WRONG);
}

static void assert_unescaped(const char *raw, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;

    json_walk_unescape(&out, span_of(raw));
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void escapes_are_undone(void **state)
{
    (void)state;
    assert_unescaped("a\\\"\\\\\\/\\b\\f\\n\\r\\tz", "a\"\\/\b\f\n\r\tz");
    assert_unescaped("\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac");
    assert_unescaped("\\ud83d\\ude00!", "\xf0\x9f\x98\x80!");
    assert_unescaped("\\ud83d", "\xef\xbf\xbd");
    assert_unescaped("\\ud83d\\u0041", "\xef\xbf\xbd"
                                       "A");
    assert_unescaped("\\ude00x", "\xef\xbf\xbdx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_shown_with_its_path_and_its_bytes),
        cmocka_unit_test(a_walk_stops_when_it_is_told_to),
        cmocka_unit_test(what_is_no_json_is_told_from_what_was_cut),
        cmocka_unit_test(every_beginning_of_a_document_is_one_that_was_cut),
        cmocka_unit_test(what_nests_too_deep_is_wrong),
        cmocka_unit_test(escapes_are_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

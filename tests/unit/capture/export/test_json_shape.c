#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/json_shape.h"
#include "proxy/base/strbuf.h"

static struct json_shape shape_of(const char *text)
{
    struct json_shape shape;

    if (!json_shape_of(span_of(text), false, &shape))
        fail_msg("'%s' has no shape", text);
    return shape;
}

static void assert_alike(const char *a, const char *b)
{
    if (shape_of(a).hash != shape_of(b).hash || shape_of(a).paths != shape_of(b).paths)
        fail_msg("'%s' and '%s' differ", a, b);
}

static void assert_differ(const char *a, const char *b)
{
    if (shape_of(a).hash == shape_of(b).hash)
        fail_msg("'%s' and '%s' are alike", a, b);
}

static void values_order_and_spelling_make_no_difference(void **state)
{
    (void)state;
    assert_alike("{\"id\":1,\"name\":\"x\"}", "{ \"name\" : \"yy\", \"id\" : 2.5 }");
    assert_alike("{\"a\":[{\"b\":1}]}", "{\"a\":[{\"b\":1},{\"b\":2},{\"b\":3}]}");
    assert_alike("[{\"a\":1},{\"b\":\"x\"}]", "[{\"b\":\"y\"},{\"a\":7},{\"a\":8,\"b\":\"\"}]");
    assert_alike("{\"\\u0061\":true}", "{\"a\":false}");
    assert_alike("[1,\"x\"]", "[\"y\",2,3]");
}

static void keys_kinds_and_nesting_do(void **state)
{
    (void)state;
    assert_differ("{\"a\":1}", "{\"b\":1}");
    assert_differ("{\"a\":1}", "{\"a\":\"1\"}");
    assert_differ("{\"a\":null}", "{\"a\":\"1\"}");
    assert_differ("{\"a\":{\"b\":1}}", "{\"a\":1,\"b\":1}");
    assert_differ("{\"a\":{\"b\":1},\"c\":{}}", "{\"a\":{},\"c\":{\"b\":1}}");
    assert_differ("{\"a\":[]}", "{\"a\":{}}");
    assert_differ("{\"a\":[1]}", "{\"a\":1}");
    assert_differ("[]", "{}");
    assert_differ("{\"[]\":1}", "[1]");
}

static void keys_alone_pass_over_what_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(shape_of("{\"a\":null,\"b\":[1]}").keys, shape_of("{\"a\":\"x\",\"b\":[2,3]}").keys);
    assert_int_not_equal(shape_of("{\"a\":null}").keys, shape_of("{\"b\":null}").keys);
}

static void paths_are_counted_once(void **state)
{
    (void)state;
    assert_int_equal(shape_of("7").paths, 0);
    assert_int_equal(shape_of("{\"a\":1,\"b\":[{\"c\":1},{\"c\":2}]}").paths, 4); /* a, b, b[], b[].c */
    assert_int_equal(shape_of("{\"a\":1,\"a\":2}").paths, 1);
}

static void what_is_no_json_has_none(void **state)
{
    struct json_shape shape;

    (void)state;
    assert_false(json_shape_of(SPAN("<html>"), true, &shape));
    assert_false(json_shape_of(SPAN("{\"a\":1"), false, &shape));
    assert_false(json_shape_of(SPAN_NONE, true, &shape));
    assert_false(json_shape_of(SPAN(""), false, &shape));
    assert_false(json_shape_of(SPAN("{\"a\":1}}"), true, &shape));
}

static void a_beginning_has_the_shape_of_what_is_in_it(void **state)
{
    struct json_shape shape;

    (void)state;
    assert_true(json_shape_of(SPAN("[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":\"yyy"), true, &shape));
    assert_true(shape.is_partial);
    assert_int_equal(shape.hash, shape_of("[{\"a\":1,\"b\":\"x\"}]").hash);
    assert_true(json_shape_of(SPAN("[{\"a\":1}]"), true, &shape));
    assert_false(shape.is_partial);
}

static void add_keys(struct strbuf *out, unsigned from, int step, unsigned count)
{
    strbuf_add_char(out, '{');
    for (unsigned i = 0; i < count; i++)
        strbuf_printf(out, "%s\"k%u\":%u", i != 0 ? "," : "", (unsigned)((int)from + step * (int)i), i);
    strbuf_add_char(out, '}');
}

static void too_many_paths_are_bounded_whatever_their_order(void **state)
{
    const unsigned count = 5 * JSON_SHAPE_MAX_PATHS;
    struct strbuf up = STRBUF_EMPTY, down = STRBUF_EMPTY;
    struct json_shape first, second;

    (void)state;
    add_keys(&up, 0, 1, count);
    add_keys(&down, count - 1, -1, count);
    assert_true(json_shape_of(strbuf_span(&up), false, &first));
    assert_true(json_shape_of(strbuf_span(&down), false, &second));
    assert_true(first.is_partial && second.is_partial);
    assert_in_range(first.paths, JSON_SHAPE_MAX_PATHS - 1, JSON_SHAPE_MAX_PATHS);
    assert_int_equal(first.hash, second.hash);
    strbuf_clear(&up);
    strbuf_clear(&down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_order_and_spelling_make_no_difference),
        cmocka_unit_test(keys_kinds_and_nesting_do),
        cmocka_unit_test(keys_alone_pass_over_what_may_be_null),
        cmocka_unit_test(paths_are_counted_once),
        cmocka_unit_test(what_is_no_json_has_none),
        cmocka_unit_test(a_beginning_has_the_shape_of_what_is_in_it),
        cmocka_unit_test(too_many_paths_are_bounded_whatever_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

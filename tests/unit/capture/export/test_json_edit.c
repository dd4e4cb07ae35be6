/* Trees, their styles and changes to them: what is not changed stays byte for byte, what is added looks like
 * the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/json_edit.h"
#include "proxy/base/mem.h"

static struct json_tree *tree_of(const char *text)
{
    struct json_tree *tree;
    struct err err;

    if (!json_tree_new(span_of(text), &tree, &err))
        fail_msg("%s", err.text);
    return tree;
}

static char *written(struct json_edit *edit)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    json_edit_write(edit, out);
    fclose(out);
    return text;
}

/* {"n": [1]} goes to the end of "a", then 2 does, and "b" gets a member. */
static void assert_added(const char *before, const char *after)
{
    struct json_tree *tree = tree_of(before);
    struct json_edit *edit = json_edit_new(tree);
    json_t *object = json_pack("{s:[i]}", "n", 1), *two = json_integer(2);
    char *text;

    json_edit_add_member(edit, json_tree_find(tree, 0, "b"), "k", two);
    json_edit_append(edit, json_tree_find(tree, 0, "a"), object);
    json_edit_append(edit, json_tree_find(tree, 0, "a"), two);
    text = written(edit);
    assert_string_equal(text, after);
    free(text);
    json_edit_free(edit);
    json_tree_free(tree);
    json_decref(object);
    json_decref(two);
}

static void what_is_added_is_laid_out_like_the_rest(void **state)
{
    (void)state;
    assert_added("{\n\t\"a\": [\n\t\t0\n\t],\n\t\"b\": {}\n}\n",
                 "{\n\t\"a\": [\n\t\t0,\n\t\t{\n\t\t\t\"n\": [\n\t\t\t\t1\n\t\t\t]\n\t\t},\n\t\t2\n\t],\n"
                 "\t\"b\": {\n\t\t\"k\": 2\n\t}\n}\n");
    assert_added("{\"a\":[],\"b\":{\"x\":1}}", "{\"a\":[{\"n\":[1]},2],\"b\":{\"x\":1,\"k\":2}}");
    assert_added("{\"a\": [0], \"b\": {}}", "{\"a\": [0, {\"n\": [1]}, 2], \"b\": {\"k\": 2}}");
    assert_added("{\r\n  \"a\" : [ ],\r\n  \"b\": {\"x\":  1.0e0 }}",
                 "{\r\n  \"a\" : [\r\n    {\r\n      \"n\": [\r\n        1\r\n      ]\r\n    },\r\n    2\r\n"
                 "  ],\r\n  \"b\": {\"x\":  1.0e0,\r\n    \"k\": 2 }}");
}

static void replaced_values_leave_their_surroundings(void **state)
{
    static const char text[] = "\xef\xbb\xbf{ \"a\\u0062\" : \"old\" , \"n\": 1E+2, \"n\": [ ] }";
    struct json_tree *tree = tree_of(text);
    struct json_edit *edit = json_edit_new(tree);
    json_t *value = json_stringn("\"\\\n\x01\0é", 7);
    char *after;

    (void)state;
    assert_true(json_edit_is_empty(edit));
    after = written(edit);
    assert_string_equal(after, text);
    free(after);
    json_edit_replace(edit, json_tree_find(tree, 0, "ab"), value);
    assert_false(json_edit_is_empty(edit));
    after = written(edit);
    assert_string_equal(after, "\xef\xbb\xbf{ \"a\\u0062\" : \"\\\"\\\\\\n\\u0001\\u0000é\" , \"n\": 1E+2, "
                               "\"n\": [ ] }");
    free(after);
    json_edit_free(edit);
    json_tree_free(tree);
    json_decref(value);
}

static void nodes_know_where_they_are(void **state)
{
    struct json_tree *tree = tree_of(" [ {\"k\": [ ], \"s\": \"a]\"} , [[1] ] ] ");
    const struct json_node *root = json_tree_node(tree, 0), *object = json_tree_node(tree, root->first);
    char *text;

    (void)state;
    assert_int_equal(root->bytes.len, strlen("[ {\"k\": [ ], \"s\": \"a]\"} , [[1] ] ]"));
    assert_true(span_eq(object->bytes, SPAN("{\"k\": [ ], \"s\": \"a]\"}")));
    assert_true(span_eq(json_tree_node(tree, object->next)->bytes, SPAN("[[1] ]")));
    assert_int_equal(json_tree_node(tree, object->next)->next, JSON_TREE_NONE);
    text = json_tree_string(tree, json_tree_find(tree, root->first, "s"));
    assert_string_equal(text, "a]");
    mem_free(text);
    assert_int_equal(json_tree_find_kind(tree, root->first, "s", JSON_WALK_ARRAY), JSON_TREE_NONE);
    assert_int_equal(json_tree_find(tree, 0, "s"), JSON_TREE_NONE);
    json_tree_free(tree);
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
    struct json_tree *tree;
    struct err err;
    char deep[512];

    (void)state;
    assert_false(json_tree_new(SPAN("{\n \"a\": 1,\n}"), &tree, &err));
    assert_string_equal(err.text, "no JSON at line 3, column 1");
    assert_false(json_tree_new(SPAN_NONE, &tree, &err));
    memset(deep, '[', 256);
    memset(deep + 256, ']', 256);
    assert_false(json_tree_new(span_make(deep, sizeof deep), &tree, &err));
    assert_string_equal(err.text, "JSON that is nested deeper than 128 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_laid_out_like_the_rest),
        cmocka_unit_test(replaced_values_leave_their_surroundings),
        cmocka_unit_test(nodes_know_where_they_are),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

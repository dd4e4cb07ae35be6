#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/schema.h"
#include "proxy/base/clock.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

static char *written(const struct schema *schema)
{
    struct json_out json;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    jout_init_line(&json, stream);
    schema_write(schema, &json);
    fclose(stream);
    return text;
}

static void see(struct schema *schema, const char *text)
{
    if (!schema_see(schema, span_of(text)))
        fail_msg("'%s' is no JSON", text);
}

static void assert_written(struct schema *schema, const char *expected)
{
    char *text = written(schema);

    assert_string_equal(text, expected);
    free(text);
    schema_free(schema);
}

static void assert_schema(const char *const *documents, const char *expected)
{
    struct schema *schema = schema_new();

    for (; *documents != NULL; documents++)
        see(schema, *documents);
    assert_written(schema, expected);
}
#define DOCUMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void kinds_of_values_become_types(void **state)
{
    (void)state;
    assert_schema(DOCUMENTS("1"), "{\"type\":\"integer\"}");
    assert_schema(DOCUMENTS("1", "2.5"), "{\"type\":\"number\"}");
    assert_schema(DOCUMENTS("true", "null"), "{\"type\":[\"boolean\",\"null\"]}");
    assert_schema(DOCUMENTS("\"x\"", "null", "{}"), "{\"type\":[\"object\",\"string\",\"null\"]}");
    assert_schema(DOCUMENTS("[]"), "{\"type\":\"array\",\"items\":{}}");
    assert_schema(DOCUMENTS("[1,\"x\",null]"),
                  "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"integer\",\"null\"]}}");
    assert_schema((const char *const[]){ NULL }, "{}");
}

static void properties_that_all_objects_have_are_required(void **state)
{
    (void)state;
    assert_schema(
        DOCUMENTS("{\"b\":1,\"a\":\"x\"}", "{\"a\":\"y\"}"),
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}},"
        "\"required\":[\"a\"]}");
    assert_schema(DOCUMENTS("{\"a\":1}"),
                  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}");
    assert_schema(DOCUMENTS("{\"a\":1,\"a\":2}", "{}"),
                  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}");
    assert_schema(
        DOCUMENTS("[{\"a\":1},{\"a\":null}]"),
        "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"integer\","
        "\"null\"]}},\"required\":[\"a\"]}}");
}

static void a_format_is_that_of_every_string(void **state)
{
    static const struct {
        const char *text, *format;
    } rows[] = {
        { "2026-11-21T20:14:00Z", "date-time" },
        { "2026-11-21T20:14:00.123+01:00", "date-time" },
        { "2026-11-21", "date" },
        { "018f3c1a-0000-7000-8000-000000000001", "uuid" },
        { "jane@shop.test", "email" },
        { "https:\\/\\/shop.test\\/x?y", "uri" },
        { "192.0.2.7", "ipv4" },
    };
    static const char *const none[] = { "2026-13-21",
                                        "2026-11-21T25:00:00Z",
                                        "2026-11-21T20:14:00",
                                        "a@b",
                                        "http://",
                                        "192.0.2.256",
                                        "1.2.3",
                                        "x y://z",
                                        "",
                                        "2026-11-21T20:14:00.Z" };
    char document[80], expected[80];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(document, sizeof(document), "\"%s\"", rows[i].text);
        snprintf(expected, sizeof(expected), "{\"type\":\"string\",\"format\":\"%s\"}", rows[i].format);
        assert_schema(DOCUMENTS(document), expected);
        assert_schema(DOCUMENTS(document, "\"other\""), "{\"type\":\"string\"}");
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        snprintf(document, sizeof(document), "\"%s\"", none[i]);
        assert_schema(DOCUMENTS(document), "{\"type\":\"string\"}");
    }
}

static struct schema *see_often(const char *name, const char *const *values, unsigned times)
{
    struct schema *schema = schema_new();
    char document[128];

    for (unsigned i = 0; i < times; i++)
        for (const char *const *value = values; *value != NULL; value++) {
            snprintf(document, sizeof(document), "{\"%s\":%s}", name, *value);
            see(schema, document);
        }
    return schema;
}

#define OPEN(name)                                                                                           \
    "{\"type\":\"object\",\"properties\":{\"" name "\":{\"type\":\"string\"}},\"required\":[\"" name "\"]}"

static void few_words_seen_often_are_an_enumeration(void **state)
{
    (void)state;
    assert_written(see_often("state", DOCUMENTS("\"open\"", "\"closed\""), 10),
                   "{\"type\":\"object\",\"properties\":{\"state\":{\"type\":\"string\",\"enum\":[\"closed\","
                   "\"open\"]}},"
                   "\"required\":[\"state\"]}");
    assert_written(
        see_often("state", DOCUMENTS("\"open\"", "\"closed\"", "null"), 10),
        "{\"type\":\"object\",\"properties\":{\"state\":{\"type\":[\"string\",\"null\"],\"enum\":[\"closed\","
        "\"open\",null]}},\"required\":[\"state\"]}");
    assert_written(see_often("state", DOCUMENTS("\"open\"", "\"closed\""), 9), OPEN("state"));
    assert_written(see_often("state", DOCUMENTS("\"open\""), 50), OPEN("state"));
    assert_written(see_often("userId", DOCUMENTS("\"ann\"", "\"bob\""), 50), OPEN("userId"));
    assert_written(see_often("access_token", DOCUMENTS("\"ann\"", "\"bob\""), 50), OPEN("access_token"));
    assert_written(see_often("state", DOCUMENTS("\"48213\"", "\"48214\""), 50), OPEN("state"));
    assert_written(
        see_often("state",
                  DOCUMENTS("\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\"", "\"f\"", "\"g\"", "\"h\"", "\"i\""),
                  50),
        OPEN("state"));
}

static void an_object_with_data_for_keys_is_a_map(void **state)
{
    struct schema *schema = schema_new();
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    assert_schema(
        DOCUMENTS("{\"48213\":{\"n\":1},\"48214\":{\"n\":2},\"48215\":{\"n\":null},\"48216\":{\"n\":1},"
                  "\"48217\":{}}"),
        "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
        "[\"integer\",\"null\"]}}}}");
    strbuf_add_char(&text, '{');
    for (unsigned i = 0; i <= SCHEMA_MAX_KEYS; i++)
        strbuf_printf(&text, "%s\"word-%c%c\":%u", i != 0 ? "," : "", 'a' + (int)(i / 26),
                      'a' + (int)(i % 26), i);
    strbuf_add_char(&text, '}');
    see(schema, strbuf_text(&text));
    assert_written(schema, "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}");
    strbuf_clear(&text);
}

static void what_is_no_json_teaches_nothing(void **state)
{
    struct schema *schema = schema_new();

    (void)state;
    assert_false(schema_see(schema, SPAN("{\"a\":1")));
    assert_false(schema_see(schema, SPAN("[1,}")));
    assert_int_equal(schema_seen(schema), 0);
    assert_written(schema, "{}");
}

static void deep_and_wide_documents_are_bounded(void **state)
{
    struct schema *schema = schema_new();
    struct strbuf text = STRBUF_EMPTY;
    char *out;

    (void)state;
    for (int i = 0; i < 100; i++)
        strbuf_add_str(&text, "{\"a\":[");
    assert_false(schema_see(schema, strbuf_span(&text)));
    strbuf_reset(&text);
    for (int i = 0; i < 60; i++)
        strbuf_add_str(&text, "{\"a\":[");
    for (int i = 0; i < 60; i++)
        strbuf_add_str(&text, "]}");
    see(schema, strbuf_text(&text));
    out = written(schema);
    free(out);
    for (int i = 0; i < 200; i++) {
        strbuf_reset(&text);
        strbuf_printf(&text, "{\"p%d\":{", i);
        for (int k = 0; k < 100; k++)
            strbuf_printf(&text, "%s\"q%d\":1", k != 0 ? "," : "", k);
        strbuf_add_str(&text, "}}");
        see(schema, strbuf_text(&text));
    }
    assert_true(schema_is_partial(schema));
    out = written(schema);
    free(out);
    strbuf_clear(&text);
    schema_free(schema);
}

/* --- order --------------------------------------------------------------------------------------------- */

static void add_random(struct strbuf *out, unsigned *seed, int depth)
{
    static const char *const leaves[] = { "1",        "2.5",  "null",           "true",         "\"open\"",
                                          "\"shut\"", "\"\"", "\"2026-11-21\"", "\"a@b.test\"", "\"x y\"" };
    unsigned kind = (unsigned)rand_r(seed) % (depth < 4 ? 4 : 2), count = (unsigned)rand_r(seed) % 4;

    if (kind < 2) {
        strbuf_add_str(out, leaves[(unsigned)rand_r(seed) % (sizeof(leaves) / sizeof(*leaves))]);
        return;
    }
    strbuf_add_char(out, kind == 2 ? '{' : '[');
    for (unsigned i = 0; i < count; i++) {
        if (i != 0)
            strbuf_add_char(out, ',');
        if (kind == 2)
            strbuf_printf(out,
                          rand_r(seed) % 3 != 0 ? "\"k%u\":" : "\"4821%u\":", (unsigned)rand_r(seed) % 9);
        add_random(out, seed, depth + 1);
    }
    strbuf_add_char(out, kind == 2 ? '}' : ']');
}

#define WORLD 24

static char *merged_as(struct strbuf *documents, const size_t *order_of, unsigned *seed)
{
    struct schema *parts[3] = { schema_new(), schema_new(), schema_new() };
    size_t into = (size_t)rand_r(seed) % 3, second = (into + 1 + (size_t)rand_r(seed) % 2) % 3;
    size_t third = 3 - into - second;
    char *text;

    for (size_t i = 0; i < WORLD; i++)
        see(parts[(size_t)rand_r(seed) % 3], strbuf_text(&documents[order_of[i]]));
    if (rand_r(seed) % 2 != 0) { /* (a + b) + c, or a + (b + c) */
        schema_merge(parts[into], parts[second]);
        schema_merge(parts[into], parts[third]);
    } else {
        schema_merge(parts[second], parts[third]);
        schema_merge(parts[into], parts[second]);
    }
    assert_int_equal(schema_seen(parts[into]), WORLD);
    text = written(parts[into]);
    for (size_t i = 0; i < 3; i++)
        schema_free(parts[i]);
    return text;
}

static void neither_order_nor_way_of_merging_makes_a_difference(void **state)
{
    struct strbuf documents[WORLD];
    size_t order_of[WORLD];
    unsigned seed = 11;

    (void)state;
    for (int world = 0; world < 40; world++) {
        char *first = NULL;

        for (size_t i = 0; i < WORLD; i++) {
            documents[i] = STRBUF_EMPTY;
            order_of[i] = i;
            add_random(&documents[i], &seed, 0);
        }
        for (int round = 0; round < 12; round++) {
            char *text;

            for (size_t i = WORLD; i > 1; i--) {
                size_t other = (size_t)rand_r(&seed) % i, kept = order_of[i - 1];

                order_of[i - 1] = order_of[other];
                order_of[other] = kept;
            }
            text = merged_as(documents, order_of, &seed);
            if (first == NULL) {
                first = text;
                continue;
            }
            assert_string_equal(text, first);
            free(text);
        }
        free(first);
        for (size_t i = 0; i < WORLD; i++)
            strbuf_clear(&documents[i]);
    }
}

static void maps_and_enumerations_are_merged_from_parts(void **state)
{
    struct schema *a = schema_new(), *b = schema_new(), *c = schema_new(), *d = schema_new();
    char document[64], *ab, *ba;

    (void)state;
    for (unsigned i = 0; i <= SCHEMA_MAX_KEYS; i++) {
        snprintf(document, sizeof(document), "{\"key-%u\":\"%s\"}", i, i % 2 != 0 ? "odd" : "even");
        see(i % 3 != 0 ? a : b, document);
        see(i % 5 != 0 ? c : d, document);
    }
    schema_merge(a, b);
    schema_merge(d, c);
    ab = written(a);
    ba = written(d);
    assert_string_equal(
        ab, "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\",\"enum\":[\"even\","
            "\"odd\"]}}");
    assert_string_equal(ab, ba);
    free(ab);
    free(ba);
    schema_free(a);
    schema_free(b);
    schema_free(c);
    schema_free(d);
}

static void a_hundred_thousand_documents_are_seen_in_time(void **state)
{
    static const char document[] =
        "{\"id\":48213,\"name\":\"somebody\",\"mail\":\"a@b.test\",\"since\":\"2026-11-21T20:14:00Z\","
        "\"state\":\"open\","
        "\"lines\":[{\"sku\":\"x\",\"count\":2},{\"sku\":\"y\",\"count\":3}],\"next\":null}";
    struct schema *schema = schema_new();
    uint64_t begin = clock_mono_us();

    (void)state;
    for (int i = 0; i < 100000; i++)
        see(schema, document);
    print_message("100000 documents of %zu bytes: %llu ms\n", sizeof(document) - 1,
                  (unsigned long long)(clock_mono_us() - begin) / 1000);
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_values_become_types),
        cmocka_unit_test(properties_that_all_objects_have_are_required),
        cmocka_unit_test(a_format_is_that_of_every_string),
        cmocka_unit_test(few_words_seen_often_are_an_enumeration),
        cmocka_unit_test(an_object_with_data_for_keys_is_a_map),
        cmocka_unit_test(what_is_no_json_teaches_nothing),
        cmocka_unit_test(deep_and_wide_documents_are_bounded),
        cmocka_unit_test(neither_order_nor_way_of_merging_makes_a_difference),
        cmocka_unit_test(maps_and_enumerations_are_merged_from_parts),
        cmocka_unit_test(a_hundred_thousand_documents_are_seen_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/protobuf.h"
#include "tests/support/shop_descriptors.h"

static void assert_wire(struct span message, bool is_clean, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;

    assert_int_equal(protobuf_dump_wire(message, &out), is_clean);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void numbers_are_shown_in_each_way_they_may_be_meant(void **state)
{
    (void)state;
    assert_wire(SPAN("\x08\x96\x01"), true, "1: 150 (sint 75)\n");
    assert_wire(SPAN("\x08\x05"), true, "1: 5 (sint -3)\n");
    assert_wire(SPAN("\x08\x00"), true, "1: 0\n");
    assert_wire(SPAN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true,
                "1: 18446744073709551615 (int -1)\n");
    assert_wire(SPAN("\x15\x00\x00\x80\x3f"), true, "2: 0x3f800000 (float 1, int 1065353216)\n");
    assert_wire(SPAN("\x15\xcd\xcc\xcc\x3d"), true, "2: 0x3dcccccd (float 0.1, int 1036831949)\n");
    assert_wire(SPAN("\x15\xff\xff\xff\xff"), true, "2: 0xffffffff (float nan, int -1)\n");
    assert_wire(SPAN("\x11\x9a\x99\x99\x99\x99\x99\xb9\xbf"), true,
                "2: 0xbfb999999999999a (double -0.1, int -4631501856787818086)\n");
}

static void length_delimited_bytes_are_guessed(void **state)
{
    (void)state;
    assert_wire(SPAN("\x12\x07testing"), true, "2: \"testing\"\n");
    assert_wire(SPAN("\x12\x00"), true, "2: \"\"\n");
    assert_wire(SPAN("\x12\x02"
                     "8A"),
                true, "2: \"8A\"\n"); /* also field 7, 65 */
    assert_wire(SPAN("\x1a\x03\x08\x96\x01"), true, "3 {\n  1: 150 (sint 75)\n}\n");
    assert_wire(SPAN("\x12\x05"
                     "a\nb\"c"),
                true, "2: \"a\\nb\\\"c\"\n");
    assert_wire(SPAN("\x12\x03\xe2\x82\xac"), true, "2: \"\xe2\x82\xac\"\n");
    assert_wire(SPAN("\x12\x02\x00\xff"), true, "2: <00 ff>\n");
    assert_wire(SPAN("\x12\x02\x7f\x01"), true, "2: \"\\u007f\\u0001\"\n");
    assert_wire(SPAN("\x0b\x08\x01\x0c"), true, "1 group {\n  1: 1 (sint -1)\n}\n");
}

static void many_bytes_are_shortened(void **state)
{
    struct strbuf message = STRBUF_EMPTY;
    (void)state;

    strbuf_add(&message, SPAN("\x12\xac\x02"));
    for (unsigned i = 0; i < 300; i++)
        strbuf_add_char(&message, (char)0xff);
    assert_wire(
        strbuf_span(&message), true,
        "2: <ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff"
        " ... 300 bytes>\n");
    strbuf_clear(&message);
}

static void what_does_not_parse_is_said_at_its_place(void **state)
{
    (void)state;
    assert_wire(SPAN(""), true, "");
    assert_wire(SPAN("\x08\x01\x0a\x05hi"), false, "1: 1 (sint -1)\nno field: <0a 05 68 69>\n");
    assert_wire(SPAN("\x13\x08\x01\x14\x07"), false, "2 group {\n  1: 1 (sint -1)\n}\nno field: <07>\n");
}

static void nesting_is_shown_up_to_a_depth(void **state)
{
    struct strbuf message = STRBUF_EMPTY, wrapped = STRBUF_EMPTY, out = STRBUF_EMPTY;
    unsigned levels = 0;
    (void)state;

    strbuf_add(&message, SPAN("\x08\x01"));
    for (unsigned i = 0; i < 50; i++) {
        strbuf_reset(&wrapped);
        strbuf_add_char(&wrapped, 0x0a);
        strbuf_add_char(&wrapped, (char)message.len);
        strbuf_add(&wrapped, strbuf_span(&message));
        strbuf_reset(&message);
        strbuf_add(&message, strbuf_span(&wrapped));
    }
    assert_true(protobuf_dump_wire(strbuf_span(&message), &out));
    for (size_t i = 0; i < out.len; i++)
        levels += out.ptr[i] == '{';
    assert_int_equal(levels, PROTOBUF_DEPTH_MAX - 1);
    assert_non_null(strstr(strbuf_text(&out), "1: <0a "));
    strbuf_clear(&message);
    strbuf_clear(&wrapped);
    strbuf_clear(&out);
}

/* type: a full name. */
static void assert_named(const char *type, struct span message, bool is_clean, const char *expected)
{
    struct protobuf_schema *schema = NULL;
    struct strbuf out = STRBUF_EMPTY;
    struct err err = { 0 };

    assert_true(protobuf_schema_parse(shop_descriptors_span(), &schema, &err));
    assert_int_equal(protobuf_dump_named(schema, protobuf_schema_find(schema, span_of(type)), message, &out),
                     is_clean);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
    protobuf_schema_free(schema);
}

static void an_order_is_shown_by_its_names(void **state)
{
    (void)state;
    assert_named("shop.Order", shop_order_span(), true,
                 "{\n"
                 "  \"id\": -5,\n"
                 "  \"customer\": \"Zo\xc3\xab \\\"Q\\\"\",\n"
                 "  \"lines\": [\n"
                 "    {\n"
                 "      \"sku\": \"a\",\n"
                 "      \"count\": 2\n"
                 "    },\n"
                 "    {\n"
                 "      \"sku\": \"b\"\n"
                 "    }\n"
                 "  ],\n"
                 "  \"codes\": [\n"
                 "    1,\n"
                 "    -1,\n"
                 "    300\n"
                 "  ],\n"
                 "  \"color\": \"LEAD\",\n"
                 "  \"stock\": {\n"
                 "    \"x\": 7,\n"
                 "    \"y\": 0\n"
                 "  },\n"
                 "  \"card\": \"4242\",\n"
                 "  \"blob\": \"AQL/\",\n"
                 "  \"total\": 0.1,\n"
                 "  \"rate\": 1.5,\n"
                 "  \"delta\": -3,\n"
                 "  \"mark\": 18446744073709551615,\n"
                 "  \"low\": -9,\n"
                 "  \"at\": \"2026-11-21T20:14:00.120Z\",\n"
                 "  \"took\": \"-1.500s\",\n"
                 "  \"extra\": {\n"
                 "    \"type_url\": \"type.googleapis.com/shop.Ack\",\n"
                 "    \"value\": {\n"
                 "      \"ok\": true\n"
                 "    }\n"
                 "  },\n"
                 "  \"tags\": [\n"
                 "    \"p\",\n"
                 "    \"q\"\n"
                 "  ],\n"
                 "  \"by_number\": {\n"
                 "    \"3\": {\n"
                 "      \"sku\": \"z\"\n"
                 "    }\n"
                 "  },\n"
                 "  \"parent\": {\n"
                 "    \"id\": 1\n"
                 "  },\n"
                 "  \"u\": 4294967295,\n"
                 "  \"colors\": [\n"
                 "    \"RED\",\n"
                 "    \"NONE\",\n"
                 "    \"LEAD\"\n"
                 "  ]\n"
                 "}");
}

static void an_empty_message_is_an_empty_object(void **state)
{
    (void)state;
    assert_named("shop.Order", SPAN_NONE, true, "{}");
}

static void repeated_numbers_are_read_packed_or_not_or_both(void **state)
{
    (void)state;
    assert_named("shop.Order", SPAN("\x20\x01\x22\x02\x02\x03\x08\x07\x20\x04"), true,
                 "{\n  \"codes\": [\n    1,\n    2,\n    3,\n    4\n  ],\n  \"id\": 7\n}");
    assert_named("shop.Order", SPAN("\x22\x02\x02\x80"), false, "{\n  \"codes\": [\n    2\n  ]\n}");
}

static void nothing_of_a_field_that_came_twice_is_lost(void **state)
{
    (void)state;
    assert_named("shop.Ack", SPAN("\x08\x01\x08\x00"), true, "{\n  \"ok\": [\n    true,\n    false\n  ]\n}");
}

static void what_the_type_does_not_have_is_named_by_its_number(void **state)
{
    (void)state;
    assert_named("shop.Ack", SPAN("\x08\x01\x10\x07\x1a\x02hi\x22\x02\x08\x05\x2a\x02\x00\xff\x0a\x01x"),
                 true,
                 "{\n  \"ok\": true,\n  \"2\": 7,\n  \"3\": \"hi\",\n  \"4\": {\n    \"1\": 5\n  },\n"
                 "  \"5\": \"AP8=\",\n  \"1\": \"x\"\n}");
    assert_named("shop.Order", SPAN("\x28\x63"), true, "{\n  \"color\": 99\n}");
    assert_named("shop.Order", SPAN("\x8a\x01\x05\x0a\x01x\x12\x00"), true,
                 "{\n  \"extra\": {\n    \"type_url\": \"x\",\n    \"value\": \"\"\n  }\n}");
}

static void what_is_over_32_bits_is_cut_off_a_32_bit_field(void **state)
{
    (void)state;
    assert_named("shop.Order", SPAN("\x60\x85\x80\x80\x80\x10"), true, "{\n  \"delta\": -3\n}");
    assert_named("shop.Order", SPAN("\xa8\x01\x85\x80\x80\x80\x10"), true, "{\n  \"u\": 5\n}");
}

static void numbers_that_json_has_not_are_strings(void **state)
{
    (void)state;
    assert_named("shop.Order", SPAN("\x51\x00\x00\x00\x00\x00\x00\xf8\x7f\x5d\x00\x00\x80\xff"), true,
                 "{\n  \"total\": \"NaN\",\n  \"rate\": \"-Infinity\"\n}");
}

static void times_out_of_range_are_shown_as_they_came(void **state)
{
    (void)state;
    assert_named("google.protobuf.Timestamp", SPAN("\x08\x00"), true, "\"1970-01-01T00:00:00Z\"");
    assert_named("google.protobuf.Timestamp", SPAN("\x08\x01\x10\x01"), true,
                 "\"1970-01-01T00:00:01.000000001Z\"");
    assert_named("google.protobuf.Timestamp", SPAN("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true,
                 "{\n  \"nanos\": -1\n}");
    assert_named("google.protobuf.Timestamp", SPAN("\x1a\x01x"), true, "{\n  \"3\": \"x\"\n}");
    assert_named("google.protobuf.Duration", SPAN("\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                 true, "{\n  \"seconds\": 1,\n  \"nanos\": -1\n}");
    assert_named("google.protobuf.Duration", SPAN("\x10\xe8\x07"), true, "\"0.000001s\"");
}

static void damage_is_shown_at_its_place(void **state)
{
    (void)state;
    assert_named("shop.Ack", SPAN("\x08\x01\x0a\x05hi"), false,
                 "{\n  \"ok\": true,\n  \"no field\": \"CgVoaQ==\"\n}");
    assert_named("shop.Order", SPAN("\x1a\x01\x08"), false,
                 "{\n  \"lines\": [\n    {\n      \"no field\": \"CA==\"\n"
                 "    }\n  ]\n}");
    assert_named("shop.Order",
                 SPAN("\x12\x02\xff"
                      "a"),
                 true,
                 "{\n  \"customer\": \"\xef\xbf\xbd"
                 "a\"\n}");
}

static void the_limit_of_the_text_ends_the_work(void **state)
{
    struct strbuf out;
    (void)state;

    strbuf_init(&out, 20);
    protobuf_dump_wire(shop_order_span(), &out);
    assert_true(out.is_full && out.len <= 20);
    strbuf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_shown_in_each_way_they_may_be_meant),
        cmocka_unit_test(length_delimited_bytes_are_guessed),
        cmocka_unit_test(many_bytes_are_shortened),
        cmocka_unit_test(what_does_not_parse_is_said_at_its_place),
        cmocka_unit_test(nesting_is_shown_up_to_a_depth),
        cmocka_unit_test(an_order_is_shown_by_its_names),
        cmocka_unit_test(an_empty_message_is_an_empty_object),
        cmocka_unit_test(repeated_numbers_are_read_packed_or_not_or_both),
        cmocka_unit_test(nothing_of_a_field_that_came_twice_is_lost),
        cmocka_unit_test(what_the_type_does_not_have_is_named_by_its_number),
        cmocka_unit_test(what_is_over_32_bits_is_cut_off_a_32_bit_field),
        cmocka_unit_test(numbers_that_json_has_not_are_strings),
        cmocka_unit_test(times_out_of_range_are_shown_as_they_came),
        cmocka_unit_test(damage_is_shown_at_its_place),
        cmocka_unit_test(the_limit_of_the_text_ends_the_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

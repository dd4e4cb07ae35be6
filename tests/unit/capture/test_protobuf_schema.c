#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/protobuf_schema.h"
#include "proxy/base/strbuf.h"
#include "tests/support/shop_descriptors.h"

static struct protobuf_schema *shop(void)
{
    struct protobuf_schema *schema = NULL;
    struct err err = { 0 };

    if (!protobuf_schema_parse(shop_descriptors_span(), &schema, &err))
        fail_msg("%s", err.text);
    return schema;
}

static void types_are_found_by_their_full_names(void **state)
{
    struct protobuf_schema *schema = shop();
    (void)state;

    assert_string_equal(protobuf_schema_find(schema, SPAN("shop.Order"))->full_name, ".shop.Order");
    assert_string_equal(protobuf_schema_find(schema, SPAN(".shop.Order.Line"))->full_name,
                        ".shop.Order.Line");
    assert_true(protobuf_schema_find(schema, SPAN("shop.Color"))->is_enum);
    assert_true(protobuf_schema_find(schema, SPAN("shop.Order.StockEntry"))->is_map_entry);
    assert_non_null(protobuf_schema_find(schema, SPAN("google.protobuf.Timestamp")));
    assert_null(protobuf_schema_find(schema, SPAN("shop.Orde")));
    assert_null(protobuf_schema_find(schema, SPAN("shop.Order.")));
    assert_null(protobuf_schema_find(schema, SPAN("Order")));
    assert_null(protobuf_schema_find(schema, SPAN("")));
    assert_null(protobuf_schema_find(schema, SPAN(".")));
    protobuf_schema_free(schema);
}

static void fields_have_their_types(void **state)
{
    struct protobuf_schema *schema = shop();
    const struct protobuf_type *order = protobuf_schema_find(schema, SPAN("shop.Order"));
    const struct protobuf_field *lines = protobuf_type_field(order, 3);
    (void)state;

    assert_true(span_eq(lines->name, SPAN("lines")) && lines->is_repeated && lines->kind == PROTOBUF_MESSAGE);
    assert_string_equal(lines->type->full_name, ".shop.Order.Line");
    assert_true(protobuf_type_field(order, 5)->type->is_enum);
    assert_ptr_equal(protobuf_type_field(order, 20)->type, order);
    assert_false(protobuf_type_field(order, 1)->is_repeated);
    assert_null(protobuf_type_field(order, 1)->type);
    assert_null(protobuf_type_field(order, 23));
    assert_null(protobuf_type_field(order, 0));
    protobuf_schema_free(schema);
}

static void a_path_names_a_method(void **state)
{
    static const char *const unknown[] = { "",
                                           "/",
                                           "shop.Orders/Place",
                                           "/shop.Orders",
                                           "/shop.Orders/place",
                                           "/shop.Order/Place",
                                           "/Orders/Place",
                                           "/shop.Orders/Place/",
                                           "//Place" };
    struct protobuf_schema *schema = shop();
    const struct protobuf_type *request = NULL, *response = NULL;
    (void)state;

    assert_true(protobuf_schema_method(schema, SPAN("/shop.Orders/Watch"), &request, &response));
    assert_string_equal(request->full_name, ".shop.Ack");
    assert_string_equal(response->full_name, ".shop.Order");
    assert_true(protobuf_schema_method(schema, SPAN("/api/v1/shop.Orders/Place"), &request, &response));
    assert_string_equal(request->full_name, ".shop.Order");
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (protobuf_schema_method(schema, span_of(unknown[i]), &request, &response))
            fail_msg("'%s'", unknown[i]);
    protobuf_schema_free(schema);
}

/* Files of the set come after those that they import, in a field of their own each: only the last is ours. */
static void a_set_without_its_imports_leaves_types_unknown(void **state)
{
    struct span all = shop_descriptors_span();
    struct protobuf_schema *schema = NULL;
    size_t last = 0;
    struct err err = { 0 };
    (void)state;

    for (size_t i = 0; i + 8 < all.len; i++)
        if (memcmp(all.ptr + i, "\x0a\x07t.proto", 9) == 0)
            last = i;
    assert_true(last > 3); /* its tag, and a length of two bytes */
    assert_true(protobuf_schema_parse(span_from(all, last - 3), &schema, &err));
    assert_null(protobuf_schema_find(schema, SPAN("google.protobuf.Timestamp")));
    assert_null(protobuf_type_field(protobuf_schema_find(schema, SPAN("shop.Order")), 15)->type);
    protobuf_schema_free(schema);
}

static void what_is_no_set_is_refused(void **state)
{
    struct span all = shop_descriptors_span();
    struct protobuf_schema *schema = NULL;
    struct err err = { 0 };
    (void)state;

    assert_false(protobuf_schema_parse(SPAN_NONE, &schema, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_false(protobuf_schema_parse(SPAN("syntax = \"proto3\";"), &schema, &err));
    assert_false(protobuf_schema_parse(SPAN("\x0a\x03\x22\x01\xff"), &schema, &err));
    assert_false(protobuf_schema_parse(shop_order_span(), &schema, &err));
    assert_false(protobuf_schema_parse(span_sub(all, 0, all.len - 1), &schema, &err));
    assert_null(schema);
}

static void a_field_of_messages_that_names_an_enum_has_no_type(void **state)
{
    /* enum E; message M { M a = 1; E b = 2 (as a message); E c = 3; } */
    struct span set = SPAN("\x0a\x37\x2a\x03\x0a\x01"
                           "E"
                           "\x22\x30\x0a\x01M"
                           "\x12\x0d\x0a\x01"
                           "a"
                           "\x18\x01\x20\x01\x28\x0b\x32\x02.M"
                           "\x12\x0d\x0a\x01"
                           "b"
                           "\x18\x02\x20\x01\x28\x0b\x32\x02.E"
                           "\x12\x0d\x0a\x01"
                           "c"
                           "\x18\x03\x20\x01\x28\x0e\x32\x02.E");
    struct protobuf_schema *schema = NULL;
    const struct protobuf_type *type;
    struct err err = { 0 };
    (void)state;

    assert_true(protobuf_schema_parse(set, &schema, &err));
    type = protobuf_schema_find(schema, SPAN("M"));
    assert_ptr_equal(protobuf_type_field(type, 1)->type, type);
    assert_null(protobuf_type_field(type, 2)->type);
    assert_string_equal(protobuf_type_field(type, 3)->type->full_name, ".E");
    protobuf_schema_free(schema);
}

static void messages_within_messages_without_end_are_refused(void **state)
{
    struct strbuf inner = STRBUF_EMPTY, outer = STRBUF_EMPTY;
    struct protobuf_schema *schema = NULL;
    struct err err = { 0 };
    (void)state;

    for (unsigned i = 0; i < 40; i++) {
        strbuf_reset(&outer);
        strbuf_add(&outer, SPAN("\x0a\x01M"));
        strbuf_add_char(&outer, 0x1a);
        if (inner.len >= 128)
            strbuf_add_char(&outer, (char)(0x80 | (inner.len & 0x7f)));
        strbuf_add_char(&outer, (char)(inner.len >= 128 ? inner.len >> 7 : inner.len));
        strbuf_add(&outer, strbuf_span(&inner));
        strbuf_reset(&inner);
        strbuf_add(&inner, strbuf_span(&outer));
    }
    strbuf_reset(&outer);
    strbuf_printf(&outer, "\x0a%c%c\x22%c%c", (int)(0x80 | ((inner.len + 3) & 0x7f)),
                  (int)((inner.len + 3) >> 7), (int)(0x80 | (inner.len & 0x7f)), (int)(inner.len >> 7));
    strbuf_add(&outer, strbuf_span(&inner));
    assert_false(protobuf_schema_parse(strbuf_span(&outer), &schema, &err));
    assert_int_equal(err.code, ERR_USAGE);
    strbuf_clear(&inner);
    strbuf_clear(&outer);
}

static void a_file_is_loaded_and_named_when_it_is_wrong(void **state)
{
    char path[] = "/tmp/weir-test-XXXXXX";
    int fd = mkstemp(path);
    struct protobuf_schema *schema = NULL;
    struct err err = { 0 };
    (void)state;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, shop_descriptors, sizeof shop_descriptors), sizeof shop_descriptors);
    assert_true(protobuf_schema_load(path, &schema, &err));
    assert_non_null(protobuf_schema_find(schema, SPAN("shop.Ack")));
    protobuf_schema_free(schema);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_false(protobuf_schema_load(path, &schema, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.text, path));
    close(fd);
    unlink(path);
    assert_false(protobuf_schema_load(path, &schema, &err));
    assert_int_equal(err.code, ERR_SYS);
    assert_false(protobuf_schema_load("/", &schema, &err));
    assert_int_equal(err.code, ERR_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_found_by_their_full_names),
        cmocka_unit_test(fields_have_their_types),
        cmocka_unit_test(a_path_names_a_method),
        cmocka_unit_test(a_set_without_its_imports_leaves_types_unknown),
        cmocka_unit_test(what_is_no_set_is_refused),
        cmocka_unit_test(a_field_of_messages_that_names_an_enum_has_no_type),
        cmocka_unit_test(messages_within_messages_without_end_are_refused),
        cmocka_unit_test(a_file_is_loaded_and_named_when_it_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

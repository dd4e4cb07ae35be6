#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/protobuf_wire.h"
#include "proxy/base/strbuf.h"

static void every_wire_type_is_read(void **state)
{
    struct span rest = SPAN("\x08\x96\x01"
                            "\x11\x01\x02\x03\x04\x05\x06\x07\x08"
                            "\x1a\x02hi"
                            "\x23\x08\x01\x24"
                            "\x2d\x01\x02\x03\x04");
    struct protobuf_item item;
    (void)state;

    assert_true(protobuf_next(&rest, &item));
    assert_true(item.number == 1 && item.wire == PROTOBUF_WIRE_VARINT && item.value == 150);
    assert_true(protobuf_next(&rest, &item));
    assert_true(item.number == 2 && item.wire == PROTOBUF_WIRE_FIXED64 &&
                item.value == UINT64_C(0x0807060504030201));
    assert_true(protobuf_next(&rest, &item));
    assert_true(item.number == 3 && item.wire == PROTOBUF_WIRE_BYTES && span_eq(item.bytes, SPAN("hi")));
    assert_true(protobuf_next(&rest, &item));
    assert_true(item.number == 4 && item.wire == PROTOBUF_WIRE_GROUP &&
                span_eq(item.bytes, SPAN("\x08\x01")));
    assert_true(protobuf_next(&rest, &item));
    assert_true(item.number == 5 && item.wire == PROTOBUF_WIRE_FIXED32 && item.value == 0x04030201);
    assert_false(protobuf_next(&rest, &item));
    assert_int_equal(rest.len, 0);
}

static void what_is_no_field_stays(void **state)
{
    static const struct span bad[] = {
        SPAN("\x08"),                                             /* no value */
        SPAN("\x00\x01"),                                         /* number 0 */
        SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01"),     /* a tag of more than 32 bits */
        SPAN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* a varint of 65 bits */
        SPAN("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), /* of 11 bytes */
        SPAN("\x09\x01\x02\x03\x04\x05\x06\x07"),                 /* fixed64, cut */
        SPAN("\x0d\x01\x02\x03"),                                 /* fixed32, cut */
        SPAN("\x0a\x03hi"),                                       /* bytes, cut */
        SPAN("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01hi"),   /* of 2^64 - 1 bytes */
        SPAN("\x0c"),                                             /* the end of no group */
        SPAN("\x0b\x08\x01"),                                     /* a group without end */
        SPAN("\x0b\x08\x01\x14"),                                 /* with another's end */
        SPAN("\x0e\x01"),                                         /* wire type 6 */
        SPAN("\x0f\x01"),                                         /* wire type 7 */
    };
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct span rest = bad[i];
        struct protobuf_item item;
        if (protobuf_next(&rest, &item) || !span_eq(rest, bad[i]) || protobuf_parses(bad[i]))
            fail_msg("case %zu was taken", i);
    }
    assert_true(protobuf_parses(SPAN_NONE));
}

static void groups_nest_up_to_a_limit(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth <= PROTOBUF_GROUPS_MAX + 1; depth++) {
        struct strbuf bytes = STRBUF_EMPTY;

        for (unsigned i = 0; i < depth; i++)
            strbuf_add_char(&bytes, 0x0b);
        for (unsigned i = 0; i < depth; i++)
            strbuf_add_char(&bytes, 0x0c);
        assert_int_equal(protobuf_parses(strbuf_span(&bytes)), depth <= PROTOBUF_GROUPS_MAX);
        strbuf_clear(&bytes);
    }
}

static void packed_numbers_are_taken_one_by_one(void **state)
{
    struct span varints = SPAN("\x01\xac\x02\x80"), fixed = SPAN("\x01\x00\x00\x00\x02\x00"),
                bytes = SPAN("\x01z");
    uint64_t value;
    (void)state;

    assert_true(protobuf_next_packed(&varints, PROTOBUF_WIRE_VARINT, &value) && value == 1);
    assert_true(protobuf_next_packed(&varints, PROTOBUF_WIRE_VARINT, &value) && value == 300);
    assert_false(protobuf_next_packed(&varints, PROTOBUF_WIRE_VARINT, &value));
    assert_int_equal(varints.len, 1);
    assert_true(protobuf_next_packed(&fixed, PROTOBUF_WIRE_FIXED32, &value) && value == 1);
    assert_false(protobuf_next_packed(&fixed, PROTOBUF_WIRE_FIXED32, &value));
    assert_false(protobuf_next_packed(&bytes, PROTOBUF_WIRE_BYTES, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wire_type_is_read),
        cmocka_unit_test(what_is_no_field_stays),
        cmocka_unit_test(groups_nest_up_to_a_limit),
        cmocka_unit_test(packed_numbers_are_taken_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

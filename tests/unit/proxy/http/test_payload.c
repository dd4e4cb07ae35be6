#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/http/payload.h"

static void the_beginning_is_kept_and_all_is_counted(void **state)
{
    struct message message = { .kind = MESSAGE_BINARY };
    struct payload payload;
    (void)state;

    payload_init(&payload, 5);
    payload_add(&payload, SPAN("abc"));
    payload_tell(&payload, true, &message);
    assert_false(message.is_truncated);
    payload_add(&payload, SPAN("def"));
    payload_add(&payload, SPAN("g"));
    payload_add(&payload, SPAN_NONE);
    payload_tell(&payload, true, &message);
    assert_true(span_eq(message.payload, SPAN("abcde")));
    assert_int_equal(message.size, 7);
    assert_true(message.is_truncated);
    payload_clear(&payload);
}

static void nothing_of_one_message_is_in_the_next(void **state)
{
    struct message message = { .kind = MESSAGE_TEXT };
    struct payload payload;
    (void)state;

    payload_init(&payload, 100);
    payload.is_text = true;
    payload_add(&payload, SPAN("\xff"));
    payload_tell(&payload, true, &message);
    assert_true(message.is_bad_utf8);
    payload_reset(&payload);
    payload.is_text = true;
    payload_tell(&payload, true, &message);
    assert_int_equal(message.size, 0);
    assert_int_equal(message.payload.len, 0);
    assert_false(message.is_truncated || message.is_bad_utf8);
    payload_clear(&payload);
}

static void a_code_point_may_be_cut_off_where_more_would_have_come(void **state)
{
    struct message message = { .kind = MESSAGE_TEXT };
    struct payload payload;
    (void)state;

    payload_init(&payload, 100);
    payload.is_text = true;
    payload_add(&payload, SPAN("a\xe2\x82"));
    payload_tell(&payload, false, &message);
    assert_false(message.is_bad_utf8);
    payload_tell(&payload, true, &message);
    assert_true(message.is_bad_utf8);
    payload_clear(&payload);
}

static void the_memory_of_a_long_message_is_given_back(void **state)
{
    char kilobyte[1024] = { 0 };
    struct payload payload;
    (void)state;

    payload_init(&payload, 1 << 20);
    payload_add(&payload, span_make(kilobyte, sizeof kilobyte));
    payload_reset(&payload);
    assert_true(payload.kept.cap != 0);
    for (unsigned i = 0; i < 64; i++)
        payload_add(&payload, span_make(kilobyte, sizeof kilobyte));
    payload_reset(&payload);
    assert_int_equal(payload.kept.cap, 0);
    payload_add(&payload, SPAN("ok"));
    assert_int_equal(payload.kept.len, 2);
    payload_clear(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_beginning_is_kept_and_all_is_counted),
        cmocka_unit_test(nothing_of_one_message_is_in_the_next),
        cmocka_unit_test(a_code_point_may_be_cut_off_where_more_would_have_come),
        cmocka_unit_test(the_memory_of_a_long_message_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* h2_guard, and the other ends of patience: what a client may send much of until it is told to calm down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/clock.h"
#include "tests/support/h2_teller.h"

/* :method GET, :scheme https, :path /, :authority "a" (RFC 7541, appendix A), nothing indexed. */
#define GET_FIELDS                                                                                           \
    "\x82\x87\x84\x01\x01"                                                                                   \
    "a"

static uint64_t now_us;

static uint64_t fake_mono_us(void)
{
    return now_us;
}

static int stop_the_clock(void **state)
{
    (void)state;
    now_us = 1000000;
    clock_replace(fake_mono_us, NULL);
    return 0;
}

static int start_the_clock(void **state)
{
    (void)state;
    clock_replace(NULL, NULL);
    return 0;
}

struct attack {
    struct h2_teller server;
    struct evbuffer *out;
    struct strbuf frames, text;
    struct err err;
    bool reads_nothing;
};

static void begin_limited(struct attack *attack, size_t max_header_bytes, size_t max_headers)
{
    const struct h2_options options = { .limits = { max_header_bytes, max_headers } };

    *attack = (struct attack){ .out = evbuffer_new() };
    h2_teller_init(&attack->server, H2_TO_CLIENT, &options);
    strbuf_add(&attack->frames, H2_PREFACE);
    h2_frame(&attack->frames, 4, 0, 0, SPAN_NONE);
}

static void begin(struct attack *attack)
{
    begin_limited(attack, 64 * 1024, 1000);
}

static void done(struct attack *attack)
{
    h2_teller_clear(&attack->server);
    evbuffer_free(attack->out);
    strbuf_clear(&attack->frames);
    strbuf_clear(&attack->text);
}

/* What was collected arrives; what is answered is read. */
static bool attack_with(struct attack *attack)
{
    bool is_good = h2_feed(attack->server.h2, strbuf_span(&attack->frames), &attack->err);

    strbuf_reset(&attack->frames);
    if (!attack->reads_nothing)
        while (h2_write(attack->server.h2, attack->out, SIZE_MAX))
            ;
    return is_good;
}

static void add(struct attack *attack, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
    h2_frame(&attack->frames, type, flags, id, payload);
}

/* Whether the last that was written is GOAWAY with that code. */
static bool says_goaway(struct attack *attack, uint8_t code)
{
    size_t len = evbuffer_get_length(attack->out);
    const unsigned char *bytes = evbuffer_pullup(attack->out, -1);
    size_t at = 0, frame_len = 0;

    while (at + 9 <= len) {
        frame_len = ((size_t)bytes[at] << 16) + ((size_t)bytes[at + 1] << 8) + bytes[at + 2];
        if (at + 9 + frame_len == len)
            break;
        at += 9 + frame_len;
    }
    return at + 17 <= len && bytes[at + 3] == 7 && bytes[at + 16] == code;
}

/* So many, and one more is too many; after a while some more are not. */
static void is_limited(uint8_t type, uint8_t flags, uint32_t id, struct span payload, size_t most,
                       uint64_t refill_us)
{
    struct attack attack;

    begin(&attack);
    add(&attack, 1, 4, 1, SPAN(GET_FIELDS));
    for (size_t i = 0; i < most; i++) {
        add(&attack, type, flags, id, payload);
        if (i % 500 == 0) /* so that the answers go out */
            assert_true(attack_with(&attack));
    }
    assert_true(attack_with(&attack));
    now_us += refill_us;
    add(&attack, type, flags, id, payload);
    assert_true(attack_with(&attack));
    add(&attack, type, flags, id, payload);
    add(&attack, type, flags, id, payload);
    assert_false(attack_with(&attack));
    assert_int_equal(attack.err.code, ERR_LIMIT);
    assert_true(says_goaway(&attack, H2_ENHANCE_YOUR_CALM));
    assert_int_equal(h2_stream_count(attack.server.h2), 0);
    assert_true(h2_is_idle(attack.server.h2));
    done(&attack);
}

static void settings_are_limited(void **state)
{
    (void)state;
    is_limited(4, 0, 0, SPAN_NONE, 1999, 2000); /* the first came with the preface */
}

static void pings_are_limited(void **state)
{
    (void)state;
    is_limited(6, 0, 0, SPAN("12345678"), 1999, 2000);
}

static void priorities_are_limited(void **state)
{
    (void)state;
    is_limited(2, 0, 3, SPAN("\0\0\0\0\x10"), 1999, 2000);
}

static void empty_data_is_limited(void **state)
{
    (void)state;
    is_limited(0, 0, 1, SPAN_NONE, 1999, 2000);
}

static void padding_alone_is_limited(void **state)
{
    (void)state;
    is_limited(0, 8, 1, SPAN("\x02\0\0"), 1999, 2000);
}

static void answers_to_pings_and_settings_are_not_counted(void **state)
{
    struct attack attack;
    (void)state;

    begin(&attack);
    for (int i = 0; i < 5000; i++)
        add(&attack, 6, 1, 0, SPAN("12345678"));
    assert_true(attack_with(&attack));
    done(&attack);
}

/* A stream that is opened and thrown away at once. */
static void open_and_reset(struct attack *attack, uint32_t *id)
{
    add(attack, 1, 5, *id, SPAN(GET_FIELDS));
    add(attack, 3, 0, *id, SPAN("\0\0\0\x08"));
    *id += 2;
}

static void rapid_resets_are_limited(void **state)
{
    struct attack attack;
    uint32_t id = 1;
    (void)state;

    begin(&attack);
    for (int i = 0; i < 1000; i++)
        open_and_reset(&attack, &id);
    assert_true(attack_with(&attack));
    assert_int_equal(attack.server.count, 1000);
    now_us += 10000;
    open_and_reset(&attack, &id);
    assert_true(attack_with(&attack));
    open_and_reset(&attack, &id);
    assert_false(attack_with(&attack));
    assert_true(says_goaway(&attack, H2_ENHANCE_YOUR_CALM));
    done(&attack);
}

static void resets_that_we_are_made_to_send_are_limited(void **state)
{
    struct attack attack;
    uint32_t id = 1;
    bool is_good = true;
    (void)state;

    begin(&attack);
    for (int i = 0; i < 1100 && is_good; i++) {
        add(&attack, 1, 4, id, SPAN(GET_FIELDS));
        add(&attack, 8, 0, id, SPAN("\x7f\xff\xff\xff")); /* more than a window may be */
        is_good = attack_with(&attack);
        id += 2;
    }
    assert_false(is_good);
    assert_int_equal(attack.server.count, 1001);
    assert_true(says_goaway(&attack, H2_ENHANCE_YOUR_CALM));
    done(&attack);
}

static void acknowledgements_that_are_not_read_do_not_pile_up(void **state)
{
    struct attack attack;
    bool is_good = true;
    int sent = 0;
    (void)state;

    begin(&attack);
    attack.reads_nothing = true;
    for (; sent < 20000 && is_good; sent++) {
        now_us += 1000000; /* slowly */
        add(&attack, 6, 0, 0, SPAN("12345678"));
        is_good = attack_with(&attack);
    }
    assert_false(is_good);
    assert_in_range(sent, 1000, 2500);
    done(&attack);
}

static void more_streams_than_were_offered_are_refused(void **state)
{
    struct attack attack;
    (void)state;

    begin(&attack);
    for (uint32_t i = 0; i < H2_MAX_STREAMS + 3; i++)
        add(&attack, 1, 5, 1 + 2 * i, SPAN(GET_FIELDS));
    assert_true(attack_with(&attack));
    assert_int_equal(attack.server.count, H2_MAX_STREAMS);
    done(&attack);
}

static void add_field(struct strbuf *block, size_t value_len)
{
    strbuf_add(block, SPAN("\x00\x01x\x7f"));
    value_len -= 127;
    for (; value_len >= 128; value_len >>= 7)
        strbuf_add_char(block, (char)(0x80 | (value_len & 0x7f)));
    strbuf_add_char(block, (char)value_len);
}

static void a_section_over_the_bytes_resets_its_stream_alone(void **state)
{
    struct attack attack;
    struct strbuf block = STRBUF_EMPTY;
    (void)state;

    begin_limited(&attack, 1000, 1000);
    strbuf_add(&block, SPAN(GET_FIELDS));
    add_field(&block, 1000);
    for (int i = 0; i < 1000; i++)
        strbuf_add_char(&block, 'v');
    strbuf_add(&block, SPAN("\x40\x01k\x03val")); /* is remembered, though nobody is told */
    add(&attack, 1, 5, 1, strbuf_span(&block));
    add(&attack, 1, 5, 3, SPAN(GET_FIELDS "\xbe"));
    assert_true(attack_with(&attack));
    assert_string_equal(h2_teller_take(&attack.server, &attack.text),
                        "1 request method=GET scheme=https authority=a target=/ none\n  k: val\n1 end\n");
    assert_int_equal(h2_stream_count(attack.server.h2), 1);
    strbuf_clear(&block);
    done(&attack);
}

static void a_section_over_the_fields_resets_its_stream_alone(void **state)
{
    struct attack attack;
    (void)state;

    begin_limited(&attack, 1000, 5);
    add(&attack, 1, 5, 1, SPAN(GET_FIELDS "\x00\x01x\x01y"));
    add(&attack, 1, 5, 3, SPAN(GET_FIELDS "\x00\x01x\x01y\x00\x01z\x01y"));
    assert_true(attack_with(&attack));
    assert_string_equal(h2_teller_take(&attack.server, &attack.text),
                        "1 request method=GET scheme=https authority=a target=/ none\n  x: y\n1 end\n");
    done(&attack);
}

/* One field of 4000 bytes in the table, then a byte each time: 16 KiB would become 64 MiB. */
static void a_bomb_of_indexed_fields_is_not_unpacked(void **state)
{
    struct attack attack;
    struct strbuf block = STRBUF_EMPTY;
    (void)state;

    begin(&attack);
    strbuf_add(&block, SPAN(GET_FIELDS "\x40\x01x"));
    strbuf_add(&block, SPAN("\x7f\xa1\x1e")); /* 4000 */
    for (int i = 0; i < 4000; i++)
        strbuf_add_char(&block, 'v');
    for (int i = 0; i < 12000; i++)
        strbuf_add_char(&block, (char)0xbe);
    add(&attack, 1, 5, 1, strbuf_span(&block));
    add(&attack, 1, 5, 3, SPAN(GET_FIELDS));
    assert_true(attack_with(&attack));
    assert_int_equal(attack.server.count, 1);
    strbuf_clear(&block);
    done(&attack);
}

static void trailers_over_the_limit_reset_a_stream_that_is_told(void **state)
{
    struct attack attack;
    (void)state;

    begin_limited(&attack, 1000, 5);
    add(&attack, 1, 4, 1, SPAN(GET_FIELDS));
    add(&attack, 1, 5, 1,
        SPAN("\x00\x01x\x01y\x00\x01x\x01y\x00\x01x\x01y\x00\x01x\x01y\x00\x01x\x01y\x00\x01x\x01y"));
    assert_true(attack_with(&attack));
    assert_string_equal(h2_teller_take(&attack.server, &attack.text),
                        "1 request method=GET scheme=https authority=a target=/ chunked\n"
                        "1 closed ENHANCE_YOUR_CALM\n");
    done(&attack);
}

static void continuations_without_end_are_cut_off(void **state)
{
    struct attack attack;
    bool is_good = true;
    int sent = 0;
    (void)state;

    begin(&attack);
    add(&attack, 1, 1, 1, SPAN(GET_FIELDS));
    for (; sent < 1000 && is_good; sent++) {
        now_us += 1000000;
        add(&attack, 9, 0, 1, SPAN("\x00\x01x\x01y"));
        is_good = attack_with(&attack);
    }
    assert_false(is_good);
    assert_in_range(sent, 64, 100);
    assert_true(says_goaway(&attack, H2_ENHANCE_YOUR_CALM));
    done(&attack);
}

static void a_large_section_may_come_in_small_frames(void **state)
{
    struct attack attack;
    struct strbuf piece = STRBUF_EMPTY;
    (void)state;

    begin(&attack);
    strbuf_add(&piece, SPAN("\x00\x01x\x7f\x81\x07")); /* 127 + 897 = 1024 */
    for (int i = 0; i < 1024; i++)
        strbuf_add_char(&piece, 'v');
    add(&attack, 1, 1, 1, SPAN(GET_FIELDS));
    for (int i = 0; i < 63; i++)
        add(&attack, 9, i == 62 ? 4 : 0, 1, strbuf_span(&piece));
    assert_true(attack_with(&attack));
    assert_int_equal(attack.server.count, 1);
    assert_int_equal(h2_wire_bytes(attack.server.streams[0]->stream),
                     9 + SPAN(GET_FIELDS).len + 63 * (9 + piece.len));
    strbuf_clear(&piece);
    done(&attack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_limited),
        cmocka_unit_test(pings_are_limited),
        cmocka_unit_test(priorities_are_limited),
        cmocka_unit_test(empty_data_is_limited),
        cmocka_unit_test(padding_alone_is_limited),
        cmocka_unit_test(answers_to_pings_and_settings_are_not_counted),
        cmocka_unit_test(rapid_resets_are_limited),
        cmocka_unit_test(resets_that_we_are_made_to_send_are_limited),
        cmocka_unit_test(acknowledgements_that_are_not_read_do_not_pile_up),
        cmocka_unit_test(more_streams_than_were_offered_are_refused),
        cmocka_unit_test(a_section_over_the_bytes_resets_its_stream_alone),
        cmocka_unit_test(a_section_over_the_fields_resets_its_stream_alone),
        cmocka_unit_test(a_bomb_of_indexed_fields_is_not_unpacked),
        cmocka_unit_test(trailers_over_the_limit_reset_a_stream_that_is_told),
        cmocka_unit_test(continuations_without_end_are_cut_off),
        cmocka_unit_test(a_large_section_may_come_in_small_frames),
    };

    return cmocka_run_group_tests(tests, stop_the_clock, start_the_clock);
}

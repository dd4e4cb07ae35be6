/* grpc: messages of a real deflater, in gRPC-Web's text too. The frames are in
 * tests/playbook/grpc_frames.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define ZLIB_CONST /* inputs are const */
#include <zlib.h>

#include "proxy/base/base64.h"
#include "tests/support/message_script.h"

static void add_prefix(struct strbuf *out, unsigned flags, size_t len)
{
    char prefix[5] = { (char)flags, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len };

    strbuf_add(out, span_make(prefix, sizeof prefix));
}

/* Three messages, compressed and not, and what is to be told of them. */
static void make_stream(struct strbuf *wire, struct strbuf *expected)
{
    for (unsigned i = 0; i < 3; i++) {
        struct strbuf text = STRBUF_EMPTY;
        unsigned char coded[4096];
        uLongf coded_len = sizeof coded;

        for (unsigned j = 0; j < 300; j++)
            strbuf_printf(&text, "%u ", i * j);
        strbuf_printf(expected, "grpc %zu '%s'", text.len, strbuf_text(&text));
        if (i == 1) {
            add_prefix(wire, 0, text.len);
            strbuf_add(wire, strbuf_span(&text));
            strbuf_add_str(expected, "\n");
        } else {
            assert_int_equal(compress(coded, &coded_len, (const Bytef *)text.ptr, text.len), Z_OK);
            add_prefix(wire, 1, coded_len);
            strbuf_add(wire, span_make(coded, coded_len));
            strbuf_printf(expected, " wire=%lu compressed\n", coded_len);
        }
        strbuf_clear(&text);
    }
}

static void assert_told(enum grpc_form form, struct span wire, const char *expected)
{
    static const size_t pieces[] = { 0, 1, 3, 64 };

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct message_script script = { .kind = SCRIPT_GRPC,
                                         .form = form,
                                         .encoding = SPAN("deflate"),
                                         .max_message_bytes = 1 << 20,
                                         .piece_bytes = pieces[i] };
        message_script_run(&script, wire);
        assert_string_equal(strbuf_text(&script.text), expected);
        strbuf_clear(&script.text);
    }
}

static void messages_of_a_deflater_come_out_as_they_went_in(void **state)
{
    struct strbuf wire = STRBUF_EMPTY, expected = STRBUF_EMPTY;
    (void)state;

    make_stream(&wire, &expected);
    assert_told(GRPC_PLAIN, strbuf_span(&wire), strbuf_text(&expected));
    assert_told(GRPC_WEB, strbuf_span(&wire), strbuf_text(&expected));
    strbuf_clear(&wire);
    strbuf_clear(&expected);
}

static void text_may_be_padded_wherever_it_was_cut(void **state)
{
    struct strbuf wire = STRBUF_EMPTY, expected = STRBUF_EMPTY;
    (void)state;

    make_stream(&wire, &expected);
    for (size_t cut = 1; cut < 40; cut++) {
        struct strbuf text = STRBUF_EMPTY;

        for (size_t at = 0; at < wire.len; at += cut)
            base64_add(&text, span_sub(strbuf_span(&wire), at, wire.len - at < cut ? wire.len - at : cut));
        assert_told(GRPC_WEB_TEXT, strbuf_span(&text), strbuf_text(&expected));
        strbuf_clear(&text);
    }
    strbuf_clear(&wire);
    strbuf_clear(&expected);
}

static void nothing_is_told_by_freeing(void **state)
{
    struct strbuf text = STRBUF_EMPTY;
    struct grpc *grpc = grpc_new(GRPC_PLAIN, SPAN("gzip"), 10, message_script_sink, &text);
    (void)state;

    grpc_feed(grpc, SPAN("\x01\x00\x00\x00\x19\x1f\x8b\x08"));
    grpc_free(grpc);
    grpc_free(NULL);
    assert_int_equal(text.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_a_deflater_come_out_as_they_went_in),
        cmocka_unit_test(text_may_be_padded_wherever_it_was_cut),
        cmocka_unit_test(nothing_is_told_by_freeing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

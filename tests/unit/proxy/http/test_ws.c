/* ws: what the extensions' field agrees on, and messages of a real deflater. The frames are in
 * tests/playbook/ws_*.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#define ZLIB_CONST /* inputs are const */
#include <zlib.h>

#include "tests/support/message_script.h"

static void assert_extensions(const char *value, bool has_deflate, bool has_others, bool client_forgets,
                              bool server_forgets)
{
    struct ws_extensions got = ws_extensions_parse(span_of(value));

    if (got.has_deflate != has_deflate || got.has_others != has_others ||
        got.no_context_takeover[HTTP_REQUEST] != client_forgets ||
        got.no_context_takeover[HTTP_RESPONSE] != server_forgets)
        fail_msg("'%s'", value);
}

static void extensions_are_read_as_agreed(void **state)
{
    (void)state;
    assert_extensions("", false, false, false, false);
    assert_extensions("permessage-deflate", true, false, false, false);
    assert_extensions("Permessage-Deflate ; Client_No_Context_Takeover", true, false, true, false);
    assert_extensions("permessage-deflate; server_no_context_takeover; client_max_window_bits=10", true,
                      false, false, true);
    assert_extensions("permessage-deflate;server_max_window_bits=\"8\"", true, false, false, false);
    assert_extensions("x-other; a=\"b, permessage-deflate\"", false, true, false, false);
    assert_extensions("x-other, permessage-deflate", true, true, false, false);
}

static void extensions_that_nobody_can_agree_to_are_not_known(void **state)
{
    (void)state;
    assert_extensions("permessage-deflate; server_max_window_bits=16", false, true, false, false);
    assert_extensions("permessage-deflate; server_max_window_bits=7", false, true, false, false);
    assert_extensions("permessage-deflate; client_max_window_bits", false, true, false, false);
    assert_extensions("permessage-deflate; client_no_context_takeover=1", false, true, false, false);
    assert_extensions("permessage-deflate; new_parameter", false, true, false, false);
    assert_extensions("permessage-deflate, permessage-deflate; server_max_window_bits=9", true, true, false,
                      false);
}

/* One compressed text frame of the server's, with the window shared or not. */
static void add_compressed(struct strbuf *out, z_stream *zlib, struct span text, bool shares_window)
{
    unsigned char buffer[4096];
    size_t len;

    zlib->next_in = (const Bytef *)text.ptr;
    zlib->avail_in = (uInt)text.len;
    zlib->next_out = buffer;
    zlib->avail_out = sizeof buffer;
    assert_int_equal(deflate(zlib, shares_window ? Z_SYNC_FLUSH : Z_FULL_FLUSH), Z_OK);
    len = sizeof buffer - zlib->avail_out - 4;
    strbuf_add_char(out, (char)0xc1);
    strbuf_add_char(out, len < 126 ? (char)len : 126);
    if (len >= 126) {
        strbuf_add_char(out, (char)(len >> 8));
        strbuf_add_char(out, (char)(len & 0xff));
    }
    strbuf_add(out, span_make(buffer, len));
}

static void messages_of_a_deflater_come_out_as_they_went_in(void **state)
{
    static const struct {
        const char *agreed;
        int window_bits; /* used, also against what was agreed */
    } cases[] = { { "permessage-deflate", 15 },
                  { "permessage-deflate; server_no_context_takeover", 15 },
                  { "permessage-deflate; server_max_window_bits=9", 9 },
                  { "permessage-deflate; server_max_window_bits=9", 15 } };
    (void)state;

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct message_script script = { .kind = SCRIPT_WS,
                                         .direction = HTTP_RESPONSE,
                                         .extensions = ws_extensions_parse(span_of(cases[c].agreed)),
                                         .max_message_bytes = 1 << 20,
                                         .piece_bytes = 7 };
        struct strbuf wire = STRBUF_EMPTY, expected = STRBUF_EMPTY, text = STRBUF_EMPTY;
        z_stream zlib = { .zalloc = NULL };

        assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, -cases[c].window_bits, 8, Z_DEFAULT_STRATEGY),
                         Z_OK);
        for (unsigned i = 0; i < 20; i++) {
            /* Incompressible enough to need more than the shortest length, alike enough to share. */
            for (unsigned j = 0; j < 60; j++)
                strbuf_printf(&text, "%u,", (i % 3 + 1) * j * 2654435761u);
            add_compressed(&wire, &zlib, strbuf_span(&text),
                           !script.extensions.no_context_takeover[HTTP_RESPONSE]);
            strbuf_printf(&expected, "text %zu '%s'", text.len, strbuf_text(&text));
            strbuf_add_char(&expected, '\n');
            strbuf_reset(&text);
        }
        deflateEnd(&zlib);
        message_script_run(&script, strbuf_span(&wire));
        /* The lines begin alike; behind the payload stands how it came. */
        for (char *line = script.text.ptr, *want = expected.ptr; *want != '\0';) {
            size_t want_len = strcspn(want, "\n");
            assert_int_equal(strncmp(line, want, want_len), 0);
            assert_non_null(strstr(line, " compressed\n"));
            line += strcspn(line, "\n") + 1;
            want += want_len + 1;
        }
        strbuf_clear(&script.text);
        strbuf_clear(&text);
        strbuf_clear(&expected);
        strbuf_clear(&wire);
    }
}

static void a_masked_message_of_any_length_is_unmasked(void **state)
{
    static const unsigned char mask[4] = { 0xa1, 0x02, 0xc3, 0x7f };
    (void)state;

    for (unsigned len = 0; len <= 125; len++) {
        struct message_script script = { .kind = SCRIPT_WS,
                                         .direction = HTTP_REQUEST,
                                         .max_message_bytes = 1000 };
        struct strbuf wire = STRBUF_EMPTY, expected = STRBUF_EMPTY;

        strbuf_add_char(&wire, (char)0x81);
        strbuf_add_char(&wire, (char)(0x80 | len));
        strbuf_add(&wire, span_make(mask, sizeof mask));
        strbuf_printf(&expected, "text %u '", len);
        for (unsigned i = 0; i < len; i++) {
            strbuf_add_char(&wire, (char)(('a' + i % 26) ^ mask[i % 4]));
            strbuf_add_char(&expected, (char)('a' + i % 26));
        }
        strbuf_add_str(&expected, "'\n");
        script.first_bytes = 6 + len / 3;
        script.piece_bytes = 5;
        message_script_run(&script, strbuf_span(&wire));
        assert_string_equal(strbuf_text(&script.text), strbuf_text(&expected));
        strbuf_clear(&script.text);
        strbuf_clear(&expected);
        strbuf_clear(&wire);
    }
}

static void nothing_is_told_by_freeing(void **state)
{
    struct ws_extensions none = ws_extensions_parse(SPAN_NONE);
    struct strbuf text = STRBUF_EMPTY;
    struct ws *ws = ws_new(HTTP_RESPONSE, &none, 10, message_script_sink, &text);
    (void)state;

    ws_feed(ws, SPAN("\x81\x05Hel"));
    ws_free(ws);
    ws_free(NULL);
    assert_int_equal(text.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extensions_are_read_as_agreed),
        cmocka_unit_test(extensions_that_nobody_can_agree_to_are_not_known),
        cmocka_unit_test(messages_of_a_deflater_come_out_as_they_went_in),
        cmocka_unit_test(a_masked_message_of_any_length_is_unmasked),
        cmocka_unit_test(nothing_is_told_by_freeing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tools/text.h"

static void shows(struct span bytes, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;

    text_add_shown(&out, bytes);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void control_characters_never_pass(void **state)
{
    (void)state;
    shows(SPAN("plain"), "plain");
    shows(SPAN("\x1b[2J\x07"), "\\x1b[2J\\x07");
    shows(SPAN("a\r\n\tb"), "a\\r\\n\\tb");
    shows(SPAN("nul\0!"), "nul\\x00!");
    shows(SPAN("\x7f"), "\\x7f");
    shows(SPAN("\xc2\x9b"), "\\u{9b}"); /* CSI of one byte */
    shows(SPAN_NONE, "");
}

static void bytes_that_are_no_utf8_are_shown_as_bytes(void **state)
{
    (void)state;
    shows(SPAN("gr\xfc\xdf"), "gr\\xfc\\xdf");
    shows(SPAN("\xc0\x9b"), "\\xc0\\x9b");                   /* overlong */
    shows(SPAN("\xed\xa0\x80"), "\\xed\\xa0\\x80");          /* a surrogate */
    shows(SPAN("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    shows(SPAN("cut \xe2\x82"), "cut \\xe2\\x82");
    shows(SPAN("grün € 😀"), "grün € 😀");
}

static void marks_that_turn_or_hide_text_are_shown(void **state)
{
    (void)state;
    shows(SPAN("a\xe2\x80\xae"
               "gpj.exe"),
          "a\\u{202e}gpj.exe");
    shows(SPAN("pay\xe2\x80\x8bpal"), "pay\\u{200b}pal");
    shows(SPAN("\xef\xbb\xbf"), "\\u{feff}");
}

static void no_byte_pair_gets_a_control_byte_through(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        char bytes[2] = { (char)(i >> 8), (char)i };
        struct strbuf out = STRBUF_EMPTY;

        text_add_shown(&out, span_make(bytes, 2));
        assert_true(text_is_utf8(strbuf_span(&out)));
        for (size_t at = 0; at < out.len; at++)
            assert_true((unsigned char)out.ptr[at] >= 0x20 && out.ptr[at] != 0x7f);
        strbuf_clear(&out);
    }
}

static void lines_keep_their_ends_and_tabs_only(void **state)
{
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    text_add_shown_lines(&out, SPAN("a\n\tb\r\n\x1b\0"));
    assert_string_equal(strbuf_text(&out), "a\n\tb\\r\n\\x1b\\x00");
    strbuf_clear(&out);
}

static void bytes_become_valid_text(void **state)
{
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    text_add_utf8(&out, SPAN("grün"));
    assert_string_equal(strbuf_text(&out), "grün");
    strbuf_reset(&out);
    text_add_utf8(&out, SPAN("gr\xfcn"));
    assert_string_equal(strbuf_text(&out), "grün");
    strbuf_clear(&out);
}

static void width_counts_columns(void **state)
{
    struct span cut;

    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(text_width(SPAN("grün")), 4);
    assert_int_equal(text_width(SPAN("日本")), 4);
    cut = text_cut(SPAN("日本x"), 3);
    assert_int_equal(cut.len, 3);
    assert_int_equal(text_cut(SPAN("abc"), 9).len, 3);
}

static void sizes_and_durations_are_short(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        { 0, "0" },           { 999, "999" },          { 1000, "1.0k" },       { 1536, "1.5k" },
        { 10 * 1024, "10k" }, { 1023 * 1024, "1.0M" }, { 10ull << 30, "10G" }, { UINT64_MAX, "16E" },
    };
    static const struct {
        uint64_t us;
        const char *text;
    } durations[] = {
        { 0, "0us" },          { 850, "850us" },       { 1234, "1.2ms" },
        { 34000, "34ms" },     { 999900, "1.0s" },     { 5100000, "5.1s" },
        { 59990000, "1m00s" }, { 200000000, "3m20s" }, { 7500000000, "2h05m" },
    };
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        strbuf_reset(&out);
        text_add_size(&out, sizes[i].bytes);
        assert_string_equal(strbuf_text(&out), sizes[i].text);
        assert_true(out.len <= 4);
    }
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        strbuf_reset(&out);
        text_add_duration(&out, durations[i].us);
        assert_string_equal(strbuf_text(&out), durations[i].text);
    }
    strbuf_clear(&out);
}

static void times_are_local_for_people_and_utc_for_programs(void **state)
{
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    setenv("TZ", "UTC-2", 1);
    tzset();
    text_add_date(&out, 1700000000123456);
    assert_string_equal(strbuf_text(&out), "2023-11-15 00:13:20");
    strbuf_reset(&out);
    text_add_clock(&out, 1700000000123456);
    assert_string_equal(strbuf_text(&out), "00:13:20.123");
    strbuf_reset(&out);
    text_add_iso(&out, 1700000000123456);
    assert_string_equal(strbuf_text(&out), "2023-11-14T22:13:20.123456Z");
    strbuf_clear(&out);
}

static void shell_words_are_quoted_when_they_must(void **state)
{
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    text_add_shell(&out, "plain-1.2");
    strbuf_add_char(&out, ' ');
    text_add_shell(&out, "it's $HOME");
    strbuf_add_char(&out, ' ');
    text_add_shell(&out, "");
    assert_string_equal(strbuf_text(&out), "plain-1.2 'it'\\''s $HOME' ''");
    strbuf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_never_pass),
        cmocka_unit_test(bytes_that_are_no_utf8_are_shown_as_bytes),
        cmocka_unit_test(marks_that_turn_or_hide_text_are_shown),
        cmocka_unit_test(no_byte_pair_gets_a_control_byte_through),
        cmocka_unit_test(lines_keep_their_ends_and_tabs_only),
        cmocka_unit_test(bytes_become_valid_text),
        cmocka_unit_test(width_counts_columns),
        cmocka_unit_test(sizes_and_durations_are_short),
        cmocka_unit_test(times_are_local_for_people_and_utc_for_programs),
        cmocka_unit_test(shell_words_are_quoted_when_they_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

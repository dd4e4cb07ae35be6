#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture/export/shell.h"

static void assert_word(struct span bytes, const char *expected)
{
    struct strbuf word = STRBUF_EMPTY;

    shell_add_word(&word, bytes);
    assert_string_equal(strbuf_text(&word), expected);
    strbuf_clear(&word);
}

static void a_word_is_quoted_where_it_needs_to_be(void **state)
{
    (void)state;
    assert_word(SPAN("http://a.test:80/x,y+z%20@_"), "http://a.test:80/x,y+z%20@_");
    assert_word(SPAN(""), "''");
    assert_word(SPAN("a b"), "'a b'");
    assert_word(SPAN("~"), "'~'");
    assert_word(SPAN("a=b"), "'a=b'");
    assert_word(SPAN("$x `y` \\ \" !z"), "'$x `y` \\ \" !z'");
    assert_word(SPAN("two\nlines"), "'two\nlines'");
}

static void a_byte_that_quotes_cannot_hold_is_escaped(void **state)
{
    (void)state;
    assert_word(SPAN("it's"), "$'it\\'s'");
    assert_word(SPAN("'\\!"), "$'\\'\\\\\\x21'");
    assert_word(SPAN("\xff"
                     "f\x1b\x7f"),
                "$'\\xfff\\x1b\\x7f'");
    assert_word(SPAN("a\r\n\tb"), "$'a\\r\n\\tb'");
}

/* Whatever bash is told to do with it. */
static void assert_means(struct span bytes)
{
    struct strbuf command = STRBUF_EMPTY;
    char got[1024];
    FILE *bash;
    size_t len;

    strbuf_add_str(&command, "exec bash <<'END'\nprintf %s ");
    shell_add_word(&command, bytes);
    strbuf_add_str(&command, "\nEND\n");
    for (size_t i = 0; i < command.len; i++)
        assert_true(command.ptr[i] == '\n' || (command.ptr[i] >= ' ' && command.ptr[i] <= '~'));
    bash = popen(strbuf_text(&command), "r");
    assert_non_null(bash);
    len = fread(got, 1, sizeof(got), bash);
    assert_int_equal(pclose(bash), 0);
    if (!span_eq(span_make(got, len), bytes))
        fail_msg("%s\nmeans: %.*s", strbuf_text(&command), (int)len, got);
    strbuf_clear(&command);
}

static void bash_reads_every_byte_as_it_was(void **state)
{
    static const struct span hard[] = { { "'", 1 },    { "\\", 1 }, { "!", 1 },     { "$", 1 },
                                        { "`", 1 },    { "\n", 1 }, { "\xc3", 1 },  { "0", 1 },
                                        { "\x01", 1 }, { "\"", 1 }, { "\x83\\", 2 } };
    const size_t count = sizeof(hard) / sizeof(hard[0]);
    struct strbuf text = STRBUF_EMPTY;

    (void)state;
    for (int c = 1; c < 256; c++)
        strbuf_add_char(&text, (char)c);
    assert_means(strbuf_span(&text));
    strbuf_reset(&text);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            strbuf_add(&text, hard[i]);
            strbuf_add(&text, hard[j]);
        }
    }
    assert_means(strbuf_span(&text));
    for (size_t i = 0; i < count; i++)
        assert_means(hard[i]);
    strbuf_clear(&text);
}

static void a_comment_stays_on_its_line(void **state)
{
    struct strbuf line = STRBUF_EMPTY;

    (void)state;
    shell_add_comment(&line, SPAN("a\nrm -rf /\r\x1b[31m\xff\0 'b'"));
    assert_string_equal(strbuf_text(&line), "a\\x0arm -rf /\\x0d\\x1b[31m\\xff\\x00 'b'");
    strbuf_clear(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_quoted_where_it_needs_to_be),
        cmocka_unit_test(a_byte_that_quotes_cannot_hold_is_escaped),
        cmocka_unit_test(bash_reads_every_byte_as_it_was),
        cmocka_unit_test(a_comment_stays_on_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

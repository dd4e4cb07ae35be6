/* The playbook of SOCKS: tests/playbook/socks.txt. Every case is run whole, one byte at a time, and in two
 * pieces cut at every place; all must tell the same.
 *
 *     == name of the case
 *     @auth user:password     what is demanded
 *     > bytes that arrive     \r \n \t \\ \xNN; lines are joined
 *     >*100 bytes             so many times
 *     out 05 00               all that was answered before socks_reply
 *     more                    | ready HOST PORT | CODE: why it was refused
 *     user NAME               when one is known
 *     left 3                  so many bytes were not used
 *
 * A line that begins with # is a comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "proxy/mode/socks.h"
#include "tests/support/unescape.h"

struct playbook_case {
    char *name, *auth;
    struct strbuf input, expected;
};

static size_t cases_run, cases_failed;

static void tell(struct strbuf *text, const struct socks *socks, enum socks_answer last,
                 const struct err *err, struct evbuffer *out, size_t left)
{
    static const char *const codes[] = { [ERR_PROTO] = "proto", [ERR_USAGE] = "usage", [ERR_URL] = "url" };
    const unsigned char *bytes = evbuffer_pullup(out, -1);

    if (evbuffer_get_length(out) != 0) {
        strbuf_add_str(text, "out");
        for (size_t i = 0; i < evbuffer_get_length(out); i++)
            strbuf_printf(text, " %02x", bytes[i]);
        strbuf_add_char(text, '\n');
    }
    if (last == SOCKS_READY)
        strbuf_printf(text, "ready %s %u\n", socks_target(socks)->host, socks_target(socks)->port);
    else if (last == SOCKS_REFUSED)
        strbuf_printf(text, "%s: %s\n", codes[err->code], err->text);
    else
        strbuf_add_str(text, "more\n");
    if (socks_user(socks) != NULL)
        strbuf_printf(text, "user %s\n", socks_user(socks));
    if (left != 0)
        strbuf_printf(text, "left %zu\n", left);
}

/* first bytes, then pieces; each in an allocation of its own, so that ASan sees who reads past it. */
static bool run(const struct playbook_case *one, const char *how, size_t first, size_t piece)
{
    struct span left = strbuf_span(&one->input);
    struct strbuf text = STRBUF_EMPTY;
    struct evbuffer *out = evbuffer_new();
    enum socks_answer last = SOCKS_NEED_MORE;
    struct auth *auth = NULL;
    struct socks *socks;
    struct err err;
    bool is_right;

    if (one->auth != NULL)
        assert_true(auth_new(one->auth, &auth, &err));
    socks = socks_new(auth);
    while (last == SOCKS_NEED_MORE && left.len != 0) {
        size_t len = first != 0 && first < left.len ? first : piece < left.len ? piece : left.len, used;
        char *copy = mem_dup(left.ptr, len);

        last = socks_feed(socks, span_make(copy, len), &used, out, &err);
        assert_true(used == len || (last != SOCKS_NEED_MORE && used < len));
        left = span_from(left, used);
        mem_free(copy);
        first = 0;
    }
    tell(&text, socks, last, &err, out, left.len);
    is_right = strcmp(strbuf_text(&text), strbuf_text(&one->expected)) == 0;
    if (!is_right)
        fprintf(stderr, "== %s (%s %zu)\n--- expected\n%s--- got\n%s", one->name, how, piece,
                strbuf_text(&one->expected), strbuf_text(&text));
    socks_free(socks);
    auth_free(auth);
    evbuffer_free(out);
    strbuf_clear(&text);
    return is_right;
}

static void end_case(struct playbook_case *one)
{
    bool is_right;

    if (one->name == NULL)
        return;
    is_right = run(one, "whole", 0, SIZE_MAX) && run(one, "bytewise", 0, 1);
    for (size_t at = 1; is_right && at < one->input.len; at++)
        is_right = run(one, "cut", at, SIZE_MAX);
    cases_run++;
    cases_failed += !is_right;
    mem_free(one->name);
    mem_free(one->auth);
    strbuf_clear(&one->input);
    strbuf_clear(&one->expected);
    *one = (struct playbook_case){ .name = NULL };
}

static void read_input(struct playbook_case *one, struct span line)
{
    size_t times = 1;

    if (line.len > 1 && line.ptr[1] == '*') {
        times = strtoul(line.ptr + 2, NULL, 10);
        line = span_from(line, span_find(line, ' '));
    } else {
        line = span_from(line, 1);
    }
    while (times-- != 0)
        unescape(&one->input, span_from(line, 1));
}

static void read_line(struct playbook_case *one, struct span line)
{
    if (span_starts(line, SPAN("== "))) {
        end_case(one);
        one->name = mem_spandup(span_from(line, 3));
    } else if (span_starts(line, SPAN("@auth "))) {
        one->auth = mem_spandup(span_from(line, 6));
    } else if (span_starts(line, SPAN(">"))) {
        read_input(one, line);
    } else if (line.len != 0 && line.ptr[0] != '#') {
        strbuf_add(&one->expected, line);
        strbuf_add_char(&one->expected, '\n');
    }
}

static void every_case_of_the_playbook_tells_the_same_however_it_is_cut(void **state)
{
    struct playbook_case one = { .name = NULL };
    FILE *file = fopen(WEIR_SOURCE_DIR "/tests/playbook/socks.txt", "r");
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;

    (void)state;
    assert_non_null(file);
    while ((len = getline(&text, &cap, file)) > 0)
        read_line(&one, span_make(text, (size_t)len - (text[len - 1] == '\n')));
    end_case(&one);
    free(text);
    fclose(file);
    assert_true(cases_run > 40);
    assert_int_equal(cases_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_playbook_tells_the_same_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The playbook of HTTP/1: tests/playbook/h1_*.txt. Every case is run whole, one byte at a time, in two pieces
 * cut at every place, and with a pause at every event; all must tell the same. What was told is written out,
 * read again, and must then tell the same once more, but for what is not forwarded.
 *
 *     == name of the case
 *     @response HEAD GET      the role; for responses the methods of the requests that they answer
 *     @limits 100 5           bytes and fields of a header section
 *     > bytes that arrive     \r \n \t \\ \xNN; lines are joined
 *     >*100 bytes             so many times
 *     what must be told, as in h1_script.h
 *
 * A line that begins with # is a comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/h1_script.h"
#include "tests/support/unescape.h"

/* Cutting at every place costs the square of the length. */
#define MAX_CUT_BYTES 400

struct playbook_case {
    const char *file;
    char *name;
    struct h1_script script; /* how it is run */
    char *methods;
    struct strbuf input, expected;
    bool has_failed; /* one report is enough */
};

static size_t cases_run;
static size_t cases_failed;

static void compare(struct playbook_case *one, const char *how, size_t at, const char *got,
                    const char *expected)
{
    if (one->has_failed || strcmp(got, expected) == 0)
        return;
    one->has_failed = true;
    cases_failed++;
    fprintf(stderr, "== %s (%s, %s %zu)\n--- expected\n%s--- got\n%s", one->name, one->file, how, at,
            expected, got);
}

static void run(struct playbook_case *one, const char *how, size_t first, size_t piece, bool pauses)
{
    struct h1_script script = one->script;

    script.first_bytes = first;
    script.piece_bytes = piece;
    script.pauses = pauses;
    h1_script_run(&script, strbuf_span(&one->input));
    compare(one, how, first, strbuf_text(&script.text), strbuf_text(&one->expected));
    h1_script_clear(&script);
}

static void run_again_from_what_was_written(struct playbook_case *one)
{
    struct h1_script first = one->script, again = one->script;

    first.is_plain = again.is_plain = true;
    again.limits = H1_LIMITS_DEFAULT;
    h1_script_run(&first, strbuf_span(&one->input));
    h1_script_run(&again, span_make(evbuffer_pullup(first.out, -1), evbuffer_get_length(first.out)));
    compare(one, "written and read again", 0, strbuf_text(&again.text), strbuf_text(&first.text));
    h1_script_clear(&first);
    h1_script_clear(&again);
}

static void run_case(struct playbook_case *one)
{
    cases_run++;
    run(one, "whole", 0, 0, false);
    run(one, "bytewise", 0, 1, false);
    run(one, "whole with pauses", 0, 0, true);
    run(one, "bytewise with pauses", 0, 1, true);
    for (size_t at = 1; at < one->input.len && one->input.len <= MAX_CUT_BYTES; at++)
        run(one, "cut at", at, 0, at % 2 != 0);
    run_again_from_what_was_written(one);
}

static void read_setting(struct playbook_case *one, struct span line)
{
    if (span_starts(line, SPAN("@response"))) {
        one->script.role = HTTP_RESPONSE;
        one->methods = mem_spandup(span_trim(span_from(line, SPAN("@response").len)));
        one->script.methods = span_of(one->methods);
    } else {
        char *text = mem_spandup(line);
        assert_int_equal(sscanf(text, "@limits %zu %zu", &one->script.limits.max_header_bytes,
                                &one->script.limits.max_headers),
                         2);
        mem_free(text);
    }
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

static void end_case(struct playbook_case *one)
{
    if (one->name != NULL)
        run_case(one);
    mem_free(one->name);
    mem_free(one->methods);
    strbuf_clear(&one->input);
    strbuf_clear(&one->expected);
}

static void begin_case(struct playbook_case *one, const char *file, struct span name)
{
    *one = (struct playbook_case){ .file = file,
                                   .name = mem_spandup(name),
                                   .script = { .role = HTTP_REQUEST, .limits = H1_LIMITS_DEFAULT } };
}

static void run_file(const char *path)
{
    struct playbook_case one = { .file = path };
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;

    assert_non_null(file);
    while ((len = getline(&text, &cap, file)) > 0) {
        struct span line = span_make(text, (size_t)len - (text[len - 1] == '\n'));
        if (span_starts(line, SPAN("== "))) {
            end_case(&one);
            begin_case(&one, path, span_from(line, 3));
        } else if (span_starts(line, SPAN("@"))) {
            read_setting(&one, line);
        } else if (span_starts(line, SPAN(">"))) {
            read_input(&one, line);
        } else if (line.len != 0 && line.ptr[0] != '#') {
            strbuf_add(&one.expected, line);
            strbuf_add_char(&one.expected, '\n');
        }
    }
    end_case(&one);
    free(text);
    fclose(file);
}

static void every_case_tells_the_same_however_its_bytes_arrive(void **state)
{
    glob_t found;
    (void)state;

    assert_int_equal(glob(WEIR_SOURCE_DIR "/tests/playbook/h1_*.txt", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        run_file(found.gl_pathv[i]);
    globfree(&found);
    assert_true(cases_run >= 120);
    assert_int_equal(cases_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_tells_the_same_however_its_bytes_arrive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

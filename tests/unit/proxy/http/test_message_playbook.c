/* The playbooks of what is said inside exchanges: tests/playbook/ws_*.txt, sse_*.txt, grpc_*.txt. Every case
 * is run whole, one byte at a time, and in two pieces cut at every place; all must tell the same.
 *
 *     == name of the case
 *     @ws client permessage-deflate; ...   the direction, and the extensions agreed on, if any
 *     @sse
 *     @grpc gzip                           the form (grpc, grpc-web, grpc-web-text) and the encoding, if any
 *     @limit 100                           most bytes of a message; else 1000
 *     > bytes that arrive                  \r \n \t \\ \xNN; lines are joined
 *     >*100 bytes                          so many times
 *     what must be told, as in message_script.h
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

#include "tests/support/message_script.h"
#include "tests/support/unescape.h"

/* Cutting at every place costs the square of the length. */
#define MAX_CUT_BYTES 400

struct playbook_case {
    const char *file;
    char *name;
    struct message_script script; /* how it is run */
    char *encoding;
    struct strbuf input, expected;
    bool has_failed; /* one report is enough */
};

static size_t cases_run;
static size_t cases_failed;

static void run(struct playbook_case *one, const char *how, size_t first, size_t piece)
{
    struct message_script script = one->script;

    script.first_bytes = first;
    script.piece_bytes = piece;
    message_script_run(&script, strbuf_span(&one->input));
    if (!one->has_failed && strcmp(strbuf_text(&script.text), strbuf_text(&one->expected)) != 0) {
        one->has_failed = true;
        cases_failed++;
        fprintf(stderr, "== %s (%s, %s %zu)\n--- expected\n%s--- got\n%s", one->name, one->file, how, first,
                strbuf_text(&one->expected), strbuf_text(&script.text));
    }
    strbuf_clear(&script.text);
}

static void run_case(struct playbook_case *one)
{
    cases_run++;
    run(one, "whole", 0, 0);
    run(one, "bytewise", 0, 1);
    for (size_t at = 1; at < one->input.len && one->input.len <= MAX_CUT_BYTES; at++)
        run(one, "cut at", at, 0);
}

static void read_setting(struct playbook_case *one, struct span line)
{
    static const char *const forms[] = {
        [GRPC_PLAIN] = "@grpc", [GRPC_WEB] = "@grpc-web", [GRPC_WEB_TEXT] = "@grpc-web-text"
    };
    struct message_script *script = &one->script;
    struct span word, first = SPAN_NONE;
    uint64_t limit = 0;

    assert_true(span_split(&line, ' ', &word));
    if (span_eq(word, SPAN("@limit"))) {
        assert_true(span_u64(line, &limit));
        script->max_message_bytes = (size_t)limit;
    } else if (span_eq(word, SPAN("@sse"))) {
        script->kind = SCRIPT_SSE;
    } else if (span_eq(word, SPAN("@ws"))) {
        assert_true(span_split(&line, ' ', &first));
        script->kind = SCRIPT_WS;
        script->direction = span_eq(first, SPAN("client")) ? HTTP_REQUEST : HTTP_RESPONSE;
        script->extensions = ws_extensions_parse(line);
    } else {
        script->kind = SCRIPT_GRPC;
        while (script->form <= GRPC_WEB_TEXT && !span_eq(word, span_of(forms[script->form])))
            script->form++;
        assert_true(script->form <= GRPC_WEB_TEXT);
        one->encoding = mem_spandup(line);
        script->encoding = span_of(one->encoding);
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
    while (times-- != 0 && line.len != 0)
        unescape(&one->input, span_from(line, 1));
}

static void end_case(struct playbook_case *one)
{
    if (one->name != NULL)
        run_case(one);
    mem_free(one->name);
    mem_free(one->encoding);
    strbuf_clear(&one->input);
    strbuf_clear(&one->expected);
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
            one = (struct playbook_case){ .file = path, .name = mem_spandup(span_from(line, 3)) };
            one.script.max_message_bytes = 1000;
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

static void run_files(const char *pattern, size_t least)
{
    glob_t found;

    cases_run = cases_failed = 0;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        run_file(found.gl_pathv[i]);
    globfree(&found);
    assert_true(cases_run >= least);
    assert_int_equal(cases_failed, 0);
}

static void every_case_of_websockets_tells_the_same_however_its_bytes_arrive(void **state)
{
    (void)state;
    run_files(WEIR_SOURCE_DIR "/tests/playbook/ws_*.txt", 40);
}

static void every_case_of_events_tells_the_same_however_its_bytes_arrive(void **state)
{
    (void)state;
    run_files(WEIR_SOURCE_DIR "/tests/playbook/sse_*.txt", 20);
}

static void every_case_of_grpc_tells_the_same_however_its_bytes_arrive(void **state)
{
    (void)state;
    run_files(WEIR_SOURCE_DIR "/tests/playbook/grpc_*.txt", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_websockets_tells_the_same_however_its_bytes_arrive),
        cmocka_unit_test(every_case_of_events_tells_the_same_however_its_bytes_arrive),
        cmocka_unit_test(every_case_of_grpc_tells_the_same_however_its_bytes_arrive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

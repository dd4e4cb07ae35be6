/* The playbook of the exchange engine: every case of tests/playbook/exchange_*.txt, written as
 * tests/support/exchange_play.h says, is run whole and one byte at a time; both must give the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tests/support/exchange_play.h"

struct one {
    char *name;
    struct strbuf steps, expected;
};

static size_t cases_run, cases_failed;

static void compare(const struct one *one, const char *how, size_t piece_bytes)
{
    char *got = exchange_play(strbuf_span(&one->steps), piece_bytes);

    if (strcmp(got, strbuf_text(&one->expected)) != 0) {
        cases_failed++;
        fprintf(stderr, "== %s (%s)\n--- expected\n%s--- got\n%s", one->name, how,
                strbuf_text(&one->expected), got);
    }
    mem_free(got);
}

static void run_case(struct one *one)
{
    if (one->name != NULL) {
        cases_run++;
        compare(one, "whole", SIZE_MAX / 2);
        compare(one, "bytewise", 1);
    }
    mem_free(one->name);
    strbuf_clear(&one->steps);
    strbuf_clear(&one->expected);
    *one = (struct one){ 0 };
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "r");
    struct one one = { 0 };
    char *text = NULL;
    size_t size = 0;
    ssize_t len;

    assert_non_null(file);
    while ((len = getline(&text, &size, file)) >= 0) {
        struct span line = span_make(text, (size_t)len - (text[len - 1] == '\n'));
        if (span_starts(line, SPAN("== "))) {
            run_case(&one);
            one.name = mem_spandup(span_from(line, 3));
        } else if (line.len != 0 && line.ptr[0] != '#') {
            struct strbuf *to = exchange_play_is_step(line) ? &one.steps : &one.expected;
            strbuf_add(to, line);
            strbuf_add_char(to, '\n');
        }
    }
    run_case(&one);
    free(text);
    fclose(file);
}

static void the_engine_does_what_the_playbook_says(void **state)
{
    glob_t files;

    (void)state;
    assert_int_equal(glob(WEIR_SOURCE_DIR "/tests/playbook/exchange_*.txt", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        run_file(files.gl_pathv[i]);
    globfree(&files);
    assert_int_not_equal(cases_run, 0);
    assert_int_equal(cases_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_engine_does_what_the_playbook_says) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

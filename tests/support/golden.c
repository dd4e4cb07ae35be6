#include "tests/support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *path, struct strbuf *out)
{
    FILE *file = fopen(path, "r");
    char block[4096];
    size_t len;

    if (file == NULL)
        fail_msg("there is no '%s'", path);
    while ((len = fread(block, 1, sizeof(block), file)) != 0)
        strbuf_add(out, span_make(block, len));
    fclose(file);
}

static void compare_lines(struct span text, struct span expected, const char *path)
{
    struct span line, expected_line;
    size_t number = 1;

    while (span_split(&expected, '\n', &expected_line)) {
        if (!span_split(&text, '\n', &line))
            line = SPAN("(the end)");
        if (!span_eq(line, expected_line))
            fail_msg("%s:%zu\n  is       %.*s\n  should be %.*s", path, number, SPAN_ARG(line),
                     SPAN_ARG(expected_line));
        number++;
    }
    if (text.len != 0)
        fail_msg("%s:%zu\n  more: %.*s", path, number, SPAN_ARG(text));
}

void golden_compare(const char *text, const char *path)
{
    char *full = mem_printf("%s/%s", WEIR_SOURCE_DIR, path);
    const char *mode = getenv("WEIR_GOLDEN");
    struct strbuf expected = STRBUF_EMPTY;

    if (mode != NULL && strcmp(mode, "write") == 0) {
        write_file(full, text);
    } else {
        read_file(full, &expected);
        compare_lines(span_of(text), strbuf_span(&expected), path);
    }
    strbuf_clear(&expected);
    mem_free(full);
}

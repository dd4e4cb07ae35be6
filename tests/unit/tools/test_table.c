#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/table.h"

static const struct table_column columns[] = { { "id", 2, true }, { "name", 4, false }, { "url", 0, false } };

/* What a table writes into a file. */
static char *written(FILE *file)
{
    static char text[4096];
    size_t len;

    rewind(file);
    len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    FILE *file = tmpfile();
    struct table *table = table_new(file, TABLE_FIT, columns, 3);

    (void)state;
    table_text(table, "1");
    table_text(table, "a");
    table_text(table, "/x");
    table_text(table, "1000");
    table_text(table, "longer");
    table_text(table, "/y");
    assert_int_equal(table_rows(table), 2);
    table_end(table);
    assert_string_equal(written(file), "  id  name    url\n"
                                       "   1  a       /x\n"
                                       "1000  longer  /y\n");
}

static void a_stream_of_rows_is_not_held_back(void **state)
{
    FILE *file = tmpfile();
    struct table *table = table_new(file, TABLE_STREAM, columns, 3);

    (void)state;
    table_text(table, "1");
    table_text(table, "longer");
    table_text(table, "/x");
    fflush(file);
    assert_true(ftell(file) > 0);
    table_text(table, "2");
    table_text(table, "b");
    table_text(table, "/y");
    table_end(table);
    assert_string_equal(written(file), "id  name  url\n"
                                       " 1  longer  /x\n"
                                       " 2  b     /y\n");
}

static void cells_of_strangers_do_no_harm(void **state)
{
    FILE *file = tmpfile();
    struct table *table = table_new(file, TABLE_FIT, columns, 3);
    const char *text;

    (void)state;
    table_text(table, "1");
    table_cell(table, SPAN("\x1b]0;title\x07"), STYLE_RED);
    table_cell(table, SPAN("/a\nb\xff"), STYLE_PLAIN);
    table_end(table);
    text = written(file);
    assert_non_null(strstr(text, "\\x1b]0;title\\x07"));
    assert_non_null(strstr(text, "/a\\nb\\xff\n"));
    assert_null(strchr(text, '\x1b')); /* a file gets no colours either */
}

static void a_table_without_rows_is_nothing(void **state)
{
    FILE *file = tmpfile();

    (void)state;
    table_end(table_new(file, TABLE_FIT, columns, 3));
    assert_string_equal(written(file), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(a_stream_of_rows_is_not_held_back),
        cmocka_unit_test(cells_of_strangers_do_no_harm),
        cmocka_unit_test(a_table_without_rows_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

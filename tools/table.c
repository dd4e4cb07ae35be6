#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proxy/base/mem.h"
#include "tools/table.h"
#include "tools/text.h"

struct cell {
    char *text; /* shown text; owned */
    size_t width;
    enum style style;
};

struct table {
    FILE *out;
    enum table_mode mode;
    const struct table_column *columns;
    size_t column_count;
    size_t *widths;
    struct cell *cells; /* of whole rows; with TABLE_STREAM of one row */
    size_t cell_count, cell_cap;
    size_t rows;
    size_t line_columns; /* 0: not a terminal */
    bool has_colour;
    bool has_titles; /* they are written */
    struct strbuf line, shown;
};

struct table *table_new(FILE *out, enum table_mode mode, const struct table_column *columns, size_t count)
{
    struct table *table = mem_new(struct table);
    struct winsize size;

    table->out = out;
    table->mode = mode;
    table->columns = columns;
    table->column_count = count;
    table->widths = mem_array(size_t, count);
    for (size_t i = 0; i < count; i++) {
        size_t title = text_width(span_of(columns[i].title));
        table->widths[i] = columns[i].width > title ? columns[i].width : title;
    }
    table->has_colour = style_is_wanted(fileno(out));
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        table->line_columns = size.ws_col;
    return table;
}

static void add_blanks(struct strbuf *line, size_t count)
{
    char *room = strbuf_reserve(line, count);

    memset(room, ' ', count);
    room[count] = '\0';
    line->len += count;
}

static void write_cell(struct table *table, size_t column, struct span text, size_t width, enum style style,
                       size_t *at)
{
    struct strbuf *line = &table->line;
    bool is_last = column + 1 == table->column_count;
    size_t column_width = table->widths[column];
    size_t padding = width < column_width ? column_width - width : 0;
    bool is_cut = false;

    if (is_last && table->line_columns > *at + 1 && width > table->line_columns - *at) {
        text = text_cut(text, table->line_columns - *at - 1);
        is_cut = true;
    }
    if (table->columns[column].is_right)
        add_blanks(line, padding);
    style_begin(line, table->has_colour, style);
    strbuf_add(line, text);
    if (is_cut)
        strbuf_add_str(line, "…");
    style_end(line, table->has_colour, style);
    if (!is_last)
        add_blanks(line, (table->columns[column].is_right ? 0 : padding) + 2);
    *at += width + padding + 2;
}

static void write_line(struct table *table)
{
    strbuf_add_char(&table->line, '\n');
    fwrite(table->line.ptr, 1, table->line.len, table->out);
    strbuf_reset(&table->line);
}

static void write_titles(struct table *table)
{
    size_t at = 0;

    if (table->has_titles)
        return;
    table->has_titles = true;
    for (size_t i = 0; i < table->column_count; i++) {
        struct span title = span_of(table->columns[i].title);
        write_cell(table, i, title, text_width(title), STYLE_BOLD, &at);
    }
    write_line(table);
}

static void write_rows(struct table *table)
{
    write_titles(table);
    for (size_t i = 0; i < table->cell_count; i += table->column_count) {
        size_t at = 0;
        for (size_t column = 0; column < table->column_count; column++) {
            struct cell *cell = &table->cells[i + column];
            write_cell(table, column, span_of(cell->text), cell->width, cell->style, &at);
            mem_free(cell->text);
        }
        write_line(table);
    }
    table->cell_count = 0;
}

void table_cell(struct table *table, struct span bytes, enum style style)
{
    size_t column = table->cell_count % table->column_count;
    struct cell *cell;

    if (table->cell_count == table->cell_cap) {
        table->cell_cap = table->cell_cap != 0 ? table->cell_cap * 2 : table->column_count * 16;
        table->cells = mem_realloc(table->cells, table->cell_cap * sizeof table->cells[0]);
    }
    strbuf_reset(&table->shown);
    text_add_shown(&table->shown, bytes);
    cell = &table->cells[table->cell_count++];
    cell->text = mem_spandup(strbuf_span(&table->shown));
    cell->width = text_width(strbuf_span(&table->shown));
    cell->style = style;
    if (column + 1 == table->column_count)
        table->rows++;
    if (table->mode == TABLE_FIT && cell->width > table->widths[column])
        table->widths[column] = cell->width;
    if (table->mode == TABLE_STREAM && column + 1 == table->column_count)
        write_rows(table);
}

void table_text(struct table *table, const char *text)
{
    table_cell(table, span_of(text), STYLE_PLAIN);
}

void table_take(struct table *table, struct strbuf *cell, enum style style)
{
    table_cell(table, strbuf_span(cell), style);
    strbuf_reset(cell);
}

size_t table_rows(const struct table *table)
{
    return table->rows;
}

void table_end(struct table *table)
{
    if (table->cell_count != 0)
        write_rows(table);
    strbuf_clear(&table->line);
    strbuf_clear(&table->shown);
    mem_free(table->cells);
    mem_free(table->widths);
    mem_free(table);
}

/* table: rows of cells, aligned for people.
 *
 * Cells are bytes of strangers or text of ours; all go out through text_add_shown. On a terminal the last
 * column is cut to what fits on the line; elsewhere everything is whole, with blanks between columns. Columns
 * are as wide as their widest cell, so rows are kept until table_end; with TABLE_STREAM each row goes out at
 * once, in the widths that the columns were given, and a wider cell pushes the rest of its row along. */
#ifndef WEIR_TOOLS_TABLE_H
#define WEIR_TOOLS_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "tools/style.h"

enum table_mode { TABLE_FIT, TABLE_STREAM };

struct table_column {
    const char *title;
    size_t width; /* at least */
    bool is_right;
};

struct table;

/* The terminal's width and colours are asked of out. */
struct table *table_new(FILE *out, enum table_mode mode, const struct table_column *columns, size_t count);
/* columns cells a row, in order; what is added to the cell's text is table_cell's caller's to have made
 * readable, but not to have made harmless. */
void table_cell(struct table *table, struct span bytes, enum style style);
void table_text(struct table *table, const char *text);
/* The cell from a buffer, which is reset for the next one. */
void table_take(struct table *table, struct strbuf *cell, enum style style);
size_t table_rows(const struct table *table);
/* Writes what is not written yet and frees. Titles are shown only when there is a row. */
void table_end(struct table *table);

#endif

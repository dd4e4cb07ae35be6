#include <stdlib.h>
#include <unistd.h>

#include "tools/style.h"

bool style_is_wanted(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && (no_color == NULL || *no_color == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

void style_begin(struct strbuf *out, bool has_colour, enum style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",   [STYLE_BOLD] = "1",    [STYLE_DIM] = "2",   [STYLE_RED] = "31",
        [STYLE_GREEN] = "32", [STYLE_YELLOW] = "33", [STYLE_CYAN] = "36",
    };

    if (has_colour && style != STYLE_PLAIN)
        strbuf_printf(out, "\x1b[%sm", codes[style]);
}

void style_end(struct strbuf *out, bool has_colour, enum style style)
{
    if (has_colour && style != STYLE_PLAIN)
        strbuf_add_str(out, "\x1b[0m");
}

enum style style_of_status(int status)
{
    switch (status / 100) {
    case 1:
        return STYLE_CYAN;
    case 2:
        return STYLE_GREEN;
    case 3:
        return STYLE_CYAN;
    case 4:
        return STYLE_YELLOW;
    default:
        return STYLE_RED;
    }
}

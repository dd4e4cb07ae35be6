/* style: colours of a terminal, for those who have one and want them (https://no-color.org). */
#ifndef WEIR_TOOLS_STYLE_H
#define WEIR_TOOLS_STYLE_H

#include <stdbool.h>

#include "proxy/base/strbuf.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW, STYLE_CYAN };

/* fd is a terminal, TERM is not "dumb", NO_COLOR is unset or empty. */
bool style_is_wanted(int fd);

/* Nothing for STYLE_PLAIN or without colour. */
void style_begin(struct strbuf *out, bool has_colour, enum style style);
void style_end(struct strbuf *out, bool has_colour, enum style style);

/* 2xx green, 3xx cyan, 4xx yellow, 5xx and none red. */
enum style style_of_status(int status);

#endif

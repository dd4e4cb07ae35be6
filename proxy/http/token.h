/* token: the words of HTTP (RFC 9110 §5.6.2) and the lists they stand in (§5.6.1). */
#ifndef WEIR_HTTP_TOKEN_H
#define WEIR_HTTP_TOKEN_H

#include <stdbool.h>

#include "proxy/base/span.h"

/* How many bytes at the start of text can be a token's. */
size_t token_len(struct span text);

/* Whether text is a token: one or more of the letters, digits and marks that a method or a field name has. */
bool token_is_valid(struct span text);

/* Cuts the next element off *list, without the blanks around it; commas inside a quoted string do not count.
 * An element may be empty. False when nothing is left. */
bool token_next(struct span *list, struct span *out_element);

#endif

/* literals: the {{...}} that stood in the traffic itself, which newman and Postman would take for variables.
 *
 * A variable that stands for its own token survives every pass of substitution; a token split or escaped in
 * any other way does not. So each distinct one is collected, to be declared. */
#ifndef WEIR_CAPTURE_EXPORT_LITERALS_H
#define WEIR_CAPTURE_EXPORT_LITERALS_H

#include <stdbool.h>

#include "proxy/base/span.h"

struct literals;

struct literals *literals_new(void);
void literals_free(struct literals *literals); /* NULL is fine */

/* Collects from UTF-8 text. False: there are too many different ones, and some were not taken. */
bool literals_scan(struct literals *literals, struct span text);
/* The names alone, in order, each as often as it stands there. each may return false, and then so does this,
 * at the end. */
bool literals_scan_each(struct span text, bool (*each)(void *self, struct span name), void *self);
bool literals_has(const struct literals *literals, const char *name);
/* Each name once, without its braces, in order of appearance. */
void literals_each(const struct literals *literals, void (*each)(void *self, struct span name), void *self);

/* Whether there is any "{{" at all. */
bool literals_may_be_in(struct span text);

#endif

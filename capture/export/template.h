/* template: which segments of captured paths are values, and what their variables are called:
 * "/users/48213/orders" -> "/users/:userId/orders".
 *
 * Two passes. In the first every exchange is seen; then the paths are settled; after that each path can be
 * asked for. Hosts never learn from each other, methods do. A segment becomes a variable because
 *   - its looks say so (segment.h); a small integer when a second one was seen in its place, or below a
 *     plural;
 *   - four or more different words in one place were answered with the same telling shape, or lead to the
 *     same subtree with telling shapes, or one was answered like the values beside it;
 *   - TEMPLATE_MANY_PAGES different ones were never answered with JSON, or there are more than
 *     TEMPLATE_MAX_WORDS of whatever kind;
 *   - an override says so.
 * What is answered in another way stays beside the variable: "/users/export". So does what segment.h calls
 * fixed.
 *
 * The outcome depends on the set of exchanges seen, never on their order, as long as there are no more than
 * TEMPLATE_MAX_NODES different words; what comes after those stays as it is. Values and file names take no
 * memory. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_TEMPLATE_H
#define WEIR_CAPTURE_EXPORT_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/json_shape.h"
#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

#define TEMPLATE_MANY_PAGES   64
#define TEMPLATE_MAX_WORDS    1024
#define TEMPLATE_MAX_NODES    200000
#define TEMPLATE_MAX_SEGMENTS 32 /* segments further down stay as they are */

struct template;

struct template *template_new(void);
void template_free(struct template *template); /* NULL is fine */

/* --- before the first pass ----------------------------------------------------------------------------- */

/* What a person knows better: "/users/:id", "api.shop.test/files/:path/raw", "/users/export". Segments:
 * ":name" is a variable of that name, "*" is left to be decided, "**" at the end any number of those,
 * anything else stays as it is. A host before the first '/' confines it (with its port, where that is none of
 * 80 and 443). It must cover the whole path; of several the first that fits counts. ERR_USAGE. */
bool template_add_override(struct template *template, const char *text, struct err *err);
/* Nothing but overrides makes variables. */
void template_switch_off(struct template *template);

/* --- the first pass ------------------------------------------------------------------------------------ */

/* host: lower case. path: as sent. shape: of the response's body, NULL when it is no JSON. Only what was
 * answered with a 2xx tells what a path stands for. */
void template_see(struct template *template, struct span host, uint16_t port, struct span path, int status,
                  const struct json_shape *shape);
/* Ends the first pass. */
void template_settle(struct template *template);

/* The overrides that no path fitted, or that an earlier one left none; borrowed. */
void template_each_unused(const struct template *template, void (*each)(void *self, const char *text),
                          void *self);

/* --- the second pass ----------------------------------------------------------------------------------- */

struct template_variable {
    char *name;
    struct span value; /* as on the wire; borrowed from the path that was asked for */
    const char *why;   /* "12 integers below a plural"; borrowed from the template */
    uint64_t values;   /* how many different ones were seen in its place; above 256 a good estimate */
};

struct template_path {
    struct strbuf text; /* with ":name" for values; a literal segment that begins with ':' has "%3A" there */
    struct template_variable variables[TEMPLATE_MAX_SEGMENTS];
    size_t count;
};

/* Any path may be asked for, seen or not. out_path begins zeroed or as it was left by an earlier call. */
void template_path_of(const struct template *template, struct span host, uint16_t port, struct span path,
                      struct template_path *out_path);
void template_path_clear(struct template_path *path);

/* Shows a line for each decision, in order of host and path:
 * "api.shop.test/users/48213 -> /users/:userId: 12 integers below a plural". */
void template_explain(const struct template *template, void (*each)(void *self, const char *line),
                      void *self);

#endif

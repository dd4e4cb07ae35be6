/* merge_world: a folder with a collection that captures are merged into, and the latest of these captures.
 *
 * Each test makes the file by an export, changes it as a value or as text, and captures again. What goes
 * wrong here fails the test. */
#ifndef WEIR_TESTS_MERGE_WORLD_H
#define WEIR_TESTS_MERGE_WORLD_H

#include <jansson.h>
#include <stdbool.h>

#include "capture/export/export.h"
#include "tests/support/fake_source.h"

#define API "https://api.shop.test"

struct merge_world {
    struct fake_source *fake; /* the latest capture */
    char folder[32];
    char path[64], values_path[64], report_path[64], other_path[64];
    struct export_report report; /* of the latest merge */
};
extern struct merge_world world;

/* Of each test. */
int merge_world_setup(void **state);
int merge_world_teardown(void **state);

/* --- captures ------------------------------------------------------------------------------------------ */

/* What was captured so far belongs to an earlier session. */
void world_capture_again(void);
void world_call_with(const char *origin, const char *request, const char *response);
/* request: "GET /users"; token: NULL: nobody. */
void world_call(const char *origin, const char *request, const char *token, const char *answer);
void world_call_shop(void); /* six calls of API */

/* --- exports ------------------------------------------------------------------------------------------- */

struct export_options world_options(const char *into);
bool world_try(const char *into, const char *to, struct err *err);
void world_merge(void); /* into path */

/* --- files --------------------------------------------------------------------------------------------- */

char *world_text_of(const char *file_path); /* the caller's */
void world_write(const char *file_path, const char *text);
json_t *world_load(const char *file_path);                /* the caller's */
void world_save(const char *file_path, json_t *document); /* takes document */
/* All occurrences in a file; there must be one. */
void world_replace(const char *file_path, const char *from, const char *to);
void world_assert_unchanged(const char *file_path, const char *before);

/* A value by its path of keys, indices and names of items: "item>api.shop.test>item>users". Borrowed; NULL:
 * there is none. */
json_t *world_at(json_t *value, const char *where);
const char *world_text_at(json_t *value, const char *where);

#endif

/* schema: a JSON Schema (2020-12, as OpenAPI 3.1 takes it) of documents that were seen.
 *
 * Says what was observed and no more: types (a list with "null" where it was), required where two or more
 * objects all had it, formats that every string had, an enum only for few short words seen often and never
 * for ids. An object whose keys are data is a map (additionalProperties). Elements of an array share one
 * schema. The result depends on the set of documents seen, not on their order, nor on which were seen by one
 * schema and which by another that was merged in, as long as SCHEMA_MAX_NODES are enough; beyond those new
 * properties are left out. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_SCHEMA_H
#define WEIR_CAPTURE_EXPORT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/export/json_out.h"
#include "proxy/base/span.h"

/* Some 2 MiB at most. */
#define SCHEMA_MAX_NODES 8192
/* An object with more different keys is a map. */
#define SCHEMA_MAX_KEYS 256

/* What nests deeper is known by its type alone; a document that holds a schema has as many levels again. */
#define SCHEMA_MAX_DEPTH 20

struct schema;

struct schema *schema_new(void);
void schema_free(struct schema *schema); /* NULL is fine */

/* One more document, whole. False, and nothing learned: it is no JSON. */
bool schema_see(struct schema *schema, struct span text);
/* All that other has seen; other is left as it was. */
void schema_merge(struct schema *schema, const struct schema *other);

uint64_t schema_seen(const struct schema *schema); /* documents */
bool schema_is_partial(const struct schema *schema);
/* As one value: an object; {} when nothing was seen. Deterministic. */
void schema_write(const struct schema *schema, struct json_out *json);
/* The same for what goes by a name, which says that it is an id, or a secret: no enum. */
void schema_write_as(const struct schema *schema, const char *name, struct json_out *json);
/* How much memory it takes: some 256 bytes for each. */
size_t schema_nodes(const struct schema *schema);

#endif

/* schema: the migrations of the store, built in from schema/NNN-*.sql in the order of their names.
 *
 * The first makes version 1, and so on; a NULL ends them. A migration that was released is never changed. */
#ifndef WEIR_CAPTURE_STORE_SCHEMA_H
#define WEIR_CAPTURE_STORE_SCHEMA_H

extern const char *const store_schema[];

#endif

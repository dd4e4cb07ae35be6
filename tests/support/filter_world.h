/* filter_world: a fixed set of exchanges, each as the live path sees it and as a row of an in-memory store
 * with the real schema, so that both answers of a filter can be compared. */
#ifndef WEIR_TESTS_FILTER_WORLD_H
#define WEIR_TESTS_FILTER_WORLD_H

#include "capture/filter.h"

struct filter_world;

struct filter_world *filter_world_new(void); /* aborts when it can't be made */
void filter_world_free(struct filter_world *world);
size_t filter_world_count(const struct filter_world *world);
const char *filter_world_name(size_t i);
/* The finished exchange i; borrowed from the world. */
const struct filter_subject *filter_world_subject(const struct filter_world *world, size_t i);
/* Which exchanges SQL finds, by out_found[i]. False when SQLite refuses, or finds others with the index
 * exchange_columns than without: *out_error says why, borrowed. */
bool filter_world_select(struct filter_world *world, const struct filter *filter, bool *out_found,
                         const char **out_error);
/* Whether that index has all that the filter asks for, says SQLite; *out_is_indexed: what the filter says of
 * a word. */
bool filter_world_asks_index(struct filter_world *world, const struct filter *filter, bool *out_is_indexed);

#endif

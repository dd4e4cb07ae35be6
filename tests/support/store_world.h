/* store_world: a store in a folder of its own, open to be written, with one session that is being recorded;
 * for each test anew. */
#ifndef WEIR_TESTS_SUPPORT_STORE_WORLD_H
#define WEIR_TESTS_SUPPORT_STORE_WORLD_H

#include "capture/store/store_write.h"
#include "tests/support/recording.h"

struct world {
    struct test_folder folder;
    struct store *store;
    int64_t session;
};

int store_world_set_up(void **state); /* *state: a struct world */
int store_world_tear_down(void **state);

/* Fails the test with what err says. */
void must(bool ok, const struct err *err);

#endif

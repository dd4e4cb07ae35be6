/* old_store: what tests of old exchanges begin with: a store in a folder of its own, with one session that is
 * being recorded, for each test anew. */
#ifndef WEIR_TESTS_SUPPORT_OLD_STORE_H
#define WEIR_TESTS_SUPPORT_OLD_STORE_H

#include "tests/support/old_session.h"
#include "tests/support/recording.h"

extern struct test_folder old_folder;
extern struct old_session old; /* "old" */

int old_store_set_up(void **state);
int old_store_tear_down(void **state);

/* Fails the test with what err says. */
void old_check(bool ok, const struct err *err);
/* A number from SQL, as another handle sees it. */
int64_t old_count(const char *sql);

/* No body or message without who uses it, none used that is not there. */
void assert_old_store_is_sound(void);

#endif

#include "tests/support/old_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct test_folder old_folder;
struct old_session old;

int old_store_set_up(void **state)
{
    (void)state;
    test_folder_make(&old_folder);
    old_session_open(&old, old_folder.store, "old");
    return 0;
}

int old_store_tear_down(void **state)
{
    (void)state;
    old_session_close(&old);
    test_folder_remove(&old_folder);
    return 0;
}

void old_check(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

int64_t old_count(const char *sql)
{
    return test_count(old_folder.store, sql);
}

void assert_old_store_is_sound(void)
{
    assert_int_equal(old_count("PRAGMA integrity_check"), 1);
    assert_int_equal(old_count("SELECT count(*) FROM body WHERE refs <> "
                               "(SELECT count(*) FROM exchange WHERE request_body = body.id) + "
                               "(SELECT count(*) FROM exchange WHERE response_body = body.id) + "
                               "(SELECT count(*) FROM leftover WHERE response_body = body.id) + "
                               "(SELECT count(*) FROM body_piece WHERE piece = body.id)"),
                     0);
    assert_int_equal(old_count("SELECT count(*) FROM exchange WHERE response_body IS NOT NULL AND"
                               " response_body NOT IN (SELECT id FROM body)"),
                     0);
    assert_int_equal(old_count("SELECT count(*) FROM exchange WHERE messages <> "
                               "(SELECT count(*) FROM message WHERE exchange = exchange.id)"),
                     0);
    assert_int_equal(old_count("SELECT count(*) FROM message WHERE exchange NOT IN"
                               " (SELECT id FROM exchange UNION SELECT exchange FROM leftover)"),
                     0);
}

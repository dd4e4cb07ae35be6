#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/singular.h"

static void assert_singular(const char *word, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;

    singular_add(&out, span_of(word));
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_clear(&out);
}

static void plurals_become_one(void **state)
{
    (void)state;
    assert_singular("users", "user");
    assert_singular("people", "person");
    assert_singular("children", "child");
    assert_singular("companies", "company");
    assert_singular("movies", "movie");
    assert_singular("addresses", "address");
    assert_singular("statuses", "status");
    assert_singular("boxes", "box");
    assert_singular("batches", "batch");
    assert_singular("caches", "cache");
    assert_singular("databases", "database");
    assert_singular("purchases", "purchase");
    assert_singular("indices", "index");
    assert_singular("media", "medium");
}

static void what_is_one_stays(void **state)
{
    (void)state;
    assert_singular("status", "status");
    assert_singular("address", "address");
    assert_singular("analysis", "analysis");
    assert_singular("news", "news");
    assert_singular("dns", "dns");
    assert_singular("user", "user");
}

static void compounds_are_spelled_as_names(void **state)
{
    (void)state;
    assert_singular("line-items", "lineItem");
    assert_singular("order_lines", "orderLine");
    assert_singular("orderLines", "orderLine");
    assert_singular("sales-people", "salesPerson");
    assert_singular("Users", "user");
    assert_singular("3d-models", "n3dModel");
    assert_singular("caf%C3%A9s", "cafS");
    assert_singular("%E4%B8%AD", "");
    assert_singular("", "");
}

static void plurals_are_known(void **state)
{
    (void)state;
    assert_true(singular_is_plural(SPAN("users")));
    assert_true(singular_is_plural(SPAN("line-items")));
    assert_true(singular_is_plural(SPAN("people")));
    assert_true(singular_is_plural(SPAN("ids")));
    assert_false(singular_is_plural(SPAN("status")));
    assert_false(singular_is_plural(SPAN("user")));
    assert_false(singular_is_plural(SPAN("aws")));
    assert_false(singular_is_plural(SPAN("s")));
    assert_false(singular_is_plural(SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plurals_become_one),
        cmocka_unit_test(what_is_one_stays),
        cmocka_unit_test(compounds_are_spelled_as_names),
        cmocka_unit_test(plurals_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

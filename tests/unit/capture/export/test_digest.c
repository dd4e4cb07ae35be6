#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/digest.h"

static void a_uuid_is_named_by_what_and_which(void **state)
{
    char uuid[DIGEST_UUID_BYTES], again[DIGEST_UUID_BYTES], other[DIGEST_UUID_BYTES];

    (void)state;
    digest_uuid("item", SPAN("1"), uuid);
    digest_uuid("item", SPAN("1"), again);
    digest_uuid("item1", SPAN(""), other);
    assert_string_equal(uuid, again);
    assert_string_not_equal(uuid, other);
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(uuid[14], '5');
    assert_non_null(strchr("89ab", uuid[19]));
}

static void a_digest_is_the_same_in_any_pieces(void **state)
{
    struct digest *digest = digest_new();
    char hex[DIGEST_HEX_BYTES];

    (void)state;
    digest_feed(digest, SPAN("a"));
    digest_feed(digest, SPAN("bc"));
    digest_hex(digest, hex);
    digest_free(digest);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid_is_named_by_what_and_which),
        cmocka_unit_test(a_digest_is_the_same_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

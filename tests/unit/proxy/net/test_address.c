#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/net/address.h"

static void literals_are_read_and_written(void **state)
{
    static const char *const table[][2] = {
        { "1.2.3.4", "1.2.3.4:80" },
        { "127.1", "127.0.0.1:80" },
        { "::1", "[::1]:80" },
        { "[2001:DB8::0:1]", "[2001:db8::1]:80" },
        { "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80" },
        { "fe80::1%lo", "[fe80::1%lo]:80" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address address;
        char text[ADDRESS_TEXT_BYTES];

        assert_true(address_parse(table[i][0], 80, &address));
        assert_int_equal(address_port(&address), 80);
        address_format(&address, text, sizeof text);
        assert_string_equal(text, table[i][1]);
    }
}

static void names_are_no_literals(void **state)
{
    static const char *const table[] = { "",       "[]",          "localhost", "1.2.3.4.5",
                                         "::1::2", "example.com", "[::1",      "1.2.3.4:80" };
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_false(address_parse(table[i], 80, &address));
}

static void no_address_has_a_text_too(void **state)
{
    struct address none = { .len = 0 };
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    address_format(&none, text, sizeof text);
    assert_string_equal(text, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_read_and_written),
        cmocka_unit_test(names_are_no_literals),
        cmocka_unit_test(no_address_has_a_text_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

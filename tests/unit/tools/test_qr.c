#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/qr.h"

#define MAX_SIDE 64

/* The modules that the text draws, one byte each, and how many a side has. */
static size_t drawn(const char *text, char modules[MAX_SIDE][MAX_SIDE])
{
    size_t y = 0, x = 0, width = 0;

    while (*text != '\0') {
        if (strncmp(text, "\x1b[", 2) == 0) {
            text = strchr(text, 'm') + 1;
        } else if (*text == '\n') {
            assert_true(width == 0 || width == x); /* a rectangle */
            width = x;
            x = 0;
            y += 2;
            text++;
        } else {
            bool full = strncmp(text, "█", 3) == 0, upper = strncmp(text, "▀", 3) == 0,
                 lower = strncmp(text, "▄", 3) == 0;
            assert_true(full || upper || lower || *text == ' ');
            assert_true(x < MAX_SIDE && y + 1 < MAX_SIDE);
            modules[y][x] = full || upper;
            modules[y + 1][x] = full || lower;
            text += *text == ' ' ? 1 : 3;
            x++;
        }
    }
    return width;
}

/* The finder pattern of ISO/IEC 18004: dark 7x7, light 5x5, dark 3x3. */
static void has_finder(char modules[MAX_SIDE][MAX_SIDE], size_t top, size_t left)
{
    for (size_t y = 0; y < 7; y++) {
        for (size_t x = 0; x < 7; x++) {
            size_t from_edge = x < y ? x : y;
            from_edge = 6 - x < from_edge ? 6 - x : from_edge;
            from_edge = 6 - y < from_edge ? 6 - y : from_edge;
            assert_int_equal(modules[top + y][left + x], from_edge != 1);
        }
    }
}

static void a_code_has_its_finders_and_its_quiet_zone(void **state)
{
    static char modules[MAX_SIDE][MAX_SIDE];
    struct strbuf out = STRBUF_EMPTY;
    size_t side;

    (void)state;
    assert_true(qr_add(&out, "http://192.168.1.5:8080/"));
    side = drawn(strbuf_text(&out), modules);
    assert_int_equal((side - 8 - 17) % 4, 0); /* 21, 25, 29... modules and four at each side */
    has_finder(modules, 4, 4);
    has_finder(modules, 4, side - 4 - 7);
    has_finder(modules, side - 4 - 7, 4);
    for (size_t i = 0; i < side; i++) {
        assert_false(modules[3][i]);
        assert_false(modules[i][3]);
        assert_false(modules[i][side - 4]);
        assert_false(modules[side - 4][i]);
    }
    strbuf_clear(&out);
}

static void what_fits_no_code_is_refused(void **state)
{
    char text[4096];
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(qr_add(&out, text));
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_has_its_finders_and_its_quiet_zone),
        cmocka_unit_test(what_fits_no_code_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/literals.h"
#include "proxy/base/strbuf.h"

static void add_name(void *self, struct span name)
{
    strbuf_add(self, name);
    strbuf_add_char(self, '|');
}

static void assert_names(const char *text, const char *expected)
{
    struct literals *literals = literals_new();
    struct strbuf names = STRBUF_EMPTY;

    assert_true(literals_scan(literals, span_of(text)));
    literals_each(literals, add_name, &names);
    assert_string_equal(strbuf_text(&names), expected);
    strbuf_clear(&names);
    literals_free(literals);
}

static void each_token_is_found_once(void **state)
{
    (void)state;
    assert_names("a {{x}} {{y}} {{x}}", "x|y|");
    assert_names("{{{triple}}}", "triple|");
    assert_names("{{ spaced }}{{}}", " spaced ||");
    assert_names("{{open {{inner}} }}", "inner|");
    assert_names("{{cut", "");
    assert_names("{{one}", "");
    assert_names("{a}", "");
    assert_names("", "");
}

static void a_flood_of_tokens_is_cut_off(void **state)
{
    struct literals *literals = literals_new();
    char text[300];
    bool all = true;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        snprintf(text, sizeof(text), "{{t%d}}", i);
        all = literals_scan(literals, span_of(text)) && all;
    }
    assert_false(all);
    assert_true(literals_has(literals, "t0"));
    assert_false(literals_has(literals, "t29999"));
    memset(text, 'a', sizeof(text));
    text[0] = text[1] = '{';
    text[297] = text[298] = '}';
    assert_false(literals_scan(literals, span_make(text, 299)));
    literals_free(literals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_is_found_once),
        cmocka_unit_test(a_flood_of_tokens_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

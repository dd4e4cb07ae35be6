#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/export/html_field.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

/* "input:csrf=abc meta:token=def". */
static void assert_fields(const char *page, const char *wanted)
{
    struct strbuf out = STRBUF_EMPTY;
    struct html_field field;
    char *copy = mem_dup(page, strlen(page) != 0 ? strlen(page) : 1); /* no NUL behind it */
    struct span rest = span_make(copy, strlen(page));

    while (html_field_next(&rest, &field))
        strbuf_printf(&out, "%s%s:%.*s=%.*s", out.len != 0 ? " " : "", field.tag, SPAN_ARG(field.name),
                      SPAN_ARG(field.value));
    assert_string_equal(strbuf_text(&out), wanted);
    strbuf_clear(&out);
    mem_free(copy);
}

static void inputs_and_metas_have_names_and_values(void **state)
{
    (void)state;
    assert_fields("<form><input type=\"hidden\" name=\"csrf\" value=\"abc\"><p>x</p></form>",
                  "input:csrf=abc");
    assert_fields("<meta name=csrf-token content='de f'/>", "meta:csrf-token=de f");
    assert_fields("<meta content=x property=\"og:id\">", "meta:og:id=x");
    assert_fields("<INPUT\n NAME = a VALUE\t=\tb >", "input:a=b");
    assert_fields("<input name=a value=b><input name=c value=d>", "input:a=b input:c=d");
}

static void an_attribute_may_hold_what_looks_like_a_tag(void **state)
{
    (void)state;
    assert_fields("<input title=\"<input name=x value=y>\" name=a value=b>", "input:a=b");
    assert_fields("<input name=a value='>'>", "input:a=>");
}

static void what_has_no_name_or_no_value_is_none(void **state)
{
    (void)state;
    assert_fields("", "");
    assert_fields("<input name=a><input value=b><input name value><inputs name=a value=b>", "");
    assert_fields("<meta charset=utf-8><meta http-equiv=refresh content=1>", "");
}

static void a_damaged_page_gives_what_can_be_read_of_it(void **state)
{
    static const char *const pages[] = { "<",
                                         "<input",
                                         "<input ",
                                         "<input name",
                                         "<input =",
                                         "<input ===",
                                         "<input name=",
                                         "<input name=\"a",
                                         "<<input />",
                                         "<input name=a value='",
                                         "<input / / =a>" };

    (void)state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        assert_fields(pages[i], "");
    assert_fields("<input name=a value=\"b", "input:a=b");
    assert_fields("< <input name=a value=b", "input:a=b");
    assert_fields("<input x <input name=a value=b>", "input:a=b");
}

/* Were each tag read to the end of the page again, this would take hours. */
static void tags_that_never_end_are_read_once(void **state)
{
    static const struct span tags[] = { SPAN("<input "), SPAN("<meta a=\""), SPAN("<input name=a") };
    enum { PAGE_BYTES = 4 * 1024 * 1024 };
    struct html_field field;

    (void)state;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        struct strbuf page = STRBUF_EMPTY;
        struct span rest;

        while (page.len < PAGE_BYTES)
            strbuf_add(&page, tags[i]);
        rest = strbuf_span(&page);
        assert_false(html_field_next(&rest, &field));
        strbuf_clear(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_and_metas_have_names_and_values),
        cmocka_unit_test(an_attribute_may_hold_what_looks_like_a_tag),
        cmocka_unit_test(what_has_no_name_or_no_value_is_none),
        cmocka_unit_test(a_damaged_page_gives_what_can_be_read_of_it),
        cmocka_unit_test(tags_that_never_end_are_read_once),
    };

    return cmocka_run_group_tests_name("html_field", tests, NULL, NULL);
}

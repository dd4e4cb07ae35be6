#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/secret_scan.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

static struct span value_at(const void *self, size_t i)
{
    return ((const struct span *)self)[i];
}

static struct secret_match *match_of(const struct span *values, size_t count)
{
    uint32_t *which = mem_array(uint32_t, count + 1);

    for (size_t i = 0; i < count; i++)
        which[i] = (uint32_t)i;
    return secret_match_new(value_at, values, which, count);
}

/* Whether text has exactly one value in it, at..at+len, in that form. */
static void expect(const char *value, struct span text, const char *spelled, enum secret_form form)
{
    struct span values[] = { span_of(value) };
    struct secret_match *match = match_of(values, 1);
    struct secret_found found;

    if (spelled == NULL) {
        assert_false(secret_match_find(match, text, 0, &found));
    } else {
        assert_true(secret_match_find(match, text, 0, &found));
        assert_memory_equal(text.ptr + found.at, spelled, found.len);
        assert_int_equal(found.len, strlen(spelled));
        assert_int_equal(found.form, form);
        assert_false(secret_match_find(match, text, found.at + found.len, &found));
    }
    secret_match_free(match);
}

static void a_value_is_found_in_every_spelling(void **state)
{
    const char *v = "p\"s/ w&\xc3\xa9+9";

    (void)state;
    expect("tok-12345", SPAN("x=tok-12345;"), "tok-12345", SECRET_RAW);
    expect(v, SPAN("a=p%22s%2F%20w%26%C3%A9%2B9&"), "p%22s%2F%20w%26%C3%A9%2B9", SECRET_PERCENT);
    expect(v, SPAN("a=p%22s%2f%20w%26%c3%a9%2b9&"), "p%22s%2f%20w%26%c3%a9%2b9", SECRET_PERCENT);
    expect(v, SPAN("a=%70%22s/+w%26%C3%A9%2B9&"), "%70%22s/+w%26%C3%A9%2B9", SECRET_FORM);
    expect(v, SPAN("{\"a\":\"p\\\"s\\/ w\\u0026\\u00E9+9\"}"), "p\\\"s\\/ w\\u0026\\u00E9+9", SECRET_ESCAPED);
    expect(v, SPAN("\\\"p\\\\\\\"s\\\\/ w\\\\u0026\\\\u00e9+9\\\""), "p\\\\\\\"s\\\\/ w\\\\u0026\\\\u00e9+9",
           SECRET_ESCAPED_TWICE);
    expect(v, SPAN("value='p&quot;s/ w&amp;&#xE9;+9'"), "p&quot;s/ w&amp;&#xE9;+9", SECRET_HTML);
    expect(v, SPAN("p\"s/ w&\xc3\x83\xc2\xa9+9"), "p\"s/ w&\xc3\x83\xc2\xa9+9", SECRET_LATIN1);
    expect("\xf0\x9f\x94\x91key", SPAN("\"\\uD83D\\uDD11key\""), "\\uD83D\\uDD11key", SECRET_ESCAPED);
    expect(v, SPAN("p\"s/ w&e+9"), NULL, SECRET_RAW);
}

static void long_runs_of_line_breaks_are_looked_through_once(void **state)
{
    struct span values[] = { SPAN("s3cret?>~value") };
    struct secret_match *match = match_of(values, 1);
    struct strbuf text = STRBUF_EMPTY;
    struct secret_found found;

    (void)state;
    for (unsigned i = 0; i < 200000; i++)
        strbuf_add_str(&text, "\\n");
    assert_false(secret_match_find(match, strbuf_span(&text), 0, &found)); /* from each place: minutes */
    strbuf_add_str(&text, "czNjcmV0\\r\\nPz5+dmFsdWU=");
    assert_true(secret_match_find(match, strbuf_span(&text), 0, &found));
    secret_match_free(match);
    strbuf_clear(&text);
}

static void what_is_special_in_one_form_stands_for_itself_in_others(void **state)
{
    (void)state;
    expect("p&ss \"w9", SPAN("{\"a\":\"p&ss \\\"w9\"}"), "p&ss \\\"w9", SECRET_ESCAPED);
    expect("50%&\"x", SPAN("50%&\\\"x"), "50%&\\\"x", SECRET_ESCAPED);
    expect("a+b c\"9", SPAN("a+b c&quot;9"), "a+b c&quot;9", SECRET_HTML);
    expect("\\x&y z", SPAN("\\x%26y%20z"), "\\x%26y%20z", SECRET_PERCENT);
    expect("a&b\xc3\xa9", SPAN("a&b\xc3\x83\xc2\xa9"), "a&b\xc3\x83\xc2\xa9", SECRET_LATIN1);
}

static void base64_is_found_at_every_alignment(void **state)
{
    static const char value[] = "s3cret?>~value";
    struct span values[] = { span_of(value) };
    struct secret_match *match = match_of(values, 1);

    (void)state;
    for (size_t before = 0; before < 7; before++) {
        for (size_t after = 0; after < 4; after++) {
            struct strbuf plain = STRBUF_EMPTY, text = STRBUF_EMPTY;
            struct secret_found found;

            strbuf_add(&plain, span_sub(SPAN("username:"), 0, before));
            strbuf_add_str(&plain, value);
            strbuf_add(&plain, span_sub(SPAN("zzzz"), 0, after));
            base64_add(&text, strbuf_span(&plain));
            for (unsigned url = 0; url < 2; url++) {
                assert_true(secret_match_find(match, strbuf_span(&text), 0, &found));
                assert_int_equal(found.form, SECRET_BASE64);
                assert_in_range(found.at, before * 8 / 6, before * 8 / 6 + 1);
                assert_true(found.len >= strlen(value) * 8 / 6 - 1);
                if (after == 0)
                    assert_int_equal(found.at + found.len, text.len);
                for (size_t i = 0; i < text.len; i++)
                    text.ptr[i] = text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i];
            }
            strbuf_clear(&plain);
            strbuf_clear(&text);
        }
    }
    secret_match_free(match);
}

static void base64_is_found_in_spellings_of_its_own(void **state)
{
    /* In base64: "dG9r/j5+dmFsdWU/P34=", and behind "a": "YXRva/4+fnZhbHVlPz9+". */
    const char *v = "tok\xfe>~value?\?~";

    (void)state;
    expect(v, SPAN("t=dG9r%2Fj5%2BdmFsdWU%2fP34%3D&"), "dG9r%2Fj5%2BdmFsdWU%2fP34%3D", SECRET_BASE64);
    expect(v, SPAN("\"YXRva\\/4+fnZhbHVlPz9+\""), "Rva\\/4+fnZhbHVlPz9+", SECRET_BASE64);
    expect(v, SPAN("dG9r\\u002fj5\\u002BdmFsdWU\\u002FP34\\u003d"),
           "dG9r\\u002fj5\\u002BdmFsdWU\\u002FP34\\u003d", SECRET_BASE64);
    expect(v, SPAN("d\r\nG9r/j5+dm\r\nFsdWU/P34="), "d\r\nG9r/j5+dm\r\nFsdWU/P34=", SECRET_BASE64);
    expect(v, SPAN("\"dG9\\nr/j5+dmFsd\\nWU/P34=\""), "dG9\\nr/j5+dmFsd\\nWU/P34=", SECRET_BASE64);
    expect(v, SPAN("'dG9r&#x2F;j5&#43;dmFsdWU/P34&#x3D;'"), "dG9r&#x2F;j5&#43;dmFsdWU/P34&#x3D;",
           SECRET_BASE64);
    /* Its first bits are in what is before it, a "%2B" or "1". */
    expect("token-0123456789abcdef", SPAN("%2B3Rva2VuLTAxMjM0NTY3ODlhYmNkZWY="),
           "Rva2VuLTAxMjM0NTY3ODlhYmNkZWY=", SECRET_BASE64);
    expect("token-0123456789abcdef", SPAN("%2B%2F10b2tlbi0wMTIzNDU2Nzg5YWJjZGVm"),
           "0b2tlbi0wMTIzNDU2Nzg5YWJjZGVm", SECRET_BASE64);
}

/* What is special in one spelling may stand for itself in another. */
static void specials_of_other_spellings_hide_nothing(void **state)
{
    (void)state;
    expect("p%ssw0rd\"x", SPAN("{\"p\":\"p%ssw0rd\\\"x\"}"), "p%ssw0rd\\\"x", SECRET_ESCAPED);
    expect("a&b+c%d'e", SPAN("a&b+c%25d'e"), "a&b+c%25d'e", SECRET_PERCENT);
    expect("a&b\\c<d", SPAN("a&amp;b\\c&lt;d"), "a&amp;b\\c&lt;d", SECRET_HTML);
    expect("+&%\\\"12", SPAN("%2b&%\\\"12"), "%2b&%\\\"12", SECRET_PERCENT);
    expect("a\xc3\xbc\"b1", SPAN("a\xc3\xbc\\\"b1"), "a\xc3\xbc\\\"b1", SECRET_ESCAPED);
}

/* Values of a few bytes that are special, spelled at random: each is found where it was put. */
static void no_place_is_passed_over(void **state)
{
    static const char letters[] = "ab%+&\\\"/<c\xc3\xa9=-";
    uint32_t random = 12345;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char value[10];
        struct span values[] = { span_make(value, 4) };
        struct strbuf text = STRBUF_EMPTY;
        struct secret_match *match;
        struct secret_found found;
        enum secret_form form = (enum secret_form)(round % 3);
        size_t put;

        for (size_t i = 0; i < sizeof value; i++) {
            random = random * 1664525 + 1013904223;
            value[i] = letters[(random >> 24) % (sizeof letters - 1)];
        }
        values[0].len = 4 + (random >> 8) % 7;
        strbuf_add(&text, span_sub(SPAN("xyzxyzxyz"), 0, (random >> 16) % 9));
        put = text.len;
        for (size_t i = 0; i < values[0].len; i++) {
            random = random * 1664525 + 1013904223;
            if (form == SECRET_PERCENT && (value[i] == '%' || random >> 31 != 0))
                strbuf_printf(&text, "%%%02x", (unsigned char)value[i]);
            else if (form == SECRET_FORM && (value[i] == '\\' || value[i] == '"'))
                strbuf_printf(&text, "\\%c", value[i]);
            else
                strbuf_add_char(&text, value[i]);
        }
        strbuf_add_str(&text, "xyz");
        match = match_of(values, 1);
        if (!secret_match_find(match, strbuf_span(&text), 0, &found) || found.at > put)
            fail_msg("round %u: %.*s is not found in %s", round, SPAN_ARG(values[0]), strbuf_text(&text));
        secret_match_free(match);
        strbuf_clear(&text);
    }
}

static void the_leftmost_and_then_the_longest_is_found(void **state)
{
    struct span values[] = { SPAN("abcd"), SPAN("abcdefgh"), SPAN("abcdefghij klm"), SPAN("efgh1234"),
                             SPAN("abcd") };
    struct secret_match *match = match_of(values, 5);
    struct secret_found found;

    (void)state;
    assert_true(secret_match_find(match, SPAN("--abcdefgh1234"), 0, &found));
    assert_int_equal(found.at, 2);
    assert_int_equal(found.value, 1);
    assert_true(secret_match_find(match, SPAN("--abcdefghij%20klm"), 0, &found));
    assert_int_equal(found.value, 2);
    assert_int_equal(found.len, 16);
    assert_true(secret_match_find(match, SPAN("abcdefghij kl"), 0, &found));
    assert_int_equal(found.value, 1);
    assert_true(secret_match_find(match, SPAN("abcdexxx"), 0, &found));
    assert_int_equal(found.value, 0);
    assert_true(secret_match_find(match, SPAN("abcdefgh1234"), 3, &found));
    assert_int_equal(found.value, 3);
    secret_match_free(match);
}

struct told {
    struct strbuf text, found;
};

static void on_text(void *self, struct span text)
{
    strbuf_add(&((struct told *)self)->text, text);
}

static bool on_found(void *self, uint64_t at, struct span spelled, size_t value, enum secret_form form)
{
    struct told *told = self;

    assert_int_equal(at, told->text.len + told->found.len);
    (void)value;
    (void)form;
    strbuf_add(&told->found, spelled);
    return true;
}

static void pieces_give_what_the_whole_gives(void **state)
{
    static const struct secret_scan_events events = { on_text, on_found };
    struct span values[] = { SPAN("tok-1234567890"), SPAN("pass word!") };
    struct secret_match *match = match_of(values, 2);
    struct strbuf whole = STRBUF_EMPTY;

    (void)state;
    for (int i = 0; i < 30000; i++)
        strbuf_add_str(&whole, i % 3 == 0   ? "text tok-1234567890"
                               : i % 7 == 0 ? "pass%20word%21"
                                            : "cGFzcyB3b3JkIQ==, ");
    for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
        struct told told = { STRBUF_EMPTY, STRBUF_EMPTY };
        struct secret_scan *scan = secret_scan_new(match, &events, &told);

        for (size_t at = 0; at < whole.len; at += piece)
            assert_true(secret_scan_feed(
                scan, span_sub(strbuf_span(&whole), at, whole.len - at < piece ? whole.len - at : piece)));
        assert_true(secret_scan_finish(scan));
        assert_int_equal(told.text.len + told.found.len, whole.len);
        assert_null(strstr(strbuf_text(&told.text), "tok-"));
        assert_null(strstr(strbuf_text(&told.text), "pass"));
        assert_null(strstr(strbuf_text(&told.text), "cGF"));
        strbuf_clear(&told.text);
        strbuf_clear(&told.found);
        secret_scan_free(scan);
    }
    strbuf_clear(&whole);
    secret_match_free(match);
}

static void no_values_are_nowhere(void **state)
{
    struct secret_match *match = match_of(NULL, 0);
    struct secret_found found;

    (void)state;
    assert_false(secret_match_find(match, SPAN("anything at all"), 0, &found));
    secret_match_free(match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_in_every_spelling),
        cmocka_unit_test(long_runs_of_line_breaks_are_looked_through_once),
        cmocka_unit_test(what_is_special_in_one_form_stands_for_itself_in_others),
        cmocka_unit_test(base64_is_found_at_every_alignment),
        cmocka_unit_test(base64_is_found_in_spellings_of_its_own),
        cmocka_unit_test(specials_of_other_spellings_hide_nothing),
        cmocka_unit_test(no_place_is_passed_over),
        cmocka_unit_test(the_leftmost_and_then_the_longest_is_found),
        cmocka_unit_test(pieces_give_what_the_whole_gives),
        cmocka_unit_test(no_values_are_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

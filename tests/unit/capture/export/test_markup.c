#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/export/markup.h"
#include "proxy/base/strbuf.h"

static void add_value(void *self, const struct markup_value *value)
{
    struct strbuf *out = self;

    strbuf_printf(out, "%.*s%s%.*s|", SPAN_ARG(value->name),
                  value->is_address ? "@"
                  : value->is_plain ? "=="
                                    : "=",
                  SPAN_ARG(value->value));
}

static void expect(const char *text, bool is_html, const char *values)
{
    struct strbuf out = STRBUF_EMPTY;

    markup_each(span_of(text), is_html, add_value, &out);
    assert_string_equal(strbuf_text(&out), values);
    strbuf_clear(&out);
}

static void elements_and_attributes_of_xml_have_names(void **state)
{
    (void)state;
    expect("<?xml version='1.0'?><a:b xmlns:x='y' x:c = \"1\" d='2'> e&amp;f </a:b>", false,
           "c=1|d=2|b=e&amp;f|");
    expect("<a><b/><c>1</c><d>2<e>3</e></d></a>", false, "c=1|e=3|");
    expect("<a><![CDATA[ <b>1</b> ]]></a>", false, "a==<b>1</b>|");
    expect("<a>1<!-- <b>2</b> --></a><c>3</c>", false, "c=3|");
    expect("<a></a><b>\n</b><!DOCTYPE x><c d=''/>", false, "");
}

static void what_says_what_another_is_names_it(void **state)
{
    (void)state;
    expect("<entry key=\"k\">1</entry>", false, "key=k|entry=1|k=1|");
    expect("<add key='k' value='1'/>", false, "key=k|value=1|k=1|");
    expect("<key>k</key> <string>1</string><string>2</string>", false, "key=k|string=1|k=1|string=2|");
    expect("<member><name>k</name><value><i4>1</i4></value></member>", false, "name=k|i4=1|k=1|");
}

static void forms_and_metadata_of_html_have_names(void **state)
{
    (void)state;
    expect("<!doctype html><meta name=a content=\"b c\"><INPUT VALUE='d' NAME=e checked><p title=x>t</p>",
           true, "a=b c|e=d|");
    expect("<input id=i value=1><input id=i name=n value=2><input name=n id=i value=3><input value=4>", true,
           "i=1|n=2|n=3|");
    expect("<a href=/x?y#z class=w>t</a><img src=\"u\"/><form action='v'>", true,
           "href@/x?y#z|src@u|action@v|");
    expect("<script>if (a<b && '</p>') c</SCRIPT><input name=a value=b>", true,
           "script==if (a<b && '</p>') c|a=b|");
}

static void what_is_cut_or_damaged_gives_what_can_be_read(void **state)
{
    static const char text[] =
        "<a b='c' d=e><f key=\"g\">h</f><![CDATA[i]]><!-- j --><k><![CDATA[l]]></k></a>";

    (void)state;
    for (size_t len = 0; len <= sizeof text - 1; len++) {
        struct strbuf out = STRBUF_EMPTY,
                      copy = STRBUF_EMPTY; /* of exactly that many bytes, for the sanitizer */

        strbuf_add(&copy, span_make(text, len));
        for (unsigned is_html = 0; is_html < 2; is_html++)
            markup_each(strbuf_span(&copy), is_html != 0, add_value, &out);
        strbuf_clear(&copy);
        strbuf_clear(&out);
    }
    expect("<a b=\"1", false, "b=1|");
    expect("< a='1'><1 b='2'>< /c><=d e=f=g h>1</x>", false, "");
    expect("<a =b c=d/e>1</a", false, "c=d/e|a=1|");
    expect("<script>abc", true, "script==abc|");
}

static void markup_is_known_by_its_beginning(void **state)
{
    (void)state;
    assert_true(markup_is(SPAN("\xef\xbb\xbf \r\n<?xml")));
    assert_true(markup_is(SPAN("<!DOCTYPE html>")));
    assert_true(markup_is(SPAN("<stream:stream>")));
    assert_false(markup_is(SPAN("<")));
    assert_false(markup_is(SPAN("<3 it")));
    assert_false(markup_is(SPAN("{}")));
    assert_true(markup_is_html(SPAN("<?xml version='1.0'?><!-- --><HTML lang=en>")));
    assert_false(markup_is_html(SPAN("<a><b/></a>")));
    assert_false(markup_is_html(SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_and_attributes_of_xml_have_names),
        cmocka_unit_test(what_says_what_another_is_names_it),
        cmocka_unit_test(forms_and_metadata_of_html_have_names),
        cmocka_unit_test(what_is_cut_or_damaged_gives_what_can_be_read),
        cmocka_unit_test(markup_is_known_by_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

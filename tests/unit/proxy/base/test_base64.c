#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/base64.h"

static void encodes_to(struct span bytes, const char *text)
{
    struct strbuf out = STRBUF_EMPTY;

    base64_add(&out, bytes);
    assert_string_equal(strbuf_text(&out), text);
    strbuf_clear(&out);
}

/* The vectors of RFC 4648 §10. */
static void every_length_is_padded_to_four(void **state)
{
    (void)state;
    encodes_to(SPAN(""), "");
    encodes_to(SPAN("f"), "Zg==");
    encodes_to(SPAN("fo"), "Zm8=");
    encodes_to(SPAN("foo"), "Zm9v");
    encodes_to(SPAN("foobar"), "Zm9vYmFy");
}

static void high_bytes_are_bytes(void **state)
{
    (void)state;
    encodes_to(SPAN("\xff\xfe\x00\x80"), "//4AgA==");
}

static void reads_as(const char *text, struct span bytes)
{
    struct strbuf out = STRBUF_EMPTY;

    assert_true(base64_read(&out, span_of(text)));
    assert_int_equal(out.len, bytes.len);
    if (bytes.len != 0)
        assert_memory_equal(out.ptr, bytes.ptr, bytes.len);
    strbuf_clear(&out);
}

static void text_of_every_length_is_read_with_and_without_padding(void **state)
{
    (void)state;
    reads_as("", SPAN(""));
    reads_as("Zg==", SPAN("f"));
    reads_as("Zg", SPAN("f"));
    reads_as("Zm8=", SPAN("fo"));
    reads_as("Zm8", SPAN("fo"));
    reads_as("Zm9v", SPAN("foo"));
    reads_as("Zm9vYmFy", SPAN("foobar"));
    reads_as("//4AgA==", SPAN("\xff\xfe\x00\x80"));
    reads_as("+/+/", SPAN("\xfb\xff\xbf"));
}

static void what_is_no_base64_is_not_read(void **state)
{
    static const char *const texts[] = { "Z",    "Zm9vY", "Zg=",  "=",    "==",       "====",
                                         "Z===", "Zm 9",  "Zm9-", "Zm9_", "Zg==Zg==", "Zm9v\n" };
    struct strbuf out = STRBUF_EMPTY;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(base64_read(&out, span_of(texts[i])));
    strbuf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_padded_to_four),
        cmocka_unit_test(high_bytes_are_bytes),
        cmocka_unit_test(text_of_every_length_is_read_with_and_without_padding),
        cmocka_unit_test(what_is_no_base64_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

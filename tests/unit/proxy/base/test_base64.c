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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_padded_to_four),
        cmocka_unit_test(high_bytes_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

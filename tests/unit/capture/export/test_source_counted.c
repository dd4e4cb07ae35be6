#include "capture/export/source_counted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/strbuf.h"
#include "tests/support/fake_source.h"

static void note(void *self, enum export_phase phase, uint64_t done, uint64_t total)
{
    strbuf_printf(self, "%d:%llu/%llu ", (int)phase, (unsigned long long)done, (unsigned long long)total);
}

static void told(const char *format, const char *expected)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf said = STRBUF_EMPTY;
    struct export_options options = { .format = export_find_format(format),
                                      .max_example_bytes = EXPORT_MAX_EXAMPLE_BYTES,
                                      .progress = note,
                                      .progress_self = &said };
    struct export_report report;
    struct err err;
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    for (int i = 0; i < 2; i++)
        fake_source_add(fake, "https://shop.test", SPAN("PUT / HTTP/1.1\r\n\r\nbody"),
                        SPAN("HTTP/1.1 200 OK\r\n\r\nbody"));
    assert_true(export_to_stream(fake_source_reader(fake), &options, stream, &report, &err));
    assert_string_equal(strbuf_text(&said), expected);
    fclose(stream);
    free(text);
    export_report_clear(&report);
    strbuf_clear(&said);
    fake_source_free(fake);
}

static void each_phase_of_an_export_tells_how_far_it_is(void **state)
{
    (void)state;
    told("har", "0:1/2 0:2/2 1:1/2 1:2/2 2:0/0 ");
}

static void cookies_are_no_exchanges_to_be_counted(void **state)
{
    (void)state;
    told("cookies-netscape", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_phase_of_an_export_tells_how_far_it_is),
        cmocka_unit_test(cookies_are_no_exchanges_to_be_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

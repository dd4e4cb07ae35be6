#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/export/export.h"
#include "capture/export/secret_gate.h"
#include "tests/support/fake_source.h"

static void the_gate_names_the_place_and_never_the_value(void **state)
{
    struct secrets *secrets = secrets_new();
    struct secret_text text = { .kind = SECRET_TEXT_JSON, .text = SPAN("{\"token\":\"abc-123-XYZ\"}") };
    FILE *file = tmpfile();
    struct err err;

    (void)state;
    assert_true(secrets_add_text(secrets, &text, &err));
    secrets_seal(secrets, NULL, NULL);
    fputs("all is well here", file);
    fflush(file);
    assert_true(secret_gate_pass(secrets, file, "the export", &err));
    fputs(" but abc%2d123%2DXYZ", file);
    fflush(file);
    assert_false(secret_gate_pass(secrets, file, "the export", &err));
    assert_int_equal(err.code, ERR_LEAK);
    assert_string_equal(
        err.text, "the export would hold the secret weirToken (percent, at byte 21): nothing is written");
    fclose(file);
    secrets_free(secrets);
}

static void a_file_that_would_leak_is_not_there(void **state)
{
    struct fake_source *fake = fake_source_new();
    struct export_options options = { .format = export_find_format("jsonl") };
    struct export_report report;
    char folder[] = "/tmp/weir-test-secrets-XXXXXX";
    struct strbuf path = STRBUF_EMPTY;
    struct err err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    strbuf_printf(&path, "%s/x.jsonl", folder);
    /* The name of a member of every line: no mask can take it out. */
    fake_source_add(fake, "https://shop.test",
                    SPAN("GET / HTTP/1.1\r\nAuthorization: Bearer request_wire_bytes\r\n\r\n"), SPAN_NONE);
    assert_false(export_to_file(fake_source_reader(fake), &options, strbuf_text(&path), &report, &err));
    assert_int_equal(err.code, ERR_LEAK);
    assert_null(strstr(err.text, "request_wire_bytes"));
    export_report_clear(&report);
    assert_int_equal(rmdir(folder), 0); /* nothing is left in it */
    strbuf_clear(&path);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gate_names_the_place_and_never_the_value),
        cmocka_unit_test(a_file_that_would_leak_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

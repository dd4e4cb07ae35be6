#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/export/export.h"
#include "proxy/base/mem.h"
#include "tests/support/fake_source.h"
#include "tests/support/golden.h"

#define OK SPAN("HTTP/1.1 200 OK\r\n\r\n")

static struct fake_source *shop(void)
{
    struct fake_source *fake = fake_source_new();
    struct record_field *fields;

    fake_source_add(
        fake, "https://shop.test",
        SPAN("GET /v1/users?x={{a}}|\xff HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: t\r\nCookie: sid=1\r\n"
             "Accept-Encoding: br\r\nConnection: close\r\nX-Empty:\r\nX: {{a}} caf\xe9\r\n\r\n"),
        OK);
    fields = fake_source_add(
                 fake, "http://shop.test:8080",
                 SPAN("POST /v1/orders HTTP/1.1\r\nHost: elsewhere.test\r\nContent-Length: 18\r\n"
                      "Content-Type: application/json\r\nBad: x\r\n\r\n{\n\"a\": [\"zo\xc3\xab\"]\n}\n"),
                 SPAN_NONE)
                 ->request_headers.items;
    fields[3].value = SPAN("x\ny");
    fake_source_add(fake, "https://shop.test",
                    SPAN("POST /soap HTTP/1.1\r\nContent-Type: text/xml\r\n\r\n<?xml?>\n<a>\n</a>"), OK);
    fake_source_add(fake, "https://shop.test",
                    SPAN("POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=b&c=d"),
                    OK);
    fake_source_add(fake, "https://shop.test", SPAN("PUT /image HTTP/1.1\r\n\r\n\xff\x00"), OK);
    fake_source_add(fake, "https://shop.test", SPAN("BREW /pot HTTP/1.1\r\n\r\n"), OK);
    fake_source_add(fake, "https://shop.test", SPAN("CONNECT shop.test:443 HTTP/1.1\r\n\r\n"), SPAN_NONE);
    return fake;
}

static void a_file_has_its_golden_form(void **state)
{
    struct fake_source *fake = shop();
    char *text = fake_source_export(fake, "http", NULL, NULL);

    (void)state;
    golden_compare(text, "tests/unit/capture/export/golden/session.http");
    free(text);
    fake_source_free(fake);
}

/* A body that would be read as something else is not in the file. */
static void assert_stands_in_the_file(struct span body, bool expected)
{
    struct fake_source *fake = fake_source_new();
    struct strbuf request = STRBUF_EMPTY;
    char *text;

    strbuf_add_str(&request, "POST / HTTP/1.1\r\n\r\n");
    strbuf_add(&request, body);
    fake_source_add(fake, "http://a.test", strbuf_span(&request), OK);
    text = fake_source_export(fake, "http", NULL, NULL);
    if ((strstr(text, "needs a file") == NULL) != expected)
        fail_msg("%.*s\n%s", SPAN_ARG(body), text);
    free(text);
    strbuf_clear(&request);
    fake_source_free(fake);
}

static void a_body_that_an_editor_would_misread_lies_beside(void **state)
{
    (void)state;
    assert_stands_in_the_file(SPAN("plain"), true);
    assert_stands_in_the_file(SPAN("a\n\nb # c // d\n<e>\n</e>"), true);
    assert_stands_in_the_file(SPAN("a\n### b"), false);
    assert_stands_in_the_file(SPAN("a\n // b"), false);
    assert_stands_in_the_file(SPAN("< ./file"), false);
    assert_stands_in_the_file(SPAN("<@ ./file"), false);
    assert_stands_in_the_file(SPAN("a\n<"), false);
    assert_stands_in_the_file(SPAN("a\n> {% x %}"), false);
    assert_stands_in_the_file(SPAN("<> x"), false);
    assert_stands_in_the_file(SPAN("@a = b"), false);
    assert_stands_in_the_file(SPAN("a\nGET /x"), false);
    assert_stands_in_the_file(SPAN(".\n VERSION-CONTROL x"), false);
    assert_stands_in_the_file(SPAN("GRPC x"), false);
    assert_stands_in_the_file(SPAN("a\nHTTP/1.1 200 OK"), false);
    assert_stands_in_the_file(SPAN("A b\nGET\nGETx y\nget z\n[GET x]\n- y"), true);
    assert_stands_in_the_file(SPAN("a\n?? status == 200"), false);
    assert_stands_in_the_file(SPAN("a\n==="), false);
    assert_stands_in_the_file(SPAN("query { a }"), false);
    assert_stands_in_the_file(SPAN("mutation{a}"), false);
    assert_stands_in_the_file(SPAN("a\nfragment a on B { c }"), false);
    assert_stands_in_the_file(SPAN("gql a < b"), false);
    assert_stands_in_the_file(SPAN("proto < a"), false);
    assert_stands_in_the_file(SPAN("{\"query\":\"query { a }\"}"), true);
    assert_stands_in_the_file(SPAN("{{a}}"), false);
    assert_stands_in_the_file(SPAN("a\r\nb"), false);
    assert_stands_in_the_file(SPAN("a\n"), false);
    assert_stands_in_the_file(SPAN(" a"), false);
    assert_stands_in_the_file(SPAN("caf\xe9"), false);
}

static void other_bodies_are_files_that_it_names(void **state)
{
    char folder[] = "/tmp/weir-http-XXXXXX";
    struct fake_source *fake = shop();
    struct export_options options = { .format = export_find_format("http") };
    struct export_report report;
    char *path, text[8192], bytes[8];
    const char *name;
    struct err err;
    FILE *file;
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(folder));
    path = mem_printf("%s/shop.http", folder);
    assert_true(export_to_file(fake_source_reader(fake), &options, path, &report, &err));
    assert_int_equal(report.written, 5);
    assert_true(report.has_files);
    file = fopen(path, "r");
    len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    unlink(path);
    mem_free(path);
    assert_int_equal(chdir(folder), 0);
    for (unsigned i = 0; i < 2; i++) { /* the order with a line feed at its end, the image */
        char *end;

        name = strstr(i == 0 ? text : name, "\n< ./shop.files/");
        assert_non_null(name);
        name += strlen("\n< ");
        end = strchr(name, '\n');
        *end = '\0';
        file = fopen(name, "r");
        assert_non_null(file);
        len = fread(bytes, 1, sizeof(bytes), file);
        fclose(file);
        assert_int_equal(bytes[0], i == 0 ? '{' : '\xff');
        unlink(name);
        *end = '\n';
        name = end;
    }
    assert_int_equal(len, 2);
    assert_int_equal(rmdir("shop.files"), 0);
    assert_int_equal(rmdir(folder), 0);
    export_report_clear(&report);
    fake_source_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_its_golden_form),
        cmocka_unit_test(a_body_that_an_editor_would_misread_lies_beside),
        cmocka_unit_test(other_bodies_are_files_that_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

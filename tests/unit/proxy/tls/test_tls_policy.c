#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs/ca.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls_policy.h"
#include "tests/support/tls_pair.h"

static struct tls_lab lab;

static int open_lab(void **state)
{
    (void)state;
    tls_lab_open(&lab);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    tls_lab_close(&lab);
    return 0;
}

/* A client with these bytes as its roots; the error's text is in err. */
static bool can_use(struct span pem, struct err *err)
{
    char *path = mem_printf("%s/roots.pem", lab.dir);
    struct tls_client_options options = { .upstream_ca = path };
    struct tls_client *client = NULL;
    FILE *file = fopen(path, "w");
    bool ok;

    assert_non_null(file);
    fwrite(pem.ptr, 1, pem.len, file);
    fclose(file);
    ok = tls_client_new(&options, &client, err);
    tls_client_free(client);
    unlink(path);
    mem_free(path);
    return ok;
}

static void roots_that_are_not_there_are_a_usage_error(void **state)
{
    (void)state;
    struct tls_client_options options = { .upstream_ca = "/nonexistent/roots.pem" };
    struct tls_client *client;
    struct err err;

    assert_false(tls_client_new(&options, &client, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.text,
                        "the roots '/nonexistent/roots.pem' can't be read: No such file or directory");
}

static void roots_without_a_certificate_are_a_usage_error(void **state)
{
    (void)state;
    struct err err;

    assert_false(can_use(SPAN(""), &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.text, "roots.pem' holds no certificate in PEM form"));
    assert_false(can_use(ca_der(lab.ca), &err));
    assert_non_null(strstr(err.text, "holds no certificate"));
}

static void a_damaged_root_is_counted(void **state)
{
    (void)state;
    struct strbuf pem = STRBUF_EMPTY;
    struct err err;

    strbuf_add(&pem, ca_pem(lab.ca));
    strbuf_add_str(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_false(can_use(strbuf_span(&pem), &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.text, "certificate 2 of '"));
    strbuf_reset(&pem);
    strbuf_add_str(&pem, "# a comment\n");
    strbuf_add(&pem, ca_pem(lab.ca));
    strbuf_add(&pem, ca_pem(lab.ca));
    assert_true(can_use(strbuf_span(&pem), &err));
    strbuf_clear(&pem);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;

    tls_server_free(NULL);
    tls_client_free(NULL);
    tls_sessions_free(NULL);
    tls_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_that_are_not_there_are_a_usage_error),
        cmocka_unit_test(roots_without_a_certificate_are_a_usage_error),
        cmocka_unit_test(a_damaged_root_is_counted),
        cmocka_unit_test(freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

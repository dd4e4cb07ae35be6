#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certs/ca.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls.h"
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

/* Changes what kind of CA cert is, and who has signed it; key is the signer's. */
static void sign_again(X509 *cert, const X509 *signer, EVP_PKEY *key)
{
    X509_EXTENSION *constraints = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    static const int replaced[] = { NID_basic_constraints, NID_authority_key_identifier };

    for (size_t i = 0; i < 2; i++) {
        int at = X509_get_ext_by_NID(cert, replaced[i], -1);
        if (at >= 0)
            X509_EXTENSION_free(X509_delete_ext(cert, at));
    }
    assert_true(X509_add_ext(cert, constraints, -1));
    X509_EXTENSION_free(constraints);
    assert_true(X509_set_issuer_name(cert, X509_get_subject_name(signer)));
    assert_true(X509_sign(cert, key, EVP_sha256()));
}

/* Somebody's own CA may have been signed by another, and that one is all that clients know. */
static void a_ca_that_is_no_root_goes_along_with_its_leaves(void **state)
{
    (void)state;
    char *path = mem_printf("%s/roots.pem", lab.dir);
    struct tls_client_options options = { .upstream_ca = path };
    X509 *root = X509_dup(ca_x509(lab.ca));
    FILE *file = fopen(path, "w");
    struct tls_client *client;
    struct tls_lab own;
    struct tls_pair pair;
    struct err err;

    assert_non_null(file);
    sign_again(root, root, ca_key(lab.ca));
    assert_true(PEM_write_X509(file, root));
    fclose(file);
    assert_true(tls_client_new(&options, &client, &err));
    tls_lab_open(&own);
    sign_again(ca_x509(own.ca), root, ca_key(lab.ca));
    tls_server_free(own.server);
    own.server = tls_server_new(own.ca, NULL);
    tls_pair_open(&pair, &own, client, NULL, "a.test", "\x02h2");
    tls_pair_start(&pair);
    assert_string_equal(pair.client.err.text, "");
    assert_true(tls_is_verified(pair.client.tls));
    tls_pair_close(&pair);
    tls_lab_close(&own);
    tls_client_free(client);
    X509_free(root);
    unlink(path);
    mem_free(path);
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
        cmocka_unit_test(a_ca_that_is_no_root_goes_along_with_its_leaves),
        cmocka_unit_test(freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

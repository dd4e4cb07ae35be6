/* Each way in which an origin's certificate can be wrong, and the sentence that a person gets. Leaves are
 * forged as they should be, then changed and signed again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "certs/ca.h"
#include "certs/leaf.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
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

/* The client calls the origin host and is shown leaf, which moves in. What it says; the caller's. */
static char *why_not(struct tls_client *client, const char *host, struct leaf *leaf)
{
    struct tls_pair pair;
    char *why;

    tls_pair_open(&pair, &lab, client, NULL, host, "\x02h2");
    leaf_unref(pair.leaf);
    pair.leaf = leaf;
    tls_pair_start(&pair);
    why = mem_strdup(pair.client.has_failed ? pair.client.err.text : "");
    if (pair.client.has_failed) {
        assert_int_equal(pair.client.err.code, ERR_CERT);
        assert_false(tls_is_verified(pair.client.tls));
    }
    tls_pair_close(&pair);
    return why;
}

static void expect_why(const char *host, struct leaf *leaf, const char *expected)
{
    char *why = why_not(lab.client, host, leaf);

    assert_string_equal(why, expected);
    mem_free(why);
}

static struct leaf *leaf_with_dates(const char *host, const char *not_before, const char *not_after)
{
    struct leaf *leaf = tls_lab_leaf(&lab, host);
    ASN1_TIME *time = ASN1_TIME_new();

    assert_true(ASN1_TIME_set_string_X509(time, not_before));
    assert_true(X509_set1_notBefore(leaf_x509(leaf), time));
    assert_true(ASN1_TIME_set_string_X509(time, not_after));
    assert_true(X509_set1_notAfter(leaf_x509(leaf), time));
    assert_true(X509_sign(leaf_x509(leaf), ca_key(lab.ca), EVP_sha256()));
    ASN1_TIME_free(time);
    return leaf;
}

static void dates_are_named(void **state)
{
    (void)state;

    expect_why("a.test", leaf_with_dates("a.test", "20230101000000Z", "20240101000000Z"),
               "certificate of 'a.test' has expired (on 2024-01-01)");
    expect_why("a.test", leaf_with_dates("a.test", "20970101000000Z", "20980101000000Z"),
               "certificate of 'a.test' is not valid before 2097-01-01");
}

static void the_names_of_another_host_are_named(void **state)
{
    (void)state;

    expect_why("a.test", tls_lab_leaf(&lab, "other.test"), "certificate is for 'other.test', not 'a.test'");
    expect_why("127.0.0.1", tls_lab_leaf(&lab, "127.0.0.2"),
               "certificate is for '127.0.0.2', not '127.0.0.1'");
    expect_why("::1", tls_lab_leaf(&lab, "a.test"), "certificate is for 'a.test', not '::1'");
}

static struct leaf *leaf_with_names(const char *names)
{
    struct leaf *leaf = tls_lab_leaf(&lab, "a.test");
    X509 *cert = leaf_x509(leaf);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

    X509_EXTENSION_free(X509_delete_ext(cert, X509_get_ext_by_NID(cert, NID_subject_alt_name, -1)));
    assert_true(X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(cert, ca_key(lab.ca), EVP_sha256()));
    return leaf;
}

static void wildcards_are_whole_labels_and_common_names_count_for_nothing(void **state)
{
    (void)state;

    expect_why("a.b.test", leaf_with_names("DNS:*.b.test"), "");
    expect_why("a.b.test", leaf_with_names("DNS:a*.b.test"),
               "certificate is for 'a*.b.test', not 'a.b.test'");
    expect_why("a.test", leaf_with_names("email:me@a.test"), "certificate is for no host, not 'a.test'");
    expect_why("a.test", leaf_with_names("DNS:b.test,DNS:c.test,IP:127.0.0.1,DNS:d.test"),
               "certificate is for 'b.test', 'c.test' and 2 more, not 'a.test'");
    expect_why("a.test", leaf_with_names("DNS:b\x1b[31m.test"),
               "certificate is for 'b?[31m.test', not 'a.test'");
}

static void addresses_and_final_dots_are_verified(void **state)
{
    (void)state;

    expect_why("127.0.0.1", tls_lab_leaf(&lab, "127.0.0.1"), "");
    expect_why("::1", tls_lab_leaf(&lab, "::1"), "");
    expect_why("a.test.", tls_lab_leaf(&lab, "a.test"), "");
}

static void a_certificate_signed_by_itself_is_called_so(void **state)
{
    (void)state;
    struct leaf *leaf = tls_lab_leaf(&lab, "a.test");
    X509 *cert = leaf_x509(leaf);

    assert_true(X509_set_issuer_name(cert, X509_get_subject_name(cert)));
    X509_EXTENSION_free(X509_delete_ext(cert, X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1)));
    assert_true(X509_sign(cert, leaf_key(leaf), EVP_sha256()));
    expect_why("a.test", leaf,
               "certificate of 'a.test' is self-signed and not trusted here; add it by --upstream-ca");
}

static void an_unknown_issuer_is_named_with_what_to_do(void **state)
{
    (void)state;
    struct tls_client_options options = { .insecure = false };
    struct tls_client *stranger;
    struct err err;
    char *why;

    assert_true(tls_client_new(&options, &stranger, &err));
    why = why_not(stranger, "a.test", tls_lab_leaf(&lab, "a.test"));
    assert_non_null(
        strstr(why, "certificate of 'a.test' is not signed by a root that is trusted here (issuer '"));
    assert_non_null(strstr(why, "'); add it by --upstream-ca"));
    mem_free(why);
    tls_client_free(stranger);
}

static void insecure_goes_on_and_notes_what_was_found(void **state)
{
    (void)state;
    struct tls_client_options options = { .insecure = true };
    struct tls_client *careless;
    struct tls_pair pair;
    struct err err;
    char *facts;

    assert_true(tls_client_new(&options, &careless, &err));
    tls_pair_open(&pair, &lab, careless, NULL, "a.test", "\x02h2");
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls));
    assert_false(tls_is_verified(pair.client.tls));
    facts = tls_facts(pair.client.tls);
    assert_non_null(strstr(facts, "\"verified\":false,\"why\":\"certificate of 'a.test' is not signed by"));
    mem_free(facts);
    tls_pair_close(&pair);
    tls_client_free(careless);
}

static void the_roots_of_the_system_count(void **state)
{
    (void)state;
    struct tls_client_options options = { .insecure = false };
    struct tls_client *client;
    struct err err;
    char *why;

    setenv("SSL_CERT_FILE", ca_cert_path(lab.ca), 1);
    assert_true(tls_client_new(&options, &client, &err));
    why = why_not(client, "a.test", tls_lab_leaf(&lab, "a.test")); /* waits for the thread that reads them */
    assert_string_equal(why, "");
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    mem_free(why);
    tls_client_free(client);
}

static void *verify_one(void *client)
{
    struct tls_pair pair;
    bool is_verified;

    tls_pair_open(&pair, &lab, client, NULL, "a.test", "\x02h2");
    tls_pair_start(&pair);
    is_verified = tls_is_verified(pair.client.tls);
    tls_pair_close(&pair);
    return is_verified ? client : NULL;
}

/* All at once, and while the roots are still being read. */
static void workers_share_the_roots(void **state)
{
    (void)state;
    struct tls_client_options options = { .upstream_ca = ca_cert_path(lab.ca) };
    struct tls_client *client;
    pthread_t threads[4];
    struct err err;
    void *verified;

    assert_true(tls_client_new(&options, &client, &err));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_one, client), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &verified), 0);
        assert_ptr_equal(verified, client);
    }
    tls_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_named),
        cmocka_unit_test(the_names_of_another_host_are_named),
        cmocka_unit_test(wildcards_are_whole_labels_and_common_names_count_for_nothing),
        cmocka_unit_test(addresses_and_final_dots_are_verified),
        cmocka_unit_test(a_certificate_signed_by_itself_is_called_so),
        cmocka_unit_test(an_unknown_issuer_is_named_with_what_to_do),
        cmocka_unit_test(insecure_goes_on_and_notes_what_was_found),
        cmocka_unit_test(the_roots_of_the_system_count),
        cmocka_unit_test(workers_share_the_roots),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

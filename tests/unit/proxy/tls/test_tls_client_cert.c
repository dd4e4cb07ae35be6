/* What an origin gets that asks for a certificate. */
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

#include "certs/ca.h"
#include "certs/leaf.h"
#include "certs/x509.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
#include "tests/support/tls_pair.h"

static struct tls_lab lab;
static char *cert_path;
static struct leaf *own;          /* what is in cert_path, with the lab's CA behind it */
static struct tls_client *client; /* shows it to *.corp.test:443 */

static struct tls_client *new_client(const char *rule)
{
    struct tls_client_options options = { .upstream_ca = ca_cert_path(lab.ca),
                                          .client_cert = &rule,
                                          .client_cert_count = 1 };
    struct tls_client *made;
    struct err err;

    assert_true(tls_client_new(&options, &made, &err));
    return made;
}

static void write_pem(const char *path, X509 *cert, X509 *issuer, EVP_PKEY *key)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    assert_true(PEM_write_X509(file, cert));
    if (issuer != NULL)
        assert_true(PEM_write_X509(file, issuer));
    fclose(file);
}

static int open_lab(void **state)
{
    char *rule;

    (void)state;
    tls_lab_open(&lab);
    own = tls_lab_leaf(&lab, "me.test");
    cert_path = mem_printf("%s/own.pem", lab.dir);
    write_pem(cert_path, leaf_x509(own), ca_x509(lab.ca), leaf_key(own));
    rule = mem_printf("*.corp.test:443=%s", cert_path);
    client = new_client(rule);
    mem_free(rule);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    tls_client_free(client);
    leaf_unref(own);
    unlink(cert_path);
    mem_free(cert_path);
    tls_lab_close(&lab);
    return 0;
}

static int take_any(int is_fine, X509_STORE_CTX *chain)
{
    (void)is_fine;
    (void)chain;
    return 1;
}

static void demand(struct tls_pair *pair)
{
    SSL_set_verify(pair->server.tls->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, take_any);
}

static void open_pair(struct tls_pair *pair, struct tls_client *with, struct tls_sessions *sessions,
                      const char *host, int version)
{
    tls_pair_open(pair, &lab, with, sessions, host, "\x02h2");
    SSL_set_max_proto_version(pair->client.tls->ssl, version);
    pair->on_hello = demand;
    tls_pair_start(pair);
}

/* expected: who has shown the certificate; NULL: nobody. */
static void assert_shown(struct tls_pair *pair, const X509 *expected)
{
    X509 *seen = SSL_get0_peer_certificate(pair->server.tls->ssl);
    char *facts = tls_facts(pair->client.tls);

    assert_true(tls_cert_requested(pair->client.tls));
    assert_int_equal(tls_cert_shown(pair->client.tls), expected != NULL);
    assert_int_equal(seen != NULL, expected != NULL);
    assert_int_equal(strstr(facts, "\"client_certificate\":\"CN = ") != NULL, expected != NULL);
    assert_int_equal(tls_is_open(pair->server.tls), expected != NULL);
    if (expected != NULL)
        assert_int_equal(X509_cmp(seen, expected), 0);
    mem_free(facts);
}

static void an_origin_that_asks_gets_the_one_for_its_host_and_port(void **state)
{
    (void)state;
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < 2; i++) {
        struct tls_pair pair;
        open_pair(&pair, client, NULL, "api.corp.test", versions[i]);
        assert_shown(&pair, leaf_x509(own));
        assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(pair.server.tls->ssl)), 1); /* without its own */
        tls_pair_send(&pair, &pair.client, SPAN("ping"), 1);
        assert_string_equal(strbuf_text(&pair.server.plain), "ping");
        tls_pair_close(&pair);

        open_pair(&pair, client, NULL, "elsewhere.test", versions[i]);
        assert_shown(&pair, NULL);
        tls_pair_close(&pair);
    }
}

static void an_origin_that_does_not_ask_gets_none(void **state)
{
    (void)state;
    struct tls_pair pair;
    char *facts;

    tls_pair_open(&pair, &lab, client, NULL, "api.corp.test", "\x02h2");
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.server.tls));
    facts = tls_facts(pair.client.tls);
    assert_null(strstr(facts, "client_certificate"));
    assert_null(strstr(facts, "cert_requested"));
    mem_free(facts);
    tls_pair_close(&pair);
}

/* The origin may ask when a request has come for which it wants to know (RFC 8446 §4.6.2). */
static void it_is_shown_after_the_handshake_too(void **state)
{
    (void)state;
    struct tls_pair pair;
    SSL *origin;

    tls_pair_open(&pair, &lab, client, NULL, "api.corp.test", "\x02h2");
    SSL_set_post_handshake_auth(pair.client.tls->ssl, 1);
    tls_pair_start(&pair);
    origin = pair.server.tls->ssl;
    assert_false(tls_cert_requested(pair.client.tls));
    SSL_set_verify(origin, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, take_any);
    assert_int_equal(SSL_verify_client_post_handshake(origin), 1);
    assert_int_equal(SSL_do_handshake(origin), 1);
    tls_pair_run(&pair);
    assert_shown(&pair, leaf_x509(own));
    tls_pair_send(&pair, &pair.client, SPAN("ping"), 1);
    assert_string_equal(strbuf_text(&pair.server.plain), "ping");
    tls_pair_close(&pair);
}

/* Ours signs with ECDSA. */
static void it_is_shown_only_if_the_origin_takes_its_signature(void **state)
{
    (void)state;
    struct tls_pair pair;

    tls_pair_open(&pair, &lab, client, NULL, "api.corp.test", "\x02h2");
    pair.on_hello = demand;
    assert_int_equal(SSL_set1_client_sigalgs_list(pair.server.tls->ssl, "ed25519"), 1);
    tls_pair_start(&pair);
    assert_shown(&pair, NULL);
    tls_pair_close(&pair);
}

static void a_mirrored_client_shows_it_too(void **state)
{
    (void)state;
    /* TLS 1.2, one suite of RSA, signatures of RSA alone. */
    static const char message[] = "\x01\x00\x00\x39\x03\x03"
                                  "0123456789abcdef0123456789abcdef"
                                  "\x00\x00\x02\xc0\x2f\x01\x00\x00\x0e"
                                  "\x00\x0d\x00\x04\x00\x02\x04\x01\x00\x0a\x00\x04\x00\x02\x00\x17";
    struct tls_target target = { .host = "api.corp.test", .port = 443 };
    struct tls_mirror *mirror;
    struct hello hello;
    struct tls_pair pair;
    struct err err;
    char bytes[sizeof message];

    memcpy(bytes, message, sizeof message);
    bytes[3] = (char)(sizeof message - 1 - 4);
    bytes[4 + 2 + 32 + 1 + 2 + 2 + 2 + 1] = (char)(sizeof message - 1 - (4 + 2 + 32 + 1 + 2 + 2 + 2 + 2));
    assert_true(hello_parse(span_make(bytes, sizeof message - 1), &hello));
    target.mirror = mirror = tls_mirror_get(client, &hello);
    tls_pair_open_target(&pair, &lab, client, NULL, &target);
    pair.on_hello = demand;
    leaf_unref(pair.leaf);
    assert_true(leaf_forge(lab.ca, target.host, KEY_RSA, &pair.leaf, &err));
    tls_pair_start(&pair);
    assert_shown(&pair, leaf_x509(own));
    assert_string_equal(SSL_get_cipher(pair.client.tls->ssl), "ECDHE-RSA-AES128-GCM-SHA256");
    tls_pair_close(&pair);
    tls_mirror_unref(mirror);
}

/* RSA of 1024 bits, signed with SHA-1: too weak for OpenSSL's level here, and all that some companies have.
 */
static void a_weak_one_is_shown_as_it_is(void **state)
{
    (void)state;
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    char *path = mem_printf("%s/weak.pem", lab.dir);
    EVP_PKEY *key = EVP_RSA_gen(1024);
    X509 *cert = X509_new();
    struct tls_client *weak;
    time_t now = time(NULL);

    assert_true(x509_set_random_serial(cert) && x509_set_validity(cert, now - 86400, now + 86400));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"weak", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(ca_x509(lab.ca)));
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha1()) > 0);
    write_pem(path, cert, NULL, key);
    weak = new_client(path);
    for (size_t i = 0; i < 2; i++) {
        struct tls_pair pair;
        tls_pair_open(&pair, &lab, weak, NULL, "api.corp.test", "\x02h2");
        SSL_set_max_proto_version(pair.client.tls->ssl, versions[i]);
        pair.on_hello = demand;
        SSL_set_security_level(pair.server.tls->ssl, 0);
        tls_pair_start(&pair);
        assert_shown(&pair, cert);
        tls_pair_close(&pair);
    }
    tls_client_free(weak);
    X509_free(cert);
    EVP_PKEY_free(key);
    unlink(path);
    mem_free(path);
}

/* A session remembers who has opened it. */
static void a_session_is_not_resumed_without_the_certificate_that_opened_it(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct tls_client *with[] = { client, client, lab.client };

    for (size_t i = 0; i < 3; i++) {
        struct tls_pair pair;
        open_pair(&pair, with[i], sessions, "api.corp.test", TLS1_3_VERSION);
        if (tls_is_open(pair.server.tls))
            tls_pair_send(&pair, &pair.server, SPAN("bytes"), 1);
        assert_int_equal(SSL_session_reused(pair.client.tls->ssl), i == 1);
        assert_int_equal(tls_is_open(pair.server.tls), i != 2);
        tls_pair_close(&pair);
    }
    tls_sessions_free(sessions);
}

static void a_rule_that_makes_no_sense_is_an_error_at_the_start(void **state)
{
    (void)state;
    static const char *const rule = "*.corp.test=/nonexistent/me.p12";
    struct tls_client_options options = { .client_cert = &rule, .client_cert_count = 1 };
    struct tls_client *made;
    struct err err;

    assert_false(tls_client_new(&options, &made, &err));
    assert_string_equal(err.text, "client certificate: there is no file '/nonexistent/me.p12'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_that_asks_gets_the_one_for_its_host_and_port),
        cmocka_unit_test(an_origin_that_does_not_ask_gets_none),
        cmocka_unit_test(it_is_shown_after_the_handshake_too),
        cmocka_unit_test(it_is_shown_only_if_the_origin_takes_its_signature),
        cmocka_unit_test(a_mirrored_client_shows_it_too),
        cmocka_unit_test(a_weak_one_is_shown_as_it_is),
        cmocka_unit_test(a_session_is_not_resumed_without_the_certificate_that_opened_it),
        cmocka_unit_test(a_rule_that_makes_no_sense_is_an_error_at_the_start),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

#include "certs/client_cert.h"

#include <string.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "certs/x509.h"
#include "proxy/base/log.h"
#include "proxy/base/strbuf.h"
#include "tests/unit/certs/scratch.h"

/* --- What a person has --- */

struct owned {
    X509 *cert;
    EVP_PKEY *key;
};

static struct owned make(const char *name, int days)
{
    struct owned own = { X509_new(), x509_new_key(KEY_EC) };
    time_t now = time(NULL);

    assert_true(x509_set_random_serial(own.cert));
    assert_true(x509_set_validity(own.cert, now - 10 * 86400, now + days * 86400));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(own.cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(own.cert, X509_get_subject_name(own.cert));
    X509_set_pubkey(own.cert, own.key);
    assert_true(X509_sign(own.cert, own.key, EVP_sha256()) > 0);
    return own;
}

static void drop(struct owned *own)
{
    X509_free(own->cert);
    EVP_PKEY_free(own->key);
}

/* Adds to the scratch file name what is not NULL; a key under pass when that is not NULL. */
static void write_pem(void *const *state, const char *name, X509 *cert, EVP_PKEY *key, const char *pass)
{
    char *path = scratch_path(state, name);
    FILE *file = fopen(path, "ae");

    assert_non_null(file);
    if (key != NULL)
        assert_true(PEM_write_PKCS8PrivateKey(file, key, pass != NULL ? EVP_aes_128_cbc() : NULL, pass,
                                              pass != NULL ? (int)strlen(pass) : 0, NULL, NULL));
    if (cert != NULL)
        assert_true(PEM_write_X509(file, cert));
    fclose(file);
    mem_free(path);
}

static void write_bundle(void *const *state, const char *name, struct owned *own, X509 *issuer,
                         const char *pass, int cipher)
{
    char *path = scratch_path(state, name);
    FILE *file = fopen(path, "we");
    STACK_OF(X509) *chain = sk_X509_new_null();
    PKCS12 *bundle;

    if (issuer != NULL)
        sk_X509_push(chain, issuer);
    bundle = PKCS12_create(pass, "name", own->key, own->cert, chain, cipher, cipher, 1000, 1000, 0);
    assert_non_null(bundle);
    assert_true(i2d_PKCS12_fp(file, bundle));
    PKCS12_free(bundle);
    sk_X509_free(chain);
    fclose(file);
    mem_free(path);
}

/* --- Loading --- */

/* %D in rule stands for the scratch folder. */
static char *expand(void *const *state, const char *rule)
{
    struct strbuf text = STRBUF_EMPTY;

    for (; *rule != '\0'; rule++) {
        if (rule[0] == '%' && rule[1] == 'D') {
            strbuf_add_str(&text, *state);
            rule++;
        } else {
            strbuf_add_char(&text, *rule);
        }
    }
    return strbuf_detach(&text);
}

static bool load(void *const *state, const char *rule, const char *pass, struct client_certs **out_certs,
                 struct err *err)
{
    char *text = expand(state, rule), *pass_text = pass != NULL ? expand(state, pass) : NULL;
    bool ok = client_certs_load((const char *const *)&text, 1, pass_text, out_certs, err);

    mem_free(text);
    mem_free(pass_text);
    return ok;
}

static void loads(void *const *state, const char *rule, const char *pass, const struct owned *own,
                  int chain_len)
{
    struct client_certs *certs;
    const struct client_cert *cert;
    struct err err;

    if (!load(state, rule, pass, &certs, &err))
        fail_msg("%s: %s", rule, err.text);
    cert = client_certs_find(certs, "a.test", 443);
    assert_non_null(cert);
    assert_int_equal(X509_cmp(client_cert_x509(cert), own->cert), 0);
    assert_int_equal(EVP_PKEY_eq(client_cert_key(cert), own->key), 1);
    assert_int_equal(client_cert_chain(cert) != NULL ? sk_X509_num(client_cert_chain(cert)) : 0, chain_len);
    client_certs_free(certs);
}

/* why: how the text ends; %D as above. */
static void is_refused(void *const *state, const char *rule, const char *pass, enum err_code code,
                       const char *why)
{
    struct client_certs *certs;
    char *expected = expand(state, why);
    struct err err;

    assert_false(load(state, rule, pass, &certs, &err));
    assert_int_equal(err.code, code);
    if (!span_ends(span_of(err.text), span_of(expected)))
        fail_msg("%s", err.text);
    mem_free(expected);
}

static void pem_may_be_one_file_or_two(void **state)
{
    struct owned own = make("me", 10), issuer = make("issuer", 10);

    write_pem(state, "one.pem", own.cert, own.key, NULL);
    write_pem(state, "cert.pem", issuer.cert, NULL, NULL);
    write_pem(state, "cert.pem", own.cert, NULL, NULL);
    write_pem(state, "key.pem", NULL, own.key, NULL);
    write_pem(state, "a,b=c.pem", own.cert, own.key, NULL);
    loads(state, "%D/one.pem", NULL, &own, 0);
    loads(state, "%D/cert.pem,%D/key.pem", NULL, &own, 1);
    loads(state, "%D/one.pem,%D/key.pem", NULL, &own, 0);
    loads(state, "%D/a,b=c.pem", NULL, &own, 0);
    loads(state, "*=%D/a,b=c.pem", NULL, &own, 0);
    is_refused(state, "%D/key.pem", NULL, ERR_CERT, "key.pem' has no certificate in PEM form");
    is_refused(state, "%D/cert.pem", NULL, ERR_CERT, "/cert.pem' has no private key in PEM form");
    drop(&own);
    drop(&issuer);
}

static void a_key_must_belong_to_its_certificate(void **state)
{
    struct owned own = make("me", 10), other = make("other", 10);

    write_pem(state, "cert.pem", own.cert, NULL, NULL);
    write_pem(state, "key.pem", NULL, other.key, NULL);
    is_refused(state, "%D/cert.pem,%D/key.pem", NULL, ERR_CERT,
               "the key in '%D/key.pem' does not belong to a certificate in '%D/cert.pem'");
    drop(&own);
    drop(&other);
}

static void a_passphrase_comes_from_a_file_or_the_environment(void **state)
{
    struct owned own = make("me", 10);

    write_pem(state, "one.pem", own.cert, own.key, "open sesame");
    scratch_write(state, "pass", "open sesame\r\nsecond line");
    scratch_write(state, "wrong", "open barley");
    setenv("WEIR_TEST_PASS", "open sesame", 1);
    unsetenv("WEIR_TEST_NONE");
    loads(state, "%D/one.pem", "file:%D/pass", &own, 0);
    loads(state, "%D/one.pem", "env:WEIR_TEST_PASS", &own, 0);
    is_refused(state, "%D/one.pem", NULL, ERR_CERT,
               "/one.pem' is encrypted: give its passphrase by --client-cert-pass");
    is_refused(state, "%D/one.pem", "file:%D/wrong", ERR_CERT,
               "the passphrase given does not open '%D/one.pem'");
    is_refused(state, "%D/one.pem", "env:WEIR_TEST_NONE", ERR_USAGE,
               "there is no 'WEIR_TEST_NONE' in the environment to take the passphrase from");
    is_refused(state, "%D/one.pem", "open sesame", ERR_USAGE,
               "the passphrase of client certificates is given as file:PATH or env:NAME, never itself");
    is_refused(state, "%D/one.pem", "file:%D/none", ERR_FOUND,
               "the passphrase of client certificates: there is no file '%D/none'");
    drop(&own);
}

static void pkcs12_is_known_by_its_content(void **state)
{
    struct owned own = make("me", 10), issuer = make("issuer", 10);
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);

    setenv("WEIR_TEST_PASS", "secret", 1);
    setenv("WEIR_TEST_WRONG", "wrong", 1);
    write_bundle(state, "new.p12", &own, issuer.cert, "secret", NID_aes_256_cbc);
    if (legacy != NULL)
        write_bundle(state, "old.pfx", &own, NULL, "secret", NID_pbe_WithSHA1And40BitRC2_CBC);
    OSSL_PROVIDER_unload(legacy);
    write_bundle(state, "open", &own, NULL, "", NID_aes_256_cbc);
    loads(state, "%D/new.p12", "env:WEIR_TEST_PASS", &own, 1);
    if (legacy != NULL)
        loads(state, "%D/old.pfx", "env:WEIR_TEST_PASS", &own, 0);
    loads(state, "%D/open", NULL, &own, 0);
    is_refused(state, "%D/new.p12", "env:WEIR_TEST_WRONG", ERR_CERT,
               "the passphrase given does not open '%D/new.p12'");
    is_refused(state, "%D/new.p12", NULL, ERR_CERT, "give its passphrase by --client-cert-pass");
    is_refused(state, "%D/new.p12,%D/open", "env:WEIR_TEST_PASS", ERR_CERT,
               "new.p12' is not PEM, so no key file goes with it");
    scratch_write(state, "noise", "neither this nor that");
    is_refused(state, "%D/noise", NULL, ERR_CERT, "'%D/noise' is neither PEM nor PKCS#12");
    drop(&own);
    drop(&issuer);
}

static void damaged_and_missing_files_are_named(void **state)
{
    struct owned own = make("me", 10);

    write_pem(state, "cert.pem", own.cert, NULL, NULL);
    is_refused(state, "%D/none.pem", NULL, ERR_FOUND, "client certificate: there is no file '%D/none.pem'");
    is_refused(state, "%D/cert.pem,%D/none.key", NULL, ERR_FOUND, "there is no file '%D/none.key'");
    is_refused(state, "%D", NULL, ERR_SYS, "'%D' is not a regular file");
    is_refused(state, "", NULL, ERR_USAGE, "client certificate '' names no file");
    is_refused(state, "a.test=", NULL, ERR_USAGE, "names no file");
    is_refused(state, "a.test=x,", NULL, ERR_USAGE, "names no file");
    drop(&own);
}

static void a_damaged_certificate_is_counted(void **state)
{
    struct client_certs *certs;
    struct err err;

    scratch_write(state, "bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_false(load(state, "%D/bad.pem", NULL, &certs, &err));
    assert_int_equal(err.code, ERR_CERT);
    assert_non_null(strstr(err.text, "certificate 1 of '"));
}

/* --- Choosing --- */

static void the_first_rule_that_fits_counts(void **state)
{
    struct owned mine[4] = { make("0", 10), make("1", 10), make("2", 10), make("3", 10) };
    static const char *const hosts[4] = { "*.Corp.test:8443", "[2001:db8::*]:443", "a?.test", "api.*" };
    static const struct {
        const char *host;
        uint16_t port;
        int which; /* -1: none */
    } cases[] = {
        { "x.corp.test", 8443, 0 },   { "X.Y.CORP.test", 8443, 0 }, { "x.corp.test", 443, -1 },
        { "corp.test", 8443, -1 },    { "2001:db8::1", 443, 1 },    { "2001:db8::1", 444, -1 },
        { "api.corp.test", 8443, 0 }, { "api.corp.test", 443, 3 },  { "a?.test", 1, 2 },
        { "ab.test", 1, -1 },
    };
    char *rules[4];
    struct client_certs *certs;
    struct err err;

    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.pem", i);
        write_pem(state, name, mine[i].cert, mine[i].key, NULL);
        rules[i] = mem_printf("%s=%s/%s", hosts[i], (const char *)*state, name);
    }
    assert_true(client_certs_load((const char *const *)rules, 4, NULL, &certs, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct client_cert *cert = client_certs_find(certs, cases[i].host, cases[i].port);
        assert_int_equal(cert != NULL, cases[i].which >= 0);
        if (cert != NULL)
            assert_int_equal(X509_cmp(client_cert_x509(cert), mine[cases[i].which].cert), 0);
    }
    client_certs_free(certs);
    for (int i = 0; i < 4; i++) {
        mem_free(rules[i]);
        drop(&mine[i]);
    }
}

static void hosts_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "=x",       "a.test:=x", "a.test:0=x", "a.test:65536=x", "a.test:http=x", "[::1=x",
        "[::1]x=x", ":443=x",    "[]=x"
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        is_refused(state, wrong[i], NULL, ERR_USAGE, "before '=' stands HOSTS or HOSTS:PORT");
}

static void without_rules_there_is_none(void **state)
{
    (void)state;
    struct client_certs *certs;
    struct err err;

    assert_true(client_certs_load(NULL, 0, NULL, &certs, &err));
    assert_null(client_certs_find(certs, "a.test", 443));
    client_certs_free(certs);
    client_certs_free(NULL);
}

static struct strbuf warnings;

static void keep_warning(void *self, enum log_level level, const char *line)
{
    (void)self;
    assert_int_equal(level, LOG_LEVEL_WARN);
    strbuf_add_str(&warnings, line);
}

static void an_expired_certificate_is_taken_and_warned_of(void **state)
{
    struct owned own = make("me", -1);

    write_pem(state, "one.pem", own.cert, own.key, NULL);
    log_sink(keep_warning, NULL);
    loads(state, "%D/one.pem", NULL, &own, 0);
    log_sink(NULL, NULL);
    assert_non_null(strstr(strbuf_text(&warnings), "a client certificate has expired"));
    strbuf_clear(&warnings);
    drop(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(pem_may_be_one_file_or_two),
        SCRATCH_TEST(a_key_must_belong_to_its_certificate),
        SCRATCH_TEST(a_passphrase_comes_from_a_file_or_the_environment),
        SCRATCH_TEST(pkcs12_is_known_by_its_content),
        SCRATCH_TEST(damaged_and_missing_files_are_named),
        SCRATCH_TEST(a_damaged_certificate_is_counted),
        SCRATCH_TEST(the_first_rule_that_fits_counts),
        SCRATCH_TEST(hosts_that_are_none_are_refused),
        SCRATCH_TEST(without_rules_there_is_none),
        SCRATCH_TEST(an_expired_certificate_is_taken_and_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

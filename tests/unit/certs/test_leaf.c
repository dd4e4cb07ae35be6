#include <arpa/inet.h>

#include <openssl/x509v3.h>

#include "certs/leaf.h"
#include "tests/unit/certs/scratch.h"

#define DAY_S (24 * 3600)

static struct ca *open_ca(void *const *state, enum key_type type)
{
    struct ca *ca = NULL;
    bool is_created;
    struct err err;

    if (!ca_open(*state, type, &ca, &is_created, &err))
        fail_msg("%s", err.text);
    return ca;
}

static struct leaf *forge(const struct ca *ca, const char *host, enum key_type type)
{
    struct leaf *leaf = NULL;
    struct err err;

    if (!leaf_forge(ca, host, type, &leaf, &err))
        fail_msg("%s", err.text);
    return leaf;
}

/* What a client does: is the leaf signed by a CA it trusts, for this host, for servers? */
static int verify(const struct ca *ca, const struct leaf *leaf, const char *host)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *verification = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *rules;
    unsigned char address[16];
    bool is_ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    int result;

    assert_int_equal(X509_STORE_add_cert(store, ca_x509(ca)), 1);
    assert_int_equal(X509_STORE_CTX_init(verification, store, leaf_x509(leaf), NULL), 1);
    assert_int_equal(X509_STORE_CTX_set_default(verification, "ssl_server"), 1);
    rules = X509_STORE_CTX_get0_param(verification);
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    assert_int_equal(
        is_ip ? X509_VERIFY_PARAM_set1_ip_asc(rules, host) : X509_VERIFY_PARAM_set1_host(rules, host, 0), 1);
    X509_verify_cert(verification);
    result = X509_STORE_CTX_get_error(verification);
    X509_STORE_CTX_free(verification);
    X509_STORE_free(store);
    return result;
}

static void is_verified_for_its_name_alone(void **state)
{
    static const char *const hosts[] = {
        "api.test",  "localhost", "xn--bcher-kva.example", "_dmarc.under_score.test",
        "127.0.0.1", "::1",       "2001:db8::7",           "a.1",
        "1.2.3.4.5"
    };
    static const enum key_type types[] = { KEY_EC, KEY_RSA };

    for (size_t c = 0; c < 2; c++) {
        char *dir = mem_printf("%s/%zu", (char *)*state, c);
        void *ca_state = dir;
        struct ca *ca = open_ca(&ca_state, types[c]);
        for (size_t t = 0; t < 2; t++) {
            for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
                struct leaf *leaf = forge(ca, hosts[i], types[t]);
                assert_int_equal(verify(ca, leaf, hosts[i]), X509_V_OK);
                assert_int_equal(verify(ca, leaf, "other.test"), X509_V_ERR_HOSTNAME_MISMATCH);
                assert_int_equal(verify(ca, leaf, "10.0.0.1"), X509_V_ERR_IP_ADDRESS_MISMATCH);
                assert_string_equal(leaf_host(leaf), hosts[i]);
                assert_int_equal(leaf_key_type(leaf), types[t]);
                assert_int_equal(X509_check_private_key(leaf_x509(leaf), leaf_key(leaf)), 1);
                leaf_unref(leaf);
            }
        }
        ca_unref(ca);
        mem_free(dir);
    }
}

static void is_not_verified_by_another_ca(void **state)
{
    struct ca *ca = open_ca(state, KEY_EC);
    struct ca *other = NULL;
    struct leaf *leaf = forge(ca, "api.test", KEY_EC);
    struct err err;

    assert_true(ca_create(*state, KEY_EC, true, &other, &err));
    assert_int_not_equal(verify(other, leaf, "api.test"), X509_V_OK);
    leaf_unref(leaf);
    ca_unref(ca);
    ca_unref(other);
}

static void the_only_name_is_the_one_asked_for(void **state)
{
    struct ca *ca = open_ca(state, KEY_EC);
    struct leaf *leaf = forge(ca, "api.test", KEY_EC);
    struct leaf *by_address = forge(ca, "::1", KEY_EC);
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf_x509(leaf), NID_subject_alt_name, &critical, NULL);
    GENERAL_NAMES *addresses = X509_get_ext_d2i(leaf_x509(by_address), NID_subject_alt_name, NULL, NULL);
    char common_name[100];

    assert_int_equal(critical, 0);
    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    assert_int_equal(sk_GENERAL_NAME_value(names, 0)->type, GEN_DNS);
    X509_NAME_get_text_by_NID(X509_get_subject_name(leaf_x509(leaf)), NID_commonName, common_name,
                              sizeof common_name);
    assert_string_equal(common_name, "api.test");
    assert_int_equal(sk_GENERAL_NAME_num(addresses), 1);
    assert_int_equal(sk_GENERAL_NAME_value(addresses, 0)->type, GEN_IPADD);
    GENERAL_NAMES_free(names);
    GENERAL_NAMES_free(addresses);
    leaf_unref(leaf);
    leaf_unref(by_address);
    ca_unref(ca);
}

static void a_long_host_has_no_common_name_and_a_critical_alt_name(void **state)
{
    struct ca *ca = open_ca(state, KEY_EC);
    char host[66] = "";

    memset(host, 'a', 65);
    memcpy(host + 40, ".test.", 6);
    for (int len = 64; len <= 65; len++) {
        struct leaf *leaf;
        int critical;
        GENERAL_NAMES *names;

        host[len] = '\0';
        leaf = forge(ca, host, KEY_EC);
        names = X509_get_ext_d2i(leaf_x509(leaf), NID_subject_alt_name, &critical, NULL);
        assert_int_equal(critical, len == 65);
        assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf_x509(leaf))), len == 65 ? 0 : 1);
        assert_int_equal(verify(ca, leaf, host), X509_V_OK);
        GENERAL_NAMES_free(names);
        leaf_unref(leaf);
        host[len] = 'a';
    }
    ca_unref(ca);
}

static void has_what_browsers_ask_of_a_server_certificate(void **state)
{
    struct ca *ca = open_ca(state, KEY_EC);

    for (enum key_type type = KEY_EC; type <= KEY_RSA; type++) {
        struct leaf *leaf = forge(ca, "api.test", type);
        X509 *cert = leaf_x509(leaf);
        const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
        time_t begins = x509_time(X509_get0_notBefore(cert));
        time_t ends = x509_time(X509_get0_notAfter(cert));

        assert_int_equal(X509_get_version(cert), X509_VERSION_3);
        assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
        assert_int_equal(X509_get_key_usage(cert),
                         type == KEY_RSA ? KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT : KU_DIGITAL_SIGNATURE);
        assert_int_equal(X509_check_ca(cert), 0);
        assert_int_equal(
            ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert), X509_get0_subject_key_id(ca_x509(ca))),
            0);
        assert_null(X509_get0_authority_serial(cert));
        assert_non_null(X509_get0_subject_key_id(cert));
        assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); /* not V_ASN1_NEG_INTEGER */
        assert_true(ASN1_STRING_length(serial) > 8 && ASN1_STRING_length(serial) <= 20);
        assert_int_equal(X509_get_signature_nid(cert), NID_ecdsa_with_SHA256);
        assert_true(ends - begins + 1 <= 197 * DAY_S);
        assert_true(begins <= time(NULL) - 2 * DAY_S && begins > time(NULL) - 3 * DAY_S);
        assert_int_equal(ends, leaf_not_after(leaf));
        leaf_unref(leaf);
    }
    ca_unref(ca);
}

static void no_two_serial_numbers_are_equal_and_the_key_is_shared(void **state)
{
    struct ca *ca = open_ca(state, KEY_EC);
    struct leaf *one = forge(ca, "api.test", KEY_EC);
    struct leaf *two = forge(ca, "api.test", KEY_EC);

    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf_x509(one)), X509_get0_serialNumber(leaf_x509(two))), 0);
    assert_ptr_equal(leaf_key(one), leaf_key(two));
    leaf_unref(one);
    leaf_unref(two);
    ca_unref(ca);
}

static void what_clients_call_a_host_becomes_one_form(void **state)
{
    static const struct {
        const char *host, *normal;
    } rows[] = {
        { "API.Test", "api.test" },       { "api.test.", "api.test" },
        { "192.168.0.1", "192.168.0.1" }, { "2001:DB8:0:0::7", "2001:db8::7" },
        { "fe80::1%eth0", "fe80::1" },    { "::ffff:10.0.0.1", "::ffff:10.0.0.1" },
        { "-odd-.test", "-odd-.test" },
    };
    char host[LEAF_HOST_BYTES];
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(leaf_host_normalize(span_of(rows[i].host), host, &err));
        assert_string_equal(host, rows[i].normal);
    }
}

static void what_is_no_host_is_refused(void **state)
{
    static const struct span hosts[] = {
        { NULL, 0 },
        SPAN(""),
        SPAN("."),
        SPAN(".."),
        SPAN("api.test.."),
        SPAN(".api.test"),
        SPAN("a..b"),
        SPAN("*.api.test"),
        SPAN("*"),
        SPAN("a b"),
        SPAN("a\0.evil.test"),
        SPAN("a\n.test"),
        SPAN("a\x7f.test"),
        SPAN("b\xc3\xbc.x"),
        SPAN("a/b"),
        SPAN("[::1]"),
        SPAN("1:2"),
        SPAN("::1\0"),
        SPAN("api.test:443"),
        SPAN("user@api.test"),
        SPAN(":"),
        SPAN("::1%\0eth"),
    };
    char host[LEAF_HOST_BYTES];
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0] - 1; i++) {
        if (leaf_host_normalize(hosts[i], host, &err))
            fail_msg("row %zu became '%s'", i, host);
        assert_int_equal(err.code, ERR_CERT);
        assert_null(strchr(err.text, '\n'));
    }
    /* What stands behind the zone sign is dropped, whatever it is. */
    assert_true(leaf_host_normalize(hosts[sizeof hosts / sizeof hosts[0] - 1], host, &err));
    assert_string_equal(host, "::1");
}

static void a_host_of_253_bytes_is_the_longest(void **state)
{
    struct ca *ca = open_ca(state, KEY_EC);
    char host[256];
    char normal[LEAF_HOST_BYTES];
    struct leaf *leaf;
    struct err err;

    memset(host, 'a', sizeof host); /* one long label: no such host, and no reason to fail the handshake */
    host[254] = '\0';
    assert_false(leaf_host_normalize(span_of(host), normal, &err));
    host[253] = '.';
    assert_true(leaf_host_normalize(span_of(host), normal, &err));
    assert_int_equal(strlen(normal), 253);
    leaf = forge(ca, host, KEY_EC);
    assert_int_equal(verify(ca, leaf, normal), X509_V_OK);
    leaf_unref(leaf);
    ca_unref(ca);
}

static void a_renewed_ca_verifies_leaves_of_the_old_one_and_the_other_way_round(void **state)
{
    struct ca *old = open_ca(state, KEY_EC);
    struct leaf *old_leaf = forge(old, "api.test", KEY_EC);
    struct ca *renewed = NULL;
    struct leaf *new_leaf;
    struct err err;

    assert_true(ca_renew(*state, &renewed, &err));
    new_leaf = forge(renewed, "api.test", KEY_EC);
    assert_int_equal(verify(renewed, old_leaf, "api.test"), X509_V_OK);
    assert_int_equal(verify(old, new_leaf, "api.test"), X509_V_OK);
    leaf_unref(old_leaf);
    leaf_unref(new_leaf);
    ca_unref(old);
    ca_unref(renewed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(is_verified_for_its_name_alone),
        SCRATCH_TEST(is_not_verified_by_another_ca),
        SCRATCH_TEST(the_only_name_is_the_one_asked_for),
        SCRATCH_TEST(a_long_host_has_no_common_name_and_a_critical_alt_name),
        SCRATCH_TEST(has_what_browsers_ask_of_a_server_certificate),
        SCRATCH_TEST(no_two_serial_numbers_are_equal_and_the_key_is_shared),
        cmocka_unit_test(what_clients_call_a_host_becomes_one_form),
        cmocka_unit_test(what_is_no_host_is_refused),
        SCRATCH_TEST(a_host_of_253_bytes_is_the_longest),
        SCRATCH_TEST(a_renewed_ca_verifies_leaves_of_the_old_one_and_the_other_way_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A client is an SSL with settings of its own; what it says first is read, mirrored, and held against what a
 * connection to an origin then says first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <openssl/ct.h>
#include <openssl/x509v3.h>
#include <pthread.h>

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

/* --- Hellos --- */

struct said {
    struct strbuf bytes;
    struct hello hello;
};

static void said_read(struct said *said)
{
    static char scratch[HELLO_SCRATCH_BYTES];

    assert_int_equal(hello_read(strbuf_span(&said->bytes), scratch, &said->hello), HELLO_YES);
}

/* What a client says first after set has made its settings. */
static struct said client_says(void (*set)(SSL *ssl))
{
    struct said said = { .bytes = STRBUF_EMPTY };
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char *bytes;
    long len;

    SSL_set_bio(ssl, in, out);
    set(ssl);
    SSL_connect(ssl);
    len = BIO_get_mem_data(out, &bytes);
    strbuf_add(&said.bytes, span_make(bytes, (size_t)len));
    said_read(&said);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return said;
}

static struct said mirror_says(struct tls_mirror *mirror, char **out_facts)
{
    struct said said = { .bytes = STRBUF_EMPTY };
    struct tls_target target = { .host = "example.test", .port = 443, .mirror = mirror };
    static const struct tls_events events = { .on_open = NULL };
    struct evbuffer *out = evbuffer_new();
    struct tls *tls = tls_connect(lab.client, NULL, &target, out, &events, NULL);
    struct err err;
    size_t len;

    assert_true(tls_start(tls, &err));
    len = evbuffer_get_length(out);
    evbuffer_remove(out, strbuf_reserve(&said.bytes, len), len);
    said.bytes.len += len;
    said_read(&said);
    *out_facts = tls_facts(tls);
    tls_free(tls);
    evbuffer_free(out);
    return said;
}

static void assert_same(struct span ours, struct span wanted)
{
    assert_int_equal(ours.ptr != NULL, wanted.ptr != NULL);
    assert_int_equal(ours.len, wanted.len);
    if (wanted.len != 0)
        assert_memory_equal(ours.ptr, wanted.ptr, wanted.len);
}

static void assert_same_shares(const struct hello *ours, const struct hello *wanted)
{
    struct span rest = ours->key_shares, wanted_rest = wanted->key_shares;
    uint16_t group = 0, wanted_group = 0;

    assert_int_equal(ours->key_shares.len, wanted->key_shares.len);
    while (hello_next_share(&rest, &group)) {
        assert_true(hello_next_share(&wanted_rest, &wanted_group));
        assert_int_equal(group, wanted_group);
    }
}

static void assert_same_extensions(const struct hello *ours, const struct hello *wanted)
{
    struct span rest = wanted->extensions, body;
    uint16_t type;

    while (hello_next_extension(&rest, &type, &body))
        assert_true(type == HELLO_EXT_ALPN || hello_offers(ours, type));
    rest = ours->extensions;
    while (hello_next_extension(&rest, &type, &body))
        assert_true(type == HELLO_EXT_SERVER_NAME || hello_offers(wanted, type));
}

/* The mirror of an OpenSSL client leaves nothing out. */
static void is_mirrored_whole(void (*set)(SSL *ssl))
{
    struct said wanted = client_says(set), ours;
    struct tls_mirror *mirror = tls_mirror_get(lab.client, &wanted.hello);
    char *facts;

    assert_non_null(mirror);
    ours = mirror_says(mirror, &facts);
    assert_int_equal(ours.hello.legacy_version, wanted.hello.legacy_version);
    assert_int_equal(ours.hello.session_id.len, wanted.hello.session_id.len);
    assert_same(ours.hello.suites, wanted.hello.suites);
    assert_same(ours.hello.groups, wanted.hello.groups);
    assert_same(ours.hello.signatures, wanted.hello.signatures);
    assert_same(ours.hello.versions, wanted.hello.versions);
    assert_same(ours.hello.psk_modes, wanted.hello.psk_modes);
    assert_same_shares(&ours.hello, &wanted.hello);
    assert_same_extensions(&ours.hello, &wanted.hello);
    if (strstr(facts, "\"mirrored\":true,\"left_out\":[],\"added\":[]}") == NULL)
        fail_msg("%s", facts);
    mem_free(facts);
    strbuf_clear(&ours.bytes);
    strbuf_clear(&wanted.bytes);
    tls_mirror_unref(mirror);
}

static void set_nothing(SSL *ssl)
{
    (void)ssl;
}

static void set_odd(SSL *ssl)
{
    assert_int_equal(SSL_set_ciphersuites(ssl, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"), 1);
    assert_int_equal(SSL_set_cipher_list(ssl, "AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384:"
                                              "ECDHE-ECDSA-CHACHA20-POLY1305"),
                     1);
    assert_int_equal(SSL_set1_groups_list(ssl, "P-384:X448:X25519"), 1);
    assert_int_equal(SSL_set1_sigalgs_list(ssl, "rsa_pss_rsae_sha512:ed25519:ECDSA+SHA256:RSA+SHA256"), 1);
    SSL_set_options(ssl, SSL_OP_NO_ENCRYPT_THEN_MAC | SSL_OP_NO_TICKET | SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_clear_options(ssl, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
}

static void set_tls13_alone(SSL *ssl)
{
    SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
    SSL_set_post_handshake_auth(ssl, 1);
    SSL_set_options(ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

static int accept_logged(const CT_POLICY_EVAL_CTX *ctx, const STACK_OF(SCT) * scts, void *arg)
{
    (void)ctx;
    (void)scts;
    (void)arg;
    return 1;
}

static void set_all_extensions(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_TLSEXT_PADDING);
    SSL_set_mode(ssl, SSL_MODE_SEND_FALLBACK_SCSV);
    SSL_set_ct_validation_callback(ssl, accept_logged, NULL);
    assert_int_equal(SSL_set_cipher_list(ssl, "ECDHE-RSA-AES256-GCM-SHA384"), 1);
}

static void set_tls12(SSL *ssl)
{
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3), 0);
}

static void set_tls10(SSL *ssl)
{
    SSL_set_security_level(ssl, 0);
    SSL_set_min_proto_version(ssl, TLS1_VERSION);
    SSL_set_max_proto_version(ssl, TLS1_VERSION);
    assert_int_equal(SSL_set_cipher_list(ssl, "AES256-SHA:AES128-SHA"), 1);
}

static void set_every_version(SSL *ssl)
{
    SSL_set_security_level(ssl, 0);
    SSL_set_min_proto_version(ssl, TLS1_VERSION);
    assert_int_equal(SSL_set_cipher_list(ssl, "ALL:!aNULL:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_set1_sigalgs_list(ssl, "ECDSA+SHA1:RSA+SHA1:DSA+SHA256:RSA+SHA256:ECDSA+SHA224"), 1);
}

static void what_openssl_says_is_said_again_in_the_same_order(void **state)
{
    (void)state;

    is_mirrored_whole(set_nothing);
    is_mirrored_whole(set_odd);
    is_mirrored_whole(set_tls13_alone);
    is_mirrored_whole(set_all_extensions);
    is_mirrored_whole(set_tls12);
    is_mirrored_whole(set_tls10);
    is_mirrored_whole(set_every_version);
}

/* --- Hellos made by hand --- */

static void add_number(struct strbuf *buf, size_t value, size_t bytes)
{
    while (bytes-- != 0)
        strbuf_add_char(buf, (char)(value >> (8 * bytes)));
}

static void add_extension(struct strbuf *extensions, uint16_t type, struct span body)
{
    add_number(extensions, type, 2);
    add_number(extensions, body.len, 2);
    strbuf_add(extensions, body);
}

/* The message as out_said's bytes, without a record. extensions is cleared. */
static void make_hello(struct span suites, struct strbuf *extensions, struct said *out_said)
{
    struct strbuf *message = &out_said->bytes;

    *message = STRBUF_EMPTY;
    add_number(message, 1, 1);
    add_number(message, 2 + 32 + 1 + 32 + 2 + suites.len + 2 + 2 + extensions->len, 3);
    add_number(message, 0x0303, 2);
    strbuf_add(message, SPAN("0123456789abcdef0123456789abcdef"));
    add_number(message, 32, 1);
    strbuf_add(message, SPAN("0123456789abcdef0123456789abcdef"));
    add_number(message, suites.len, 2);
    strbuf_add(message, suites);
    add_number(message, 0x0100, 2);
    add_number(message, extensions->len, 2);
    strbuf_add(message, strbuf_span(extensions));
    strbuf_clear(extensions);
    assert_true(hello_parse(strbuf_span(message), &out_said->hello));
}

#define BROWSER_SUITES                                                                                       \
    "\x13\x01\x13\x03\x13\x02\xc0\x2b\xc0\x2f\xcc\xa9\xcc\xa8\xc0\x2c\xc0\x30\xc0\x13\xc0\x14\x00\x2f"

/* Like a browser's: grease is 0x?a, order shuffles some extensions. */
static void browser_says(char grease, bool is_shuffled, bool is_resuming, struct said *out_said)
{
    struct strbuf extensions = STRBUF_EMPTY;
    char suites[2 + sizeof BROWSER_SUITES - 1] = { grease, grease };
    char groups[] = { 0, 10, grease, grease, 0x11, (char)0xec, 0, 29, 0, 23, 0, 24 };
    char versions[] = { 6, grease, grease, 3, 4, 3, 3 };
    char shares[2 + 5 + 4 + 3 + 4 + 32] = { 0, 48, grease, grease, 0, 1, 0,  0x11, (char)0xec,
                                            0, 3,  1,      2,      3, 0, 29, 0,    32 };

    memcpy(suites + 2, BROWSER_SUITES, sizeof BROWSER_SUITES - 1);
    add_number(&extensions, (size_t)(unsigned char)grease << 8 | (unsigned char)grease, 2);
    add_number(&extensions, 0, 2);
    if (is_shuffled)
        add_extension(&extensions, 27, SPAN("\x02\x00\x02"));
    add_extension(&extensions, 10, span_make(groups, sizeof groups));
    add_extension(&extensions, 43, span_make(versions, sizeof versions));
    add_extension(&extensions, 51, span_make(shares, sizeof shares));
    add_extension(&extensions, 13, SPAN("\x00\x0a\x09\x04\x04\x03\x08\x04\x04\x01\x02\x01"));
    add_extension(&extensions, 11, SPAN("\x01\x00"));
    add_extension(&extensions, 23, SPAN(""));
    add_extension(&extensions, 35, SPAN(""));
    add_extension(&extensions, 5, SPAN("\x01\x00\x00\x00\x00"));
    add_extension(&extensions, 18, SPAN(""));
    add_extension(&extensions, 45, SPAN("\x01\x01"));
    add_extension(&extensions, 0xff01, SPAN("\x00"));
    add_extension(&extensions, 17613, SPAN("\x00\x03\x02h2"));
    add_extension(&extensions, 16, SPAN("\x00\x03\x02h2"));
    if (!is_shuffled)
        add_extension(&extensions, 27, SPAN("\x02\x00\x02"));
    if (is_resuming)
        add_extension(&extensions, 41, SPAN("whatever"));
    make_hello(span_make(suites, sizeof suites), &extensions, out_said);
}

static struct tls_mirror *browser_mirror(char grease, bool is_shuffled, bool is_resuming)
{
    struct said said;
    struct tls_mirror *mirror;

    browser_says(grease, is_shuffled, is_resuming, &said);
    mirror = tls_mirror_get(lab.client, &said.hello);
    strbuf_clear(&said.bytes);
    assert_non_null(mirror);
    return mirror;
}

static void what_openssl_does_not_know_is_left_out_and_told(void **state)
{
    (void)state;
    struct tls_mirror *mirror = browser_mirror(0x4a, false, false);
    struct said ours;
    char *facts;

    ours = mirror_says(mirror, &facts);
    assert_same(ours.hello.suites, SPAN(BROWSER_SUITES "\x00\xff"));
    assert_same(ours.hello.groups, SPAN("\x00\x1d\x00\x17\x00\x18"));
    assert_same(ours.hello.signatures, SPAN("\x04\x03\x08\x04\x04\x01\x02\x01"));
    assert_same(ours.hello.versions, SPAN("\x03\x04\x03\x03"));
    assert_true(hello_offers(&ours.hello, HELLO_EXT_SCT) &&
                hello_offers(&ours.hello, HELLO_EXT_STATUS_REQUEST));
    assert_false(hello_offers(&ours.hello, HELLO_EXT_ENCRYPT_THEN_MAC));
    assert_non_null(strstr(
        facts, "\"mirrored\":true,\"left_out\":[\"group X25519MLKEM768\",\"key share "
               "X25519MLKEM768\",\"signature algorithm mldsa44\","
               "\"extension renegotiation_info\",\"extension application_settings\","
               "\"extension compress_certificate\",\"order of extensions\",\"point formats\",\"GREASE\"],"
               "\"added\":[\"suite TLS_EMPTY_RENEGOTIATION_INFO_SCSV\"]}"));
    mem_free(facts);
    strbuf_clear(&ours.bytes);
    tls_mirror_unref(mirror);
}

static void what_passes_makes_no_other_mirror(void **state)
{
    (void)state;
    struct tls_mirror *first = browser_mirror(0x1a, false, false);
    struct tls_mirror *others[] = { browser_mirror((char)0xea, false, false),
                                    browser_mirror(0x1a, true, false), browser_mirror(0x1a, false, true) };
    struct said other = client_says(set_odd);
    struct tls_mirror *stranger = tls_mirror_get(lab.client, &other.hello);

    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(others[i], first);
        tls_mirror_unref(others[i]);
    }
    assert_int_not_equal(tls_mirror_id(first), 0);
    assert_int_not_equal(tls_mirror_id(first), tls_mirror_id(stranger));
    assert_int_equal(tls_mirror_id(NULL), 0);
    tls_mirror_unref(first);
    tls_mirror_unref(stranger);
    strbuf_clear(&other.bytes);
}

/* A mirror of client_suites with nothing else, and what is said under it. */
static char *facts_of_suites(struct span suites, struct said *out_ours)
{
    struct strbuf extensions = STRBUF_EMPTY;
    struct tls_mirror *mirror;
    struct said said;
    char *facts;

    make_hello(suites, &extensions, &said);
    mirror = tls_mirror_get(lab.client, &said.hello);
    *out_ours = mirror_says(mirror, &facts);
    tls_mirror_unref(mirror);
    strbuf_clear(&said.bytes);
    return facts;
}

static void an_offer_of_which_nothing_is_known_leaves_the_defaults(void **state)
{
    (void)state;
    struct said ours, defaults;
    char *facts = facts_of_suites(SPAN("\xfe\xfe\x0a\x0a"), &ours);

    assert_non_null(strstr(facts, "\"mirrored\":false,\"left_out\":[\"everything\"]"));
    mem_free(facts);
    defaults = mirror_says(NULL, &facts);
    assert_null(strstr(facts, "mirrored"));
    assert_same(ours.hello.suites, defaults.hello.suites);
    mem_free(facts);
    strbuf_clear(&ours.bytes);
    strbuf_clear(&defaults.bytes);
}

/* With an anonymous suite an origin would show no certificate at all. */
static void suites_that_verify_nobody_are_never_offered(void **state)
{
    (void)state;
    struct said ours;
    char *facts = facts_of_suites(SPAN("\x00\x34\xc0\x18\x00\x3b\xc0\x2f\xc0\x2f"), &ours);

    assert_same(ours.hello.suites, SPAN("\xc0\x2f\x00\xff"));
    assert_non_null(strstr(facts, "\"left_out\":[\"suite TLS_DH_anon_WITH_AES_128_CBC_SHA\""));
    mem_free(facts);
    strbuf_clear(&ours.bytes);
}

static void an_offer_that_is_too_long_is_not_mirrored(void **state)
{
    (void)state;
    struct strbuf extensions = STRBUF_EMPTY;
    char *suites = mem_zalloc(4000);
    struct said said;

    make_hello(span_make(suites, 4000), &extensions, &said);
    assert_null(tls_mirror_get(lab.client, &said.hello));
    strbuf_clear(&said.bytes);
    for (uint16_t type = 0x100; type < 0x200; type++)
        add_extension(&extensions, type, SPAN(""));
    make_hello(SPAN("\xc0\x2f"), &extensions, &said);
    assert_null(tls_mirror_get(lab.client, &said.hello));
    strbuf_clear(&said.bytes);
    mem_free(suites);
}

static void the_least_recently_used_go_first(void **state)
{
    (void)state;
    struct tls_client_options options = { .insecure = true };
    struct tls_client *client;
    struct said said;
    uint64_t first = 0, second = 0;
    struct err err;

    assert_true(tls_client_new(&options, &client, &err));
    for (unsigned i = 0; i <= 64; i++) {
        /* Before each: the first is used again. */
        for (unsigned round = 0; round < 2; round++) {
            struct strbuf extensions = STRBUF_EMPTY;
            char suites[4] = { (char)0xc0, 0x2f, 0x7f, (char)(round == 0 ? 0 : i) };
            struct tls_mirror *mirror;
            make_hello(span_make(suites, 4), &extensions, &said);
            mirror = tls_mirror_get(client, &said.hello);
            if (round == 0)
                assert_true(i == 0 || tls_mirror_id(mirror) == first);
            first = round == 0 ? tls_mirror_id(mirror) : first;
            second = i == 1 ? tls_mirror_id(mirror) : second;
            tls_mirror_unref(mirror);
            strbuf_clear(&said.bytes);
        }
    }
    struct strbuf extensions = STRBUF_EMPTY;
    make_hello(SPAN("\xc0\x2f\x7f\x01"), &extensions, &said);
    struct tls_mirror *again = tls_mirror_get(client, &said.hello);
    assert_int_not_equal(tls_mirror_id(again), second);
    strbuf_clear(&said.bytes);
    tls_client_free(client);
    tls_mirror_unref(again); /* may outlive its client */
}

/* --- Handshakes --- */

/* A pair whose client mirrors what set says. */
static void open_mirrored(struct tls_pair *pair, struct tls_sessions *sessions, void (*set)(SSL *ssl))
{
    struct said said = client_says(set);
    struct tls_mirror *mirror = tls_mirror_get(lab.client, &said.hello);
    struct tls_target target = { .host = "example.test", .port = 443, .mirror = mirror };

    tls_pair_open_target(pair, &lab, lab.client, sessions, &target);
    tls_mirror_unref(mirror);
    strbuf_clear(&said.bytes);
}

static void old_origins_are_reached_as_without_weir(void **state)
{
    (void)state;
    struct tls_pair pair;

    open_mirrored(&pair, NULL, set_tls10);
    leaf_unref(pair.leaf);
    assert_true(leaf_forge(lab.ca, "example.test", KEY_RSA, &pair.leaf, &pair.client.err));
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls) && tls_is_verified(pair.client.tls));
    assert_string_equal(SSL_get_version(pair.client.tls->ssl), "TLSv1");
    assert_string_equal(SSL_get_cipher(pair.client.tls->ssl), "AES256-SHA");
    tls_pair_close(&pair);
}

static void an_older_version_is_agreed_on_only_when_it_was_offered(void **state)
{
    (void)state;
    static void (*const offers[])(SSL *) = { set_every_version, set_odd };

    for (size_t i = 0; i < 2; i++) {
        struct tls_pair pair;
        open_mirrored(&pair, NULL, offers[i]);
        SSL_set_max_proto_version(pair.server.tls->ssl, TLS1_1_VERSION);
        tls_pair_start(&pair);
        assert_int_equal(tls_is_open(pair.client.tls), i == 0);
        tls_pair_close(&pair);
    }
}

static void a_mirror_verifies_as_strictly_as_the_defaults(void **state)
{
    (void)state;
    struct said said = client_says(set_nothing);
    struct tls_client_options options = { .insecure = false };
    struct tls_client *stranger;
    struct tls_target target = { .host = "example.test", .port = 443 };
    struct tls_mirror *mirror;
    struct tls_pair pair;
    struct err err;

    assert_true(tls_client_new(&options, &stranger, &err));
    target.mirror = mirror = tls_mirror_get(stranger, &said.hello);
    tls_pair_open_target(&pair, &lab, stranger, NULL, &target);
    /* The level is what keys and digests of certificates are held against. */
    assert_int_equal(SSL_get_security_level(pair.client.tls->ssl), SSL_CTX_get_security_level(stranger->ctx));
    tls_pair_start(&pair);
    assert_int_equal(pair.client.err.code, ERR_CERT);
    tls_pair_close(&pair);
    tls_mirror_unref(mirror);
    tls_client_free(stranger);
    strbuf_clear(&said.bytes);
}

static bool is_resumed(struct tls_sessions *sessions, void (*set)(SSL *ssl))
{
    struct tls_pair pair;
    bool was_resumed;

    open_mirrored(&pair, sessions, set);
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls));
    tls_pair_send(&pair, &pair.server, SPAN("bytes"), 1);
    was_resumed = SSL_session_reused(pair.client.tls->ssl) == 1;
    tls_pair_close(&pair);
    return was_resumed;
}

static void a_session_is_resumed_under_its_own_mirror_alone(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_new();

    assert_false(is_resumed(sessions, set_nothing));
    assert_true(is_resumed(sessions, set_nothing));
    assert_false(is_resumed(sessions, set_tls13_alone));
    assert_true(is_resumed(sessions, set_nothing));
    tls_sessions_free(sessions);
}

/* --- Threads --- */

static void *get_many(void *arg)
{
    struct tls_client *client = arg;
    static void (*const sets[])(SSL *) = { set_nothing, set_odd, set_tls12, set_tls13_alone };
    uint64_t sum = 0;

    for (size_t i = 0; i < 40; i++) {
        struct said said = { .bytes = STRBUF_EMPTY };
        struct tls_mirror *mirror;
        said = client_says(sets[i % 4]);
        mirror = tls_mirror_get(client, &said.hello);
        sum += i < 4 ? tls_mirror_id(mirror) : 0;
        tls_mirror_unref(mirror);
        strbuf_clear(&said.bytes);
    }
    return (void *)(uintptr_t)sum;
}

static void workers_share_the_mirrors(void **state)
{
    (void)state;
    struct tls_client_options options = { .insecure = true };
    struct tls_client *client;
    pthread_t threads[4];
    void *sums[4];
    struct err err;

    assert_true(tls_client_new(&options, &client, &err));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_many, client), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &sums[i]), 0);
        assert_ptr_equal(sums[i], sums[0]);
    }
    tls_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_openssl_says_is_said_again_in_the_same_order),
        cmocka_unit_test(what_openssl_does_not_know_is_left_out_and_told),
        cmocka_unit_test(what_passes_makes_no_other_mirror),
        cmocka_unit_test(an_offer_of_which_nothing_is_known_leaves_the_defaults),
        cmocka_unit_test(suites_that_verify_nobody_are_never_offered),
        cmocka_unit_test(an_offer_that_is_too_long_is_not_mirrored),
        cmocka_unit_test(the_least_recently_used_go_first),
        cmocka_unit_test(old_origins_are_reached_as_without_weir),
        cmocka_unit_test(an_older_version_is_agreed_on_only_when_it_was_offered),
        cmocka_unit_test(a_mirror_verifies_as_strictly_as_the_defaults),
        cmocka_unit_test(a_session_is_resumed_under_its_own_mirror_alone),
        cmocka_unit_test(workers_share_the_mirrors),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

/* How two engines come to shake hands, or do not. Settings that the engine has no need to offer (an older
 * version, a demand for a client certificate) are made on its SSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "certs/leaf.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
#include "tests/support/tls_pair.h"

#define ALPN "\x02h2\x08http/1.1"

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

static void open_pair(struct tls_pair *pair)
{
    tls_pair_open(pair, &lab, lab.client, NULL, "example.test", ALPN);
}

static void shake(int version, size_t step)
{
    struct tls_pair pair;
    char *facts;

    open_pair(&pair);
    pair.alpn = "http/1.1";
    pair.step = step;
    SSL_set_max_proto_version(pair.client.tls->ssl, version);
    assert_false(tls_is_open(pair.client.tls));
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls));
    assert_true(tls_is_open(pair.server.tls));
    assert_int_equal(pair.client.open_count, 1);
    assert_int_equal(pair.server.open_count, 1);
    assert_int_equal(pair.server.hello_count, 1);
    assert_string_equal(pair.sni, "example.test");
    assert_true(span_eq(tls_alpn(pair.client.tls), SPAN("http/1.1")));
    assert_true(span_eq(tls_alpn(pair.server.tls), SPAN("http/1.1")));
    assert_true(tls_is_verified(pair.client.tls));
    assert_false(tls_is_verified(pair.server.tls));
    facts = tls_facts(pair.client.tls);
    assert_non_null(strstr(facts, version == TLS1_3_VERSION ? "\"TLSv1.3\"" : "\"TLSv1.2\""));
    mem_free(facts);
    tls_pair_send(&pair, &pair.client, SPAN("ping"), 1);
    tls_pair_send(&pair, &pair.server, SPAN("pong"), 1);
    assert_string_equal(strbuf_text(&pair.server.plain), "ping");
    assert_string_equal(strbuf_text(&pair.client.plain), "pong");
    tls_pair_close(&pair);
}

static void both_versions_shake_hands_whole_or_bytewise(void **state)
{
    (void)state;
    shake(TLS1_3_VERSION, SIZE_MAX);
    shake(TLS1_3_VERSION, 1);
    shake(TLS1_2_VERSION, SIZE_MAX);
    shake(TLS1_2_VERSION, 1);
}

static void clients_of_1999_are_served(void **state)
{
    (void)state;
    struct tls_pair pair;

    open_pair(&pair);
    SSL_set_security_level(pair.client.tls->ssl, 0);
    SSL_set_min_proto_version(pair.client.tls->ssl, TLS1_VERSION);
    SSL_set_max_proto_version(pair.client.tls->ssl, TLS1_VERSION);
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.server.tls));
    assert_string_equal(SSL_get_version(pair.server.tls->ssl), "TLSv1");
    tls_pair_close(&pair);
}

static void a_client_that_does_not_trust_the_ca_says_so(void **state)
{
    (void)state;
    struct tls_client_options options = { .upstream_ca = NULL };
    struct tls_client *stranger;
    struct tls_pair pair;
    struct err err;

    assert_true(tls_client_new(&options, &stranger, &err));
    tls_pair_open(&pair, &lab, stranger, NULL, "example.test", ALPN);
    tls_pair_start(&pair);
    assert_true(pair.client.has_failed && pair.server.has_failed);
    assert_int_equal(pair.client.err.code, ERR_CERT);
    assert_int_equal(pair.server.err.code, ERR_TLS);
    assert_int_equal(tls_alert_received(pair.server.tls), 48);
    assert_int_equal(tls_alert_received(pair.client.tls), 0);
    assert_string_equal(pair.server.err.text, "the client ended TLS with the alert 'unknown ca' (48)");
    assert_false(tls_feed(pair.client.tls, SPAN("more"), &err));
    tls_pair_close(&pair);
    tls_client_free(stranger);
}

static void a_hello_may_wait_for_its_leaf(size_t step)
{
    struct tls_pair pair;

    open_pair(&pair);
    pair.answer = TLS_WAIT;
    pair.step = step;
    tls_pair_start(&pair);
    assert_int_equal(pair.server.hello_count, 1);
    assert_int_equal(evbuffer_get_length(pair.server.out), 0);
    /* Something more from the client has to wait too. */
    assert_true(tls_feed(pair.server.tls, SPAN("\x14\x03\x03\x00\x01\x01"), &pair.server.err));
    tls_set_leaf(pair.server.tls, pair.leaf);
    tls_set_alpn(pair.server.tls, SPAN("h2"));
    assert_true(tls_go(pair.server.tls, &pair.server.err));
    tls_pair_run(&pair);
    assert_true(tls_is_open(pair.client.tls) && tls_is_open(pair.server.tls));
    assert_int_equal(pair.server.hello_count, 1);
    assert_true(span_eq(tls_alpn(pair.client.tls), SPAN("h2")));
    tls_pair_close(&pair);
}

static void waiting_then_going_ends_in_a_handshake(void **state)
{
    (void)state;
    a_hello_may_wait_for_its_leaf(SIZE_MAX);
    a_hello_may_wait_for_its_leaf(1);
}

static void freeing_while_waiting_is_fine(void **state)
{
    (void)state;
    struct tls_pair pair;

    open_pair(&pair);
    pair.answer = TLS_WAIT;
    tls_pair_start(&pair);
    tls_pair_close(&pair);
}

static void without_a_leaf_the_handshake_is_refused(void **state)
{
    (void)state;
    struct tls_pair pair;

    open_pair(&pair);
    leaf_unref(pair.leaf);
    pair.leaf = NULL;
    tls_pair_start(&pair);
    assert_string_equal(pair.server.err.text, "there is no certificate to show to the client");
    assert_int_equal(tls_alert_received(pair.client.tls), 80);
    tls_pair_close(&pair);
}

static void demand_other_group(struct tls_pair *pair)
{
    SSL_set1_groups_list(pair->server.tls->ssl, "P-384");
}

static void a_second_hello_is_not_told_again(void **state)
{
    (void)state;
    struct tls_pair pair;

    open_pair(&pair);
    pair.on_hello = demand_other_group;
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.server.tls));
    assert_int_equal(pair.server.hello_count, 1);
    tls_pair_close(&pair);
}

static void no_protocol_is_agreed_on_unless_chosen_and_offered(void **state)
{
    (void)state;
    static const char *const chosen[] = { NULL, "http/1.0", "http/1" };

    for (size_t i = 0; i < 3; i++) {
        struct tls_pair pair;
        open_pair(&pair);
        pair.alpn = chosen[i];
        tls_pair_start(&pair);
        assert_true(tls_is_open(pair.server.tls));
        assert_int_equal(tls_alpn(pair.client.tls).len, 0);
        tls_pair_close(&pair);
    }
}

/* The client offers offered (as on the wire), the server chooses chosen, at once or after it has waited; what
 * both then say was agreed on is expected, "" being nothing. */
static void agree(const char *offered, const char *chosen, enum tls_answer answer, int version,
                  const char *expected)
{
    struct tls_pair pair;

    tls_pair_open(&pair, &lab, lab.client, NULL, "example.test", offered);
    SSL_set_max_proto_version(pair.client.tls->ssl, version);
    pair.alpn = chosen;
    pair.answer = answer;
    tls_pair_start(&pair);
    if (answer == TLS_WAIT) {
        tls_set_leaf(pair.server.tls, pair.leaf);
        tls_set_alpn(pair.server.tls, SPAN("replaced"));
        tls_set_alpn(pair.server.tls, span_of(chosen));
        assert_true(tls_go(pair.server.tls, &pair.server.err));
        tls_pair_run(&pair);
    }
    assert_true(tls_is_open(pair.client.tls) && tls_is_open(pair.server.tls));
    assert_true(span_eq(tls_alpn(pair.client.tls), span_of(expected)));
    assert_true(span_eq(tls_alpn(pair.server.tls), span_of(expected)));
    tls_pair_close(&pair);
}

static void a_protocol_is_agreed_on_only_from_what_was_offered(void **state)
{
    (void)state;
    static const enum tls_answer answers[] = { TLS_GO, TLS_WAIT };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < 4; i++) {
        enum tls_answer answer = answers[i % 2];
        int version = versions[i / 2];
        agree("\x02h2", "h2", answer, version, "h2");
        agree("\x02h2", "http/1.1", answer, version, "");
        agree("\x08http/1.1", "h2", answer, version, "");
        agree("\x08http/1.1\x02h2", "h2", answer, version, "h2");
        agree("\x03h2c\x02h3", "h2", answer, version, "");
        agree("", "h2", answer, version, "");
    }
}

static void demand_certificate(struct tls_pair *pair)
{
    SSL_set_verify(pair->server.tls->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void an_origin_that_wants_a_client_certificate_is_noted(void **state)
{
    (void)state;
    struct tls_pair pair;
    char *facts;

    open_pair(&pair);
    pair.on_hello = demand_certificate;
    tls_pair_start(&pair);
    assert_true(tls_cert_requested(pair.client.tls));
    assert_int_equal(pair.client.open_count, 1); /* TLS 1.3: the refusal comes afterwards */
    assert_true(pair.client.has_failed);
    assert_int_equal(tls_alert_received(pair.client.tls), 116);
    assert_string_equal(pair.client.err.text,
                        "the origin ended TLS with the alert 'certificate required' (116)");
    facts = tls_facts(pair.client.tls);
    assert_non_null(strstr(facts, "\"cert_requested\":true"));
    mem_free(facts);
    tls_pair_close(&pair);
}

/* Some servers say that they do not know the name, and go on (RFC 6066 §3). */
static void an_alert_that_ends_nothing_is_not_told(void **state)
{
    (void)state;
    struct tls_pair pair;

    open_pair(&pair);
    assert_true(tls_start(pair.client.tls, &pair.client.err));
    assert_true(tls_feed(pair.client.tls, SPAN("\x15\x03\x03\x00\x02\x01\x70"), &pair.client.err));
    tls_pair_run(&pair);
    assert_true(tls_is_open(pair.client.tls));
    assert_int_equal(tls_alert_received(pair.client.tls), 0);
    tls_pair_close(&pair);
}

static void plain_http_is_told_from_tls(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct err err;

    open_pair(&pair);
    assert_true(tls_start(pair.client.tls, &err));
    assert_false(tls_feed(pair.client.tls, SPAN("HTTP/1.1 400 Bad Request\r\n\r\n"), &err));
    assert_int_equal(err.code, ERR_TLS);
    assert_string_equal(err.text, "what the origin sends is not TLS");
    tls_pair_close(&pair);
}

/* The client's own engine gives up when it is refused, so what it sends is carried by hand. */
static void renegotiation_is_refused_without_harm(void **state)
{
    (void)state;
    struct tls_pair pair;
    char wire[1024];
    SSL *client;
    int len;

    open_pair(&pair);
    client = pair.client.tls->ssl;
    SSL_set_max_proto_version(client, TLS1_2_VERSION);
    SSL_clear_options(client, SSL_OP_NO_RENEGOTIATION);
    tls_pair_start(&pair);
    assert_int_equal(SSL_renegotiate(client), 1);
    assert_int_equal(SSL_do_handshake(client), -1);
    len = evbuffer_remove(pair.client.out, wire, sizeof wire);
    assert_true(len > 0);
    assert_true(tls_feed(pair.server.tls, span_make(wire, (size_t)len), &pair.server.err));
    assert_true(tls_is_open(pair.server.tls));
    assert_int_equal(pair.server.hello_count, 1);
    assert_in_range(evbuffer_get_length(pair.server.out), 1, 64); /* an alert and nothing else */
    tls_pair_close(&pair);
}

static void a_client_without_ecdsa_is_served_with_an_rsa_leaf(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct err err;
    char *facts;

    open_pair(&pair);
    leaf_unref(pair.leaf);
    assert_true(leaf_forge(lab.ca, "example.test", KEY_RSA, &pair.leaf, &err));
    SSL_set_max_proto_version(pair.client.tls->ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(pair.client.tls->ssl, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.server.tls) && tls_is_verified(pair.client.tls));
    facts = tls_facts(pair.server.tls);
    assert_non_null(strstr(facts, "\"leaf_key\":\"rsa\""));
    assert_non_null(strstr(facts, "\"cipher\":\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\""));
    mem_free(facts);
    tls_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_shake_hands_whole_or_bytewise),
        cmocka_unit_test(clients_of_1999_are_served),
        cmocka_unit_test(a_client_that_does_not_trust_the_ca_says_so),
        cmocka_unit_test(waiting_then_going_ends_in_a_handshake),
        cmocka_unit_test(freeing_while_waiting_is_fine),
        cmocka_unit_test(without_a_leaf_the_handshake_is_refused),
        cmocka_unit_test(a_second_hello_is_not_told_again),
        cmocka_unit_test(no_protocol_is_agreed_on_unless_chosen_and_offered),
        cmocka_unit_test(a_protocol_is_agreed_on_only_from_what_was_offered),
        cmocka_unit_test(an_origin_that_wants_a_client_certificate_is_noted),
        cmocka_unit_test(an_alert_that_ends_nothing_is_not_told),
        cmocka_unit_test(plain_http_is_told_from_tls),
        cmocka_unit_test(renegotiation_is_refused_without_harm),
        cmocka_unit_test(a_client_without_ecdsa_is_served_with_an_rsa_leaf),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "certs/ca.h"
#include "certs/leaf.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
#include "proxy/tls/tls_sessions.h"
#include "tests/support/tls_pair.h"

#define ALPN "\x08http/1.1"

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

/* One whole connection; whether it was resumed. */
static bool is_resumed(struct tls_client *client, struct tls_sessions *sessions, const char *host,
                       int version, bool expect_verified)
{
    struct tls_pair pair;
    bool was_resumed;
    char *facts;

    tls_pair_open(&pair, &lab, client, sessions, host, ALPN);
    SSL_set_max_proto_version(pair.client.tls->ssl, version);
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls) && tls_is_open(pair.server.tls));
    assert_int_equal(tls_is_verified(pair.client.tls), expect_verified);
    was_resumed = SSL_session_reused(pair.client.tls->ssl) == 1;
    assert_int_equal(SSL_session_reused(pair.server.tls->ssl) == 1, was_resumed);
    facts = tls_facts(pair.client.tls);
    assert_int_equal(strstr(facts, "\"resumed\":true") != NULL, was_resumed);
    assert_int_equal(strstr(facts, "\"why\":\"certificate of") != NULL, !expect_verified);
    assert_non_null(strstr(facts, "\"fingerprint_sha256\":"));
    mem_free(facts);
    tls_pair_send(&pair, &pair.server, SPAN("bytes"), 1);
    assert_string_equal(strbuf_text(&pair.client.plain), "bytes");
    tls_pair_close(&pair);
    return was_resumed;
}

static void the_next_connection_to_an_origin_is_resumed(void **state)
{
    (void)state;
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

    for (size_t i = 0; i < 2; i++) {
        struct tls_sessions *sessions = tls_sessions_new();
        assert_false(is_resumed(lab.client, sessions, "a.test", versions[i], true));
        assert_true(is_resumed(lab.client, sessions, "a.test", versions[i], true));
        assert_true(is_resumed(lab.client, sessions, "a.test", versions[i], true));
        assert_false(is_resumed(lab.client, sessions, "b.test", versions[i], true));
        assert_false(is_resumed(lab.client, NULL, "a.test", versions[i], true));
        tls_sessions_free(sessions);
    }
}

static void a_session_of_tls_13_is_used_once(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_new();
    struct tls_pair first, second;

    assert_false(is_resumed(lab.client, sessions, "a.test", TLS1_3_VERSION, true));
    tls_pair_open(&first, &lab, lab.client, sessions, "a.test", ALPN);
    tls_pair_open(&second, &lab, lab.client, sessions, "a.test", ALPN);
    tls_pair_start(&first);
    tls_pair_start(&second);
    assert_true(SSL_session_reused(first.client.tls->ssl));
    assert_false(SSL_session_reused(second.client.tls->ssl));
    tls_pair_close(&first);
    tls_pair_close(&second);
    tls_sessions_free(sessions);
}

/* A browser that sends A's ticket to B must be shown B's leaf, not be waved through as if B were A. */
static void the_ticket_of_a_host_is_worth_nothing_at_another(void **state)
{
    (void)state;
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

    for (size_t i = 0; i < 2; i++) {
        struct tls_pair a, b;
        SSL_SESSION *session;
        tls_pair_open(&a, &lab, lab.client, NULL, "a.test", ALPN);
        SSL_set_max_proto_version(a.client.tls->ssl, versions[i]);
        tls_pair_start(&a);
        tls_pair_send(&a, &a.server, SPAN("bytes"), 1);
        session = SSL_get1_session(a.client.tls->ssl);
        assert_true(SSL_SESSION_has_ticket(session) && SSL_SESSION_is_resumable(session));

        tls_pair_open(&b, &lab, lab.client, NULL, "b.test", ALPN);
        SSL_set_max_proto_version(b.client.tls->ssl, versions[i]);
        assert_int_equal(SSL_set_session(b.client.tls->ssl, session), 1);
        tls_pair_start(&b);
        assert_true(tls_is_open(b.client.tls) && tls_is_open(b.server.tls));
        assert_false(SSL_session_reused(b.client.tls->ssl));
        assert_int_equal(X509_check_host(SSL_get0_peer_certificate(b.client.tls->ssl), "b.test", 0, 0, NULL),
                         1);
        tls_pair_close(&b);
        tls_pair_close(&a);
        SSL_SESSION_free(session);
    }
}

static void a_session_that_was_not_verified_is_not_used_where_it_must_be(void **state)
{
    (void)state;
    struct tls_client_options careless_options = { .insecure = true };
    struct tls_client_options strict_options = { .upstream_ca = ca_cert_path(lab.ca) };
    struct tls_sessions *sessions = tls_sessions_new();
    struct tls_client *careless, *strict;
    struct err err;

    assert_true(tls_client_new(&careless_options, &careless, &err));
    assert_true(tls_client_new(&strict_options, &strict, &err));
    assert_false(is_resumed(careless, sessions, "a.test", TLS1_3_VERSION, false));
    assert_true(is_resumed(careless, sessions, "a.test", TLS1_3_VERSION, false));
    assert_false(is_resumed(strict, sessions, "a.test", TLS1_3_VERSION, true));
    assert_true(is_resumed(strict, sessions, "a.test", TLS1_3_VERSION, true));
    tls_client_free(careless);
    tls_client_free(strict);
    tls_sessions_free(sessions);
}

static void a_connection_that_failed_leaves_no_session(void **state)
{
    (void)state;
    struct tls_client_options options = { .insecure = false };
    struct tls_sessions *sessions = tls_sessions_new();
    struct tls_client *stranger;
    struct tls_pair pair;
    struct err err;

    assert_true(tls_client_new(&options, &stranger, &err));
    for (int i = 0; i < 2; i++) {
        tls_pair_open(&pair, &lab, stranger, sessions, "a.test", ALPN);
        SSL_set_max_proto_version(pair.client.tls->ssl, TLS1_2_VERSION);
        tls_pair_start(&pair);
        assert_int_equal(pair.client.err.code, ERR_CERT);
        tls_pair_close(&pair);
    }
    tls_client_free(stranger);
    tls_sessions_free(sessions);
}

static SSL_SESSION *new_session(int version)
{
    SSL_SESSION *session = SSL_SESSION_new();
    static const unsigned char id[1] = { 1 };

    assert_int_equal(SSL_SESSION_set_protocol_version(session, version), 1);
    assert_int_equal(SSL_SESSION_set1_id(session, id, sizeof id), 1); /* else not resumable */
    return session;
}

static bool has_session(struct tls_sessions *sessions, struct span key)
{
    char *why = NULL;
    SSL_SESSION *session = tls_sessions_detach_session(sessions, key, &why);

    SSL_SESSION_free(session);
    mem_free(why);
    return session != NULL;
}

static void the_least_recently_used_are_dropped(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_new();
    char key[16];

    for (unsigned i = 0; i < 129; i++) {
        snprintf(key, sizeof key, "host%u", i);
        tls_sessions_take_session(sessions, span_of(key), new_session(TLS1_2_VERSION), "why");
        assert_true(has_session(sessions, SPAN("host0")));
    }
    assert_true(has_session(sessions, SPAN("host128")));
    assert_true(has_session(sessions, SPAN("host2")));
    assert_false(has_session(sessions, SPAN("host1")));
    tls_sessions_free(sessions);
}

static void a_target_has_few_sessions_and_gives_the_newest_first(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_new();
    SSL_SESSION *newest = NULL;
    char *why;
    unsigned count = 0;

    for (int i = 0; i < 20; i++) {
        newest = new_session(TLS1_3_VERSION);
        tls_sessions_take_session(sessions, SPAN("key"), newest, i == 19 ? "newest" : NULL);
    }
    assert_ptr_equal(tls_sessions_detach_session(sessions, SPAN("key"), &why), newest);
    assert_string_equal(why, "newest");
    mem_free(why);
    SSL_SESSION_free(newest);
    while (has_session(sessions, SPAN("key")))
        count++;
    assert_int_equal(count, 3);
    tls_sessions_free(sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_connection_to_an_origin_is_resumed),
        cmocka_unit_test(a_session_of_tls_13_is_used_once),
        cmocka_unit_test(the_ticket_of_a_host_is_worth_nothing_at_another),
        cmocka_unit_test(a_session_that_was_not_verified_is_not_used_where_it_must_be),
        cmocka_unit_test(a_connection_that_failed_leaves_no_session),
        cmocka_unit_test(the_least_recently_used_are_dropped),
        cmocka_unit_test(a_target_has_few_sessions_and_gives_the_newest_first),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

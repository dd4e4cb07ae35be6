#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void the_facts_are_those_of_the_connection(void **state)
{
    (void)state;
    struct tls_pair pair;
    char *facts, *expected;

    open_pair(&pair);
    pair.alpn = "h2";
    tls_pair_start(&pair);
    facts = tls_facts(pair.server.tls);
    expected = mem_printf("{\"version\":\"TLSv1.3\",\"cipher\":\"TLS_AES_256_GCM_SHA384\","
                          "\"group\":\"x25519\",\"alpn\":\"h2\",\"resumed\":false,\"sni\":\"example.test\","
                          "\"leaf_key\":\"ec\",\"offered\":{\"version\":\"TLSv1.3\","
                          "\"alpn\":[\"h2\",\"http/1.1\"],\"ja3\":\"%s\",\"ja4\":\"%s\"}}",
                          pair.server.tls->ja3, pair.server.tls->ja4);
    assert_string_equal(facts, expected);
    assert_int_equal(strlen(pair.server.tls->ja3), 32);
    assert_int_equal(strncmp(pair.server.tls->ja4, "t13d", 4), 0);
    mem_free(expected);
    mem_free(facts);
    facts = tls_facts(pair.client.tls);
    assert_non_null(strstr(facts, "\"sni\":\"example.test\",\"fingerprint_sha256\":\""));
    assert_non_null(strstr(facts, "\"san\":[\"example.test\"],\"verified\":true}"));
    assert_non_null(strstr(facts, "\"not_after\":\"20"));
    assert_null(strstr(facts, "\"why\""));
    mem_free(facts);
    tls_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_facts_are_those_of_the_connection),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

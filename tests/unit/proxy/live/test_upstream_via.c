/* Connections to an origin through a proxy that is a plain socket on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/live/pool.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"
#include "tests/support/tls_pair.h"

struct fixture {
    struct live_shared shared;
    struct live live;
    struct upstream *upstream; /* opened last */
    struct via *via;
    uint16_t port;
    int listening, proxy; /* proxy: accepted, -1: not */
    volatile int opens, failures, spoke;
    int status;
    bool is_own;
    char error[256];
};

static struct tls_lab lab;
static const struct upstream_user user;

static void on_open(void *self, struct upstream *upstream)
{
    struct fixture *f = self;

    f->opens++;
    upstream_set_user(upstream, &user, f); /* goes on listening */
}

static void on_failed(void *self, int status, bool is_own, const char *error)
{
    struct fixture *f = self;

    f->failures++;
    f->status = status;
    f->is_own = is_own;
    f->upstream = NULL;
    snprintf(f->error, sizeof f->error, "%s", error);
}

static void on_spoke(void *self, struct upstream *upstream)
{
    struct fixture *f = self;

    assert_ptr_equal(upstream, f->upstream);
    f->spoke++;
}

static const struct upstream_user user = { on_open, on_failed, on_spoke };

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct address address;
    struct err err;

    assert_true(access_init(&f->shared.access, NULL, &err));
    f->shared.limits = H1_LIMITS_DEFAULT;
    f->shared.tls_client = lab.client;
    f->live.shared = &f->shared;
    f->live.loop = loop_new();
    f->live.resolver = resolver_new(f->live.loop);
    f->live.pool = pool_new();
    f->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->proxy = -1;
    assert_true(address_parse("127.0.0.1", 0, &address));
    assert_int_equal(bind(f->listening, (struct sockaddr *)&address.sa, address.len), 0);
    assert_int_equal(listen(f->listening, 8), 0);
    assert_int_equal(getsockname(f->listening, (struct sockaddr *)&address.sa, &address.len), 0);
    f->port = address_port(&address);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fast_time(1);
    upstream_close(f->upstream);
    pool_free(f->live.pool);
    resolver_free(f->live.resolver);
    loop_free(f->live.loop);
    access_clear(&f->shared.access);
    via_free(f->via);
    if (f->proxy >= 0)
        close(f->proxy);
    close(f->listening);
    free(f);
    return 0;
}

/* Dials host:443 for somebody with that reach, to speak no TLS, through a proxy of that kind. */
static void dial(struct fixture *f, const char *kind, const char *host, enum reach reach)
{
    char rule[64];
    const char *rules[] = { rule };
    struct target target = { .port = 443 };
    struct upstream_key key;
    struct err err;

    snprintf(rule, sizeof rule, "%s://127.0.0.1:%u", kind, f->port);
    assert_true(via_new(rules, 1, &f->via, &err));
    strcpy(target.host, host);
    upstream_key_make(&key, &target, "", SPAN_NONE);
    key.reach = (uint8_t)reach;
    upstream_key_set_hop(&key, via_find(f->via, &target));
    f->upstream = upstream_open(&f->live, &key, true, &user, f);
    assert_int_equal(f->opens + f->failures, 0); /* never from inside */
}

static void say(const struct fixture *f, const char *text)
{
    assert_int_equal(send(f->proxy, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void proxy_is_asked(struct fixture *f, const char *bytes, size_t count)
{
    char got[512];
    size_t len = 0;
    ssize_t n;

    for (unsigned turns = 0; len < count; turns++) {
        assert_true(turns < 100000 && f->failures == 0);
        loop_for(f->live.loop, 200);
        if (f->proxy < 0)
            f->proxy = accept4(f->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        n = f->proxy < 0 ? -1 : recv(f->proxy, got + len, sizeof got - len, 0);
        assert_true(n != 0);
        if (n > 0)
            len += (size_t)n;
    }
    assert_int_equal(len, count);
    assert_memory_equal(got, bytes, count);
}

#define IS_ASKED(f, text) proxy_is_asked(f, text, sizeof(text) - 1)

static void nobody_was_asked(const struct fixture *f)
{
    assert_int_equal(accept4(f->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), -1);
}

static void name_of(const struct fixture *f, const char *kind, char out[64])
{
    snprintf(out, 64, "'%s://127.0.0.1:%u'", kind, f->port);
}

/* --- the tunnel ----------------------------------------------------------------------------------------- */

static void what_the_origin_says_with_the_proxys_answer_is_the_origins(void **state)
{
    struct fixture *f = *state;

    dial(f, "http", "origin.test", REACH_ALL);
    IS_ASKED(f, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n");
    say(f, "HTTP/1.1 200 Yes\r\n\r\n220 ready");
    assert_true(loop_until(f->live.loop, &f->spoke));
    assert_int_equal(f->opens, 1);
    assert_int_equal(f->upstream->phase, UPSTREAM_TCP);
    assert_string_equal(strbuf_text(&f->upstream->link.held), "220 ready");
}

static void a_proxy_that_does_not_answer_is_a_504(void **state)
{
    struct fixture *f = *state;
    uint64_t start_us;
    char name[64];

    dial(f, "http", "origin.test", REACH_ALL);
    IS_ASKED(f, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n");
    start_us = loop_now_us(f->live.loop);
    say(f, "HTTP/1.1 200 Y");
    fast_time(1000);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 504);
    assert_true(loop_now_us(f->live.loop) - start_us >= HANDSHAKE_US / 2);
    name_of(f, "http", name);
    assert_non_null(strstr(f->error, name));
}

static void a_handshake_with_the_proxy_that_never_ends_is_a_504(void **state)
{
    struct fixture *f = *state;
    char name[64];

    dial(f, "https", "origin.test", REACH_ALL);
    while (f->upstream->phase != UPSTREAM_VIA)
        loop_turn(f->live.loop);
    fast_time(1000);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 504);
    name_of(f, "https", name);
    assert_non_null(strstr(f->error, name));
    assert_non_null(strstr(f->error, "TLS handshake"));
}

static void a_proxy_that_ends_is_a_502(void **state)
{
    struct fixture *f = *state;

    dial(f, "socks5h", "origin.test", REACH_ALL);
    IS_ASKED(f, "\5\1\0");
    shutdown(f->proxy, SHUT_WR);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 502);
    assert_non_null(strstr(f->error, "without an answer"));
}

static void a_proxy_that_takes_addresses_gets_one_of_ipv4(void **state)
{
    struct fixture *f = *state;

    dial(f, "socks4", "localhost", REACH_ALL);
    IS_ASKED(f, "\4\1\1\xbb\x7f\0\0\1\0");
}

static void one_that_is_closed_while_the_proxy_is_asked_tells_nobody(void **state)
{
    struct fixture *f = *state;

    dial(f, "socks5h", "origin.test", REACH_ALL);
    IS_ASKED(f, "\5\1\0");
    upstream_close(f->upstream);
    f->upstream = NULL;
    loop_for(f->live.loop, 5000);
    assert_int_equal(f->opens + f->failures, 0);
}

/* --- who may go where ----------------------------------------------------------------------------------- */

static void own(struct fixture *f, const char *text, uint16_t port)
{
    struct address address;

    assert_true(address_parse(text, port, &address));
    access_add_own(&f->shared.access, &address);
}

static void a_proxy_that_is_weir_is_a_508(void **state)
{
    struct fixture *f = *state;
    char name[64];

    own(f, "127.0.0.1", f->port);
    dial(f, "http", "origin.test", REACH_ALL);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 508);
    assert_false(f->is_own); /* what was asked for is not weir */
    name_of(f, "http", name);
    assert_non_null(strstr(f->error, name));
    nobody_was_asked(f);
}

static void weir_itself_is_not_asked_for_at_a_proxy(void **state)
{
    struct fixture *f = *state;

    own(f, "127.0.0.2", 443);
    dial(f, "http", "127.0.0.2", REACH_ALL);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_true(f->is_own);
    nobody_was_asked(f);
}

static void a_client_from_elsewhere_reaches_the_proxy_on_this_machine(void **state)
{
    struct fixture *f = *state;

    dial(f, "http", "192.0.2.1", REACH_PUBLIC);
    IS_ASKED(f, "CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n");
}

static void it_reaches_nothing_by_the_proxy_that_it_may_not_reach_without(void **state)
{
    struct fixture *f = *state;
    static const char *const hosts[] = { "127.0.0.1", "localhost", "10.0.0.1", "169.254.1.1", "::1" };

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        f->failures = 0;
        via_free(f->via);
        dial(f, "socks5h", hosts[i], REACH_PUBLIC);
        assert_true(loop_until(f->live.loop, &f->failures));
        assert_int_equal(f->status, 403);
        assert_non_null(strstr(f->error, "--allow-private"));
        nobody_was_asked(f);
    }
}

/* No name servers answer here: loopback's port 1 refuses at once. */
static void a_name_that_is_unknown_here_is_for_clients_of_the_network_alone(void **state)
{
    struct fixture *f = *state;

    resolver_set_sources(f->live.resolver, "127.0.0.1:1", "/dev/null");
    dial(f, "http", "intranet.test", REACH_PUBLIC);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 403);
    nobody_was_asked(f);
    f->failures = 0;
    via_free(f->via);
    dial(f, "http", "intranet.test", REACH_PRIVATE);
    IS_ASKED(f, "CONNECT intranet.test:443 HTTP/1.1\r\nHost: intranet.test:443\r\n\r\n");
}

static void a_name_without_an_address_is_a_502_where_an_address_is_wanted(void **state)
{
    struct fixture *f = *state;

    resolver_set_sources(f->live.resolver, "127.0.0.1:1", "/dev/null");
    dial(f, "socks5", "intranet.test", REACH_ALL);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 502);
    assert_non_null(strstr(f->error, "intranet.test"));
    nobody_was_asked(f);
}

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_the_origin_says_with_the_proxys_answer_is_the_origins),
        TEST(a_proxy_that_does_not_answer_is_a_504),
        TEST(a_handshake_with_the_proxy_that_never_ends_is_a_504),
        TEST(a_proxy_that_ends_is_a_502),
        TEST(a_proxy_that_takes_addresses_gets_one_of_ipv4),
        TEST(one_that_is_closed_while_the_proxy_is_asked_tells_nobody),
        TEST(a_proxy_that_is_weir_is_a_508),
        TEST(weir_itself_is_not_asked_for_at_a_proxy),
        TEST(a_client_from_elsewhere_reaches_the_proxy_on_this_machine),
        TEST(it_reaches_nothing_by_the_proxy_that_it_may_not_reach_without),
        TEST(a_name_that_is_unknown_here_is_for_clients_of_the_network_alone),
        TEST(a_name_without_an_address_is_a_502_where_an_address_is_wanted),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

/* Connections to an origin that is a plain socket on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/live/pool.h"
#include "tests/support/bare_exchange.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"
#include "tests/support/tls_pair.h"

struct fixture {
    struct live_shared shared;
    struct live live;
    struct upstream_key key;
    struct upstream *upstream; /* opened last */
    int listening, origin;     /* origin: accepted, -1: not */
    volatile int opens, failures, spoke;
    int status;
    bool is_own;
    char error[256];
};

static struct tls_lab lab;

static void on_open(void *self, struct upstream *upstream)
{
    struct fixture *f = self;

    assert_ptr_equal(upstream, f->upstream);
    f->opens++;
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
    struct target target = { .host = "127.0.0.1" };
    struct address address;
    struct err err;

    assert_true(access_init(&f->shared.access, NULL, &err));
    f->shared.limits = H1_LIMITS_DEFAULT;
    f->shared.tls_client = lab.client;
    f->live.shared = &f->shared;
    f->live.loop = loop_new();
    f->live.resolver = resolver_new(f->live.loop);
    f->live.pool = pool_new();
    f->live.tls_sessions = tls_sessions_new();
    f->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->origin = -1;
    assert_true(address_parse("127.0.0.1", 0, &address));
    assert_int_equal(bind(f->listening, (struct sockaddr *)&address.sa, address.len), 0);
    assert_int_equal(listen(f->listening, 8), 0);
    assert_int_equal(getsockname(f->listening, (struct sockaddr *)&address.sa, &address.len), 0);
    target.port = address_port(&address);
    upstream_key_make(&f->key, &target, "", SPAN_NONE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fast_time(1);
    pool_free(f->live.pool);
    resolver_free(f->live.resolver);
    loop_free(f->live.loop);
    tls_sessions_free(f->live.tls_sessions);
    access_clear(&f->shared.access);
    if (f->origin >= 0)
        close(f->origin);
    close(f->listening);
    free(f);
    return 0;
}

static void use_tls(struct fixture *f)
{
    struct target target = f->key.target;

    target.is_tls = true;
    upstream_key_make(&f->key, &target, "example.test", SPAN_NONE);
}

static void dial(struct fixture *f, bool stops_at_tcp)
{
    f->upstream = upstream_open(&f->live, &f->key, stops_at_tcp, &user, f);
    assert_int_equal(f->opens + f->failures, 0); /* never from inside */
}

static void take_connection(struct fixture *f)
{
    f->origin = accept4(f->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(f->origin >= 0);
}

static void open_one(struct fixture *f)
{
    dial(f, false);
    assert_true(loop_until(f->live.loop, &f->opens));
    take_connection(f);
    f->opens = 0;
}

static void open_into_pool(struct fixture *f)
{
    open_one(f);
    assert_true(upstream_release(f->upstream, true, false));
    assert_true(f->upstream->is_pooled);
}

static void say(const struct fixture *f, const char *text)
{
    assert_int_equal(send(f->origin, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Until the origin has got an end, or all of text. */
static void origin_hears(struct fixture *f, const char *text)
{
    char got[512] = "";
    size_t len = 0;
    ssize_t n;

    for (unsigned turns = 0; len < strlen(text) + 1; turns++) {
        n = recv(f->origin, got + len, sizeof got - 1 - len, 0);
        if (n > 0)
            len += (size_t)n;
        if (n == 0 || (text[0] != '\0' && len == strlen(text)))
            break;
        assert_true(n > 0 || errno == EAGAIN);
        assert_true(turns < 100000);
        loop_for(f->live.loop, 200);
    }
    assert_string_equal(got, text);
}

static void origin_hears_the_end(struct fixture *f)
{
    origin_hears(f, "");
}

/* --- opening -------------------------------------------------------------------------------------------- */

static void a_plain_connection_opens(void **state)
{
    struct fixture *f = *state;

    open_one(f);
    assert_int_equal(f->upstream->phase, UPSTREAM_OPEN);
    assert_true(strncmp(f->upstream->address, "127.0.0.1:", 10) == 0);
    upstream_close(f->upstream);
    origin_hears_the_end(f);
}

static void an_origin_that_is_not_there_is_a_502(void **state)
{
    struct fixture *f = *state;

    shutdown(f->listening, SHUT_RDWR);
    dial(f, false);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 502);
    assert_false(f->is_own);
    assert_non_null(strstr(f->error, "refused"));
}

static void an_own_address_is_not_dialled(void **state)
{
    struct fixture *f = *state;
    struct address own;

    assert_true(address_parse("127.0.0.1", f->key.target.port, &own));
    access_add_own(&f->shared.access, &own);
    dial(f, false);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_true(f->is_own);
    assert_int_equal(accept4(f->listening, NULL, NULL, SOCK_NONBLOCK), -1);
}

static void one_that_is_closed_while_it_dials_tells_nobody(void **state)
{
    struct fixture *f = *state;

    dial(f, false);
    upstream_close(f->upstream);
    upstream_close(f->upstream);
    loop_for(f->live.loop, 5000);
    assert_int_equal(f->opens + f->failures, 0);
}

static void a_handshake_that_never_ends_is_a_504(void **state)
{
    struct fixture *f = *state;
    uint64_t start_us;

    use_tls(f);
    dial(f, false);
    while (f->upstream->phase != UPSTREAM_TLS)
        loop_turn(f->live.loop);
    start_us = loop_now_us(f->live.loop);
    fast_time(1000);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 504);
    assert_true(loop_now_us(f->live.loop) - start_us >= HANDSHAKE_US);
    assert_non_null(strstr(f->error, "TLS handshake"));
    assert_int_equal(f->opens, 0);
}

static void an_origin_that_closes_during_the_handshake_is_a_502(void **state)
{
    struct fixture *f = *state;

    use_tls(f);
    dial(f, false);
    while (f->upstream->phase != UPSTREAM_TLS)
        loop_turn(f->live.loop);
    take_connection(f);
    shutdown(f->origin, SHUT_WR);
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 502);
    assert_non_null(strstr(f->error, "closed the connection during the TLS handshake"));
}

static void an_origin_that_does_not_speak_tls_is_a_502(void **state)
{
    struct fixture *f = *state;

    use_tls(f);
    dial(f, false);
    while (f->upstream->phase != UPSTREAM_TLS)
        loop_turn(f->live.loop);
    take_connection(f);
    say(f, "HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_true(loop_until(f->live.loop, &f->failures));
    assert_int_equal(f->status, 502);
}

static void one_that_stops_at_tcp_hears_the_origin_first(void **state)
{
    struct fixture *f = *state;

    dial(f, true);
    assert_true(loop_until(f->live.loop, &f->opens));
    assert_int_equal(f->upstream->phase, UPSTREAM_TCP);
    upstream_set_user(f->upstream, &user, f);
    take_connection(f);
    say(f, "220 ready");
    assert_true(loop_until(f->live.loop, &f->spoke));
    assert_string_equal(strbuf_text(&f->upstream->link.held), "220 ready"); /* for whoever takes over */
    upstream_close(f->upstream);
    origin_hears_the_end(f);
}

static void one_that_stopped_at_tcp_goes_on_when_adopted(void **state)
{
    struct fixture *f = *state;

    dial(f, true);
    assert_true(loop_until(f->live.loop, &f->opens));
    f->opens = 0;
    upstream_adopt(f->upstream, &f->key, &user, f);
    assert_int_equal(f->opens, 0);
    assert_true(loop_until(f->live.loop, &f->opens));
    assert_int_equal(f->upstream->phase, UPSTREAM_OPEN);
    upstream_close(f->upstream);
}

/* --- idle ----------------------------------------------------------------------------------------------- */

static void an_idle_one_is_found_by_its_key(void **state)
{
    struct fixture *f = *state;

    open_into_pool(f);
    assert_ptr_equal(pool_take(f->live.pool, &f->key), f->upstream);
    upstream_close(f->upstream);
}

static void an_idle_one_leaves_when_the_origin_closes(void **state)
{
    struct fixture *f = *state;

    open_into_pool(f);
    shutdown(f->origin, SHUT_WR);
    origin_hears_the_end(f);
    assert_null(pool_take(f->live.pool, &f->key));
    assert_int_equal(f->failures, 0);
}

static void an_idle_one_leaves_when_the_origin_resets(void **state)
{
    struct fixture *f = *state;
    struct linger at_once = { 1, 0 };

    open_into_pool(f);
    setsockopt(f->origin, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(f->origin);
    f->origin = -1;
    loop_for(f->live.loop, 5000);
    assert_null(pool_take(f->live.pool, &f->key));
}

static void an_idle_one_that_gets_unasked_bytes_is_closed(void **state)
{
    struct fixture *f = *state;

    open_into_pool(f);
    say(f, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    origin_hears_the_end(f);
    assert_null(pool_take(f->live.pool, &f->key));
}

static void an_idle_one_is_closed_after_a_minute(void **state)
{
    struct fixture *f = *state;
    uint64_t start_us;

    open_into_pool(f);
    start_us = loop_now_us(f->live.loop);
    fast_time(1000);
    origin_hears_the_end(f);
    assert_true(loop_now_us(f->live.loop) - start_us >= UPSTREAM_IDLE_US);
    assert_null(pool_take(f->live.pool, &f->key));
}

static void one_that_may_not_be_used_again_is_closed(void **state)
{
    struct fixture *f = *state;

    open_one(f);
    assert_false(upstream_release(f->upstream, false, false));
    origin_hears_the_end(f);
    assert_null(pool_take(f->live.pool, &f->key));
}

static void one_that_belongs_to_its_client_is_not_pooled(void **state)
{
    struct fixture *f = *state;

    open_one(f);
    assert_true(upstream_release(f->upstream, true, true));
    assert_false(f->upstream->is_pooled);
    assert_null(pool_take(f->live.pool, &f->key));
    upstream_close(f->upstream);
}

static void nothing_is_pooled_while_draining(void **state)
{
    struct fixture *f = *state;

    open_one(f);
    f->live.is_draining = true;
    assert_false(upstream_release(f->upstream, true, false));
    origin_hears_the_end(f);
}

/* --- at work -------------------------------------------------------------------------------------------- */

/* A request without a body on the upstream connection, as the origin gets it. */
static struct bare_exchange *run(struct fixture *f)
{
    struct bare_exchange *bare;
    void *state;

    bare_exchange_setup(&state);
    bare = state;
    bare_exchange_begin(bare, "GET");
    bare->exchange->request_head->framing.kind = BODY_NONE;
    upstream_run(f->upstream, bare->exchange, false);
    exchange_request_end(bare->exchange, NULL);
    exchange_settle(bare->exchange);
    origin_hears(f, "GET / HTTP/1.1\r\n\r\n");
    return bare;
}

static void forget(struct bare_exchange *bare)
{
    void *state = bare;

    bare_exchange_teardown(&state);
}

static void until_over(struct fixture *f, const struct bare_exchange *bare)
{
    for (unsigned turns = 0; bare->overs == 0; turns++) {
        assert_true(turns < 100000);
        loop_for(f->live.loop, 200);
    }
}

static void a_connection_is_used_again_after_a_whole_answer(void **state)
{
    struct fixture *f = *state;
    struct bare_exchange *bare;

    open_one(f);
    for (unsigned i = 0; i < 2; i++) {
        bare = run(f);
        say(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        until_over(f, bare);
        assert_int_equal(bare->end, EXCHANGE_COMPLETE);
        assert_string_equal(strbuf_text(&bare->client.body), "ok");
        assert_true(upstream_release(f->upstream, true, false));
        assert_ptr_equal(pool_take(f->live.pool, &f->key), f->upstream);
        forget(bare);
    }
    upstream_close(f->upstream);
}

static void more_than_the_answer_makes_it_useless(void **state)
{
    struct fixture *f = *state;
    struct bare_exchange *bare;

    open_one(f);
    bare = run(f);
    say(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n");
    until_over(f, bare);
    assert_int_equal(bare->end, EXCHANGE_COMPLETE);
    assert_string_equal(strbuf_text(&bare->client.body), "ok");
    assert_false(upstream_release(f->upstream, true, false));
    forget(bare);
}

static void a_malformed_answer_is_a_502(void **state)
{
    struct fixture *f = *state;
    struct bare_exchange *bare;

    open_one(f);
    bare = run(f);
    say(f, "what is this?\r\n\r\n");
    until_over(f, bare);
    assert_int_equal(bare->client.status, 502);
    assert_non_null(strstr(bare->error, "the origin's answer is malformed"));
    forget(bare);
    origin_hears_the_end(f);
}

static void an_answer_that_is_cut_is_a_cut(void **state)
{
    struct fixture *f = *state;
    struct bare_exchange *bare;

    open_one(f);
    bare = run(f);
    say(f, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok");
    shutdown(f->origin, SHUT_WR);
    until_over(f, bare);
    assert_int_equal(bare->client.cuts, 1);
    assert_int_equal(bare->client.how, CUT_CLOSE);
    assert_string_equal(strbuf_text(&bare->client.body), "ok"); /* what came is passed on */
    assert_string_equal(bare->error, "the origin closed the connection in the middle of its answer");
    forget(bare);
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
        TEST(a_plain_connection_opens),
        TEST(an_origin_that_is_not_there_is_a_502),
        TEST(an_own_address_is_not_dialled),
        TEST(one_that_is_closed_while_it_dials_tells_nobody),
        TEST(a_handshake_that_never_ends_is_a_504),
        TEST(an_origin_that_closes_during_the_handshake_is_a_502),
        TEST(an_origin_that_does_not_speak_tls_is_a_502),
        TEST(one_that_stops_at_tcp_hears_the_origin_first),
        TEST(one_that_stopped_at_tcp_goes_on_when_adopted),
        TEST(an_idle_one_is_found_by_its_key),
        TEST(an_idle_one_leaves_when_the_origin_closes),
        TEST(an_idle_one_leaves_when_the_origin_resets),
        TEST(an_idle_one_that_gets_unasked_bytes_is_closed),
        TEST(an_idle_one_is_closed_after_a_minute),
        TEST(one_that_may_not_be_used_again_is_closed),
        TEST(one_that_belongs_to_its_client_is_not_pooled),
        TEST(nothing_is_pooled_while_draining),
        TEST(a_connection_is_used_again_after_a_whole_answer),
        TEST(more_than_the_answer_makes_it_useless),
        TEST(a_malformed_answer_is_a_502),
        TEST(an_answer_that_is_cut_is_a_cut),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

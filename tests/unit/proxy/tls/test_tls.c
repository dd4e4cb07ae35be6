/* How bytes move once two engines have shaken hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <openssl/err.h>

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

static void start_open_pair(struct tls_pair *pair)
{
    open_pair(pair);
    tls_pair_start(pair);
    assert_true(tls_is_open(pair->client.tls));
    assert_true(tls_is_open(pair->server.tls));
}

static char *pattern(size_t len)
{
    char *bytes = mem_alloc(len + 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    return bytes;
}

static void bytes_of_any_number_arrive(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 2, 100, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 100000 };
    static const size_t steps[] = { SIZE_MAX, 1000, 1 };
    struct tls_pair pair;
    char *bytes = pattern(100000);

    start_open_pair(&pair);
    for (size_t i = 0; i < 3 * (sizeof sizes / sizeof sizes[0]); i++) {
        struct span sent = span_make(bytes, sizes[i / 3]);
        pair.step = steps[i % 3];
        tls_pair_send(&pair, &pair.client, sent, 1 + i % 5);
        assert_true(span_eq(strbuf_span(&pair.server.plain), sent));
        tls_pair_send(&pair, &pair.server, sent, 1 + i % 7);
        assert_true(span_eq(strbuf_span(&pair.client.plain), sent));
        strbuf_reset(&pair.server.plain);
        strbuf_reset(&pair.client.plain);
    }
    tls_pair_close(&pair);
    mem_free(bytes);
}

/* More than is told at once, in records of which no whole number fills that. */
static void a_record_may_be_told_in_two_parts(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct evbuffer *plain = evbuffer_new();
    char *bytes = pattern(70000);

    start_open_pair(&pair);
    for (size_t at = 0; at < 70000; at += 10000) {
        evbuffer_add(plain, bytes + at, 10000);
        assert_true(tls_write(pair.client.tls, plain, &pair.client.err));
    }
    tls_pair_run(&pair);
    assert_true(span_eq(strbuf_span(&pair.server.plain), span_make(bytes, 70000)));
    evbuffer_free(plain);
    tls_pair_close(&pair);
    mem_free(bytes);
}

/* How many records lie in out, and how long the longest is. */
static unsigned count_records(struct evbuffer *out, size_t *out_longest)
{
    const unsigned char *bytes = evbuffer_pullup(out, -1);
    size_t len = evbuffer_get_length(out);
    unsigned count = 0;

    *out_longest = 0;
    for (size_t at = 0; at < len; count++) {
        size_t record = (size_t)bytes[at + 3] << 8 | bytes[at + 4];
        *out_longest = record > *out_longest ? record : *out_longest;
        at += 5 + record;
    }
    return count;
}

static void records_are_as_large_as_the_bytes_at_hand_allow(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct evbuffer *plain = evbuffer_new(), *body = evbuffer_new();
    char *bytes = pattern(100000);
    size_t longest;

    start_open_pair(&pair);
    evbuffer_add(plain, "head", 4);
    evbuffer_add_reference(body, bytes, 1000, NULL, NULL);
    evbuffer_add_buffer(plain, body);
    assert_true(tls_write(pair.server.tls, plain, &pair.server.err));
    assert_int_equal(count_records(pair.server.out, &longest), 1);
    tls_pair_run(&pair);

    evbuffer_add(plain, "head", 4);
    evbuffer_add_reference(body, bytes, 100000, NULL, NULL);
    evbuffer_add_buffer(plain, body);
    assert_true(tls_write(pair.server.tls, plain, &pair.server.err));
    assert_true(count_records(pair.server.out, &longest) <= 100004 / 16384 + 2);
    assert_in_range(longest, 16384, 16384 + 256);
    tls_pair_run(&pair);
    assert_int_equal(pair.client.plain.len, 1004 + 100004);
    evbuffer_free(plain);
    evbuffer_free(body);
    tls_pair_close(&pair);
    mem_free(bytes);
}

static void pause_it(struct tls_end *end, struct span bytes)
{
    (void)bytes;
    tls_pause(end->tls);
}

static void pause_holds_bytes_until_unpause(size_t step)
{
    struct tls_pair pair;
    char *bytes = pattern(300000);
    size_t before = SIZE_MAX;

    start_open_pair(&pair);
    pair.step = step;
    pair.server.on_plain = pause_it;
    tls_pair_send(&pair, &pair.client, span_make(bytes, 300000), 1);
    assert_in_range(pair.server.plain.len, 1, 65536);
    while (pair.server.plain.len != before) {
        before = pair.server.plain.len;
        assert_true(tls_unpause(pair.server.tls, &pair.server.err));
    }
    assert_true(span_eq(strbuf_span(&pair.server.plain), span_make(bytes, 300000)));
    assert_int_equal(pair.server.tls->kept.len, 0);
    tls_pair_close(&pair);
    mem_free(bytes);
}

static void a_paused_side_gets_the_rest_piece_by_piece(void **state)
{
    (void)state;
    pause_holds_bytes_until_unpause(SIZE_MAX);
    pause_holds_bytes_until_unpause(777);
}

static void unpause_inside(struct tls_end *end, struct span bytes)
{
    (void)bytes;
    tls_pause(end->tls);
    assert_true(tls_unpause(end->tls, &end->err));
}

static void unpausing_inside_on_plain_is_no_pause(void **state)
{
    (void)state;
    struct tls_pair pair;
    char *bytes = pattern(200000);

    start_open_pair(&pair);
    pair.client.on_plain = unpause_inside;
    tls_pair_send(&pair, &pair.server, span_make(bytes, 200000), 3);
    assert_true(span_eq(strbuf_span(&pair.client.plain), span_make(bytes, 200000)));
    tls_pair_close(&pair);
    mem_free(bytes);
}

static void each_side_ends_its_own_half(void **state)
{
    (void)state;
    struct tls_pair pair;

    start_open_pair(&pair);
    tls_pair_send(&pair, &pair.client, SPAN("last words"), 1);
    tls_close_notify(pair.client.tls);
    tls_close_notify(pair.client.tls);
    evbuffer_add(pair.client.out, "noise right behind", 18);
    tls_pair_run(&pair);
    assert_int_equal(pair.server.tls->kept.len, 0);
    assert_int_equal(pair.server.close_count, 1);
    assert_true(tls_was_closed(pair.server.tls));
    assert_false(tls_was_closed(pair.client.tls));
    tls_pair_send(&pair, &pair.server, SPAN("still here"), 1);
    assert_string_equal(strbuf_text(&pair.client.plain), "still here");
    assert_true(tls_feed(pair.server.tls, SPAN("noise long after"), &pair.server.err));
    assert_string_equal(strbuf_text(&pair.server.plain), "last words");
    tls_close_notify(pair.server.tls);
    tls_pair_run(&pair);
    assert_int_equal(pair.client.close_count, 1);
    tls_pair_close(&pair);
}

static void a_cut_is_no_close(void **state)
{
    (void)state;
    struct tls_pair pair;

    start_open_pair(&pair);
    tls_pair_send(&pair, &pair.server, SPAN("half a"), 1);
    assert_false(tls_was_closed(pair.client.tls));
    assert_int_equal(pair.client.close_count, 0);
    tls_pair_close(&pair);
}

static void leave_an_error(void)
{
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
}

static void hello_leaves_an_error(struct tls_pair *pair)
{
    (void)pair;
    leave_an_error();
}

static void plain_leaves_an_error(struct tls_end *end, struct span bytes)
{
    (void)end;
    (void)bytes;
    leave_an_error();
}

/* OpenSSL's queue of errors is the thread's: what others leave in it is not ours. */
static void errors_that_others_leave_behind_do_no_harm(void **state)
{
    (void)state;
    struct tls_pair pair;
    char *bytes = pattern(100000);

    open_pair(&pair);
    pair.on_hello = hello_leaves_an_error;
    pair.server.on_plain = plain_leaves_an_error;
    pair.answer = TLS_WAIT;
    leave_an_error();
    tls_pair_start(&pair);
    assert_false(pair.server.has_failed);
    tls_set_leaf(pair.server.tls, pair.leaf);
    leave_an_error();
    assert_true(tls_go(pair.server.tls, &pair.server.err));
    leave_an_error();
    tls_pair_run(&pair);
    assert_true(tls_is_open(pair.server.tls));
    for (int i = 0; i < 3; i++)
        tls_pair_send(&pair, &pair.client, span_make(bytes, 100000), 1);
    assert_int_equal(pair.server.plain.len, 300000);
    tls_pair_close(&pair);
    ERR_clear_error();
    mem_free(bytes);
}

static void a_damaged_record_ends_tls_after_what_came_before_it(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct evbuffer *plain = evbuffer_new();
    char wire[200];
    size_t len;
    struct err err;

    start_open_pair(&pair);
    evbuffer_add(plain, "good", 4);
    assert_true(tls_write(pair.client.tls, plain, &err));
    evbuffer_add(plain, "bad", 3);
    assert_true(tls_write(pair.client.tls, plain, &err));
    len = (size_t)evbuffer_remove(pair.client.out, wire, sizeof wire);
    wire[len - 1] ^= 1;
    assert_false(tls_feed(pair.server.tls, span_make(wire, len), &err));
    assert_int_equal(err.code, ERR_TLS);
    assert_string_equal(strbuf_text(&pair.server.plain), "good");
    assert_false(tls_is_open(pair.server.tls));
    tls_pair_run(&pair);
    assert_int_equal(tls_alert_received(pair.client.tls), 20);
    evbuffer_add(plain, "more", 4);
    assert_false(tls_write(pair.server.tls, plain, &err));
    evbuffer_free(plain);
    tls_pair_close(&pair);
}

static void writing_before_the_handshake_is_done_keeps_the_bytes(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct evbuffer *plain = evbuffer_new();
    struct err err;

    open_pair(&pair);
    evbuffer_add(plain, "early", 5);
    assert_false(tls_write(pair.client.tls, plain, &err));
    assert_int_equal(err.code, ERR_TLS);
    assert_int_equal(evbuffer_get_length(plain), 5);
    evbuffer_free(plain);
    tls_pair_close(&pair);
}

static void keys_may_be_changed_on_the_way(void **state)
{
    (void)state;
    struct tls_pair pair;

    start_open_pair(&pair);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(pair.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        tls_pair_send(&pair, &pair.client, SPAN("a"), 1);
        tls_pair_send(&pair, &pair.server, SPAN("b"), 1);
    }
    assert_string_equal(strbuf_text(&pair.server.plain), "aaa");
    assert_string_equal(strbuf_text(&pair.client.plain), "bbb");
    tls_pair_close(&pair);
}

static struct tls_pair *inner_pair;

static void feed_inner_server(struct tls_end *end, struct span bytes)
{
    (void)end;
    assert_true(tls_feed(inner_pair->server.tls, bytes, &inner_pair->server.err));
}

static void feed_inner_client(struct tls_end *end, struct span bytes)
{
    (void)end;
    assert_true(tls_feed(inner_pair->client.tls, bytes, &inner_pair->client.err));
}

/* Carries the inner connection's ciphertext as the outer one's plaintext. */
static void run_nested(struct tls_pair *outer, struct tls_pair *inner)
{
    while (evbuffer_get_length(inner->client.out) + evbuffer_get_length(inner->server.out) != 0) {
        assert_true(tls_write(outer->client.tls, inner->client.out, &outer->client.err));
        assert_true(tls_write(outer->server.tls, inner->server.out, &outer->server.err));
        tls_pair_run(outer);
    }
}

static void tls_runs_inside_tls(void **state)
{
    (void)state;
    struct tls_pair outer, inner;
    struct evbuffer *plain = evbuffer_new();
    char *bytes = pattern(200000);

    start_open_pair(&outer);
    tls_pair_open(&inner, &lab, lab.client, NULL, "inner.test", ALPN);
    inner_pair = &inner;
    outer.server.on_plain = feed_inner_server;
    outer.client.on_plain = feed_inner_client;
    assert_true(tls_start(inner.client.tls, &inner.client.err));
    run_nested(&outer, &inner);
    assert_true(tls_is_open(inner.client.tls) && tls_is_open(inner.server.tls));
    evbuffer_add(plain, bytes, 200000);
    assert_true(tls_write(inner.client.tls, plain, &inner.client.err));
    run_nested(&outer, &inner);
    assert_true(span_eq(strbuf_span(&inner.server.plain), span_make(bytes, 200000)));
    evbuffer_free(plain);
    tls_pair_close(&inner);
    tls_pair_close(&outer);
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_any_number_arrive),
        cmocka_unit_test(a_record_may_be_told_in_two_parts),
        cmocka_unit_test(records_are_as_large_as_the_bytes_at_hand_allow),
        cmocka_unit_test(a_paused_side_gets_the_rest_piece_by_piece),
        cmocka_unit_test(unpausing_inside_on_plain_is_no_pause),
        cmocka_unit_test(each_side_ends_its_own_half),
        cmocka_unit_test(a_cut_is_no_close),
        cmocka_unit_test(errors_that_others_leave_behind_do_no_harm),
        cmocka_unit_test(a_damaged_record_ends_tls_after_what_came_before_it),
        cmocka_unit_test(writing_before_the_handshake_is_done_keeps_the_bytes),
        cmocka_unit_test(keys_may_be_changed_on_the_way),
        cmocka_unit_test(tls_runs_inside_tls),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

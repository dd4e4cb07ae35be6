/* TLS in TLS between two links, as through a proxy that is spoken to in TLS, with somebody in the middle who
 * carries the bytes, one at a time if need be, and may end it all anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/live/link.h"
#include "proxy/net/address.h"
#include "tests/support/loop_until.h"
#include "tests/support/tls_pair.h"

#define QUESTION "which way?"
#define ANSWER   "this way"
#define INNER    "hello through two"
#define BACK     "and back"

/* The client asks in the outer layer, is answered, and goes on in the inner one; the server is both the proxy
 * and the origin. */
struct end {
    struct link link;
    struct loop *loop;
    bool is_server;
    bool is_over; /* nothing is told after that */
    bool has_answered;
    bool waits_for_leaf;  /* server: TLS_WAIT in the inner handshake */
    bool accepts_at_once; /* server: its inner layer is there before the bytes that it is for */
    const char *answer;   /* server: ANSWER and what is said right behind it */
    struct strbuf got;    /* in the inner layer */
    int opens, eofs, errors;
    bool was_clean;
    struct err err;
};

struct fixture {
    struct loop *loop;
    int near[2];  /* the carrier's ends: towards the client, towards the server */
    bool ends[2]; /* what was seen to end, and was passed on */
    struct end client, server;
    size_t step;    /* most bytes carried at once */
    size_t carried; /* both ways */
};

static struct tls_lab lab;
static struct leaf *proxy_leaf, *origin_leaf;

static const struct tls_target proxy_target = { .host = "proxy.test", .port = 443 };
static const struct tls_target origin_target = { .host = "example.test", .port = 443 };

static void say(struct end *end, const char *text)
{
    evbuffer_add(link_out(&end->link), text, strlen(text));
    link_flush(&end->link);
}

static bool is_layered(const struct end *end)
{
    return end->link.outer != NULL;
}

/* --- owners --------------------------------------------------------------------------------------------- */

static void over(struct end *end)
{
    end->is_over = true;
    link_close(&end->link);
}

static void failed(struct end *end, const struct err *err)
{
    end->errors++;
    end->err = *err;
    over(end);
}

static void accept_inner(struct end *end, struct span first)
{
    struct err err;

    if (!link_accept_tls(&end->link, lab.server, first, &err))
        failed(end, &err);
}

static size_t proxy_bytes(struct end *end, struct span bytes)
{
    if (end->has_answered) {
        accept_inner(end, bytes);
        return bytes.len;
    }
    if (bytes.len < strlen(QUESTION))
        return 0;
    end->has_answered = true;
    say(end, end->answer);
    if (end->accepts_at_once)
        accept_inner(end, SPAN_NONE);
    return strlen(QUESTION);
}

static size_t client_bytes(struct end *end, struct span bytes)
{
    struct err err;

    if (bytes.len < strlen(ANSWER))
        return 0;
    assert_memory_equal(bytes.ptr, ANSWER, strlen(ANSWER));
    if (!link_connect_tls(&end->link, lab.client, NULL, &origin_target, &err))
        failed(end, &err);
    return strlen(ANSWER);
}

static size_t on_bytes(void *self, struct span bytes)
{
    struct end *end = self;

    assert_false(end->is_over);
    if (!is_layered(end))
        return end->is_server ? proxy_bytes(end, bytes) : client_bytes(end, bytes);
    strbuf_add(&end->got, bytes);
    if (end->is_server && end->got.len == strlen(INNER)) {
        say(end, BACK);
        link_shutdown(&end->link);
    }
    return bytes.len;
}

static void on_batch(void *self)
{
    assert_false(((struct end *)self)->is_over);
}

static void on_eof(void *self)
{
    struct end *end = self;

    assert_false(end->is_over);
    end->eofs++;
    end->was_clean = link_ended_cleanly(&end->link);
    over(end);
}

static void on_drained(void *self)
{
    assert_false(((struct end *)self)->is_over);
}

static void on_error(void *self, const struct err *err)
{
    struct end *end = self;

    assert_false(end->is_over);
    failed(end, err);
}

static void show_leaf(void *self)
{
    struct end *end = self;

    if (end->is_over)
        return;
    tls_set_leaf(end->link.tls, origin_leaf);
    link_go_tls(&end->link);
}

static enum tls_answer on_hello(void *self, const struct hello *hello)
{
    struct end *end = self;

    assert_string_equal(hello->sni, is_layered(end) ? "example.test" : "proxy.test");
    if (is_layered(end) && end->waits_for_leaf) {
        loop_defer(end->loop, show_leaf, end);
        return TLS_WAIT;
    }
    tls_set_leaf(end->link.tls, is_layered(end) ? origin_leaf : proxy_leaf);
    return TLS_GO;
}

static void on_open(void *self)
{
    struct end *end = self;

    assert_false(end->is_over);
    end->opens++;
    if (!end->is_server)
        say(end, is_layered(end) ? INNER : QUESTION);
}

static const struct link_events events = {
    on_bytes, on_batch, on_eof, on_drained, on_error, on_hello, on_open
};

/* --- the carrier ---------------------------------------------------------------------------------------- */

static void pair_of_sockets(int out_fds[2])
{
    struct address address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(address_parse("127.0.0.1", 0, &address));
    assert_int_equal(bind(listening, (struct sockaddr *)&address.sa, address.len), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address.sa, &address.len), 0);
    out_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(out_fds[0], (struct sockaddr *)&address.sa, address.len), 0);
    out_fds[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(out_fds[1] >= 0);
    close(listening);
    for (int i = 0; i < 2; i++) {
        int on = 1;
        assert_int_equal(fcntl(out_fds[i], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(setsockopt(out_fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    }
}

static void end_init(struct end *end, struct loop *loop, int *out_near)
{
    int fds[2];

    pair_of_sockets(fds);
    *out_near = fds[0];
    end->loop = loop;
    end->answer = ANSWER;
    link_init(&end->link, loop, fds[1], &events, end);
}

static void begin(struct fixture *f)
{
    struct err err;

    *f = (struct fixture){ .loop = loop_new(), .step = 64 * 1024 };
    end_init(&f->client, f->loop, &f->near[0]);
    end_init(&f->server, f->loop, &f->near[1]);
    f->server.is_server = true;
    assert_true(link_accept_tls(&f->server.link, lab.server, SPAN_NONE, &err));
    assert_true(link_connect_tls(&f->client.link, lab.client, NULL, &proxy_target, &err));
}

static void finish(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        if (f->near[i] >= 0)
            close(f->near[i]);
    }
    link_clear(&f->client.link);
    link_clear(&f->server.link);
    strbuf_clear(&f->client.got);
    strbuf_clear(&f->server.got);
    loop_free(f->loop);
}

/* Carries at most most bytes each way; the answer is how many went. */
static size_t carry(struct fixture *f, size_t most)
{
    static char room[64 * 1024];
    size_t all = 0;

    for (int i = 0; i < 2; i++) {
        ssize_t got = recv(f->near[i], room, f->step < most - all ? f->step : most - all, 0);
        if (got > 0) {
            assert_int_equal(send(f->near[1 - i], room, (size_t)got, MSG_NOSIGNAL), got);
            all += (size_t)got;
        } else if (got == 0 && all < most && !f->ends[i]) {
            f->ends[i] = true;
            shutdown(f->near[1 - i], SHUT_WR);
        }
    }
    f->carried += all;
    return all;
}

static bool are_over(const struct fixture *f)
{
    return f->client.is_over && f->server.is_over;
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Does what there is to do, and does not wait. */
static void turn(struct fixture *f)
{
    loop_defer(f->loop, nothing, NULL);
    loop_turn(f->loop);
}

/* Until both are over, or so many bytes went; a while without any means that nothing else comes. */
static void run(struct fixture *f, size_t bytes)
{
    for (int idle = 0; !are_over(f) && f->carried < bytes && idle < 2000; idle++) {
        if (carry(f, bytes - f->carried) == 0) {
            loop_for(f->loop, 1000);
            continue;
        }
        idle = 0;
        turn(f);
    }
}

static void check_all_went_well(const struct fixture *f)
{
    assert_true(are_over(f));
    assert_int_equal(f->client.errors + f->server.errors, 0);
    assert_int_equal(f->client.opens, 2);
    assert_int_equal(f->server.opens, 2);
    assert_string_equal(strbuf_text(&f->server.got), INNER);
    assert_string_equal(strbuf_text(&f->client.got), BACK);
    assert_true(f->client.was_clean);
    assert_true(f->server.was_clean);
}

/* --- tests ---------------------------------------------------------------------------------------------- */

static void a_tunnel_within_tls_becomes_tls_in_tls(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    run(&f, SIZE_MAX);
    check_all_went_well(&f);
    finish(&f);
}

static void one_byte_at_a_time_is_no_different(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.step = 1;
    run(&f, SIZE_MAX);
    check_all_went_well(&f);
    finish(&f);
}

static void the_inner_layer_may_be_put_on_before_its_bytes_come(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.server.accepts_at_once = true;
    f.step = 7;
    run(&f, SIZE_MAX);
    check_all_went_well(&f);
    finish(&f);
}

static void an_inner_handshake_may_wait_for_its_leaf(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.server.waits_for_leaf = true;
    f.step = 500;
    run(&f, SIZE_MAX);
    check_all_went_well(&f);
    finish(&f);
}

static void bytes_from_before_a_layer_never_come_out_of_it(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.server.answer = ANSWER "HTTP/1.1 200 OK\r\n\r\n";
    run(&f, SIZE_MAX);
    assert_int_equal(f.client.got.len, 0);
    assert_int_equal(f.client.opens, 1);
    assert_int_equal(f.client.errors, 1);
    assert_int_equal(f.client.err.code, ERR_TLS);
    finish(&f);
}

/* The same when they are held by then. */
static void held_bytes_belong_to_the_layer_that_is_put_on(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.server.answer = "this wa";
    while (f.client.link.held.len == 0)
        run(&f, f.carried + 100);
    assert_false(link_connect_tls(&f.client.link, lab.client, NULL, &origin_target, &f.client.err));
    assert_int_equal(f.client.err.code, ERR_TLS);
    over(&f.client);
    run(&f, SIZE_MAX);
    assert_true(f.server.is_over);
    finish(&f);
}

static void an_inner_alert_reaches_the_other_side(void **state)
{
    struct fixture f;
    struct leaf *kept = origin_leaf;

    (void)state;
    origin_leaf = proxy_leaf; /* not for that name */
    begin(&f);
    run(&f, SIZE_MAX);
    origin_leaf = kept;
    assert_int_equal(f.client.err.code, ERR_CERT);
    assert_int_equal(f.server.errors, 1);
    assert_non_null(strstr(f.server.err.text, "alert"));
    assert_null(strstr(f.server.err.text, "outer"));
    finish(&f);
}

static void a_broken_outer_layer_says_that_it_is_the_outer_one(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    while (f.client.opens < 2)
        run(&f, f.carried + 100);
    assert_int_equal(send(f.near[0], "\x17\x03\x03\x00\x20rubbish rubbish rubbish rubbish", 37, 0), 37);
    run(&f, SIZE_MAX);
    assert_int_equal(f.client.errors, 1);
    assert_int_equal(f.client.err.code, ERR_TLS);
    assert_non_null(strstr(f.client.err.text, "outer TLS: "));
    assert_int_equal(f.client.got.len, 0);
    finish(&f);
}

static void an_end_of_the_outer_layer_alone_is_no_clean_end(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    while (f.client.opens < 2 || f.server.opens < 2)
        run(&f, f.carried + 1);
    tls_close_notify(f.client.link.outer);
    link_shutdown_raw(&f.client.link);
    run(&f, SIZE_MAX);
    assert_int_equal(f.server.eofs, 1);
    assert_false(f.server.was_clean);
    finish(&f);
}

static void cut(struct fixture *f, bool with_reset)
{
    static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    for (int i = 0; i < 2; i++) {
        if (with_reset)
            setsockopt(f->near[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(f->near[i]);
        f->near[i] = -1;
    }
}

/* After so many bytes the carrier goes away; each end is told that once, and never of a clean end of what was
 * not all said. */
static void cut_everywhere(bool with_reset, size_t stride)
{
    size_t all = SIZE_MAX;

    for (size_t at = 0; at < all; at += stride) {
        struct fixture f;
        begin(&f);
        run(&f, at);
        if (are_over(&f))
            all = at;
        else
            cut(&f, with_reset);
        for (int i = 0; i < 10000 && !are_over(&f); i++)
            loop_for(f.loop, 100);
        assert_true(are_over(&f));
        assert_int_equal(f.client.errors + f.client.eofs, 1);
        assert_int_equal(f.server.errors + f.server.eofs, 1);
        assert_true(!f.client.was_clean || f.client.got.len == strlen(BACK));
        assert_true(f.client.got.len == 0 || f.client.got.len == strlen(BACK));
        loop_for(f.loop, 200);
        finish(&f);
    }
}

static void the_end_of_the_stream_is_told_in_every_phase(void **state)
{
    (void)state;
    cut_everywhere(false, 53);
}

static void a_reset_is_told_in_every_phase(void **state)
{
    (void)state;
    cut_everywhere(true, 59);
}

/* An owner that goes away by itself, in every phase. */
static void a_link_may_be_closed_in_every_phase(void **state)
{
    static void (*const ways[])(struct link *) = { link_close, link_close_raw, link_shutdown,
                                                   link_shutdown_raw };
    size_t all = SIZE_MAX;

    (void)state;
    for (size_t at = 0; at < all; at += 97) {
        struct fixture f;
        begin(&f);
        run(&f, at);
        if (are_over(&f)) {
            all = at;
        } else if (!f.client.is_over) {
            ways[at % 4](&f.client.link);
            f.client.is_over = at % 4 < 2;
        }
        run(&f, SIZE_MAX);
        assert_true(are_over(&f));
        finish(&f);
    }
}

static int open_lab(void **state)
{
    (void)state;
    tls_lab_open(&lab);
    proxy_leaf = tls_lab_leaf(&lab, "proxy.test");
    origin_leaf = tls_lab_leaf(&lab, "example.test");
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    leaf_unref(proxy_leaf);
    leaf_unref(origin_leaf);
    tls_lab_close(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tunnel_within_tls_becomes_tls_in_tls),
        cmocka_unit_test(one_byte_at_a_time_is_no_different),
        cmocka_unit_test(the_inner_layer_may_be_put_on_before_its_bytes_come),
        cmocka_unit_test(an_inner_handshake_may_wait_for_its_leaf),
        cmocka_unit_test(bytes_from_before_a_layer_never_come_out_of_it),
        cmocka_unit_test(held_bytes_belong_to_the_layer_that_is_put_on),
        cmocka_unit_test(an_inner_alert_reaches_the_other_side),
        cmocka_unit_test(a_broken_outer_layer_says_that_it_is_the_outer_one),
        cmocka_unit_test(an_end_of_the_outer_layer_alone_is_no_clean_end),
        cmocka_unit_test(the_end_of_the_stream_is_told_in_every_phase),
        cmocka_unit_test(a_reset_is_told_in_every_phase),
        cmocka_unit_test(a_link_may_be_closed_in_every_phase),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

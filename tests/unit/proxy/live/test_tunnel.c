/* A tunnel between two links over loopback; the client and the origin are plain sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/live/tunnel.h"
#include "proxy/net/address.h"
#include "tests/support/loop_until.h"

struct fixture {
    struct loop *loop;
    struct loop_timer late;
    bool is_late;
    struct link client, origin;
    int client_fd, origin_fd; /* the other sides; -1: closed */
    struct exchange *exchange;
    struct tap tap;
    struct tunnel *tunnel;
    unsigned overs, exchange_overs;
    char error[128];
    char told[2][64]; /* to the tap, by enum http_role */
    bool is_slow;     /* what the tap answers */
    bool was_early;   /* bytes were told while nothing of them had been queued for the other side */
};

static void is_too_late(void *self)
{
    ((struct fixture *)self)->is_late = true;
}

static void turn(struct fixture *f)
{
    loop_for(f->loop, 200); /* the other sides are not on the loop: nothing may happen on it */
    assert_false(f->is_late);
}

#define UNTIL(condition)                                                                                     \
    while (!(condition))                                                                                     \
    turn(f)

static void pair_of_sockets(int *out_ours, int *out_other)
{
    struct address address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(address_parse("127.0.0.1", 0, &address));
    assert_int_equal(bind(listening, (struct sockaddr *)&address.sa, address.len), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address.sa, &address.len), 0);
    *out_other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*out_other, (struct sockaddr *)&address.sa, address.len), 0);
    *out_ours = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(*out_ours >= 0);
    assert_int_equal(fcntl(*out_other, F_SETFL, O_NONBLOCK), 0);
    close(listening);
}

static void on_over(void *self, const char *error)
{
    struct fixture *f = self;

    f->overs++;
    if (error != NULL)
        snprintf(f->error, sizeof f->error, "%s", error);
}

static void on_exchange_over(void *self, struct exchange *exchange, enum exchange_end end)
{
    (void)exchange;
    (void)end;
    ((struct fixture *)self)->exchange_overs++;
}

static const struct exchange_owner owner = { NULL, NULL, on_exchange_over };

/* --- the tap ------------------------------------------------------------------------------------------- */

static void *tap_on_request(void *self, struct tap_exchange *exchange, const struct http_head *head)
{
    (void)exchange;
    (void)head;
    return self;
}

static enum tap_answer tap_on_body(void *record, enum http_role side, struct span bytes)
{
    (void)record;
    (void)side;
    (void)bytes;
    fail_msg("what passes a tunnel is no body");
    return TAP_GO;
}

static void tap_on_end(void *record, enum http_role side, const struct headers *trailers)
{
    (void)record;
    (void)side;
    (void)trailers;
}

static void tap_on_done(void *record, enum tap_outcome outcome)
{
    (void)record;
    (void)outcome;
}

static enum tap_answer tap_on_upgraded(void *record, enum http_role side, struct span bytes)
{
    struct fixture *f = record;
    struct link *to = side == HTTP_REQUEST ? &f->origin : &f->client;
    size_t len = strlen(f->told[side]), room = sizeof f->told[side] - 1 - len;

    memcpy(f->told[side] + len, bytes.ptr, bytes.len < room ? bytes.len : room);
    f->was_early = evbuffer_get_length(link_out(to)) == 0;
    return f->is_slow ? TAP_SLOWER : TAP_GO;
}

static const struct tap_listener listener = { tap_on_request, NULL, tap_on_body,    tap_on_end,
                                              tap_on_done,    NULL, tap_on_upgraded };

/* --- set-up -------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    static const struct link_events nobody = { 0 };
    struct fixture *f = calloc(1, sizeof *f);
    struct http_head *head = http_head_new(HTTP_REQUEST);
    int fd;

    f->loop = loop_new();
    loop_timer_init(&f->late, f->loop, is_too_late, f);
    loop_timer_set(&f->late, 60 * 1000000ull);
    pair_of_sockets(&fd, &f->client_fd);
    link_init(&f->client, f->loop, fd, &nobody, NULL);
    pair_of_sockets(&fd, &f->origin_fd);
    link_init(&f->origin, f->loop, fd, &nobody, NULL);
    tap_add(&f->tap, &listener, f);
    f->exchange = exchange_new((struct side){ NULL, NULL }, &owner, f, 1);
    head->method = SPAN("CONNECT");
    exchange_begin(f->exchange, &f->tap, head, SPAN(""), SPAN_NONE);
    f->tunnel = tunnel_new(&f->client, &f->origin, f->exchange, on_over, f);
    *state = f;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    loop_timer_clear(&f->late);
    tunnel_free(f->tunnel);
    link_clear(&f->client);
    link_clear(&f->origin);
    exchange_tunnel_end(f->exchange, NULL);
    assert_int_equal(f->exchange_overs, 1);
    close_fd(&f->client_fd);
    close_fd(&f->origin_fd);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What comes is text. */
static void hears(struct fixture *f, int fd, const char *text)
{
    char got[64] = "";
    size_t len = 0;

    while (len < strlen(text)) {
        ssize_t n = recv(fd, got + len, sizeof got - 1 - len, 0);
        if (n < 0 && errno == EAGAIN)
            turn(f);
        else if (n > 0)
            len += (size_t)n;
        else
            fail_msg("it ended after '%s'", got);
    }
    assert_string_equal(got, text);
}

/* What comes next is an end: 0, or the errno of a reset. */
static void hears_end(struct fixture *f, int fd, int expected)
{
    char byte;
    ssize_t n;

    while ((n = recv(fd, &byte, 1, 0)) < 0 && errno == EAGAIN)
        turn(f);
    if (expected == 0) {
        assert_int_equal(n, 0);
    } else {
        assert_int_equal(n, -1);
        assert_int_equal(errno, expected);
    }
}

static void reset(int *fd)
{
    struct linger at_once = { 1, 0 };

    setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_fd(fd);
}

static void bytes_pass_both_ways_and_are_counted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->exchange->facts.times[TAP_T_SENT_FIRST], TAP_NEVER);
    say(f->client_fd, "hello");
    hears(f, f->origin_fd, "hello");
    assert_int_not_equal(f->exchange->facts.times[TAP_T_SENT_FIRST], TAP_NEVER);
    assert_int_equal(f->exchange->facts.times[TAP_T_RECEIVED_FIRST], TAP_NEVER);
    say(f->origin_fd, "you too");
    hears(f, f->client_fd, "you too");
    say(f->client_fd, "!");
    hears(f, f->origin_fd, "!");
    assert_int_equal(f->exchange->facts.tunnel_sent_bytes, 6);
    assert_int_equal(f->exchange->facts.tunnel_received_bytes, 7);
    assert_int_not_equal(f->exchange->facts.times[TAP_T_RECEIVED_FIRST], TAP_NEVER);
    assert_int_equal(f->exchange->facts.times[TAP_T_RECEIVED_LAST], TAP_NEVER);
    assert_int_equal(f->overs, 0);
}

static void a_client_that_has_ended_still_gets_the_answer(void **state)
{
    struct fixture *f = *state;

    say(f->client_fd, "ask");
    shutdown(f->client_fd, SHUT_WR);
    hears(f, f->origin_fd, "ask");
    hears_end(f, f->origin_fd, 0);
    assert_int_equal(f->overs, 0);
    say(f->origin_fd, "answer");
    hears(f, f->client_fd, "answer");
    shutdown(f->origin_fd, SHUT_WR);
    hears_end(f, f->client_fd, 0);
    UNTIL(f->overs);
    assert_int_equal(f->overs, 1);
    assert_string_equal(f->error, "");
    assert_int_not_equal(f->exchange->facts.times[TAP_T_RECEIVED_LAST], TAP_NEVER);
}

static void an_origin_that_has_ended_still_hears_the_client(void **state)
{
    struct fixture *f = *state;

    say(f->origin_fd, "bye");
    shutdown(f->origin_fd, SHUT_WR);
    hears(f, f->client_fd, "bye");
    hears_end(f, f->client_fd, 0);
    assert_int_equal(f->overs, 0);
    say(f->client_fd, "wait");
    hears(f, f->origin_fd, "wait");
    shutdown(f->client_fd, SHUT_WR);
    hears_end(f, f->origin_fd, 0);
    UNTIL(f->overs);
    assert_int_equal(f->overs, 1);
    assert_string_equal(f->error, "");
}

static void a_reset_of_the_client_resets_the_origin(void **state)
{
    struct fixture *f = *state;

    reset(&f->client_fd);
    hears_end(f, f->origin_fd, ECONNRESET);
    assert_int_equal(f->overs, 1);
    assert_string_equal(f->error, "the client cut the tunnel: connection reset");
    assert_false(link_is_open(&f->origin));
}

static void a_reset_of_the_origin_resets_the_client(void **state)
{
    struct fixture *f = *state;

    reset(&f->origin_fd);
    hears_end(f, f->client_fd, ECONNRESET);
    assert_int_equal(f->overs, 1);
    assert_string_equal(f->error, "the origin cut the tunnel: connection reset");
    assert_false(link_is_open(&f->client));
}

static void a_reset_after_a_half_has_ended_is_one_all_the_same(void **state)
{
    struct fixture *f = *state;

    shutdown(f->client_fd, SHUT_WR);
    hears_end(f, f->origin_fd, 0);
    reset(&f->origin_fd);
    hears_end(f, f->client_fd, ECONNRESET);
    assert_int_equal(f->overs, 1);
}

/* One side sends and sends, the other does not read: what weir holds meanwhile is bounded. Then it reads. */
static void check_backpressure(struct fixture *f, int from, int to, struct link *slow)
{
    static char bytes[64 * 1024];
    /* One turn's reading more: what came while the mark was passed. */
    const size_t bound = EXCHANGE_HIGH_WATER_BYTES + 256 * 1024;
    size_t sent = 0, got = 0, most = 0, idle = 0;
    ssize_t n;

    while (idle < 50 && most <= bound) { /* nothing has moved for so many turns */
        n = send(from, bytes, sizeof bytes, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turn(f);
        if (link_unsent(slow) > most)
            most = link_unsent(slow);
    }
    assert_true(most > EXCHANGE_HIGH_WATER_BYTES);
    assert_true(most <= bound);
    shutdown(from, SHUT_WR);
    while ((n = recv(to, bytes, sizeof bytes, 0)) != 0) {
        assert_true(n > 0 || errno == EAGAIN);
        got += n > 0 ? (size_t)n : 0;
        if (n < 0)
            turn(f);
    }
    assert_int_equal(got, sent);
}

static void a_client_is_not_read_while_the_origin_is_slow(void **state)
{
    struct fixture *f = *state;

    check_backpressure(f, f->client_fd, f->origin_fd, &f->origin);
}

static void an_origin_is_not_read_while_the_client_is_slow(void **state)
{
    struct fixture *f = *state;

    check_backpressure(f, f->origin_fd, f->client_fd, &f->client);
}

static void bytes_that_were_held_before_it_began_pass_first(void **state)
{
    struct fixture *f = *state;

    strbuf_add_str(&f->client.held, "ear");
    strbuf_add_str(&f->origin.held, "220 ");
    link_deliver(&f->origin);
    link_deliver(&f->client);
    say(f->client_fd, "ly");
    say(f->origin_fd, "ready");
    hears(f, f->origin_fd, "early");
    hears(f, f->client_fd, "220 ready");
    assert_int_equal(f->exchange->facts.tunnel_sent_bytes, 5);
    assert_int_equal(f->exchange->facts.tunnel_received_bytes, 9);
}

static void an_opaque_tunnel_is_not_told(void **state)
{
    struct fixture *f = *state;

    say(f->client_fd, "secret");
    hears(f, f->origin_fd, "secret");
    say(f->origin_fd, "too");
    hears(f, f->client_fd, "too");
    assert_string_equal(f->told[HTTP_REQUEST], "");
    assert_string_equal(f->told[HTTP_RESPONSE], "");
}

static void what_follows_an_upgrade_is_told_before_it_is_written(void **state)
{
    struct fixture *f = *state;

    f->exchange->facts.flags |= TAP_UPGRADED;
    say(f->client_fd, "ping");
    hears(f, f->origin_fd, "ping");
    assert_true(f->was_early);
    say(f->origin_fd, "pong!");
    hears(f, f->client_fd, "pong!");
    assert_true(f->was_early);
    assert_string_equal(f->told[HTTP_REQUEST], "ping");
    assert_string_equal(f->told[HTTP_RESPONSE], "pong!");
    assert_int_equal(f->exchange->facts.tunnel_sent_bytes, 4);
    assert_int_equal(f->exchange->facts.tunnel_received_bytes, 5);
}

static void neither_side_is_read_while_the_tap_wants_it_slower(void **state)
{
    struct fixture *f = *state;

    f->exchange->facts.flags |= TAP_UPGRADED;
    f->is_slow = true;
    say(f->client_fd, "one");
    hears(f, f->origin_fd, "one"); /* what was told is passed on all the same */
    assert_false(f->client.is_wanted);
    assert_false(f->origin.is_wanted);
    say(f->client_fd, "two");
    say(f->origin_fd, "three");
    for (int i = 0; i < 20; i++)
        turn(f);
    assert_string_equal(f->told[HTTP_REQUEST], "one");
    assert_string_equal(f->told[HTTP_RESPONSE], "");
    f->is_slow = false;
    f->exchange->facts.resume(&f->exchange->facts);
    hears(f, f->origin_fd, "two");
    hears(f, f->client_fd, "three");
}

static void a_tunnel_that_begins_slowed_waits_too(void **state)
{
    struct fixture *f = *state;

    tunnel_free(f->tunnel);
    f->exchange->facts.flags |= TAP_UPGRADED;
    f->exchange->is_slowed = true;
    f->tunnel = tunnel_new(&f->client, &f->origin, f->exchange, on_over, f);
    assert_false(f->client.is_wanted);
    assert_false(f->origin.is_wanted);
    f->exchange->facts.resume(&f->exchange->facts);
    say(f->client_fd, "on");
    hears(f, f->origin_fd, "on");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_pass_both_ways_and_are_counted),
        TEST(a_client_that_has_ended_still_gets_the_answer),
        TEST(an_origin_that_has_ended_still_hears_the_client),
        TEST(a_reset_of_the_client_resets_the_origin),
        TEST(a_reset_of_the_origin_resets_the_client),
        TEST(a_reset_after_a_half_has_ended_is_one_all_the_same),
        TEST(a_client_is_not_read_while_the_origin_is_slow),
        TEST(an_origin_is_not_read_while_the_client_is_slow),
        TEST(bytes_that_were_held_before_it_began_pass_first),
        TEST(an_opaque_tunnel_is_not_told),
        TEST(what_follows_an_upgrade_is_told_before_it_is_written),
        TEST(neither_side_is_read_while_the_tap_wants_it_slower),
        TEST(a_tunnel_that_begins_slowed_waits_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

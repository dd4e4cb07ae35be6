#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "proxy/base/strbuf.h"
#include "proxy/net/address.h"
#include "proxy/net/loop.h"
#include "proxy/net/stream.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"

/* More than any socket buffer of loopback takes at once. */
#define MUCH_BYTES (16 * 1024 * 1024)

enum closing { CLOSE_NEVER, CLOSE_ON_BYTES, CLOSE_ON_EOF, CLOSE_ON_DRAINED, CLOSE_ON_ERROR };

/* A stream and what it told, and the other side: a plain blocking socket. */
struct fixture {
    struct loop *loop;
    struct stream *stream;
    int fd, other;
    struct strbuf got;
    volatile int has_bytes, eofs, drains, errors;
    struct err err;
    enum closing closing;
    bool pauses; /* in its first on_bytes */
};

static void close_if(struct fixture *f, enum closing when)
{
    if (f->closing == when) {
        stream_close(f->stream);
        f->stream = NULL;
    }
}

static void on_bytes(void *self, struct span bytes)
{
    struct fixture *f = self;

    assert_non_null(f->stream);
    assert_false(stream_is_paused(f->stream));
    strbuf_add(&f->got, bytes);
    f->has_bytes = 1;
    if (f->pauses)
        stream_pause(f->stream);
    close_if(f, CLOSE_ON_BYTES);
}

static void on_eof(void *self)
{
    struct fixture *f = self;

    assert_non_null(f->stream);
    f->eofs++;
    close_if(f, CLOSE_ON_EOF);
}

static void on_drained(void *self)
{
    struct fixture *f = self;

    assert_non_null(f->stream);
    f->drains++;
    close_if(f, CLOSE_ON_DRAINED);
}

static void on_error(void *self, const struct err *err)
{
    struct fixture *f = self;

    assert_non_null(f->stream);
    f->errors++;
    f->err = *err;
    close_if(f, CLOSE_ON_ERROR);
}

static const struct stream_events events = { on_bytes, on_eof, on_drained, on_error };

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
    close(listening);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->loop = loop_new();
    pair_of_sockets(&f->fd, &f->other);
    f->stream = stream_new(f->loop, f->fd, &events, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fast_time(1);
    stream_close(f->stream);
    if (f->other >= 0)
        close(f->other);
    loop_free(f->loop);
    strbuf_clear(&f->got);
    free(f);
    return 0;
}

static void give(const struct fixture *f, const char *text)
{
    assert_int_equal(send(f->other, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void write_text(const struct fixture *f, const char *text)
{
    evbuffer_add(stream_out(f->stream), text, strlen(text));
    stream_flush(f->stream);
}

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 4096);
}

static void write_much(const struct fixture *f)
{
    char *bytes = malloc(MUCH_BYTES);

    for (size_t i = 0; i < MUCH_BYTES; i++)
        bytes[i] = pattern(i);
    evbuffer_add(stream_out(f->stream), bytes, MUCH_BYTES);
    free(bytes);
    stream_flush(f->stream);
    assert_int_not_equal(stream_unsent(f->stream), 0);
}

/* The other side reads all of write_much() while the loop turns; after it: EOF or not. */
static void take_much(const struct fixture *f, bool then_eof)
{
    static char buffer[64 * 1024];
    size_t got = 0;

    while (got < MUCH_BYTES) {
        ssize_t n = recv(f->other, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            loop_for(f->loop, 100);
            continue;
        }
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] != pattern(got + (size_t)i))
                assert_int_equal(got + (size_t)i, -1);
        }
        got += (size_t)n;
    }
    while (then_eof) {
        ssize_t n = recv(f->other, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0)
            return;
        assert_true(n < 0 && errno == EAGAIN);
        loop_for(f->loop, 100);
    }
}

/* The other side ends with a reset. */
static void reset_other(struct fixture *f)
{
    struct linger at_once = { 1, 0 };

    setsockopt(f->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(f->other);
    f->other = -1;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void bytes_pass_both_ways(void **state)
{
    struct fixture *f = *state;
    char buffer[16];

    give(f, "hello");
    assert_true(loop_until(f->loop, &f->has_bytes));
    assert_string_equal(strbuf_text(&f->got), "hello");
    write_text(f, "world");
    assert_int_equal(stream_unsent(f->stream), 0);
    assert_int_equal(recv(f->other, buffer, sizeof buffer, 0), 5);
    assert_memory_equal(buffer, "world", 5);
    loop_for(f->loop, 1000);
    assert_int_equal(f->drains, 0); /* nothing had to wait */
}

static void what_the_socket_does_not_take_goes_later(void **state)
{
    struct fixture *f = *state;

    write_much(f);
    take_much(f, false);
    assert_int_equal(f->drains, 1);
    assert_int_equal(stream_unsent(f->stream), 0);
}

static void drained_stream_may_be_closed_from_inside(void **state)
{
    struct fixture *f = *state;

    f->closing = CLOSE_ON_DRAINED;
    write_much(f);
    take_much(f, true);
    assert_null(f->stream);
}

static void paused_stream_keeps_everything_for_later(void **state)
{
    struct fixture *f = *state;

    stream_pause(f->stream);
    give(f, "held ");
    loop_for(f->loop, 5000);
    assert_int_equal(f->got.len, 0);
    give(f, "back");
    shutdown(f->other, SHUT_WR); /* the FIN waits behind the bytes */
    loop_for(f->loop, 5000);
    assert_int_equal(f->eofs, 0);
    stream_resume(f->stream);
    assert_true(loop_until(f->loop, &f->eofs));
    assert_string_equal(strbuf_text(&f->got), "held back");
    assert_int_equal(f->errors, 0);
}

static void stream_paused_while_it_reads_stops_at_once(void **state)
{
    struct fixture *f = *state;
    char *much = calloc(1, 4 * LOOP_READ_BYTES);
    size_t sent = 0;

    f->pauses = true;
    while (sent < 3 * LOOP_READ_BYTES) {
        ssize_t n = send(f->other, much, 4 * LOOP_READ_BYTES - sent, MSG_DONTWAIT);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    free(much);
    assert_true(sent > LOOP_READ_BYTES);
    assert_true(loop_until(f->loop, &f->has_bytes));
    loop_for(f->loop, 5000);
    assert_true(f->got.len <= LOOP_READ_BYTES);
    f->pauses = false;
    stream_resume(f->stream);
    while (f->got.len < sent)
        loop_turn(f->loop);
    assert_int_equal(f->got.len, sent);
}

static void paused_stream_does_not_keep_the_loop_awake(void **state)
{
    struct fixture *f = *state;
    struct loop_timer timer;
    int turns = 0;

    give(f, "bytes that nobody wants yet");
    shutdown(f->other, SHUT_WR);
    stream_pause(f->stream);
    loop_for(f->loop, 1000);
    loop_timer_init(&timer, f->loop, (void (*)(void *))loop_stop, f->loop);
    loop_timer_set(&timer, 20000);
    while (timer.due_us != 0 && turns < 100) {
        loop_turn(f->loop);
        turns++;
    }
    assert_true(turns < 10);
    loop_timer_clear(&timer);
}

static void paused_stream_hears_a_reset_at_once(void **state)
{
    struct fixture *f = *state;

    give(f, "unread");
    stream_pause(f->stream);
    loop_for(f->loop, 1000); /* it has seen that there are bytes, and let them be */
    reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_CLOSED);
    assert_string_equal(f->err.text, "connection reset");
    assert_int_equal(f->got.len, 0);
}

static void stream_that_was_just_paused_hears_a_reset_too(void **state)
{
    struct fixture *f = *state;

    stream_pause(f->stream);
    reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_CLOSED);
}

static void paused_stream_goes_on_writing(void **state)
{
    struct fixture *f = *state;

    give(f, "unread");
    stream_pause(f->stream);
    loop_for(f->loop, 1000);
    write_much(f);
    take_much(f, false);
    assert_int_equal(f->drains, 1);
    stream_resume(f->stream);
    assert_true(loop_until(f->loop, &f->has_bytes));
}

static void stream_that_waits_to_write_can_pause_and_resume(void **state)
{
    struct fixture *f = *state;

    write_much(f);
    stream_pause(f->stream);
    give(f, "unread");
    loop_for(f->loop, 1000);
    stream_resume(f->stream);
    assert_true(loop_until(f->loop, &f->has_bytes));
    take_much(f, false);
    assert_int_equal(f->drains, 1);
}

static void end_of_the_other_side_comes_once_and_writing_goes_on(void **state)
{
    struct fixture *f = *state;

    give(f, "last words");
    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    assert_string_equal(strbuf_text(&f->got), "last words");
    write_much(f);
    take_much(f, false);
    assert_int_equal(f->drains, 1);
    assert_int_equal(f->eofs, 1);
    assert_int_equal(f->errors, 0);
}

static void reset_after_the_end_is_heard(void **state)
{
    struct fixture *f = *state;

    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_CLOSED);
}

static void bytes_before_a_reset_come_first(void **state)
{
    struct fixture *f = *state;

    give(f, "before");
    reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_string_equal(strbuf_text(&f->got), "before");
    assert_int_equal(f->eofs, 0);
    loop_for(f->loop, 1000);
    assert_int_equal(f->errors, 1);
}

static void early_answer_is_read_before_the_write_error_is_told(void **state)
{
    struct fixture *f = *state;

    write_text(f, "a request that nobody reads");
    give(f, "413 too large");
    close(f->other); /* with bytes unread: a reset */
    f->other = -1;
    for (int i = 0; i < 3; i++)
        write_text(f, "more of the body");
    assert_int_equal(f->errors, 0); /* never from inside stream_flush */
    assert_true(loop_until(f->loop, &f->errors));
    assert_string_equal(strbuf_text(&f->got), "413 too large");
    assert_int_equal(f->err.code, ERR_CLOSED);
    assert_int_equal(f->eofs, 0);
    assert_int_equal(stream_unsent(f->stream), 0);
}

static void shutdown_ends_our_side_after_all_is_written(void **state)
{
    struct fixture *f = *state;

    write_much(f);
    stream_shutdown(f->stream);
    take_much(f, true);
    give(f, "still here");
    assert_true(loop_until(f->loop, &f->has_bytes));
    assert_int_equal(f->errors, 0);
}

static void close_flushed_delivers_all_and_waits_for_the_other_side(void **state)
{
    struct fixture *f = *state;
    char noise[4096] = { 0 };

    /* Bytes that we have not read would make close() a reset. */
    for (int i = 0; i < 20; i++)
        assert_int_equal(send(f->other, noise, sizeof noise, 0), sizeof noise);
    write_much(f);
    stream_close_flushed(f->stream);
    f->stream = NULL;
    take_much(f, true);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(send(f->other, noise, sizeof noise, MSG_NOSIGNAL), sizeof noise);
        loop_for(f->loop, 100);
    }
    assert_true(is_open(f->fd));
    close(f->other);
    f->other = -1;
    loop_for(f->loop, 5000);
    assert_false(is_open(f->fd));
    assert_int_equal(f->got.len, 0);
}

static void lingering_has_two_seconds(void **state)
{
    struct fixture *f = *state;

    write_text(f, "bye");
    stream_close_flushed(f->stream);
    f->stream = NULL;
    fast_time(4); /* a busy machine may keep this from running for a quarter of a second */
    loop_for(f->loop, 1000 * 1000);
    assert_true(is_open(f->fd));
    assert_false(loop_has_busy_orphans(f->loop));
    loop_for(f->loop, 1500 * 1000);
    assert_false(is_open(f->fd));
}

static void lingering_ends_with_its_loop(void **state)
{
    struct fixture *f = *state;
    char byte;

    stream_close_flushed(f->stream);
    f->stream = NULL;
    loop_free(f->loop);
    f->loop = NULL;
    assert_int_equal(read(f->other, &byte, 1), 0);
}

static void what_its_loop_did_not_let_it_send_is_cut(void **state)
{
    struct fixture *f = *state;
    static char buffer[64 * 1024];
    ssize_t got;

    write_much(f);
    stream_close_flushed(f->stream);
    f->stream = NULL;
    assert_true(loop_has_busy_orphans(f->loop));
    loop_free(f->loop);
    f->loop = NULL;
    do
        got = recv(f->other, buffer, sizeof buffer, 0);
    while (got > 0);
    assert_int_equal(got, -1);
    assert_int_equal(errno, ECONNRESET);
}

static void close_flushed_after_the_others_end_is_over_at_once(void **state)
{
    struct fixture *f = *state;
    char buffer[8];

    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    write_text(f, "bye");
    stream_close_flushed(f->stream);
    f->stream = NULL;
    assert_false(is_open(f->fd));
    assert_int_equal(recv(f->other, buffer, sizeof buffer, 0), 3);
    assert_int_equal(recv(f->other, buffer, sizeof buffer, 0), 0);
}

/* Bytes that were appended after our FIN were not written, and the stream waited for that for ever. */
static void close_flushed_after_our_own_end_does_not_wait_for_what_came_later(void **state)
{
    struct fixture *f = *state;

    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    stream_shutdown(f->stream);
    evbuffer_add(stream_out(f->stream), "late", 4);
    stream_close_flushed(f->stream);
    f->stream = NULL;
    assert_false(is_open(f->fd));
    assert_false(loop_has_busy_orphans(f->loop));
}

static void stuck_side_is_given_five_minutes(void **state)
{
    struct fixture *f = *state;

    write_much(f);
    fast_time(1000);
    loop_for(f->loop, 4 * 60 * 1000000ULL);
    assert_int_equal(f->errors, 0);
    assert_true(loop_until(f->loop, &f->errors) || loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_TIMEOUT);
    assert_string_equal(f->err.text, "the other side has taken nothing for 300 s");
}

static void close_flushed_gives_a_stuck_side_up(void **state)
{
    struct fixture *f = *state;

    write_much(f);
    stream_close_flushed(f->stream);
    f->stream = NULL;
    fast_time(1000);
    loop_for(f->loop, 4 * 60 * 1000000ULL);
    assert_true(is_open(f->fd));
    loop_for(f->loop, 2 * 60 * 1000000ULL);
    assert_false(is_open(f->fd));
}

static void reset_reaches_the_other_side_as_one(void **state)
{
    struct fixture *f = *state;
    char byte;

    write_much(f);
    stream_reset(f->stream);
    f->stream = NULL;
    while (recv(f->other, &byte, 1, 0) > 0)
        ;
    assert_int_equal(errno, ECONNRESET);
}

static void stale_is_what_has_bytes_an_end_or_an_error(void **state)
{
    struct fixture *f = *state;

    assert_false(stream_is_stale(f->stream));
    give(f, "x");
    assert_true(stream_is_stale(f->stream));
    assert_true(loop_until(f->loop, &f->has_bytes));
    assert_false(stream_is_stale(f->stream));
    shutdown(f->other, SHUT_WR);
    assert_true(stream_is_stale(f->stream));
    assert_true(loop_until(f->loop, &f->eofs));
    assert_true(stream_is_stale(f->stream));
    assert_true(stream_fd(f->stream) == f->fd);
}

static void stream_may_be_closed_from_any_callback(void **state)
{
    struct fixture *f = *state;

    f->closing = CLOSE_ON_BYTES;
    give(f, "x");
    shutdown(f->other, SHUT_WR);
    loop_for(f->loop, 5000);
    assert_null(f->stream);
    assert_int_equal(f->eofs, 0);
    stream_close(NULL);
}

static void stream_may_be_closed_at_its_end(void **state)
{
    struct fixture *f = *state;

    f->closing = CLOSE_ON_EOF;
    shutdown(f->other, SHUT_WR);
    loop_for(f->loop, 5000);
    assert_null(f->stream);
    assert_false(is_open(f->fd));
}

static void stream_may_be_closed_on_error(void **state)
{
    struct fixture *f = *state;

    f->closing = CLOSE_ON_ERROR;
    reset_other(f);
    loop_for(f->loop, 5000);
    assert_null(f->stream);
}

static void closed_stream_with_a_write_error_is_silent(void **state)
{
    struct fixture *f = *state;

    reset_other(f);
    write_text(f, "a");
    write_text(f, "b");
    stream_close(f->stream);
    f->stream = NULL;
    loop_for(f->loop, 5000);
    assert_int_equal(f->errors, 0);
}

static void new_owner_gets_what_comes(void **state)
{
    struct fixture *f = *state;
    struct fixture heir = { .loop = f->loop, .stream = f->stream };

    give(f, "mine");
    assert_true(loop_until(f->loop, &f->has_bytes));
    stream_set_owner(f->stream, &events, &heir);
    give(f, "yours");
    assert_true(loop_until(f->loop, &heir.has_bytes));
    assert_string_equal(strbuf_text(&f->got), "mine");
    assert_string_equal(strbuf_text(&heir.got), "yours");
    strbuf_clear(&heir.got);
}

static void one_stream_reads_no_more_than_its_share_of_a_turn(void **state)
{
    struct fixture *f = *state;
    char *much = calloc(1, MUCH_BYTES);
    int size = 4 * 1024 * 1024;
    size_t largest = 0, total = 0;
    ssize_t sent;

    setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(f->other, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    sent = send(f->other, much, MUCH_BYTES, MSG_DONTWAIT);
    assert_true(sent > 0);
    while (total < (size_t)sent) {
        loop_turn(f->loop);
        if (f->got.len > largest)
            largest = f->got.len;
        total += f->got.len;
        strbuf_reset(&f->got);
    }
    assert_in_range(largest, 1, 256 * 1024);
    free(much);
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void socket_sends_at_once_and_finds_the_dead(void **state)
{
    struct fixture *f = *state;

    stream_set_options(f->fd);
    assert_int_not_equal(option(f->fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option(f->fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(f->fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
}

static void peer_has_a_name(void **state)
{
    struct fixture *f = *state;
    struct address own = { .len = sizeof own.sa };
    char want[ADDRESS_TEXT_BYTES], got[ADDRESS_TEXT_BYTES];

    getsockname(f->other, (struct sockaddr *)&own.sa, &own.len);
    address_format(&own, want, sizeof want);
    stream_peer_name(f->stream, got, sizeof got);
    assert_string_equal(got, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(bytes_pass_both_ways),
        T(what_the_socket_does_not_take_goes_later),
        T(drained_stream_may_be_closed_from_inside),
        T(paused_stream_keeps_everything_for_later),
        T(stream_paused_while_it_reads_stops_at_once),
        T(paused_stream_does_not_keep_the_loop_awake),
        T(paused_stream_hears_a_reset_at_once),
        T(stream_that_was_just_paused_hears_a_reset_too),
        T(paused_stream_goes_on_writing),
        T(stream_that_waits_to_write_can_pause_and_resume),
        T(end_of_the_other_side_comes_once_and_writing_goes_on),
        T(reset_after_the_end_is_heard),
        T(bytes_before_a_reset_come_first),
        T(early_answer_is_read_before_the_write_error_is_told),
        T(shutdown_ends_our_side_after_all_is_written),
        T(close_flushed_delivers_all_and_waits_for_the_other_side),
        T(lingering_has_two_seconds),
        T(lingering_ends_with_its_loop),
        T(what_its_loop_did_not_let_it_send_is_cut),
        T(close_flushed_after_the_others_end_is_over_at_once),
        T(close_flushed_after_our_own_end_does_not_wait_for_what_came_later),
        T(stuck_side_is_given_five_minutes),
        T(close_flushed_gives_a_stuck_side_up),
        T(reset_reaches_the_other_side_as_one),
        T(stale_is_what_has_bytes_an_end_or_an_error),
        T(stream_may_be_closed_from_any_callback),
        T(stream_may_be_closed_at_its_end),
        T(stream_may_be_closed_on_error),
        T(closed_stream_with_a_write_error_is_silent),
        T(new_owner_gets_what_comes),
        T(one_stream_reads_no_more_than_its_share_of_a_turn),
        T(socket_sends_at_once_and_finds_the_dead),
        T(peer_has_a_name),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

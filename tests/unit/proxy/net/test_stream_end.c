/* How a stream ends: our side, the other, both, by a cut, and from inside a callback. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/buffer.h>

#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"
#include "tests/support/stream_world.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}
static void shutdown_ends_our_side_after_all_is_written(void **state)
{
    struct stream_world *f = *state;

    world_write_much(f);
    stream_shutdown(f->stream);
    world_take_much(f, true);
    world_give(f, "still here");
    assert_true(loop_until(f->loop, &f->has_bytes));
    assert_int_equal(f->errors, 0);
}

static void close_flushed_delivers_all_and_waits_for_the_other_side(void **state)
{
    struct stream_world *f = *state;
    char noise[4096] = { 0 };

    /* Bytes that we have not read would make close() a reset. */
    for (int i = 0; i < 20; i++)
        assert_int_equal(send(f->other, noise, sizeof noise, 0), sizeof noise);
    world_write_much(f);
    stream_close_flushed(f->stream);
    f->stream = NULL;
    world_take_much(f, true);
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
    struct stream_world *f = *state;

    world_write_text(f, "bye");
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
    struct stream_world *f = *state;
    char byte;

    stream_close_flushed(f->stream);
    f->stream = NULL;
    loop_free(f->loop);
    f->loop = NULL;
    assert_int_equal(read(f->other, &byte, 1), 0);
}

static void what_its_loop_did_not_let_it_send_is_cut(void **state)
{
    struct stream_world *f = *state;
    static char buffer[64 * 1024];
    ssize_t got;

    world_write_much(f);
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
    struct stream_world *f = *state;
    char buffer[8];

    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    world_write_text(f, "bye");
    stream_close_flushed(f->stream);
    f->stream = NULL;
    assert_false(is_open(f->fd));
    assert_int_equal(recv(f->other, buffer, sizeof buffer, 0), 3);
    assert_int_equal(recv(f->other, buffer, sizeof buffer, 0), 0);
}

/* Bytes that were appended after our FIN were not written, and the stream waited for that for ever. */
static void close_flushed_after_our_own_end_does_not_wait_for_what_came_later(void **state)
{
    struct stream_world *f = *state;

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
    struct stream_world *f = *state;

    world_write_much(f);
    fast_time(1000);
    loop_for(f->loop, 4 * 60 * 1000000ULL);
    assert_int_equal(f->errors, 0);
    assert_true(loop_until(f->loop, &f->errors) || loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_TIMEOUT);
    assert_string_equal(f->err.text, "the other side has taken nothing for 300 s");
}

static void close_flushed_gives_a_stuck_side_up(void **state)
{
    struct stream_world *f = *state;

    world_write_much(f);
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
    struct stream_world *f = *state;
    char byte;

    world_write_much(f);
    stream_reset(f->stream);
    f->stream = NULL;
    while (recv(f->other, &byte, 1, 0) > 0)
        ;
    assert_int_equal(errno, ECONNRESET);
}

static void stale_is_what_has_bytes_an_end_or_an_error(void **state)
{
    struct stream_world *f = *state;

    assert_false(stream_is_stale(f->stream));
    world_give(f, "x");
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
    struct stream_world *f = *state;

    f->closing = CLOSE_ON_BYTES;
    world_give(f, "x");
    shutdown(f->other, SHUT_WR);
    loop_for(f->loop, 5000);
    assert_null(f->stream);
    assert_int_equal(f->eofs, 0);
    stream_close(NULL);
}

static void stream_may_be_closed_at_its_end(void **state)
{
    struct stream_world *f = *state;

    f->closing = CLOSE_ON_EOF;
    shutdown(f->other, SHUT_WR);
    loop_for(f->loop, 5000);
    assert_null(f->stream);
    assert_false(is_open(f->fd));
}

static void stream_may_be_closed_on_error(void **state)
{
    struct stream_world *f = *state;

    f->closing = CLOSE_ON_ERROR;
    world_reset_other(f);
    loop_for(f->loop, 5000);
    assert_null(f->stream);
}

static void closed_stream_with_a_write_error_is_silent(void **state)
{
    struct stream_world *f = *state;

    world_reset_other(f);
    world_write_text(f, "a");
    world_write_text(f, "b");
    stream_close(f->stream);
    f->stream = NULL;
    loop_for(f->loop, 5000);
    assert_int_equal(f->errors, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stream_world_setup, stream_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(shutdown_ends_our_side_after_all_is_written),
        TEST(close_flushed_delivers_all_and_waits_for_the_other_side),
        TEST(lingering_has_two_seconds),
        TEST(lingering_ends_with_its_loop),
        TEST(what_its_loop_did_not_let_it_send_is_cut),
        TEST(close_flushed_after_the_others_end_is_over_at_once),
        TEST(close_flushed_after_our_own_end_does_not_wait_for_what_came_later),
        TEST(stuck_side_is_given_five_minutes),
        TEST(close_flushed_gives_a_stuck_side_up),
        TEST(reset_reaches_the_other_side_as_one),
        TEST(stale_is_what_has_bytes_an_end_or_an_error),
        TEST(stream_may_be_closed_from_any_callback),
        TEST(stream_may_be_closed_at_its_end),
        TEST(stream_may_be_closed_on_error),
        TEST(closed_stream_with_a_write_error_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

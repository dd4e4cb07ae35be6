#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/address.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"
#include "tests/support/stream_world.h"

static void bytes_pass_both_ways(void **state)
{
    struct stream_world *f = *state;
    char buffer[16];

    world_give(f, "hello");
    assert_true(loop_until(f->loop, &f->has_bytes));
    assert_string_equal(strbuf_text(&f->got), "hello");
    world_write_text(f, "world");
    assert_int_equal(stream_unsent(f->stream), 0);
    assert_int_equal(recv(f->other, buffer, sizeof buffer, 0), 5);
    assert_memory_equal(buffer, "world", 5);
    loop_for(f->loop, 1000);
    assert_int_equal(f->drains, 0); /* nothing had to wait */
}

static void what_the_socket_does_not_take_goes_later(void **state)
{
    struct stream_world *f = *state;

    world_write_much(f);
    world_take_much(f, false);
    assert_int_equal(f->drains, 1);
    assert_int_equal(stream_unsent(f->stream), 0);
}

static void drained_stream_may_be_closed_from_inside(void **state)
{
    struct stream_world *f = *state;

    f->closing = CLOSE_ON_DRAINED;
    world_write_much(f);
    world_take_much(f, true);
    assert_null(f->stream);
}

static void paused_stream_keeps_everything_for_later(void **state)
{
    struct stream_world *f = *state;

    stream_pause(f->stream);
    world_give(f, "held ");
    loop_for(f->loop, 5000);
    assert_int_equal(f->got.len, 0);
    world_give(f, "back");
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
    struct stream_world *f = *state;
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
    struct stream_world *f = *state;
    struct loop_timer timer;
    int turns = 0;

    world_give(f, "bytes that nobody wants yet");
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
    struct stream_world *f = *state;

    world_give(f, "unread");
    stream_pause(f->stream);
    loop_for(f->loop, 1000); /* it has seen that there are bytes, and let them be */
    world_reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_CLOSED);
    assert_string_equal(f->err.text, "connection reset");
    assert_int_equal(f->got.len, 0);
}

static void stream_that_was_just_paused_hears_a_reset_too(void **state)
{
    struct stream_world *f = *state;

    stream_pause(f->stream);
    world_reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_CLOSED);
}

static void paused_stream_goes_on_writing(void **state)
{
    struct stream_world *f = *state;

    world_give(f, "unread");
    stream_pause(f->stream);
    loop_for(f->loop, 1000);
    world_write_much(f);
    world_take_much(f, false);
    assert_int_equal(f->drains, 1);
    stream_resume(f->stream);
    assert_true(loop_until(f->loop, &f->has_bytes));
}

static void stream_that_waits_to_write_can_pause_and_resume(void **state)
{
    struct stream_world *f = *state;

    world_write_much(f);
    stream_pause(f->stream);
    world_give(f, "unread");
    loop_for(f->loop, 1000);
    stream_resume(f->stream);
    assert_true(loop_until(f->loop, &f->has_bytes));
    world_take_much(f, false);
    assert_int_equal(f->drains, 1);
}

static void end_of_the_other_side_comes_once_and_writing_goes_on(void **state)
{
    struct stream_world *f = *state;

    world_give(f, "last words");
    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    assert_string_equal(strbuf_text(&f->got), "last words");
    world_write_much(f);
    world_take_much(f, false);
    assert_int_equal(f->drains, 1);
    assert_int_equal(f->eofs, 1);
    assert_int_equal(f->errors, 0);
}

static void reset_after_the_end_is_heard(void **state)
{
    struct stream_world *f = *state;

    shutdown(f->other, SHUT_WR);
    assert_true(loop_until(f->loop, &f->eofs));
    world_reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_int_equal(f->err.code, ERR_CLOSED);
}

static void bytes_before_a_reset_come_first(void **state)
{
    struct stream_world *f = *state;

    world_give(f, "before");
    world_reset_other(f);
    assert_true(loop_until(f->loop, &f->errors));
    assert_string_equal(strbuf_text(&f->got), "before");
    assert_int_equal(f->eofs, 0);
    loop_for(f->loop, 1000);
    assert_int_equal(f->errors, 1);
}

static void early_answer_is_read_before_the_write_error_is_told(void **state)
{
    struct stream_world *f = *state;

    world_write_text(f, "a request that nobody reads");
    world_give(f, "413 too large");
    close(f->other); /* with bytes unread: a reset */
    f->other = -1;
    for (int i = 0; i < 3; i++)
        world_write_text(f, "more of the body");
    assert_int_equal(f->errors, 0); /* never from inside stream_flush */
    assert_true(loop_until(f->loop, &f->errors));
    assert_string_equal(strbuf_text(&f->got), "413 too large");
    assert_int_equal(f->err.code, ERR_CLOSED);
    assert_int_equal(f->eofs, 0);
    assert_int_equal(stream_unsent(f->stream), 0);
}

static void new_owner_gets_what_comes(void **state)
{
    struct stream_world *f = *state;
    struct stream_world heir = { .loop = f->loop, .stream = f->stream };

    world_give(f, "mine");
    assert_true(loop_until(f->loop, &f->has_bytes));
    stream_set_owner(f->stream, &stream_world_events, &heir);
    world_give(f, "yours");
    assert_true(loop_until(f->loop, &heir.has_bytes));
    assert_string_equal(strbuf_text(&f->got), "mine");
    assert_string_equal(strbuf_text(&heir.got), "yours");
    strbuf_clear(&heir.got);
}

static void one_stream_reads_no_more_than_its_share_of_a_turn(void **state)
{
    struct stream_world *f = *state;
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
    struct stream_world *f = *state;

    stream_set_options(f->fd);
    assert_int_not_equal(option(f->fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option(f->fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(f->fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
}

static void peer_has_a_name(void **state)
{
    struct stream_world *f = *state;
    struct address own = { .len = sizeof own.sa };
    char want[ADDRESS_TEXT_BYTES], got[ADDRESS_TEXT_BYTES];

    getsockname(f->other, (struct sockaddr *)&own.sa, &own.len);
    address_format(&own, want, sizeof want);
    stream_peer_name(f->stream, got, sizeof got);
    assert_string_equal(got, want);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stream_world_setup, stream_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_pass_both_ways),
        TEST(what_the_socket_does_not_take_goes_later),
        TEST(drained_stream_may_be_closed_from_inside),
        TEST(paused_stream_keeps_everything_for_later),
        TEST(stream_paused_while_it_reads_stops_at_once),
        TEST(paused_stream_does_not_keep_the_loop_awake),
        TEST(paused_stream_hears_a_reset_at_once),
        TEST(stream_that_was_just_paused_hears_a_reset_too),
        TEST(paused_stream_goes_on_writing),
        TEST(stream_that_waits_to_write_can_pause_and_resume),
        TEST(end_of_the_other_side_comes_once_and_writing_goes_on),
        TEST(reset_after_the_end_is_heard),
        TEST(bytes_before_a_reset_come_first),
        TEST(early_answer_is_read_before_the_write_error_is_told),
        TEST(new_owner_gets_what_comes),
        TEST(one_stream_reads_no_more_than_its_share_of_a_turn),
        TEST(socket_sends_at_once_and_finds_the_dead),
        TEST(peer_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

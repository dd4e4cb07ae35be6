/* Two links back to back over loopback; most tests are run without TLS, with it, and with TLS in TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/link_pair.h"

/* More than any socket buffer of loopback takes at once. */
#define MUCH_BYTES (16 * 1024 * 1024)

/* --- bytes that are held -------------------------------------------------------------------------------- */

static void what_was_not_used_comes_again_with_what_came_after(void **state)
{
    struct fixture *f = *state;

    f->ours.takes = 3;
    say(theirs(f), "abcdef");
    UNTIL(f->ours.gifts == 1);
    assert_string_equal(strbuf_text(&f->ours.got), "abc");
    f->ours.takes = 1;
    say(theirs(f), "ghi");
    UNTIL(f->ours.gifts == 2);
    assert_int_equal(f->ours.last_given, 6);
    f->ours.takes = SIZE_MAX;
    link_deliver(ours(f));
    assert_int_equal(f->ours.last_given, 5);
    assert_string_equal(strbuf_text(&f->ours.got), "abcdefghi");
    assert_int_equal(f->ours.batches, 3); /* one with each gift */
    link_deliver(ours(f));
    assert_int_equal(f->ours.gifts, 3); /* nothing is left */
}

static void a_paused_owner_gets_nothing_until_it_wants(void **state)
{
    struct fixture *f = *state;

    link_set_reading(ours(f), false);
    say(theirs(f), "abc");
    loop_for(f->loop, 5000);
    link_deliver(ours(f));
    assert_int_equal(f->ours.gifts, 0);
    link_set_reading(ours(f), true);
    UNTIL(f->ours.got.len == 3);
    assert_string_equal(strbuf_text(&f->ours.got), "abc");
}

static void held_bytes_are_delivered_after_a_pause_without_new_ones(void **state)
{
    struct fixture *f = *state;

    f->ours.takes = 1;
    f->ours.pauses = true;
    say(theirs(f), "abc");
    say(theirs(f), "def");
    UNTIL(f->ours.gifts == 1);
    loop_for(f->loop, 5000);
    assert_string_equal(strbuf_text(&f->ours.got), "a");
    f->ours.takes = SIZE_MAX;
    link_set_reading(ours(f), true);
    assert_int_equal(f->ours.gifts, 1); /* never from inside */
    UNTIL(f->ours.got.len == 6);
    assert_string_equal(strbuf_text(&f->ours.got), "abcdef");
}

static void a_pause_and_its_end_before_the_turn_is_over_deliver_once(void **state)
{
    struct fixture *f = *state;

    f->ours.takes = 0;
    say(theirs(f), "abc");
    UNTIL(f->ours.gifts == 1);
    f->ours.takes = SIZE_MAX;
    link_set_reading(ours(f), false);
    link_set_reading(ours(f), true);
    link_set_reading(ours(f), false);
    link_set_reading(ours(f), true);
    UNTIL(f->ours.got.len == 3);
    loop_for(f->loop, 1000);
    assert_int_equal(f->ours.gifts, 2);
}

static void what_an_idle_owner_holds_is_bounded(void **state)
{
    struct fixture *f = *state;
    size_t len = 1024 * 1024;

    f->ours.takes = 0;
    say_much(theirs(f), len);
    UNTIL(ours(f)->held.len >= LINK_HELD_BYTES);
    loop_for(f->loop, 20000);
    assert_true(ours(f)->held.len < LINK_HELD_BYTES + LOOP_READ_BYTES);
    f->ours.takes = SIZE_MAX;
    link_deliver(ours(f));
    UNTIL(f->ours.got.len >= len);
    check_much(&f->ours, len);
}

static void what_is_read_at_once_is_one_batch(void **state)
{
    struct fixture *f = *state;

    say(theirs(f), "a");
    say(theirs(f), "b");
    say(theirs(f), "c");
    UNTIL(f->ours.got.len == 3);
    assert_int_equal(f->ours.batches, 1);
}

static void much_passes_and_the_end_of_waiting_is_told(void **state)
{
    struct fixture *f = *state;

    link_set_reading(theirs(f), false);
    say_much(ours(f), MUCH_BYTES);
    assert_int_not_equal(link_unsent(ours(f)), 0);
    loop_for(f->loop, 1000);
    assert_int_equal(f->ours.drains, 0);
    link_set_reading(theirs(f), true);
    UNTIL(f->theirs.got.len >= MUCH_BYTES && f->ours.drains != 0);
    check_much(&f->theirs, MUCH_BYTES);
    assert_int_equal(link_unsent(ours(f)), 0);
    assert_int_equal(f->ours.drains, 1);
}

static void another_owner_gets_what_the_first_one_left(void **state)
{
    struct fixture *f = *state;

    f->ours.takes = 2;
    say(theirs(f), "abcd");
    UNTIL(f->ours.gifts == 1);
    link_set_owner(ours(f), &events, f->theirs.end);
    link_deliver(ours(f));
    assert_string_equal(strbuf_text(&f->theirs.got), "cd");
}

/* --- ends ----------------------------------------------------------------------------------------------- */

static void the_end_is_told_after_the_bytes_before_it(void **state)
{
    struct fixture *f = *state;

    f->ours.takes = 0;
    say(theirs(f), "abc");
    link_close(theirs(f));
    UNTIL(ours(f)->has_eof); /* noticed, while bytes are held */
    loop_for(f->loop, 5000);
    assert_int_equal(f->ours.eofs, 0);
    f->ours.takes = SIZE_MAX;
    link_deliver(ours(f));
    assert_string_equal(strbuf_text(&f->ours.got), "abc");
    assert_int_equal(f->ours.eofs, 1);
    loop_for(f->loop, 5000);
    assert_int_equal(f->ours.eofs, 1);
    assert_int_equal(f->ours.errors, 0);
}

static void a_paused_owner_is_told_of_the_end_when_it_wants(void **state)
{
    struct fixture *f = *state;

    f->ours.pauses = true;
    say(theirs(f), "abc");
    link_close(theirs(f));
    UNTIL(f->ours.gifts == 1);
    loop_for(f->loop, 5000);
    assert_int_equal(f->ours.eofs, 0);
    link_set_reading(ours(f), true);
    assert_int_equal(f->ours.eofs, 0);
    UNTIL(f->ours.eofs);
    assert_true(link_ended_cleanly(ours(f)));
}

static void check_eof(struct fixture *f, bool is_clean)
{
    UNTIL(f->ours.eofs);
    assert_string_equal(strbuf_text(&f->ours.got), "last words");
    assert_int_equal(link_ended_cleanly(ours(f)), is_clean);
    assert_int_equal(f->ours.errors, 0);
}

static void a_closed_link_ends_cleanly(void **state)
{
    struct fixture *f = *state;

    say(theirs(f), "last ");
    evbuffer_add(link_out(theirs(f)), "words", 5); /* not flushed */
    link_close(theirs(f));
    assert_false(link_is_open(theirs(f)));
    check_eof(f, true);
}

static void a_link_closed_raw_ends_without_close_notify(void **state)
{
    struct fixture *f = *state;

    evbuffer_add(link_out(theirs(f)), "last words", 10);
    link_close_raw(theirs(f));
    check_eof(f, !f->is_tls);
}

static void a_link_that_is_cut_by_closing_sends_what_is_queued(void **state)
{
    struct fixture *f = *state;

    evbuffer_add(link_out(theirs(f)), "last words", 10);
    link_cut(theirs(f), CUT_CLOSE);
    check_eof(f, !f->is_tls);
}

static void a_link_that_is_reset_is_seen_as_that(void **state)
{
    struct fixture *f = *state;

    evbuffer_add(link_out(theirs(f)), "last words", 10);
    link_cut(theirs(f), CUT_RESET);
    UNTIL(f->ours.errors);
    assert_int_equal(f->ours.err.code, ERR_CLOSED);
    assert_int_equal(f->ours.got.len, 0);
    assert_int_equal(f->ours.eofs, 0);
}

static void a_half_that_was_shut_down_leaves_the_other_open(void **state)
{
    struct fixture *f = *state;

    evbuffer_add(link_out(theirs(f)), "last words", 10);
    link_shutdown(theirs(f));
    check_eof(f, true);
    say(ours(f), "and mine");
    UNTIL(f->theirs.got.len == 8);
    link_shutdown_raw(ours(f));
    UNTIL(f->theirs.eofs);
    assert_int_equal(link_ended_cleanly(theirs(f)), !f->is_tls);
}

static void nothing_can_be_done_with_a_closed_link_and_nothing_breaks(void **state)
{
    struct fixture *f = *state;

    link_close(ours(f));
    link_flush(ours(f));
    link_deliver(ours(f));
    link_set_reading(ours(f), false);
    link_set_reading(ours(f), true);
    link_shutdown(ours(f));
    link_shutdown_raw(ours(f));
    link_close(ours(f));
    link_close_raw(ours(f));
    link_cut(ours(f), CUT_RESET);
    assert_int_equal(link_unsent(ours(f)), 0);
    UNTIL(f->theirs.eofs);
    assert_true(link_ended_cleanly(theirs(f))); /* the first ending counts */
}

/* --- from inside ---------------------------------------------------------------------------------------- */

static void a_link_may_be_closed_and_freed_while_it_gives_bytes(void **state)
{
    struct fixture *f = *state;

    f->ours.closing = CLOSE_ON_BYTES;
    f->ours.takes = 1;
    say(theirs(f), "a");
    say(theirs(f), "b");
    UNTIL(f->theirs.eofs);
    assert_null(f->ours.end);
    assert_int_equal(f->ours.gifts, 1);
    assert_int_equal(f->ours.batches, 0);
}

static void a_link_may_be_closed_and_freed_from_a_batch(void **state)
{
    struct fixture *f = *state;

    f->ours.closing = CLOSE_ON_BATCH;
    f->ours.takes = 1;
    say(theirs(f), "a");
    say(theirs(f), "b");
    link_shutdown(theirs(f));
    UNTIL(f->theirs.eofs);
    assert_null(f->ours.end);
    assert_int_equal(f->ours.eofs, 0);
}

static void a_link_may_be_closed_and_freed_from_its_end(void **state)
{
    struct fixture *f = *state;

    f->ours.closing = CLOSE_ON_EOF;
    link_shutdown(theirs(f));
    UNTIL(f->theirs.eofs);
    assert_null(f->ours.end);
}

static void a_link_may_be_closed_and_freed_from_its_error(void **state)
{
    struct fixture *f = *state;

    f->ours.closing = CLOSE_ON_ERROR;
    link_cut(theirs(f), CUT_RESET);
    UNTIL(f->ours.errors);
    assert_null(f->ours.end);
}

static void a_link_may_be_closed_and_freed_when_drained(void **state)
{
    struct fixture *f = *state;

    f->ours.closing = CLOSE_ON_DRAINED;
    say_much(ours(f), MUCH_BYTES);
    UNTIL(f->theirs.eofs);
    assert_null(f->ours.end);
    check_much(&f->theirs, MUCH_BYTES);
}

static void what_is_not_flushed_counts_as_unsent(void **state)
{
    struct fixture *f = *state;

    evbuffer_add(link_out(ours(f)), "abc", 3);
    assert_int_equal(link_unsent(ours(f)), 3);
    link_flush(ours(f));
    assert_int_equal(link_unsent(ours(f)), 0);
    UNTIL(f->theirs.got.len == 3);
}

static void tickets_go_with_the_first_bytes(void **state)
{
    struct fixture *f = *state;

    assert_int_not_equal(stream_unsent(ours(f)->stream), 0);
    assert_int_equal(link_unsent(ours(f)), 0);
    say(ours(f), "a");
    assert_int_equal(stream_unsent(ours(f)->stream), 0);
    UNTIL(f->theirs.got.len == 1);
}

/* --- TLS that fails ------------------------------------------------------------------------------------- */

static void start_handshake(struct fixture *f)
{
    static const struct tls_target target = { .host = "example.test", .port = 443 };
    struct err err;

    assert_true(link_connect_tls(ours(f), lab.client, NULL, &target, &err));
}

static void a_failed_write_is_told_later_and_once(void **state)
{
    struct fixture *f = *state;

    start_handshake(f);
    say(ours(f), "too early");
    link_flush(ours(f));
    assert_int_equal(f->ours.errors, 0); /* a flush calls nobody back */
    UNTIL(f->ours.errors);
    loop_for(f->loop, 1000);
    assert_int_equal(f->ours.errors, 1);
    assert_int_equal(f->ours.err.code, ERR_TLS);
}

static void a_failed_write_is_not_told_to_who_has_closed(void **state)
{
    struct fixture *f = *state;

    start_handshake(f);
    say(ours(f), "too early");
    link_close_raw(ours(f));
    UNTIL(f->theirs.eofs);
    assert_int_equal(f->ours.errors, 0);
}

static void a_failed_handshake_is_an_error_and_the_alert_goes_out(void **state)
{
    struct fixture *f = *state;
    static const char server_hello[] = "\x16\x03\x03\x00\x05\x02\x00\x00\x01"; /* of one byte */

    f->ours.closing = CLOSE_ON_ERROR;
    start_handshake(f);
    UNTIL(f->theirs.got.len != 0);
    strbuf_reset(&f->theirs.got);
    evbuffer_add(link_out(theirs(f)), server_hello, sizeof server_hello);
    link_flush(theirs(f));
    UNTIL(f->theirs.eofs);
    assert_int_equal(f->ours.errors, 1);
    assert_int_equal(f->ours.err.code, ERR_TLS);
    assert_int_equal(f->theirs.got.ptr[0], 21); /* an alert (RFC 8446 §5.1) */
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
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define WITH(name, what, setup)                                                                              \
    {                                                                                                        \
#name " (" what ")", name, setup, teardown, NULL                                                     \
    }
#define ALL(name)                                                                                            \
    PLAIN(name), WITH(name, "TLS", setup_tls), WITH(name, "TLS in TLS", setup_tls_in_tls),                   \
        WITH(name, "TLS in TLS, client and server", setup_tls_in_tls_the_other_way)
    const struct CMUnitTest tests[] = {
        ALL(what_was_not_used_comes_again_with_what_came_after),
        ALL(a_paused_owner_gets_nothing_until_it_wants),
        ALL(held_bytes_are_delivered_after_a_pause_without_new_ones),
        ALL(a_pause_and_its_end_before_the_turn_is_over_deliver_once),
        ALL(what_an_idle_owner_holds_is_bounded),
        ALL(what_is_read_at_once_is_one_batch),
        ALL(much_passes_and_the_end_of_waiting_is_told),
        PLAIN(another_owner_gets_what_the_first_one_left),
        ALL(the_end_is_told_after_the_bytes_before_it),
        ALL(a_paused_owner_is_told_of_the_end_when_it_wants),
        ALL(a_closed_link_ends_cleanly),
        ALL(a_link_closed_raw_ends_without_close_notify),
        ALL(a_link_that_is_cut_by_closing_sends_what_is_queued),
        ALL(a_link_that_is_reset_is_seen_as_that),
        ALL(a_half_that_was_shut_down_leaves_the_other_open),
        ALL(nothing_can_be_done_with_a_closed_link_and_nothing_breaks),
        ALL(a_link_may_be_closed_and_freed_while_it_gives_bytes),
        ALL(a_link_may_be_closed_and_freed_from_a_batch),
        ALL(a_link_may_be_closed_and_freed_from_its_end),
        ALL(a_link_may_be_closed_and_freed_from_its_error),
        ALL(a_link_may_be_closed_and_freed_when_drained),
        ALL(what_is_not_flushed_counts_as_unsent),
        WITH(tickets_go_with_the_first_bytes, "TLS", setup_tls),
        PLAIN(a_failed_write_is_told_later_and_once),
        WITH(a_failed_write_is_told_later_and_once, "in TLS", setup_tls),
        PLAIN(a_failed_write_is_not_told_to_who_has_closed),
        WITH(a_failed_write_is_not_told_to_who_has_closed, "in TLS", setup_tls),
        PLAIN(a_failed_handshake_is_an_error_and_the_alert_goes_out),
        WITH(a_failed_handshake_is_an_error_and_the_alert_goes_out, "in TLS", setup_tls),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

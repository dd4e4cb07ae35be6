/* Two links back to back over loopback; most tests are run without TLS, with it, and with TLS in TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/live/link.h"
#include "proxy/net/address.h"
#include "tests/support/loop_until.h"
#include "tests/support/tls_pair.h"

/* More than any socket buffer of loopback takes at once. */
#define MUCH_BYTES (16 * 1024 * 1024)

enum closing { CLOSE_NEVER, CLOSE_ON_BYTES, CLOSE_ON_BATCH, CLOSE_ON_EOF, CLOSE_ON_DRAINED, CLOSE_ON_ERROR };

/* What a link's owner was told. */
struct notes {
    struct loop *loop;
    struct end *end;   /* NULL: closed and freed */
    struct strbuf got; /* used */
    size_t takes;      /* bytes that the owner uses of what it is given */
    size_t last_given; /* bytes in the latest on_bytes */
    volatile int gifts, batches, eofs, drains, errors, opens;
    bool pauses; /* in its first on_bytes */
    enum closing closing;
    struct err err;
};

/* Of its own memory, so that a link used after it was freed is seen. */
struct end {
    struct link link;
    struct notes *notes;
};

struct fixture {
    struct loop *loop;
    struct loop_timer late;
    bool is_late;
    bool is_tls;
    struct leaf *leaf;
    struct notes ours, theirs;
};

static struct tls_lab lab;

/* --- owners --------------------------------------------------------------------------------------------- */

static void free_end(void *self)
{
    struct end *end = self;

    link_clear(&end->link);
    free(end);
}

static void close_if(struct notes *notes, enum closing when)
{
    if (notes->closing != when)
        return;
    link_close(&notes->end->link);
    loop_defer(notes->loop, free_end, notes->end);
    notes->end = NULL;
}

static struct notes *notes_of(void *self)
{
    struct notes *notes = ((struct end *)self)->notes;

    assert_ptr_equal(notes->end, self); /* nothing is told once it was closed */
    return notes;
}

static size_t on_bytes(void *self, struct span bytes)
{
    struct notes *notes = notes_of(self);
    size_t used = bytes.len < notes->takes ? bytes.len : notes->takes;

    assert_int_equal(notes->eofs, 0);
    notes->gifts++;
    notes->last_given = bytes.len;
    strbuf_add(&notes->got, span_sub(bytes, 0, used));
    if (notes->pauses) {
        notes->pauses = false;
        link_set_reading(&notes->end->link, false);
    }
    close_if(notes, CLOSE_ON_BYTES);
    return used;
}

static void on_batch(void *self)
{
    struct notes *notes = notes_of(self);

    notes->batches++;
    close_if(notes, CLOSE_ON_BATCH);
}

static void on_eof(void *self)
{
    struct notes *notes = notes_of(self);

    notes->eofs++;
    close_if(notes, CLOSE_ON_EOF);
}

static void on_drained(void *self)
{
    struct notes *notes = notes_of(self);

    notes->drains++;
    close_if(notes, CLOSE_ON_DRAINED);
}

static void on_error(void *self, const struct err *err)
{
    struct notes *notes = notes_of(self);

    notes->errors++;
    notes->err = *err;
    close_if(notes, CLOSE_ON_ERROR);
}

static struct leaf *shown_leaf;

static enum tls_answer on_hello(void *self, const struct hello *hello)
{
    (void)hello;
    tls_set_leaf(notes_of(self)->end->link.tls, shown_leaf);
    return TLS_GO;
}

static void on_open(void *self)
{
    notes_of(self)->opens++;
}

static const struct link_events events = {
    on_bytes, on_batch, on_eof, on_drained, on_error, on_hello, on_open
};

/* --- the pair ------------------------------------------------------------------------------------------- */

static void pair_of_sockets(int out_fds[2])
{
    struct address address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(address_parse("127.0.0.1", 0, &address));
    assert_int_equal(bind(listening, (struct sockaddr *)&address.sa, address.len), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address.sa, &address.len), 0);
    out_fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(out_fds[1], (struct sockaddr *)&address.sa, address.len), 0);
    out_fds[0] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(out_fds[0] >= 0);
    close(listening);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(out_fds[i], F_SETFL, O_NONBLOCK), 0);
}

static void is_too_late(void *self)
{
    ((struct fixture *)self)->is_late = true;
}

static void turn(struct fixture *f)
{
    loop_turn(f->loop);
    assert_false(f->is_late);
}

#define UNTIL(condition)                                                                                     \
    while (!(condition))                                                                                     \
    turn(f)

static void notes_init(struct notes *notes, struct loop *loop, int fd)
{
    *notes = (struct notes){ .loop = loop, .takes = SIZE_MAX, .end = calloc(1, sizeof *notes->end) };
    notes->end->notes = notes;
    link_init(&notes->end->link, loop, fd, &events, notes->end);
}

static void notes_clear(struct notes *notes)
{
    if (notes->end != NULL)
        free_end(notes->end);
    strbuf_clear(&notes->got);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fds[2];

    f->loop = loop_new();
    loop_timer_init(&f->late, f->loop, is_too_late, f);
    loop_timer_set(&f->late, 60 * 1000000ull);
    pair_of_sockets(fds);
    notes_init(&f->ours, f->loop, fds[0]);
    notes_init(&f->theirs, f->loop, fds[1]);
    *state = f;
    return 0;
}

static void put_layer_on(struct fixture *f, struct notes *server, struct notes *client)
{
    static const struct tls_target target = { .host = "example.test", .port = 443 };
    int opens = server->opens + 1;
    struct err err;

    f->is_tls = true;
    if (f->leaf == NULL)
        shown_leaf = f->leaf = tls_lab_leaf(&lab, target.host);
    assert_true(link_accept_tls(&server->end->link, lab.server, SPAN(""), &err));
    assert_true(link_connect_tls(&client->end->link, lab.client, NULL, &target, &err));
    UNTIL(server->opens == opens && client->opens == opens);
    loop_for(f->loop, 1000); /* tickets */
    assert_int_equal(server->gifts + client->gifts, 0);
}

static int setup_tls(void **state)
{
    struct fixture *f;

    setup(state);
    f = *state;
    put_layer_on(f, &f->ours, &f->theirs);
    return 0;
}

static int setup_tls_in_tls(void **state)
{
    struct fixture *f;

    setup_tls(state);
    f = *state;
    put_layer_on(f, &f->ours, &f->theirs);
    return 0;
}

static int setup_tls_in_tls_the_other_way(void **state)
{
    struct fixture *f;

    setup_tls(state);
    f = *state;
    put_layer_on(f, &f->theirs, &f->ours);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    loop_timer_clear(&f->late);
    notes_clear(&f->ours);
    notes_clear(&f->theirs);
    leaf_unref(f->leaf);
    loop_free(f->loop);
    free(f);
    return 0;
}

static struct link *ours(const struct fixture *f)
{
    return &f->ours.end->link;
}

static struct link *theirs(const struct fixture *f)
{
    return &f->theirs.end->link;
}

static void say(struct link *link, const char *text)
{
    evbuffer_add(link_out(link), text, strlen(text));
    link_flush(link);
}

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 4096);
}

static void say_much(struct link *link, size_t len)
{
    char *bytes = malloc(len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(i);
    evbuffer_add(link_out(link), bytes, len);
    free(bytes);
    link_flush(link);
}

static void check_much(const struct notes *notes, size_t len)
{
    assert_int_equal(notes->got.len, len);
    for (size_t i = 0; i < len; i++) {
        if (notes->got.ptr[i] != pattern(i))
            fail_msg("byte %zu is not what was sent", i);
    }
}

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
        PLAIN(a_failed_write_is_told_later_and_once),
        WITH(a_failed_write_is_told_later_and_once, "in TLS", setup_tls),
        PLAIN(a_failed_write_is_not_told_to_who_has_closed),
        WITH(a_failed_write_is_not_told_to_who_has_closed, "in TLS", setup_tls),
        PLAIN(a_failed_handshake_is_an_error_and_the_alert_goes_out),
        WITH(a_failed_handshake_is_an_error_and_the_alert_goes_out, "in TLS", setup_tls),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

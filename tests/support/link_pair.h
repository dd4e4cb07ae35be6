/* link_pair: two links back to back over loopback, their owners, and what these were told. Plain, with TLS,
 * and with TLS in TLS. */
#ifndef WEIR_TESTS_LINK_PAIR_H
#define WEIR_TESTS_LINK_PAIR_H

#include <event2/buffer.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/live/link.h"
#include "proxy/net/address.h"
#include "tests/support/loop_until.h"
#include "tests/support/tls_pair.h"

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
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fcntl(out_fds[i], F_SETFL, O_NONBLOCK), 0);
        stream_set_options(out_fds[i]);
    }
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

#endif

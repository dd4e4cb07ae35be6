#include "tests/support/stream_world.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "proxy/net/address.h"
#include "tests/support/fast_time.h"
#include "tests/support/loop_until.h"

static void close_if(struct stream_world *f, enum closing when)
{
    if (f->closing == when) {
        stream_close(f->stream);
        f->stream = NULL;
    }
}

static void on_bytes(void *self, struct span bytes)
{
    struct stream_world *f = self;

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
    struct stream_world *f = self;

    assert_non_null(f->stream);
    f->eofs++;
    close_if(f, CLOSE_ON_EOF);
}

static void on_drained(void *self)
{
    struct stream_world *f = self;

    assert_non_null(f->stream);
    f->drains++;
    close_if(f, CLOSE_ON_DRAINED);
}

static void on_error(void *self, const struct err *err)
{
    struct stream_world *f = self;

    assert_non_null(f->stream);
    f->errors++;
    f->err = *err;
    close_if(f, CLOSE_ON_ERROR);
}

const struct stream_events stream_world_events = { on_bytes, on_eof, on_drained, on_error };

void stream_world_sockets(int *out_ours, int *out_other)
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

int stream_world_setup(void **state)
{
    struct stream_world *f = calloc(1, sizeof *f);

    f->loop = loop_new();
    stream_world_sockets(&f->fd, &f->other);
    f->stream = stream_new(f->loop, f->fd, &stream_world_events, f);
    *state = f;
    return 0;
}

int stream_world_teardown(void **state)
{
    struct stream_world *f = *state;

    fast_time(1);
    stream_close(f->stream);
    if (f->other >= 0)
        close(f->other);
    loop_free(f->loop);
    strbuf_clear(&f->got);
    free(f);
    return 0;
}

void world_give(const struct stream_world *f, const char *text)
{
    assert_int_equal(send(f->other, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void world_write_text(const struct stream_world *f, const char *text)
{
    evbuffer_add(stream_out(f->stream), text, strlen(text));
    stream_flush(f->stream);
}

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 4096);
}

void world_write_much(const struct stream_world *f)
{
    char *bytes = malloc(MUCH_BYTES);

    for (size_t i = 0; i < MUCH_BYTES; i++)
        bytes[i] = pattern(i);
    evbuffer_add(stream_out(f->stream), bytes, MUCH_BYTES);
    free(bytes);
    stream_flush(f->stream);
    assert_int_not_equal(stream_unsent(f->stream), 0);
}

void world_take_much(const struct stream_world *f, bool then_eof)
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

void world_reset_other(struct stream_world *f)
{
    struct linger at_once = { 1, 0 };

    setsockopt(f->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(f->other);
    f->other = -1;
}

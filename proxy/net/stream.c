/* How a stream watches its socket, one event at a time:
 *
 *   WATCH_READ        reading, nothing waits to be written: the whole life of a healthy connection
 *   WATCH_READ_WRITE  the socket did not take all we had
 *   WATCH_WRITE_EDGE  not reading: paused, or the other side's FIN has come
 *
 * libevent reports EPOLLERR as readable and writable and keeps EPOLLHUP to itself, so a socket watched for
 * neither would not tell of a reset, and one watched for its level would spin. EPOLLOUT as an edge does it:
 * it wakes when the socket fails and when it has room again, and is silent while bytes arrive that we don't
 * want yet. It does not say which of the two it is, so the socket is asked for its error. */
#include "proxy/net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "proxy/base/mem.h"
#include "proxy/net/address.h"
#include "proxy/net/loop.h"

/* After this much a stream lets the others of its loop have their turn. */
#define READ_TURN_BYTES (256 * 1024)
/* Pieces handed to one sendmsg: more than a full socket buffer is usually made of. */
#define WRITE_PIECES 64
/* How long the other side may take nothing of what we have for it (a phone that fell asleep comes back). */
#define WRITE_STUCK_US (5 * 60 * 1000000ULL)
/* How long a closing socket takes in what the other side still sends (RFC 9112 §9.6): a round trip or a few.
 */
#define LINGER_US (2 * 1000000ULL)
/* TCP keepalive: the first probe after this silence, then every PROBE_S; dead after PROBES without an answer.
 */
#define SILENCE_S 60
#define PROBE_S   15
#define PROBES    4

#define WATCH_READ       (EV_READ | EV_PERSIST)
#define WATCH_READ_WRITE (EV_READ | EV_WRITE | EV_PERSIST)
#define WATCH_WRITE_EDGE (EV_WRITE | EV_ET | EV_PERSIST)

/*        stream_close_flushed         all written           FIN of the other side, or 2 s
 *   OPEN ---------------------> FLUSHING ---------> LINGERING ---------------------------> CLOSED
 *    |                             '-------------------'------------- error, timeout ----->
 *    '--- error, told to the owner ---> BROKEN        stream_close, stream_reset: from any to CLOSED */
enum stream_state { STREAM_OPEN, STREAM_BROKEN, STREAM_FLUSHING, STREAM_LINGERING, STREAM_CLOSED };

struct stream {
    struct loop *loop;
    int fd;
    enum stream_state state;
    const struct stream_events *events;
    void *self;
    struct evbuffer *out;
    struct event *event;
    short watch;
    bool is_paused;
    bool has_eof;    /* the other side's FIN was read */
    bool is_blocked; /* the socket did not take all; on_drained is due */
    bool fin_wanted; /* send FIN when all is written */
    bool fin_sent;
    struct err broken;         /* why writing ended; ERR_NONE: it has not */
    struct loop_timer timer;   /* writing stuck, or lingering */
    struct loop_orphan orphan; /* from FLUSHING on */
};

static void event_cb(evutil_socket_t fd, short what, void *arg);

static void set_watch(struct stream *stream, short watch)
{
    if (stream->watch == watch)
        return;
    event_del(stream->event);
    event_assign(stream->event, loop_base(stream->loop), stream->fd, watch, event_cb, stream);
    event_add(stream->event, NULL);
    stream->watch = watch;
}

/* Watches for what the flags ask. A pause is not looked at here: it takes effect when bytes arrive. */
static void update_watch(struct stream *stream)
{
    if (stream->has_eof || stream->watch == WATCH_WRITE_EDGE)
        set_watch(stream, WATCH_WRITE_EDGE);
    else
        set_watch(stream, stream->is_blocked ? WATCH_READ_WRITE : WATCH_READ);
}

static void free_cb(void *arg)
{
    struct stream *stream = arg;

    event_free(stream->event);
    evbuffer_free(stream->out);
    mem_free(stream);
}

static void end(struct stream *stream)
{
    if (stream->state == STREAM_FLUSHING || stream->state == STREAM_LINGERING)
        loop_orphan_ended(&stream->orphan);
    stream->state = STREAM_CLOSED;
    event_del(stream->event);
    loop_timer_clear(&stream->timer);
    close(stream->fd);
    stream->fd = -1;
    loop_defer(stream->loop, free_cb, stream);
}

/* What was not sent must not look like all there was. */
static void end_with_loop(struct loop_orphan *orphan)
{
    struct stream *stream = (struct stream *)((char *)orphan - offsetof(struct stream, orphan));

    if (stream->state == STREAM_FLUSHING)
        stream_reset(stream);
    else
        end(stream);
}

/* The stream is broken: the owner hears why, or it ends when nobody listens any more. */
static void report(struct stream *stream, const struct err *err)
{
    if (stream->state != STREAM_OPEN) {
        end(stream);
        return;
    }
    stream->state = STREAM_BROKEN;
    event_del(stream->event);
    loop_timer_off(&stream->timer);
    if (stream->broken.code == ERR_NONE)
        stream->broken = *err;
    stream->events->on_error(stream->self, &stream->broken);
}

static void describe(struct err *err, int errno_value)
{
    switch (errno_value) {
    case ECONNRESET:
    case EPIPE:
        err_set(err, ERR_CLOSED, "connection reset");
        break;
    case ETIMEDOUT:
        err_set(err, ERR_CLOSED, "connection lost: no answer from the other side");
        break;
    default:
        err_sys(err, errno_value, "connection lost");
        break;
    }
}

enum read_end {
    READ_AGAIN,   /* there may be more: the next turn's */
    READ_DRY,     /* nothing more for now, or paused */
    READ_STOPPED, /* FIN, failed or closed */
};

static enum read_end read_failed(struct stream *stream, int errno_value)
{
    struct err err;

    if (errno_value == EAGAIN || errno_value == EINTR)
        return READ_DRY;
    describe(&err, errno_value);
    report(stream, &err);
    return READ_STOPPED;
}

static enum read_end read_eof(struct stream *stream)
{
    if (stream->broken.code != ERR_NONE) { /* all that came before the reset is read */
        report(stream, &stream->broken);
        return READ_STOPPED;
    }
    stream->has_eof = true;
    if (stream->state == STREAM_LINGERING)
        end(stream);
    else if (stream->state == STREAM_OPEN)
        stream->events->on_eof(stream->self);
    if (stream->state == STREAM_OPEN || stream->state == STREAM_FLUSHING)
        update_watch(stream);
    return READ_STOPPED;
}

/* While FLUSHING or LINGERING what arrives is thrown away: it must not be left, or close() would answer it
 * with a reset that destroys our last bytes on their way. */
static enum read_end read_turn(struct stream *stream)
{
    char *buffer = loop_read_buffer(stream->loop);

    for (size_t total = 0; total < READ_TURN_BYTES;) {
        ssize_t got;

        if (stream->is_paused)
            return READ_DRY;
        got = recv(stream->fd, buffer, LOOP_READ_BYTES, 0);
        if (got < 0)
            return read_failed(stream, errno);
        if (got == 0)
            return read_eof(stream);
        if (stream->state == STREAM_OPEN)
            stream->events->on_bytes(stream->self, span_make(buffer, (size_t)got));
        if (stream->state == STREAM_CLOSED)
            return READ_STOPPED;
        if ((size_t)got < LOOP_READ_BYTES)
            return READ_DRY;
        total += (size_t)got;
    }
    return READ_AGAIN;
}

/* Writing has failed in this turn: reads what the other side had sent before, then tells. Reading a socket
 * that is reset ends with its buffer. */
static void report_cb(void *arg)
{
    struct stream *stream = arg;
    enum read_end how = READ_AGAIN;

    while (how == READ_AGAIN && stream->state == STREAM_OPEN && !stream->has_eof)
        how = read_turn(stream);
    if (stream->state != STREAM_CLOSED && stream->state != STREAM_BROKEN)
        report(stream, &stream->broken);
}

static void break_writing(struct stream *stream, const struct err *err)
{
    stream->broken = *err;
    stream->is_blocked = false;
    loop_timer_off(&stream->timer);
    evbuffer_drain(stream->out, evbuffer_get_length(stream->out));
    loop_defer(stream->loop, report_cb, stream);
}

static void send_fin(struct stream *stream)
{
    if (!stream->fin_sent)
        shutdown(stream->fd, SHUT_WR); /* fails only on a socket that is gone, which reading will tell */
    stream->fin_sent = true;
}

static void begin_linger(struct stream *stream)
{
    stream->state = STREAM_LINGERING;
    stream->orphan.is_busy = false;
    stream->is_paused = false;
    if (stream->has_eof) { /* all is read: closing sends a FIN by itself */
        end(stream);
        return;
    }
    send_fin(stream);
    stream->is_blocked = false;
    set_watch(stream, WATCH_READ);
    loop_timer_set(&stream->timer, LINGER_US);
}

/* Writes until all is gone or the socket is full; true: something went. */
static bool write_some(struct stream *stream)
{
    struct evbuffer_iovec pieces[WRITE_PIECES];
    bool progress = false;

    while (evbuffer_get_length(stream->out) != 0) {
        struct msghdr message = { .msg_iov = pieces };
        size_t offered = 0;
        ssize_t sent;
        int count = evbuffer_peek(stream->out, -1, NULL, pieces, WRITE_PIECES);

        message.msg_iovlen = count < WRITE_PIECES ? (size_t)count : WRITE_PIECES;
        for (size_t i = 0; i < message.msg_iovlen; i++)
            offered += pieces[i].iov_len;
        sent = count == 1 ? send(stream->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL)
                          : sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {
            struct err err;
            describe(&err, errno);
            break_writing(stream, &err);
            return false;
        }
        if (sent > 0) {
            evbuffer_drain(stream->out, (size_t)sent);
            progress = true;
        }
        if (sent < (ssize_t)offered)
            break;
    }
    return progress;
}

static void write_turn(struct stream *stream)
{
    bool was_blocked = stream->is_blocked;
    bool progress = write_some(stream);

    if (stream->broken.code != ERR_NONE)
        return;
    if (evbuffer_get_length(stream->out) != 0) {
        stream->is_blocked = true;
        if (progress || !was_blocked)
            loop_timer_set(&stream->timer, WRITE_STUCK_US);
        update_watch(stream);
        return;
    }
    stream->is_blocked = false;
    loop_timer_off(&stream->timer);
    if (stream->state == STREAM_FLUSHING) {
        begin_linger(stream);
        return;
    }
    if (stream->fin_wanted)
        send_fin(stream);
    update_watch(stream);
}

/* Somebody reset the connection, or TCP keepalive found nobody: also heard while paused. */
static bool is_broken(struct stream *stream)
{
    int error = 0;
    socklen_t len = sizeof error;
    struct err err;

    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error == 0)
        return false;
    describe(&err, error);
    report(stream, &err);
    return true;
}

static void event_cb(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    if (stream->watch == WATCH_WRITE_EDGE && is_broken(stream))
        return;
    if ((what & EV_READ) != 0 && stream->is_paused)
        set_watch(stream, WATCH_WRITE_EDGE);
    else if ((what & EV_READ) != 0)
        read_turn(stream);
    if ((what & EV_WRITE) == 0 || !stream->is_blocked)
        return;
    if (stream->state == STREAM_OPEN || stream->state == STREAM_FLUSHING)
        write_turn(stream);
    if (stream->state == STREAM_OPEN && !stream->is_blocked && stream->broken.code == ERR_NONE)
        stream->events->on_drained(stream->self);
}

static void timer_cb(void *arg)
{
    struct stream *stream = arg;
    struct err err;

    err_set(&err, ERR_TIMEOUT, "the other side has taken nothing for %llu s", WRITE_STUCK_US / 1000000);
    report(stream, &err);
}

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value); /* a socket that is not TCP does without */
}

void stream_set_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, SILENCE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

struct stream *stream_new(struct loop *loop, int fd, const struct stream_events *events, void *self)
{
    struct stream *stream = mem_new(struct stream);

    stream->loop = loop;
    stream->fd = fd;
    stream->events = events;
    stream->self = self;
    stream->out = evbuffer_new();
    loop_timer_init(&stream->timer, loop, timer_cb, stream);
    stream->watch = WATCH_READ;
    stream->event = event_new(loop_base(loop), fd, stream->watch, event_cb, stream);
    event_add(stream->event, NULL);
    return stream;
}

void stream_set_owner(struct stream *stream, const struct stream_events *events, void *self)
{
    stream->events = events;
    stream->self = self;
}

struct evbuffer *stream_out(struct stream *stream)
{
    return stream->out;
}

void stream_flush(struct stream *stream)
{
    if (stream->state == STREAM_CLOSED)
        return;
    if (stream->broken.code != ERR_NONE || stream->fin_sent) /* nobody will get it */
        evbuffer_drain(stream->out, evbuffer_get_length(stream->out));
    else if (!stream->is_blocked && evbuffer_get_length(stream->out) != 0)
        write_turn(stream);
}

size_t stream_unsent(const struct stream *stream)
{
    return evbuffer_get_length(stream->out);
}

void stream_pause(struct stream *stream)
{
    stream->is_paused = true;
}

void stream_resume(struct stream *stream)
{
    stream->is_paused = false;
    if (stream->state == STREAM_OPEN && stream->watch == WATCH_WRITE_EDGE && !stream->has_eof)
        set_watch(stream, stream->is_blocked ? WATCH_READ_WRITE : WATCH_READ);
}

bool stream_is_paused(const struct stream *stream)
{
    return stream->is_paused;
}

void stream_shutdown(struct stream *stream)
{
    if (stream->state != STREAM_OPEN || stream->broken.code != ERR_NONE)
        return;
    stream->fin_wanted = true;
    if (evbuffer_get_length(stream->out) == 0)
        send_fin(stream);
    else
        stream_flush(stream);
}

void stream_close(struct stream *stream)
{
    if (stream != NULL && stream->state != STREAM_CLOSED)
        end(stream);
}

void stream_close_flushed(struct stream *stream)
{
    if (stream->state == STREAM_BROKEN || (stream->state == STREAM_OPEN && stream->broken.code != ERR_NONE))
        end(stream);
    if (stream->state != STREAM_OPEN)
        return;
    stream->state = STREAM_FLUSHING;
    stream->orphan.on_loop_end = end_with_loop;
    stream->orphan.is_busy = true;
    loop_adopt(stream->loop, &stream->orphan);
    if (stream->fin_sent) /* nobody will get it */
        evbuffer_drain(stream->out, evbuffer_get_length(stream->out));
    if (evbuffer_get_length(stream->out) == 0)
        begin_linger(stream);
    else
        stream_flush(stream);
}

void stream_reset(struct stream *stream)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    if (stream->state == STREAM_CLOSED)
        return;
    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    end(stream);
}

bool stream_is_stale(struct stream *stream)
{
    char byte;

    if (stream->state != STREAM_OPEN || stream->has_eof || stream->broken.code != ERR_NONE)
        return true;
    return recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

int stream_fd(const struct stream *stream)
{
    return stream->fd;
}

void stream_peer_name(const struct stream *stream, char *out, size_t out_size)
{
    struct address address = { .len = sizeof address.sa };

    if (getpeername(stream->fd, (struct sockaddr *)&address.sa, &address.len) == 0)
        address_format(&address, out, out_size);
    else
        snprintf(out, out_size, "?");
}

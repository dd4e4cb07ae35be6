/* stream: a TCP connection as a stream of bytes, with pause, half-close, and an end that is what it says.
 *
 * Reading: one read a wakeup into the loop's buffer (again only when it came back full, 256 KiB at most, then
 * the loop's turn); on_bytes gets what was read, borrowed until it returns, and keeps what it can't use.
 * Writing: the owner appends to stream_out() and calls stream_flush(), which writes at once; what the socket
 * does not take goes when it is writable again.
 *
 * All callbacks come from the loop, never from inside a function of this header. When a write fails, what the
 * other side had still sent is read first (an early answer outlives the connection that brought it), then
 * on_error says what the write met. A paused stream is told of a reset at once; bytes that it had not read
 * are lost then. Time is limited where we wait to write (5 min without progress) and when closing; how long
 * to wait for bytes is the owner's to say.
 *
 * After stream_close, stream_close_flushed, stream_reset or on_error there are no more callbacks; memory is
 * freed at the end of the turn. Calling stream_close from inside any callback is fine; each stream is closed
 * by exactly one of the three, also after on_error. */
#ifndef WEIR_NET_STREAM_H
#define WEIR_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct evbuffer;
struct loop;
struct stream;

struct stream_events {
    void (*on_bytes)(void *self, struct span bytes);
    void (*on_eof)(void *self);     /* the other side will send no more; writing may go on */
    void (*on_drained)(void *self); /* everything was written, after a flush that could not write all of it */
    /* Reset, or a write that failed or made no progress: call stream_close. ERR_CLOSED, ERR_TIMEOUT, ERR_SYS
     */
    void (*on_error)(void *self, const struct err *err);
};

/* TCP_NODELAY, and keepalive after 60 s of silence, for a socket that is to be a stream: once it is made, or
 * on the listening one, whose connections inherit them. */
void stream_set_options(int fd);

/* fd becomes the stream's: non-blocking, connected, with the options of stream_set_options. Reading starts at
 * once (with the loop's next turn). */
struct stream *stream_new(struct loop *loop, int fd, const struct stream_events *events, void *self);
/* Handed over, with its bytes. */
void stream_set_owner(struct stream *stream, const struct stream_events *events, void *self);

struct evbuffer *stream_out(struct stream *stream); /* append; never drain */
void stream_flush(struct stream *stream);
size_t stream_unsent(const struct stream *stream);

/* No more on_bytes and no on_eof; the end of the other side is noticed all the same when it is a reset. A
 * pause that is over before anything arrives costs nothing. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
bool stream_is_paused(const struct stream *stream);

void stream_shutdown(struct stream *stream); /* FIN once all is written; reading goes on */
void stream_close(struct stream *stream);    /* at once; what is unsent is dropped. NULL is fine */
/* FIN once all is written, then the socket is kept until the other side has closed too, 2 s at most, so that
 * the last bytes are not destroyed by a reset; gives up after 5 min of no progress. */
void stream_close_flushed(struct stream *stream);
void stream_reset(struct stream *stream); /* RST: what is unsent is dropped, the other side sees a cut */

/* Is the socket dead or has bytes? For pooled connections: true when a read would give EOF, an error, or
 * bytes nobody asked for. Costs a system call; what the loop has seen already came through the callbacks. */
bool stream_is_stale(struct stream *stream);

int stream_fd(const struct stream *stream);
/* "address:port" of the other side, IPv6 in brackets; "?" when it is gone. */
void stream_peer_name(const struct stream *stream, char *out, size_t out_size);

#endif

/* h2: HTTP/2 both ways over nghttp2, sans-I/O: frames to message events and message events to frames
 * (RFC 9113), each stream an exchange's side.
 *
 * One h2 is one connection in one role: towards clients it is told of requests, towards origins it sends
 * them. Bytes that came go into h2_feed; what is to be written is fetched with h2_write as the connection
 * takes it, so that a stream's bytes wait in that stream and not in a socket's queue. Everything that sends
 * is only queued until then.
 *
 * Heads of any version may be sent: one of HTTP/1 loses what RFC 9113 §8.2.2 forbids, its names become
 * lower case, Host becomes :authority; one of HTTP/2 goes out as it came: order of fields and of
 * pseudo-header fields, cookie crumbs, never-indexed marks.
 *
 * Flow control is the reader's: a stream's window is given back as its bytes are taken (see
 * h2_set_reading), the connection's at once, so that a stream that is held starves no other; only when
 * H2_BUFFERED_BYTES of all streams are held does the connection's window wait too.
 *
 * Refused with GOAWAY or RST_STREAM, as RFC 9113 says: malformed frames and fields, header sections over the
 * limits (CONTINUATION frames without end too), more streams than were offered, floods of SETTINGS, PING,
 * empty frames, PRIORITY or resets (rapid reset). Pushed streams are refused; priorities are read and
 * dropped; a stream that breaks the rules alone is reset alone.
 *
 * Not thread-safe. Callbacks come from inside h2_feed and h2_write; none may free the h2 it comes from, feed
 * it or write from it; it may request, send, set_reading and leave. */
#ifndef WEIR_HTTP_H2_H
#define WEIR_HTTP_H2_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/http/h1.h"
#include "proxy/http/message.h"

/* A stream's window as we offer it, and so the most that is on its way to us and not taken. */
#define H2_STREAM_WINDOW_BYTES (256 * 1024)
/* Held by set_reading(false) over all streams of a connection: from then on its window waits too, and see
 * h2_is_full. */
#define H2_BUFFERED_BYTES (16 * 1024 * 1024)
#define H2_MAX_STREAMS    100 /* at once, offered to clients */
/* The most that an origin may have us keep of its fields (RFC 7541 §4.2); browsers offer 64 KiB. */
#define H2_MAX_TABLE_BYTES (1024 * 1024)

enum h2_role { H2_TO_CLIENT, H2_TO_ORIGIN };

/* What an HTTP/2 client shows of itself before and in its first request, in order: what an origin can tell
 * clients apart by. Compared and hashed as bytes: made zeroed. */
#define H2_PROFILE_MAX_SETTINGS 16
struct h2_setting {
    uint32_t id, value;
};
struct h2_profile {
    struct h2_setting settings[H2_PROFILE_MAX_SETTINGS];
    uint32_t setting_count;
    uint32_t window_increment; /* of the connection, before its first request; 0: none */
    char pseudo_order[4];      /* "masp": :method, :authority, :scheme, :path */
};

enum h2_error { /* RFC 9113 §7 */
                H2_NO_ERROR = 0,
                H2_PROTOCOL_ERROR = 1,
                H2_INTERNAL_ERROR = 2,
                H2_REFUSED_STREAM = 7,
                H2_CANCEL = 8,
                H2_ENHANCE_YOUR_CALM = 11,
                H2_HTTP_1_1_REQUIRED = 13,
};
const char *h2_error_name(uint32_t code); /* "CANCEL"; "unknown" */

struct h2;
struct h2_stream; /* the h2's; lives until on_closed */

struct h2_events {
    /* To clients: a request on a new stream. Takes head: version HTTP_2; method, target (:path), scheme,
     * authority, protocol (RFC 8441) as sent; framing NONE when END_STREAM came with it, LENGTH with a
     * content-length, else CHUNKED; on_end is told in any case. Its answer is what the stream's later events
     * are told to, never NULL. */
    void *(*on_request)(void *self, struct h2_stream *stream, struct http_head *head);
    /* From origins: interim ones too. Takes head. framing as above; NONE also for an interim one, 204, 304
     * and an answer to HEAD, TUNNEL for a 2xx to CONNECT: what passes is told as body. */
    void (*on_response)(void *stream_self, struct http_head *head);
    void (*on_body)(void *stream_self, struct span bytes);             /* borrowed until it returns */
    void (*on_end)(void *stream_self, const struct headers *trailers); /* borrowed; NULL: none */
    /* What was queued with h2_send_body has shrunk below half of H2_STREAM_WINDOW_BYTES after having been
     * above that half. */
    void (*on_drained)(void *stream_self);
    /* Always the stream's last event; the stream is gone when it returns. code: H2_NO_ERROR when both sides
     * had ended, or an origin that had answered in full wants no more (RFC 9113 §8.1); else why it was reset,
     * by the other side, by us, or by GOAWAY; a reset with NO_ERROR that cuts a response is H2_CANCEL.
     * was_refused: the other side says that it has not looked at the request (REFUSED_STREAM, above GOAWAY's
     * last id), or it was never sent. Not called from h2_free. */
    void (*on_closed)(void *stream_self, uint32_t code, bool was_refused);
    /* The other side takes no more streams; those up to its last id go on. May be NULL. */
    void (*on_goaway)(void *self, uint32_t code);
};

struct h2_options {
    struct h1_limits limits; /* of a header section */
    bool offers_connect;     /* to clients: SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441) */
    /* To origins: :scheme of heads that have none, which is all of HTTP/1, or whose Host is replaced:
     * "https", "http"; NULL: "https".
     * Copied. */
    const char *scheme;
    /* To origins, may be NULL: what to look like. Settings go out as they stand there, so the window of a
     * stream is what they say; ENABLE_PUSH is sent as 0 where it stands there as 1, HEADER_TABLE_SIZE as
     * H2_MAX_TABLE_BYTES where it is more. Borrowed for the call. */
    const struct h2_profile *profile;
    /* To origins: how many streams at once it is taken to allow until its SETTINGS have come; 0: 100. */
    uint32_t assumed_streams;
};

/* Our preface is queued at once. */
struct h2 *h2_new(enum h2_role role, const struct h2_options *options, const struct h2_events *events,
                  void *self);
void h2_free(struct h2 *h2); /* NULL is fine; streams that are left end without an event */

/* All of bytes is taken. False: ERR_PROTO, ERR_LIMIT: the connection is over, all streams were told
 * on_closed; what h2_write still gives (GOAWAY) should be sent before it is closed. Where the other side
 * breaks the rules and does not read either, it may be h2_write that finds out: then h2_is_idle. */
bool h2_feed(struct h2 *h2, struct span bytes, struct err *err);
/* Appends frames to out until it holds limit bytes or nothing is left that may go. True: something was
 * appended. Call it after every h2_feed and after anything that queues, and again as out drains. */
bool h2_write(struct h2 *h2, struct evbuffer *out, size_t limit);

/* So much is held that no more should be fed until less is: the windows of a profile may let come what they
 * like. Changes in what feeds, writes, and sets reading. */
bool h2_is_full(const struct h2 *h2);

/* GOAWAY: no new streams; those there are go on. */
void h2_shutdown(struct h2 *h2);
/* Neither streams nor anything to write: the connection may be closed. */
bool h2_is_idle(const struct h2 *h2);
size_t h2_stream_count(const struct h2 *h2);
/* To origins: one more request would be sent at once: no GOAWAY, stream ids left, below the other side's
 * SETTINGS_MAX_CONCURRENT_STREAMS. */
bool h2_has_room(const struct h2 *h2);
/* To origins: how many streams at once its SETTINGS allow; 0: they have not come. */
uint32_t h2_stream_limit(const struct h2 *h2);
/* To origins: no request will ever be sent on it again. */
bool h2_is_used_up(const struct h2 *h2);
/* The other side's SETTINGS have come, with SETTINGS_ENABLE_CONNECT_PROTOCOL. */
bool h2_takes_connect(const struct h2 *h2);
/* To clients: SETTINGS_ENABLE_CONNECT_PROTOCOL is told now, if it was not from the start. */
void h2_offer_connect(struct h2 *h2);
/* To clients: what it showed of itself up to its first request; NULL before that. */
const struct h2_profile *h2_seen_profile(const struct h2 *h2);

/* To origins: a new request. target: what :path becomes; extra: see h1_write_request, of which only fields
 * that HTTP/2 may carry are sent. stream_self gets its events. With framing NONE END_STREAM goes out with the
 * head, and h2_send_end does nothing. NULL: h2_is_used_up. */
struct h2_stream *h2_request(struct h2 *h2, void *stream_self, const struct http_head *head,
                             struct span target, struct span extra);
/* To clients: the answer's head, interim ones before it. With framing NONE END_STREAM goes out with it, as
 * above. */
void h2_send_response(struct h2_stream *stream, const struct http_head *head, struct span extra);
void h2_send_body(struct h2_stream *stream, struct span bytes);
void h2_send_end(struct h2_stream *stream, const struct headers *trailers); /* trailers may be NULL */
/* Its owner forgets the stream: no event of it comes any more. What was queued of an answer still goes, and
 * of a request that was ended with h2_send_end; then, or at once with a request that was not, RST_STREAM with
 * code, unless both sides have ended by themselves. A request whose head has not gone out is taken back
 * whole. */
void h2_leave(struct h2_stream *stream, uint32_t code);

size_t
h2_unsent(const struct h2_stream *stream); /* bytes of the body that wait for the window or the socket */
/* Off: bytes that come are still told (at most the window), but the window is not given back until on. */
void h2_set_reading(struct h2_stream *stream, bool is_on);
/* Frames of this stream that have come, their headers included. */
uint64_t h2_wire_bytes(const struct h2_stream *stream);

#endif

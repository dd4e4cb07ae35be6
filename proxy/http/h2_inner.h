/* What the parts of h2 share: h2.c holds the connection together, h2_receive.c turns frames into events,
 * h2_send.c events into frames, h2_guard.c says when enough is enough. Nobody else includes this.
 *
 * nghttp2 holds the streams' states; a struct h2_stream is what hangs on one as its user data, from the
 * HEADERS frame that opens it (or the request that will) until nghttp2 closes it. */
#ifndef WEIR_HTTP_H2_INNER_H
#define WEIR_HTTP_H2_INNER_H

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/h2.h"

#define H2_FRAME_HEAD_BYTES 9 /* RFC 9113 §4.1 */

/* Of frames that cost more to take than to send: when what was let through will have been paid for. */
struct h2_guard {
    uint64_t resets_paid_us;
    uint64_t trifles_paid_us;
};

/* Fields on their way out; the memory is used again for every head. */
struct h2_fields {
    nghttp2_nv *items; /* borrowed names and values: nghttp2 copies them */
    size_t count, cap;
};

/* A header section that is coming in. */
struct h2_section {
    struct http_head *head; /* NULL in a trailer section */
    struct strbuf pseudo;   /* the values of head's pseudo-header fields, until it owns them */
    struct h2_part {
        size_t off, len;
        bool is_there;
    } method, target, scheme, authority, protocol;
    size_t bytes, fields; /* for the limits */
    uint64_t wire_bytes;
};

struct h2 {
    enum h2_role role;
    struct h1_limits limits;
    char *scheme; /* owned */
    const struct h2_events *events;
    void *self;
    nghttp2_session *session;
    LIST_HEAD(, h2_stream) streams;
    size_t stream_count;
    struct h2_fields fields;
    struct h2_guard guard;

    /* Where nghttp2's frames go at the moment, and at how many bytes in it to pause. */
    struct evbuffer *out;
    size_t out_limit;
    struct evbuffer *early; /* frames that h2_feed let nghttp2 make, see there */

    size_t held_bytes;            /* of all streams: taken, their windows not given back */
    size_t held_connection_bytes; /* of the connection's window */
    uint64_t frame_bytes;         /* of the frame that is coming in, for a stream that begins with it */

    struct h2_profile seen; /* complete once has_seen_request */
    char order[4];          /* of pseudo-header fields, to origins */
    bool has_seen_settings, has_seen_headers, has_seen_request;

    bool has_resets_due; /* of some streams */
    bool is_shut;        /* we sent GOAWAY */
    bool is_over;        /* by error: nghttp2 is not asked any more, the streams are gone */
    bool is_ending;      /* our GOAWAY with an error is being written: is_over comes */
    uint32_t over_code;
    struct err over; /* why; code ERR_NONE until something is known */
};

struct h2_stream {
    LIST_ENTRY(h2_stream) entry;
    struct h2 *h2;
    int32_t id;
    void *self;    /* its owner's */
    bool is_told;  /* it has an owner */
    bool has_left; /* no more: see h2_leave */
    uint32_t leave_code;
    uint64_t wire_bytes;

    /* In. */
    struct h2_section section;
    struct headers trailers; /* of a trailer section that is coming in */
    bool has_head;           /* the final one has come */
    bool has_ended;          /* END_STREAM has come */
    bool is_held;            /* h2_set_reading(false) */
    size_t held_bytes;
    bool asked_head, asked_connect; /* to origins: what the request's method was */

    /* Out. */
    struct evbuffer *body; /* NULL until there is any */
    struct headers sent_trailers;
    bool has_sent_trailers;
    bool is_sent;      /* to origins: the request's head has gone out */
    bool is_answered;  /* to clients: the final head is queued, or has gone */
    bool is_complete;  /* nothing more will be queued */
    bool has_gone;     /* END_STREAM has gone out */
    bool is_reset_due; /* with leave_code, by the next h2_write */
    bool is_deferred;  /* nghttp2 does not ask for the body until told that there is more */
    bool was_full;     /* so on_drained is due */
};

static inline struct h2_stream *h2_find(struct h2 *h2, int32_t id)
{
    return id != 0 ? nghttp2_session_get_stream_user_data(h2->session, id) : NULL;
}

/* h2.c */
struct h2_stream *h2_stream_new(struct h2 *h2);
/* Takes the stream off the connection, tells its owner, frees it. */
void h2_stream_end(struct h2_stream *stream, uint32_t code);
/* The connection must end: what a callback of nghttp2 returns then. why is a literal. */
int h2_break(struct h2 *h2, uint32_t code, enum err_code err_code, const char *why);
/* RST_STREAM, for a stream that may have no struct yet. */
void h2_reset(struct h2 *h2, int32_t id, uint32_t code);

/* h2_receive.c, h2_send.c: their callbacks. */
void h2_receive_set_callbacks(nghttp2_session_callbacks *callbacks);
void h2_send_set_callbacks(nghttp2_session_callbacks *callbacks);
/* Takes count bytes of the connection's window, to be given back at once or when less is held. */
void h2_consume_connection(struct h2 *h2, size_t count);
/* The stream is gone: what it holds counts no more. */
void h2_forget_held(struct h2_stream *stream);

/* h2_guard.c: false: too many of its kind. */
bool h2_guard_frame(struct h2 *h2, const nghttp2_frame_hd *frame);
/* A stream was reset by the other side, or by us because it broke a rule. */
bool h2_guard_reset(struct h2 *h2);

#endif

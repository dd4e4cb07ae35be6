/* The hard part: what the codec tells comes from inside its feeding, where no stream may be ended, and an
 * exchange may end in any call made to it. So events only queue into the exchange and mark the ride; settling
 * happens when the feeding is over, one ride after another, looking anew each time. */
#include "proxy/live/ride.h"

#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/live/h2_pump.h"
#include "proxy/live/pool.h"

struct ride {
    struct upstream *upstream;
    struct exchange *exchange;
    struct h2_stream *stream; /* NULL: closed, or refused before it began */
    bool is_dirty, is_closed, was_refused;
    uint32_t code;
    uint64_t wire_bytes; /* of the response, as told to the exchange */
    TAILQ_ENTRY(ride) in_upstream, in_dirty;
};

/* --- when the turn is over ------------------------------------------------------------------------------ */

void ride_write(struct upstream *u)
{
    h2_pump(u->h2, &u->link);
    link_set_reading(&u->link, !h2_is_full(u->h2));
}

static void write_now(void *self)
{
    struct upstream *u = self;

    u->is_writing = false;
    if (u->phase == UPSTREAM_OPEN)
        ride_write(u);
}

static void write_soon(struct upstream *u)
{
    if (u->is_writing || !link_is_open(&u->link))
        return;
    u->is_writing = true;
    loop_defer(u->live->loop, write_now, u);
}

static void settle_now(void *self)
{
    struct upstream *u = self;

    u->is_settling = false;
    if (u->phase == UPSTREAM_OPEN)
        ride_settle_all(u);
}

static void mark(struct ride *ride)
{
    struct upstream *u = ride->upstream;

    if (!ride->is_dirty) {
        ride->is_dirty = true;
        TAILQ_INSERT_TAIL(&u->dirty_rides, ride, in_dirty);
    }
    if (!u->is_settling) {
        u->is_settling = true;
        loop_defer(u->live->loop, settle_now, u);
    }
}

static void count_bytes(struct ride *ride)
{
    uint64_t now = ride->stream != NULL ? h2_wire_bytes(ride->stream) : ride->wire_bytes;

    exchange_response_bytes(ride->exchange, (size_t)(now - ride->wire_bytes));
    ride->wire_bytes = now;
}

static void settle_closed(struct ride *ride)
{
    struct exchange *x = ride->exchange;
    struct strbuf why = STRBUF_EMPTY;

    if (!ride->was_refused && x->response == HALF_DONE && x->request == HALF_DONE) {
        exchange_settle(x);
        return;
    }
    strbuf_printf(&why, "the origin reset the stream: %s", h2_error_name(ride->code));
    exchange_why_cut(x, ride->code);
    if (ride->was_refused)
        exchange_origin_refused(x, strbuf_text(&why));
    else
        exchange_origin_failed(x, 0, CUT_RESET, strbuf_text(&why));
    strbuf_clear(&why);
}

void ride_settle_all(struct upstream *u)
{
    struct ride *ride;

    while ((ride = TAILQ_FIRST(&u->dirty_rides)) != NULL) {
        TAILQ_REMOVE(&u->dirty_rides, ride, in_dirty);
        ride->is_dirty = false;
        if (ride->is_closed)
            settle_closed(ride);
        else
            exchange_settle(ride->exchange);
    }
}

void ride_fail_all(struct upstream *u, int status, enum cut how, const char *error)
{
    struct ride *ride;

    while ((ride = TAILQ_FIRST(&u->rides)) != NULL) {
        struct exchange *x = ride->exchange;
        if (ride->is_closed && ride->is_dirty) {
            TAILQ_REMOVE(&u->dirty_rides, ride, in_dirty);
            ride->is_dirty = false;
            settle_closed(ride);
        } else {
            exchange_origin_failed(x, status, how, error);
        }
        if (TAILQ_FIRST(&u->rides) == ride)
            ride_end(ride); /* its owner has not let go of it: nothing will come of it any more */
    }
}

/* Whether WebSockets may be streams (RFC 8441) is known once it has answered: for the next client. */
static void remember(struct upstream *u)
{
    struct origin_key key = { u->key.target.host, u->key.target.port, u->key.name,
                              tls_mirror_id(u->key.mirror) };

    if (u->has_answered || u->link.tls == NULL)
        return;
    u->has_answered = true;
    origins_alpn_put(u->live->shared->origins, &key, SPAN("h2"),
                     h2_takes_connect(u->h2) ? EXTENDED_CONNECT_YES : EXTENDED_CONNECT_NO);
}

/* --- codec to exchange ---------------------------------------------------------------------------------- */

static void on_response(void *self, struct http_head *head)
{
    struct ride *ride = self;

    count_bytes(ride);
    remember(ride->upstream);
    exchange_response_head(ride->exchange, head);
    mark(ride);
}

static void on_body(void *self, struct span bytes)
{
    struct ride *ride = self;

    count_bytes(ride);
    exchange_response_body(ride->exchange, bytes);
    mark(ride);
}

static void on_end(void *self, const struct headers *trailers)
{
    struct ride *ride = self;

    count_bytes(ride);
    exchange_response_end(ride->exchange, trailers);
    mark(ride);
}

static void on_drained(void *self)
{
    struct ride *ride = self;

    exchange_drained(ride->exchange);
}

static void on_closed(void *self, uint32_t code, bool was_refused)
{
    struct ride *ride = self;

    if (ride->exchange->has_response)
        count_bytes(ride);
    ride->stream = NULL;
    ride->is_closed = true;
    ride->code = code;
    ride->was_refused = was_refused;
    mark(ride);
}

static void on_goaway(void *self, uint32_t code)
{
    struct upstream *u = self;

    (void)code; /* what it means for a stream is told by that stream's end */
    u->is_broken = true;
}

static const struct h2_events h2_events = { NULL,       on_response, on_body,  on_end,
                                            on_drained, on_closed,   on_goaway };

/* --- exchange to wire ----------------------------------------------------------------------------------- */

static void send_head(void *self, const struct http_head *head, struct span target, struct span extra)
{
    struct ride *ride = self;

    ride->stream = h2_request(ride->upstream->h2, ride, head, target, extra);
    if (ride->stream != NULL)
        return;
    ride->is_closed = ride->was_refused = true; /* the connection was used up since */
    ride->code = H2_REFUSED_STREAM;
    mark(ride);
}

static void send_chunk(void *self, uint64_t size, struct span line)
{
    (void)self; /* HTTP/2 has no such borders */
    (void)size;
    (void)line;
}

static void send_body(void *self, struct span bytes)
{
    struct ride *ride = self;

    if (ride->stream != NULL)
        h2_send_body(ride->stream, bytes);
}

static void send_end(void *self, const struct headers *trailers)
{
    struct ride *ride = self;

    if (ride->stream != NULL)
        h2_send_end(ride->stream, trailers);
}

static void side_flush(void *self)
{
    struct ride *ride = self;

    write_soon(ride->upstream);
}

static size_t side_unsent(void *self)
{
    struct ride *ride = self;

    return ride->stream != NULL ? h2_unsent(ride->stream) : 0;
}

static void side_set_reading(void *self, bool is_on)
{
    struct ride *ride = self;

    if (ride->stream == NULL)
        return;
    h2_set_reading(ride->stream, is_on);
    write_soon(ride->upstream); /* a window may have been given back */
}

static void side_cut(void *self, enum cut how, uint32_t code)
{
    struct ride *ride = self;

    (void)how; /* a stream has one way to be cut */
    if (ride->stream != NULL)
        h2_leave(ride->stream, code);
    ride->stream = NULL;
    write_soon(ride->upstream);
}

static const struct side_ops side_ops = { send_head,   send_chunk,       send_body, send_end, side_flush,
                                          side_unsent, side_set_reading, side_cut,  true };

/* --- life ----------------------------------------------------------------------------------------------- */

/* The origin's preface may have come first. */
static void deliver(void *self)
{
    struct upstream *u = self;

    if (u->phase == UPSTREAM_OPEN)
        link_deliver(&u->link);
}

static void begin_h2(struct upstream *u, const struct h2_profile *profile)
{
    struct h2_options options = { .limits = u->live->shared->limits,
                                  .profile = profile,
                                  .scheme = target_scheme(&u->key.target),
                                  .assumed_streams = pool_stream_limit(u->live->pool, &u->key) };

    if (profile != NULL)
        u->h2_profile = *profile;
    u->h2 = h2_new(H2_TO_ORIGIN, &options, &h2_events, u);
    loop_defer(u->live->loop, deliver, u);
}

struct ride *ride_start(struct upstream *u, struct exchange *x, const struct h2_profile *profile)
{
    struct ride *ride = mem_new(struct ride);

    if (u->h2 == NULL)
        begin_h2(u, profile);
    ride->upstream = u;
    ride->exchange = x;
    TAILQ_INSERT_TAIL(&u->rides, ride, in_upstream);
    loop_timer_off(&u->timer);
    upstream_tell_times(u, x);
    exchange_attach(x, (struct side){ &side_ops, ride }, u->is_carrying);
    u->is_carrying = true;
    return ride;
}

void ride_end(struct ride *ride)
{
    struct upstream *u;

    if (ride == NULL)
        return;
    u = ride->upstream;
    if (ride->stream != NULL) {
        h2_leave(ride->stream, H2_CANCEL);
        write_soon(u);
    }
    if (ride->is_dirty)
        TAILQ_REMOVE(&u->dirty_rides, ride, in_dirty);
    TAILQ_REMOVE(&u->rides, ride, in_upstream);
    mem_free(ride);
    if (TAILQ_EMPTY(&u->rides))
        upstream_is_idle(u);
}

bool ride_takes_connect(const struct ride *ride)
{
    return h2_takes_connect(ride->upstream->h2);
}

const struct upstream_key *ride_key(const struct ride *ride)
{
    return &ride->upstream->key;
}

void ride_on_bytes(struct upstream *u, struct span bytes)
{
    if (!h2_feed(u->h2, bytes, &u->err)) {
        err_add(&u->err, "the origin's HTTP/2 is malformed");
        u->is_out_of_step = true;
    }
    write_soon(u);
}

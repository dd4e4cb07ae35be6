/* With two layers of TLS, outer is fed by the stream and feeds tls from inside its on_plain; tls writes to
 * outer_out, which outer encrypts into the stream's out. Both engines have the link as their self, so each
 * has its own table of events. */
#include "proxy/live/link.h"

#include <assert.h>

#include "proxy/base/mem.h"

static void on_stream_bytes(void *self, struct span bytes);
static void on_stream_eof(void *self);
static void on_stream_drained(void *self);
static void on_stream_error(void *self, const struct err *err);

static const struct stream_events stream_events = { on_stream_bytes, on_stream_eof, on_stream_drained,
                                                    on_stream_error };

static void on_first_plain(void *self, struct span bytes);
static void on_second_plain(void *self, struct span bytes);

static enum tls_answer on_tls_hello(void *self, const struct hello *hello)
{
    struct link *link = self;

    return link->events->on_hello(link->self, hello);
}

static void on_tls_open(void *self)
{
    struct link *link = self;

    if (link->outer == NULL && tls_gave_tickets(link->tls))
        link->ticket_bytes = stream_unsent(link->stream);
    link->events->on_open(link->self);
}

static void on_tls_close_notify(void *self)
{
    struct link *link = self;

    link->has_eof = true; /* told once the bytes before it have been used */
}

static const struct tls_events first_layer = { on_tls_hello, on_tls_open, on_first_plain,
                                               on_tls_close_notify };
static const struct tls_events second_layer = { on_tls_hello, on_tls_open, on_second_plain,
                                                on_tls_close_notify };

void link_init(struct link *link, struct loop *loop, int fd, const struct link_events *events, void *self)
{
    *link = (struct link){ .loop = loop, .events = events, .self = self, .is_wanted = true };
    strbuf_init(&link->held, 0);
    link->stream = stream_new(loop, fd, &stream_events, link);
}

static void free_tls(void *tls)
{
    tls_free(tls);
}

static void free_evbuffer(void *buffer)
{
    evbuffer_free(buffer);
}

static void drop_layer(struct link *link, struct tls **tls, struct evbuffer **out)
{
    if (*tls == NULL)
        return;
    loop_defer(link->loop, free_tls, *tls);
    loop_defer(link->loop, free_evbuffer, *out);
    *tls = NULL;
    *out = NULL;
}

/* A TLS engine may be what is calling us: it is freed when the turn is over. */
static void drop_tls(struct link *link)
{
    drop_layer(link, &link->tls, &link->plain_out);
    drop_layer(link, &link->outer, &link->outer_out);
}

void link_clear(struct link *link)
{
    if (link->stream != NULL)
        stream_close(link->stream);
    link->stream = NULL;
    drop_tls(link);
    strbuf_clear(&link->held);
}

void link_set_owner(struct link *link, const struct link_events *events, void *self)
{
    link->events = events;
    link->self = self;
}

bool link_is_open(const struct link *link)
{
    return link->stream != NULL;
}

/* Whether the owner may be told anything. */
static bool is_live(const struct link *link)
{
    return link->stream != NULL && !link->has_failed;
}

/* --- between the layers --------------------------------------------------------------------------------- */

/* The inner layer's ciphertext goes through the outer one; after our end nobody may get it (RFC 8446 §6.1).
 */
static bool write_outer(struct link *link, struct err *err)
{
    if (link->outer == NULL || evbuffer_get_length(link->outer_out) == 0)
        return true;
    if (link->is_shut) {
        evbuffer_drain(link->outer_out, evbuffer_get_length(link->outer_out));
        return true;
    }
    return tls_write(link->outer, link->outer_out, err) || err_add(err, "outer TLS");
}

static void fail(struct link *link, const struct err *err)
{
    struct err ignored; /* what failed first is told */

    if (!is_live(link))
        return;
    link->has_failed = true;
    link->ticket_bytes = 0;
    write_outer(link, &ignored); /* an alert may be waiting */
    stream_flush(link->stream);
    link->events->on_error(link->self, err);
}

static void fail_deferred(void *self)
{
    struct link *link = self;

    fail(link, &link->write_error);
}

/* Told later: who writes is called back by nobody. */
static void fail_writing(struct link *link, const struct err *err)
{
    if (link->write_error.code != ERR_NONE)
        return;
    link->write_error = *err;
    loop_defer(link->loop, fail_deferred, link);
}

/* What the engines have made by themselves: handshake messages, tickets, key updates. */
static void flush_engines(struct link *link)
{
    struct err err;

    if (!write_outer(link, &err))
        fail_writing(link, &err);
    link->ticket_bytes = 0;
    stream_flush(link->stream);
}

/* Tickets go with the first answer: a write of their own would cost both sides as much as the answer's. */
static bool has_tickets_alone(const struct link *link)
{
    return link->ticket_bytes != 0 && stream_unsent(link->stream) == link->ticket_bytes;
}

static bool feed_outermost(struct link *link, struct span bytes, struct err *err)
{
    struct tls *outermost = link->outer != NULL ? link->outer : link->tls;

    if (tls_feed(outermost, bytes, err))
        return true;
    return link->outer != NULL ? err_add(err, "outer TLS") : false;
}

/* --- in ------------------------------------------------------------------------------------------------- */

static void tell_eof(struct link *link)
{
    if (!link->has_eof || link->eof_told || link->held.len != 0 || !is_live(link) || !link->is_wanted)
        return;
    link->eof_told = true;
    link->events->on_eof(link->self);
}

static void update_reading(struct link *link)
{
    if (link->stream == NULL)
        return;
    if (link->is_wanted && link->held.len < LINK_HELD_BYTES)
        stream_resume(link->stream);
    else
        stream_pause(link->stream);
}

static void feed_innermost(struct link *link, struct span bytes)
{
    struct err err;

    if (!tls_feed(link->tls, bytes, &err))
        fail(link, &err);
}

/* Gives bytes to the owner, after what is held from before; what it leaves is held, or fed to the TLS that it
 * has put on. */
static void give(struct link *link, struct span bytes)
{
    const struct tls *layer = link->tls;
    struct strbuf before = STRBUF_EMPTY;
    size_t used;

    if (!is_live(link))
        return;
    if (!link->is_wanted || link->is_delivering) {
        strbuf_add(&link->held, bytes);
        update_reading(link);
        return;
    }
    if (link->held.len != 0) {
        strbuf_add(&link->held, bytes);
        before = link->held;
        link->held = STRBUF_EMPTY;
        bytes = strbuf_span(&before);
    }
    link->is_delivering = link->is_fed = true;
    used = link->events->on_bytes(link->self, bytes);
    link->is_delivering = false;
    if (is_live(link)) {
        if (used < bytes.len && link->tls != layer) {
            feed_innermost(link, span_from(bytes, used));
        } else if (used < bytes.len) {
            /* Something may have been held while the owner was at work: it comes after what the owner left.
             */
            struct strbuf rest = STRBUF_EMPTY;
            strbuf_add(&rest, span_from(bytes, used));
            strbuf_add(&rest, strbuf_span(&link->held));
            strbuf_clear(&link->held);
            link->held = rest;
        }
        update_reading(link);
    }
    strbuf_clear(&before);
}

static void on_first_plain(void *self, struct span bytes)
{
    struct link *link = self;

    if (link->outer == NULL)
        give(link, bytes);
    else if (is_live(link))
        feed_innermost(link, bytes);
}

static void on_second_plain(void *self, struct span bytes)
{
    give(self, bytes);
}

static void end_batch(struct link *link)
{
    if (is_live(link) && link->is_fed) {
        link->is_fed = false;
        link->events->on_batch(link->self);
    }
    tell_eof(link);
}

static void on_stream_bytes(void *self, struct span bytes)
{
    struct link *link = self;
    struct err err;

    if (link->tls == NULL) {
        give(link, bytes);
    } else if (!feed_outermost(link, bytes, &err)) {
        fail(link, &err);
        return;
    }
    if (link->tls != NULL && is_live(link) && !has_tickets_alone(link))
        flush_engines(link);
    end_batch(link);
}

static void on_stream_eof(void *self)
{
    struct link *link = self;

    link->has_eof = true;
    tell_eof(link);
}

static void on_stream_drained(void *self)
{
    struct link *link = self;

    link->events->on_drained(link->self);
}

static void on_stream_error(void *self, const struct err *err)
{
    fail(self, err);
}

void link_deliver(struct link *link)
{
    if (!is_live(link) || link->is_delivering || !link->is_wanted)
        return;
    if (link->held.len != 0)
        give(link, SPAN(""));
    update_reading(link);
    end_batch(link);
}

static void deliver_deferred(void *self)
{
    link_deliver(self);
}

void link_set_reading(struct link *link, bool is_on)
{
    if (link->stream == NULL || link->is_wanted == is_on)
        return;
    link->is_wanted = is_on;
    update_reading(link);
    if (is_on && (link->held.len != 0 || link->has_eof))
        loop_defer(link->loop, deliver_deferred, link);
}

bool link_ended_cleanly(const struct link *link)
{
    return link->tls == NULL || tls_was_closed(link->tls);
}

/* --- TLS ------------------------------------------------------------------------------------------------ */

/* Where the new layer writes to, once the one that is there has become the outer one. */
static struct evbuffer *begin_layer(struct link *link)
{
    if (link->tls == NULL)
        return stream_out(link->stream);
    assert(link->outer == NULL && tls_is_open(link->tls));
    link->outer = link->tls;
    link->outer_out = link->plain_out;
    return link->outer_out;
}

/* The first bytes of the new layer: those at hand, and those held from before it. */
static bool begin_handshake(struct link *link, struct span first, struct err *err)
{
    struct strbuf held = link->held;
    bool ok;

    link->plain_out = evbuffer_new();
    link->held = STRBUF_EMPTY;
    ok = tls_start(link->tls, err) && (first.len == 0 || tls_feed(link->tls, first, err)) &&
         (held.len == 0 || link->tls == NULL || tls_feed(link->tls, strbuf_span(&held), err));
    strbuf_clear(&held);
    if (ok && link->stream != NULL)
        flush_engines(link);
    return ok;
}

bool link_accept_tls(struct link *link, struct tls_server *server, struct span first, struct err *err)
{
    struct evbuffer *out = begin_layer(link);

    link->tls = tls_accept(server, out, link->outer == NULL ? &first_layer : &second_layer, link);
    return begin_handshake(link, first, err);
}

bool link_connect_tls(struct link *link, struct tls_client *client, struct tls_sessions *sessions,
                      const struct tls_target *target, struct err *err)
{
    struct evbuffer *out = begin_layer(link);

    link->tls =
        tls_connect(client, sessions, target, out, link->outer == NULL ? &first_layer : &second_layer, link);
    return begin_handshake(link, SPAN_NONE, err);
}

void link_go_tls(struct link *link)
{
    struct err err;

    if (!is_live(link))
        return;
    if (!tls_go(link->tls, &err)) {
        fail(link, &err);
        return;
    }
    if (is_live(link))
        flush_engines(link);
    tell_eof(link);
}

/* --- out ------------------------------------------------------------------------------------------------ */

struct evbuffer *link_out(struct link *link)
{
    return link->tls != NULL ? link->plain_out : stream_out(link->stream);
}

void link_flush(struct link *link)
{
    struct err err;

    if (link->stream == NULL)
        return;
    if (link->tls != NULL && evbuffer_get_length(link->plain_out) != 0 &&
        !tls_write(link->tls, link->plain_out, &err))
        fail_writing(link, &err);
    flush_engines(link);
}

size_t link_unsent(const struct link *link)
{
    size_t unsent;

    if (link->stream == NULL)
        return 0;
    unsent = stream_unsent(link->stream) - link->ticket_bytes;
    if (link->tls != NULL)
        unsent += evbuffer_get_length(link->plain_out);
    if (link->outer != NULL)
        unsent += evbuffer_get_length(link->outer_out);
    return unsent;
}

/* --- ends ----------------------------------------------------------------------------------------------- */

static void encrypt_rest(struct link *link)
{
    struct err err; /* nothing can be done about a failure at the end */

    if (link->tls != NULL && tls_is_open(link->tls) && evbuffer_get_length(link->plain_out) != 0)
        tls_write(link->tls, link->plain_out, &err);
    write_outer(link, &err);
}

static void end_layers(struct link *link)
{
    struct err err; /* as above */

    encrypt_rest(link);
    if (link->tls != NULL)
        tls_close_notify(link->tls);
    write_outer(link, &err);
    if (link->outer != NULL)
        tls_close_notify(link->outer);
    link->is_shut = true;
}

void link_shutdown_raw(struct link *link)
{
    if (link->stream == NULL)
        return;
    encrypt_rest(link);
    link->is_shut = true;
    stream_shutdown(link->stream);
}

void link_shutdown(struct link *link)
{
    if (link->stream == NULL)
        return;
    end_layers(link);
    stream_shutdown(link->stream);
}

void link_close_raw(struct link *link)
{
    if (link->stream == NULL)
        return;
    encrypt_rest(link);
    stream_close_flushed(link->stream);
    link->stream = NULL;
    drop_tls(link);
}

void link_close(struct link *link)
{
    if (link->stream == NULL)
        return;
    end_layers(link);
    link_close_raw(link);
}

void link_cut(struct link *link, enum cut how)
{
    if (link->stream == NULL)
        return;
    if (how == CUT_CLOSE) {
        link_close_raw(link);
        return;
    }
    stream_reset(link->stream);
    link->stream = NULL;
    drop_tls(link);
}

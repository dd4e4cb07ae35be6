#include "proxy/live/link.h"

#include "proxy/base/mem.h"

static void on_stream_bytes(void *self, struct span bytes);
static void on_stream_eof(void *self);
static void on_stream_drained(void *self);
static void on_stream_error(void *self, const struct err *err);

static const struct stream_events stream_events = { on_stream_bytes, on_stream_eof, on_stream_drained,
                                                    on_stream_error };

static void on_tls_plain(void *self, struct span bytes);

static enum tls_answer on_tls_hello(void *self, const struct hello *hello)
{
    struct link *link = self;

    return link->events->on_hello(link->self, hello);
}

static void on_tls_open(void *self)
{
    struct link *link = self;

    link->events->on_open(link->self);
}

static void on_tls_close_notify(void *self)
{
    struct link *link = self;

    link->has_eof = true; /* told once the bytes before it have been used */
}

static const struct tls_events tls_events = { on_tls_hello, on_tls_open, on_tls_plain, on_tls_close_notify };

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

/* The TLS engine may be what is calling us: it is freed when the turn is over. */
static void drop_tls(struct link *link)
{
    if (link->tls != NULL)
        loop_defer(link->loop, free_tls, link->tls);
    if (link->plain_out != NULL)
        loop_defer(link->loop, free_evbuffer, link->plain_out);
    link->tls = NULL;
    link->plain_out = NULL;
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

/* --- in ------------------------------------------------------------------------------------------------- */

static void fail(struct link *link, const struct err *err)
{
    if (link->stream == NULL)
        return;
    stream_flush(link->stream); /* an alert may be waiting */
    link->events->on_error(link->self, err);
}

static void tell_eof(struct link *link)
{
    if (!link->has_eof || link->eof_told || link->held.len != 0 || link->stream == NULL || !link->is_wanted)
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

/* Gives bytes to the owner, after what is held from before; what it leaves is held. */
static void give(struct link *link, struct span bytes)
{
    struct strbuf before = STRBUF_EMPTY;
    size_t used;

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
    if (link->stream != NULL) {
        if (used < bytes.len) {
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

static void on_tls_plain(void *self, struct span bytes)
{
    give(self, bytes);
}

static void end_batch(struct link *link)
{
    if (link->stream != NULL && link->is_fed) {
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
    } else if (!tls_feed(link->tls, bytes, &err)) {
        fail(link, &err);
        return;
    } else if (link->stream != NULL) {
        stream_flush(link->stream); /* handshake messages, tickets, key updates */
    }
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
    struct link *link = self;

    link->events->on_error(link->self, err);
}

void link_deliver(struct link *link)
{
    if (link->stream == NULL || link->is_delivering || !link->is_wanted)
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

bool link_accept_tls(struct link *link, struct tls_server *server, struct span first, struct err *err)
{
    link->tls = tls_accept(server, stream_out(link->stream), &tls_events, link);
    link->plain_out = evbuffer_new();
    if (!tls_feed(link->tls, first, err))
        return false;
    if (link->stream != NULL)
        stream_flush(link->stream);
    return true;
}

bool link_connect_tls(struct link *link, struct tls_client *client, struct tls_sessions *sessions,
                      const struct tls_target *target, struct err *err)
{
    link->tls = tls_connect(client, sessions, target, stream_out(link->stream), &tls_events, link);
    link->plain_out = evbuffer_new();
    if (!tls_start(link->tls, err))
        return false;
    stream_flush(link->stream);
    return true;
}

void link_go_tls(struct link *link)
{
    struct err err;

    if (link->stream == NULL)
        return;
    if (!tls_go(link->tls, &err)) {
        fail(link, &err);
        return;
    }
    if (link->stream != NULL)
        stream_flush(link->stream);
    tell_eof(link);
}

static void fail_deferred(void *self)
{
    struct link *link = self;

    fail(link, &link->write_error);
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
        !tls_write(link->tls, link->plain_out, &err) && link->write_error.code == ERR_NONE) {
        link->write_error = err; /* told later: a flush calls nobody back */
        loop_defer(link->loop, fail_deferred, link);
    }
    stream_flush(link->stream);
}

size_t link_unsent(const struct link *link)
{
    return link->stream != NULL ? stream_unsent(link->stream) : 0;
}

/* --- ends ----------------------------------------------------------------------------------------------- */

static void encrypt_rest(struct link *link)
{
    struct err err; /* nothing can be done about a failure at the end */

    if (link->tls != NULL && tls_is_open(link->tls) && evbuffer_get_length(link->plain_out) != 0)
        tls_write(link->tls, link->plain_out, &err);
}

void link_shutdown_raw(struct link *link)
{
    if (link->stream == NULL)
        return;
    encrypt_rest(link);
    stream_shutdown(link->stream);
}

void link_shutdown(struct link *link)
{
    if (link->stream == NULL)
        return;
    encrypt_rest(link);
    if (link->tls != NULL)
        tls_close_notify(link->tls);
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
    encrypt_rest(link);
    if (link->tls != NULL)
        tls_close_notify(link->tls);
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

/* Out: heads become fields, bodies wait in an evbuffer a stream until nghttp2 asks for as much as the windows
 * let pass, and move from there into the connection's without a copy.
 *
 * The hard part: nghttp2 must never be left with a frame half sent, or control frames would wait behind a
 * body. So on_send_data always takes the whole frame, and pauses after it when there is enough. */
#include <assert.h>

#include "proxy/base/mem.h"
#include "proxy/http/h2_inner.h"
#include "proxy/http/token.h"

#define DRAINED_BYTES (H2_STREAM_WINDOW_BYTES / 2)

static void fields_add(struct h2_fields *fields, struct span name, struct span value, bool is_sensitive)
{
    if (fields->count == fields->cap) {
        fields->cap = fields->cap != 0 ? fields->cap * 2 : 32;
        fields->items = mem_realloc(fields->items, fields->cap * sizeof *fields->items);
    }
    /* nghttp2 only reads what it copies. A NULL would be an argument of its memcpy. */
    fields->items[fields->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .namelen = name.len,
        .value = (uint8_t *)(uintptr_t)(value.ptr != NULL ? value.ptr : ""),
        .valuelen = value.len,
        .flags = is_sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
    };
}

/* What RFC 9113 §8.2.2 forbids; TE is add_te's. */
static bool is_of_http1(struct span name)
{
    static const struct span names[] = { SPAN("Connection"),       SPAN("Keep-Alive"),
                                         SPAN("Proxy-Connection"), SPAN("Transfer-Encoding"),
                                         SPAN("Upgrade"),          SPAN("HTTP2-Settings") };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_ieq(name, names[i]))
            return true;
    }
    return false;
}

/* Of TE only "trailers" may go. */
static void add_te(struct h2_fields *fields, struct span value)
{
    struct span element;

    while (token_next(&value, &element)) {
        if (span_ieq(element, SPAN("trailers"))) {
            fields_add(fields, SPAN("te"), SPAN("trailers"), false);
            return;
        }
    }
}

static void add_field(struct h2_fields *fields, struct span name, struct span value, bool is_sensitive)
{
    if (is_of_http1(name))
        return;
    if (span_ieq(name, SPAN("TE")))
        add_te(fields, value);
    else
        fields_add(fields, name, value, is_sensitive);
}

static void add_headers(struct h2_fields *fields, const struct headers *headers, bool without_host)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct span name = headers_name(headers, i);
        if (headers->items[i].is_hop || (without_host && span_ieq(name, SPAN("Host"))))
            continue;
        add_field(fields, name, headers_value(headers, i), headers->items[i].is_sensitive);
    }
}

/* The next of extra's lines. */
static bool next_line(struct span *extra, struct span *out_name, struct span *out_value)
{
    struct span line;
    size_t colon;

    if (!span_split(extra, '\n', &line))
        return false;
    if (span_ends(line, SPAN("\r")))
        line.len--;
    colon = span_find(line, ':');
    assert(colon < line.len);
    *out_name = span_sub(line, 0, colon);
    *out_value = span_trim(span_from(line, colon + 1));
    return true;
}

static void add_extra(struct h2_fields *fields, struct span extra)
{
    struct span name, value;

    while (next_line(&extra, &name, &value)) {
        if (!span_ieq(name, SPAN("Host")))
            add_field(fields, name, value, false);
    }
}

/* What :authority says: the Host that takes the place of the head's, else the head's own. */
static struct span find_authority(const struct http_head *head, struct span extra, bool *out_is_replaced)
{
    struct span name, value;

    *out_is_replaced = true;
    while (next_line(&extra, &name, &value)) {
        if (span_ieq(name, SPAN("Host")))
            return value;
    }
    *out_is_replaced = false;
    if (head->version != HTTP_2 && headers_find(&head->headers, SPAN("Host"), &value))
        return value;
    return head->authority;
}

static void add_request_pseudo(struct h2 *h2, const struct http_head *head, struct span target,
                               struct span extra)
{
    bool is_replaced; /* :scheme and :authority go together: what came was about another URL */
    struct span authority = find_authority(head, extra, &is_replaced);
    /* RFC 9113 §8.5: CONNECT has neither, but an extended one (RFC 8441 §4). */
    bool is_plain_connect = span_eq(head->method, SPAN("CONNECT")) && head->protocol.ptr == NULL;

    for (size_t i = 0; i < sizeof h2->order; i++) {
        switch (h2->order[i]) {
        case 'm':
            fields_add(&h2->fields, SPAN(":method"), head->method, false);
            break;
        case 'a':
            if (authority.ptr != NULL)
                fields_add(&h2->fields, SPAN(":authority"), authority, false);
            break;
        case 's':
            if (!is_plain_connect)
                fields_add(&h2->fields, SPAN(":scheme"),
                           head->scheme.ptr != NULL && !is_replaced ? head->scheme : span_of(h2->scheme),
                           false);
            break;
        case 'p':
            if (!is_plain_connect)
                fields_add(&h2->fields, SPAN(":path"), target, false);
            break;
        }
    }
    if (head->protocol.ptr != NULL)
        fields_add(&h2->fields, SPAN(":protocol"), head->protocol, false);
}

/* Not in one piece with what was said before it: curl 7.88 forgets an answer whose reset comes with it. */
static void reset_later(struct h2_stream *stream)
{
    stream->is_reset_due = stream->h2->has_resets_due = true;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *unused, size_t room, uint32_t *flags,
                       nghttp2_data_source *source, void *self)
{
    struct h2_stream *stream = source->ptr;
    struct h2_fields *fields = &((struct h2 *)self)->fields;
    size_t left = h2_unsent(stream);

    (void)unused;
    if (left == 0 && !stream->is_complete) {
        stream->is_deferred = true;
        if (stream->has_left)
            reset_later(stream);
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (left > room)
        return (ssize_t)room;
    if (stream->is_complete) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->has_sent_trailers) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            fields->count = 0;
            add_headers(fields, &stream->sent_trailers, false);
            if (nghttp2_submit_trailer(session, id, fields->items, fields->count) != 0)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)left;
}

static void tell_drained(struct h2_stream *stream)
{
    if (!stream->was_full || h2_unsent(stream) >= DRAINED_BYTES)
        return;
    stream->was_full = false;
    if (!stream->has_left)
        stream->h2->events->on_drained(stream->self);
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head, size_t len,
                        nghttp2_data_source *source, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream = source->ptr;

    (void)session;
    (void)frame; /* without padding: we never ask for any */
    if (evbuffer_add(h2->out, frame_head, H2_FRAME_HEAD_BYTES) != 0 ||
        (len != 0 && evbuffer_remove_buffer(stream->body, h2->out, len) != (int)len))
        mem_die();
    tell_drained(stream);
    return evbuffer_get_length(h2->out) >= h2->out_limit ? NGHTTP2_ERR_PAUSE : 0;
}

static int on_before_frame(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct h2 *h2 = self;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        struct span why = span_make(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
        if (h2->over.code == ERR_NONE) {
            h2->over_code = frame->goaway.error_code;
            err_set(&h2->over, ERR_PROTO, "%s%s%.*s", h2_error_name(h2->over_code), why.len != 0 ? ": " : "",
                    SPAN_ARG(why));
        }
        h2->is_ending = true;
    } else if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
        if (stream != NULL)
            stream->is_sent = true;
    }
    return 0;
}

/* A stream whose owner has left ends with the last of what was queued. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream;

    (void)session;
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    stream = h2_find(h2, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    stream->has_gone = true;
    if (stream->has_left && !stream->has_ended)
        reset_later(stream);
    return 0;
}

void h2_send_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_before_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
}

struct h2_stream *h2_request(struct h2 *h2, void *stream_self, const struct http_head *head,
                             struct span target, struct span extra)
{
    bool has_body = head->framing.kind != BODY_NONE;
    nghttp2_data_provider provider = { .read_callback = on_read };
    struct h2_stream *stream;

    if (h2_is_used_up(h2))
        return NULL;
    stream = h2_stream_new(h2);
    stream->self = stream_self;
    stream->is_told = true;
    stream->is_complete = !has_body;
    stream->asked_head = span_eq(head->method, SPAN("HEAD"));
    stream->asked_connect = span_eq(head->method, SPAN("CONNECT"));
    provider.source.ptr = stream;
    h2->fields.count = 0;
    add_request_pseudo(h2, head, target, extra);
    add_headers(&h2->fields, &head->headers, head->version != HTTP_2);
    add_extra(&h2->fields, extra);
    stream->id = nghttp2_submit_request(h2->session, NULL, h2->fields.items, h2->fields.count,
                                        has_body ? &provider : NULL, stream);
    if (stream->id < 0)
        mem_die();
    return stream;
}

void h2_send_response(struct h2_stream *stream, const struct http_head *head, struct span extra)
{
    struct h2 *h2 = stream->h2;
    nghttp2_data_provider provider = { .source = { .ptr = stream }, .read_callback = on_read };
    char status[] = { (char)('0' + head->status / 100 % 10), (char)('0' + head->status / 10 % 10),
                      (char)('0' + head->status % 10) };
    int result;

    h2->fields.count = 0;
    fields_add(&h2->fields, SPAN(":status"), span_make(status, sizeof status), false);
    add_headers(&h2->fields, &head->headers, false);
    add_extra(&h2->fields, extra);
    if (http_is_interim(head)) {
        result = nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, h2->fields.items,
                                        h2->fields.count, NULL);
    } else {
        stream->is_complete = head->framing.kind == BODY_NONE;
        stream->is_answered = true;
        result = nghttp2_submit_response(h2->session, stream->id, h2->fields.items, h2->fields.count,
                                         stream->is_complete ? NULL : &provider);
    }
    if (result != 0)
        mem_die();
}

/* There is more for nghttp2 to ask for. */
static void resume(struct h2_stream *stream)
{
    if (!stream->is_deferred)
        return;
    stream->is_deferred = false;
    /* Fails where the stream is being reset, and the body goes nowhere anyway. */
    (void)nghttp2_session_resume_data(stream->h2->session, stream->id);
}

void h2_send_body(struct h2_stream *stream, struct span bytes)
{
    if (stream->is_complete || bytes.len == 0) /* a body where there can be none is not sent */
        return;
    if (stream->body == NULL)
        stream->body = evbuffer_new();
    if (stream->body == NULL || evbuffer_add(stream->body, bytes.ptr, bytes.len) != 0)
        mem_die();
    if (evbuffer_get_length(stream->body) > DRAINED_BYTES)
        stream->was_full = true;
    resume(stream);
}

static void copy_trailers(struct h2_stream *stream, const struct headers *trailers)
{
    for (size_t i = 0; i < trailers->count; i++) {
        struct err ignored; /* without limits, and fields already */
        if (trailers->items[i].is_hop || !headers_add(&stream->sent_trailers, headers_name(trailers, i),
                                                      headers_value(trailers, i), &ignored))
            continue;
        stream->sent_trailers.items[stream->sent_trailers.count - 1].is_sensitive =
            trailers->items[i].is_sensitive;
        stream->has_sent_trailers = true;
    }
}

void h2_send_end(struct h2_stream *stream, const struct headers *trailers)
{
    if (stream->is_complete)
        return;
    stream->is_complete = true;
    if (trailers != NULL)
        copy_trailers(stream, trailers);
    resume(stream);
}

void h2_leave(struct h2_stream *stream, uint32_t code)
{
    struct h2 *h2 = stream->h2;
    bool is_unsent = h2->role == H2_TO_ORIGIN && !stream->is_sent;

    assert(!stream->has_left);
    stream->has_left = true;
    stream->leave_code = code;
    h2_set_reading(stream, true);
    if (stream->is_answered && !stream->is_complete)
        resume(stream); /* what is there goes, and on_read resets */
    else if (!stream->is_complete || is_unsent || stream->has_gone)
        h2_reset(h2, stream->id, code);
}

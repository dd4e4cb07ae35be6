/* In: nghttp2's callbacks to events. nghttp2 checks frames, fields and the order of messages (RFC 9113 §8.1);
 * here are the limits, the building of heads, and the windows.
 *
 * The hard part: a header section that is refused must still be read to its end, for the compression state is
 * the connection's. So the stream alone is reset, and nghttp2 is told to call no more about it. */

#include "proxy/base/mem.h"
#include "proxy/http/h2_inner.h"

void h2_consume_connection(struct h2 *h2, size_t count)
{
    h2->held_connection_bytes += count;
    if (h2->held_bytes >= H2_BUFFERED_BYTES || h2->held_connection_bytes == 0 || h2->is_over)
        return;
    if (nghttp2_session_consume_connection(h2->session, h2->held_connection_bytes) != 0)
        mem_die();
    h2->held_connection_bytes = 0;
}

void h2_forget_held(struct h2_stream *stream)
{
    stream->h2->held_bytes -= stream->held_bytes;
    stream->held_bytes = 0;
    h2_consume_connection(stream->h2, 0);
}

/* The stream's window is given back. */
static void release_held(struct h2_stream *stream)
{
    size_t count = stream->held_bytes;

    h2_forget_held(stream);
    /* It is no error of a stream that is closed and has no window any more. */
    if (count != 0 && nghttp2_session_consume_stream(stream->h2->session, stream->id, count) != 0)
        mem_die();
}

void h2_set_reading(struct h2_stream *stream, bool is_on)
{
    stream->is_held = !is_on;
    if (is_on)
        release_held(stream);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                         size_t len, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream = h2_find(h2, id);

    (void)session;
    (void)flags;
    if (stream == NULL) {
        h2_consume_connection(h2, len);
        return 0;
    }
    /* Held first: the window belongs to what the owner may say from inside on_body, too. */
    stream->held_bytes += len;
    h2->held_bytes += len;
    if (!stream->is_held || stream->has_left)
        release_held(stream);
    h2_consume_connection(h2, len);
    if (!stream->has_left)
        h2->events->on_body(stream->self, span_make(bytes, len));
    return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream = h2_find(h2, frame->stream_id);

    (void)session;
    if (!h2_guard_frame(h2, frame))
        return h2_break(h2, H2_ENHANCE_YOUR_CALM, ERR_LIMIT, "a flood of frames that say nothing");
    h2->frame_bytes = H2_FRAME_HEAD_BYTES + frame->length;
    if (stream != NULL) {
        stream->wire_bytes += h2->frame_bytes;
        stream->section.wire_bytes += h2->frame_bytes;
    }
    return 0;
}

static void section_clear(struct h2_section *section)
{
    http_head_free(section->head);
    strbuf_clear(&section->pseudo);
    *section = (struct h2_section){ .wire_bytes = 0 };
}

static struct h2_stream *open_stream(struct h2 *h2, int32_t id)
{
    static const nghttp2_extpri even = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };
    struct h2_stream *stream = h2_stream_new(h2);

    stream->id = id;
    stream->wire_bytes = h2->frame_bytes;
    if (nghttp2_session_set_stream_user_data(h2->session, id, stream) != 0)
        mem_die();
    /* In turns, whatever the client says: the origin has its priorities from the request's fields. */
    (void)nghttp2_session_change_extpri_stream_priority(h2->session, id, &even, 1);
    if (!h2->has_seen_request)
        memset(h2->seen.pseudo_order, 0, sizeof h2->seen.pseudo_order);
    h2->has_seen_headers = true;
    return stream;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream;

    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS) /* a push that crossed our SETTINGS */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    stream = frame->headers.cat == NGHTTP2_HCAT_REQUEST ? open_stream(h2, frame->hd.stream_id)
                                                        : h2_find(h2, frame->hd.stream_id);
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    section_clear(&stream->section);
    stream->section.wire_bytes = h2->frame_bytes;
    if (stream->has_head) {
        headers_clear(&stream->trailers);
    } else {
        stream->section.head = http_head_new(h2->role == H2_TO_CLIENT ? HTTP_REQUEST : HTTP_RESPONSE);
        stream->section.head->version = HTTP_2;
    }
    return 0;
}

/* The stream is reset, what is left of the section only decompressed. */
static int refuse_section(struct h2 *h2, int32_t id, uint32_t code)
{
    if (!h2_guard_reset(h2))
        return h2_break(h2, H2_ENHANCE_YOUR_CALM, ERR_LIMIT, "a flood of streams that break the rules");
    h2_reset(h2, id, code);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void add_part(struct h2_section *section, struct h2_part *part, struct span value)
{
    *part = (struct h2_part){ section->pseudo.len, value.len, true };
    strbuf_add(&section->pseudo, value);
}

static void note_order(struct h2 *h2, char c)
{
    size_t i = 0;

    if (h2->has_seen_request || h2->role != H2_TO_CLIENT)
        return;
    while (i < sizeof h2->seen.pseudo_order && h2->seen.pseudo_order[i] != '\0')
        i++;
    if (i < sizeof h2->seen.pseudo_order)
        h2->seen.pseudo_order[i] = c;
}

static void add_pseudo(struct h2_stream *stream, struct span name, struct span value)
{
    struct h2_section *section = &stream->section;

    if (span_eq(name, SPAN(":method"))) {
        add_part(section, &section->method, value);
        note_order(stream->h2, 'm');
    } else if (span_eq(name, SPAN(":path"))) {
        add_part(section, &section->target, value);
        note_order(stream->h2, 'p');
    } else if (span_eq(name, SPAN(":scheme"))) {
        add_part(section, &section->scheme, value);
        note_order(stream->h2, 's');
    } else if (span_eq(name, SPAN(":authority"))) {
        add_part(section, &section->authority, value);
        note_order(stream->h2, 'a');
    } else if (span_eq(name, SPAN(":protocol"))) {
        add_part(section, &section->protocol, value);
    } else if (span_eq(name, SPAN(":status"))) {
        uint64_t status = 0;
        (void)span_u64(value, &status); /* nghttp2 has seen to it that it is three digits */
        section->head->status = (int)status;
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
    struct span name = span_make(name_bytes, name_len), value = span_make(value_bytes, value_len);
    struct headers *headers;
    struct err ignored; /* the code that goes out says it */

    (void)session;
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    stream->section.bytes += name_len + value_len + SPAN(": ").len;
    if (stream->section.bytes > h2->limits.max_header_bytes ||
        ++stream->section.fields > h2->limits.max_headers)
        return refuse_section(h2, stream->id, H2_ENHANCE_YOUR_CALM);
    if (name_len != 0 && name.ptr[0] == ':') {
        if (stream->section.head != NULL)
            add_pseudo(stream, name, value);
        return 0;
    }
    headers = stream->section.head != NULL ? &stream->section.head->headers : &stream->trailers;
    if (!headers_add(headers, name, value, &ignored))
        return refuse_section(h2, stream->id,
                              ignored.code == ERR_LIMIT ? H2_ENHANCE_YOUR_CALM : H2_PROTOCOL_ERROR);
    headers->items[headers->count - 1].is_sensitive = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
    return 0;
}

/* A field left out, as nghttp2's manual promises for want of this, would make another message than was sent;
 * RFC 9113 §8.2.1 calls the whole malformed. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *self)
{
    (void)session;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    return refuse_section(self, frame->hd.stream_id, H2_PROTOCOL_ERROR);
}

/* Calls for streams and for the connection; the latter end it in any case. A refused stream is one that the
 * client opened above what we offer. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *self)
{
    (void)session;
    (void)frame;
    (void)error;
    if (!h2_guard_reset(self))
        return h2_break(self, H2_ENHANCE_YOUR_CALM, ERR_LIMIT, "a flood of streams that break the rules");
    return 0;
}

static struct span part_span(const struct h2_section *section, struct h2_part part)
{
    return part.is_there ? span_make(section->head->start_line + part.off, part.len) : SPAN_NONE;
}

static void set_framing(struct h2_stream *stream, struct http_head *head, bool has_end)
{
    struct span value;

    head->framing = (struct framing){ .kind = BODY_CHUNKED, .keeps_alive = true };
    if (head->role == HTTP_RESPONSE && stream->asked_connect && head->status / 100 == 2)
        head->framing.kind = BODY_TUNNEL;
    else if (has_end || http_is_interim(head))
        head->framing.kind = BODY_NONE;
    else if (head->role == HTTP_RESPONSE &&
             (stream->asked_head || head->status == 204 || head->status == 304))
        head->framing.kind = BODY_NONE;
    else if (headers_find(&head->headers, SPAN("content-length"), &value) &&
             span_u64(value, &head->framing.length))
        head->framing.kind = BODY_LENGTH;
}

/* The section has come to its end: what was collected becomes the stream's head. */
static struct http_head *detach_head(struct h2_stream *stream, bool has_end)
{
    struct h2_section *section = &stream->section;
    struct http_head *head = section->head;

    strbuf_add_char(&section->pseudo, '\0'); /* so that there is something to own */
    head->start_line = strbuf_detach(&section->pseudo);
    head->method = part_span(section, section->method);
    head->target = part_span(section, section->target);
    head->scheme = part_span(section, section->scheme);
    head->authority = part_span(section, section->authority);
    head->protocol = part_span(section, section->protocol);
    head->wire_bytes = section->wire_bytes;
    set_framing(stream, head, has_end);
    stream->has_head = !http_is_interim(head);
    section->head = NULL;
    return head;
}

static void tell_end(struct h2_stream *stream, const struct headers *trailers)
{
    stream->has_ended = true;
    if (stream->is_told && !stream->has_left)
        stream->h2->events->on_end(stream->self, trailers);
}

static void take_headers(struct h2_stream *stream, bool has_end)
{
    struct h2 *h2 = stream->h2;
    struct http_head *head;

    if (stream->section.head == NULL) {
        tell_end(stream, &stream->trailers);
        return;
    }
    head = detach_head(stream, has_end);
    if (h2->role == H2_TO_CLIENT) {
        h2->has_seen_request = true;
        stream->is_told = true;
        stream->self = h2->events->on_request(h2->self, stream, head);
    } else if (stream->has_left) {
        http_head_free(head);
    } else {
        h2->events->on_response(stream->self, head);
    }
    if (has_end)
        tell_end(stream, NULL);
}

static void note_settings(struct h2 *h2, const nghttp2_settings *settings)
{
    if (h2->has_seen_settings || h2->has_seen_headers)
        return;
    h2->has_seen_settings = true;
    for (size_t i = 0; i < settings->niv && i < H2_PROFILE_MAX_SETTINGS; i++) {
        h2->seen.settings[i].id = (uint32_t)settings->iv[i].settings_id;
        h2->seen.settings[i].value = settings->iv[i].value;
        h2->seen.setting_count++;
    }
}

/* Requests that were never sent would wait until a stream ends, only to be refused then. */
static void take_goaway(struct h2 *h2, uint32_t code)
{
    struct h2_stream *stream, *next;

    for (stream = LIST_FIRST(&h2->streams); stream != NULL; stream = next) {
        next = LIST_NEXT(stream, entry);
        if (h2->role == H2_TO_ORIGIN && !stream->is_sent && !stream->has_left) {
            stream->has_left = true;
            h2_reset(h2, stream->id, H2_REFUSED_STREAM); /* of what was not sent: it is taken back */
            h2->events->on_closed(stream->self, H2_REFUSED_STREAM, true);
        }
    }
    if (h2->events->on_goaway != NULL)
        h2->events->on_goaway(h2->self, code);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *self)
{
    struct h2 *h2 = self;
    struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
    bool has_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (stream != NULL)
            take_headers(stream, has_end);
        break;
    case NGHTTP2_DATA:
        if (stream != NULL && has_end)
            tell_end(stream, NULL);
        break;
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
            note_settings(h2, &frame->settings);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        if (frame->hd.stream_id == 0 && !h2->has_seen_headers)
            h2->seen.window_increment += (uint32_t)frame->window_update.window_size_increment;
        break;
    case NGHTTP2_GOAWAY:
        take_goaway(h2, frame->goaway.error_code);
        break;
    default:
        break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *self)
{
    struct h2_stream *stream = h2_find(self, id);

    (void)session;
    if (stream != NULL) {
        (void)nghttp2_session_set_stream_user_data(session, id, NULL);
        h2_stream_end(stream, code);
    }
    return 0;
}

void h2_receive_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/* The hard part: knowing that nghttp2 has given up. It says so nowhere but in the GOAWAY that it queues, so
 * h2_feed lets it make the frames that wait (`early`, a few KiB), and the GOAWAY is seen as it goes by. Once
 * it is, nghttp2 is not asked any more, and every stream ends: nothing of nghttp2's can then refer to one. */
#include "proxy/http/h2.h"

#include "proxy/base/mem.h"
#include "proxy/http/h2_inner.h"

/* How much may wait in early. Beyond it the other side is not reading, and learns later that it erred. */
#define EARLY_BYTES (16 * 1024)

/* The connection's window: what all streams may have on their way to us. Enough for 16 streams that are read,
 * and held streams do not use it up: it is given back on arrival. */
#define CONNECTION_WINDOW_BYTES (16 * H2_STREAM_WINDOW_BYTES)

/* Until an origin has said how many streams it takes (RFC 9113 §6.5.2 recommends that it be no fewer). */
#define ASSUMED_MAX_STREAMS 100

/* A section of the bytes we take, in frames of at least this, is not cut into too many. */
#define LEAST_CONTINUATION_BYTES 1024

static const struct {
    uint32_t code;
    const char *name;
} error_names[] = {
    { NGHTTP2_NO_ERROR, "NO_ERROR" },
    { NGHTTP2_PROTOCOL_ERROR, "PROTOCOL_ERROR" },
    { NGHTTP2_INTERNAL_ERROR, "INTERNAL_ERROR" },
    { NGHTTP2_FLOW_CONTROL_ERROR, "FLOW_CONTROL_ERROR" },
    { NGHTTP2_SETTINGS_TIMEOUT, "SETTINGS_TIMEOUT" },
    { NGHTTP2_STREAM_CLOSED, "STREAM_CLOSED" },
    { NGHTTP2_FRAME_SIZE_ERROR, "FRAME_SIZE_ERROR" },
    { NGHTTP2_REFUSED_STREAM, "REFUSED_STREAM" },
    { NGHTTP2_CANCEL, "CANCEL" },
    { NGHTTP2_COMPRESSION_ERROR, "COMPRESSION_ERROR" },
    { NGHTTP2_CONNECT_ERROR, "CONNECT_ERROR" },
    { NGHTTP2_ENHANCE_YOUR_CALM, "ENHANCE_YOUR_CALM" },
    { NGHTTP2_INADEQUATE_SECURITY, "INADEQUATE_SECURITY" },
    { NGHTTP2_HTTP_1_1_REQUIRED, "HTTP_1_1_REQUIRED" },
};

const char *h2_error_name(uint32_t code)
{
    for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++) {
        if (error_names[i].code == code)
            return error_names[i].name;
    }
    return "unknown";
}

/* nghttp2 fails for want of memory, or because we asked for what makes no sense: mistakes of ours. */
static void must(int result)
{
    if (result != 0)
        mem_die();
}

struct h2_stream *h2_stream_new(struct h2 *h2)
{
    struct h2_stream *stream = mem_new(struct h2_stream);

    stream->h2 = h2;
    LIST_INSERT_HEAD(&h2->streams, stream, entry);
    h2->stream_count++;
    return stream;
}

static void stream_free(struct h2_stream *stream)
{
    LIST_REMOVE(stream, entry);
    stream->h2->stream_count--;
    http_head_free(stream->section.head);
    strbuf_clear(&stream->section.pseudo);
    headers_clear(&stream->trailers);
    headers_clear(&stream->sent_trailers);
    if (stream->body != NULL)
        evbuffer_free(stream->body);
    mem_free(stream);
}

void h2_stream_end(struct h2_stream *stream, uint32_t code)
{
    struct h2 *h2 = stream->h2;
    bool is_whole = stream->has_ended && (h2->role == H2_TO_ORIGIN || stream->has_gone);

    h2_forget_held(stream);
    /* RFC 9113 §8.1 lets a server reset with NO_ERROR what it has answered in full; of anything that is not
     * whole it would say that all is well. */
    if (code == H2_NO_ERROR && !is_whole)
        code = H2_CANCEL;
    if (stream->is_told && !stream->has_left) {
        bool was_refused =
            h2->role == H2_TO_ORIGIN && !stream->has_head && (code == H2_REFUSED_STREAM || !stream->is_sent);
        h2->events->on_closed(stream->self, code, was_refused);
    }
    stream_free(stream);
}

int h2_break(struct h2 *h2, uint32_t code, enum err_code err_code, const char *why)
{
    if (h2->over.code == ERR_NONE) {
        err_set(&h2->over, err_code, "%s", why);
        h2->over_code = code;
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

void h2_reset(struct h2 *h2, int32_t id, uint32_t code)
{
    must(nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, code));
}

static nghttp2_option *make_options(const struct h2 *h2, uint32_t assumed_streams)
{
    nghttp2_option *option;

    must(nghttp2_option_new(&option));
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, assumed_streams);
    nghttp2_option_set_max_reserved_remote_streams(option, 0); /* no pushes */
    /* Heads are bounded where they come in; one that came over HTTP/1 must not fail here. */
    nghttp2_option_set_max_send_header_block_length(option, INT32_MAX);
#ifdef HAVE_NGHTTP2_max_continuations
    nghttp2_option_set_max_continuations(option, 8 + h2->limits.max_header_bytes / LEAST_CONTINUATION_BYTES);
#endif
#ifdef HAVE_NGHTTP2_stream_reset_rate_limit
    /* h2_guard counts all resets, those that we are made to send, too. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
#endif
    /* Browsers take blanks around a value, and so pass what origins send. */
    if (h2->role == H2_TO_ORIGIN)
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    return option;
}

static void make_session(struct h2 *h2, uint32_t assumed_streams)
{
    nghttp2_option *option = make_options(h2, assumed_streams != 0 ? assumed_streams : ASSUMED_MAX_STREAMS);
    nghttp2_session_callbacks *callbacks;

    must(nghttp2_session_callbacks_new(&callbacks));
    h2_receive_set_callbacks(callbacks);
    h2_send_set_callbacks(callbacks);
    if (h2->role == H2_TO_CLIENT)
        must(nghttp2_session_server_new2(&h2->session, callbacks, h2, option));
    else
        must(nghttp2_session_client_new2(&h2->session, callbacks, h2, option));
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
}

/* MAX_HEADER_LIST_SIZE counts 32 more a field (RFC 9113 §6.5.2); so a client that heeds it leaves out nothing
 * that we would take, and a Go client says in words what we could only reset. */
static uint32_t max_header_list(const struct h2 *h2)
{
    uint64_t size = (uint64_t)h2->limits.max_header_bytes + 32 * (uint64_t)h2->limits.max_headers;

    return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

static void queue_own_settings(struct h2 *h2, bool offers_connect)
{
    nghttp2_settings_entry entries[5];
    size_t count = 0;

    if (h2->role == H2_TO_CLIENT) {
        entries[count++] =
            (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_MAX_STREAMS };
        /* All streams of a client share alike: see on_begin_headers. */
        entries[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 };
        if (offers_connect)
            entries[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 };
    } else {
        entries[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
    }
    entries[count++] =
        (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW_BYTES };
    entries[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, max_header_list(h2) };
    must(nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, count));
    must(nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES));
}

/* False: nghttp2 does not take what stands there. */
static bool queue_profile(struct h2 *h2, const struct h2_profile *profile)
{
    nghttp2_settings_entry entries[H2_PROFILE_MAX_SETTINGS];
    int64_t window = (int64_t)NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE + profile->window_increment;

    for (uint32_t i = 0; i < profile->setting_count; i++) {
        entries[i] = (nghttp2_settings_entry){ (int32_t)profile->settings[i].id, profile->settings[i].value };
        if (entries[i].settings_id == NGHTTP2_SETTINGS_ENABLE_PUSH)
            entries[i].value = 0;
        if (entries[i].settings_id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE &&
            entries[i].value > H2_MAX_TABLE_BYTES)
            entries[i].value = H2_MAX_TABLE_BYTES;
    }
    if (window > INT32_MAX ||
        nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, profile->setting_count) != 0)
        return false;
    must(nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)window));
    return true;
}

/* The profile's order; what its first request had no use for (CONNECT has no :scheme) follows. */
static void set_order(struct h2 *h2, const struct h2_profile *profile)
{
    size_t count = 0;

    for (size_t i = 0; profile != NULL && i < sizeof profile->pseudo_order; i++) {
        char c = profile->pseudo_order[i];
        if (c != '\0' && strchr("masp", c) != NULL && memchr(h2->order, c, sizeof h2->order) == NULL)
            h2->order[count++] = c;
    }
    for (const char *c = "masp"; *c != '\0'; c++) {
        if (memchr(h2->order, *c, sizeof h2->order) == NULL)
            h2->order[count++] = *c;
    }
}

struct h2 *h2_new(enum h2_role role, const struct h2_options *options, const struct h2_events *events,
                  void *self)
{
    struct h2 *h2 = mem_new(struct h2);

    h2->role = role;
    h2->limits = options->limits;
    h2->scheme = mem_strdup(options->scheme != NULL ? options->scheme : "https");
    h2->events = events;
    h2->self = self;
    LIST_INIT(&h2->streams);
    h2->early = evbuffer_new();
    if (h2->early == NULL)
        mem_die();
    make_session(h2, options->assumed_streams);
    set_order(h2, options->profile);
    if (options->profile == NULL || !queue_profile(h2, options->profile))
        queue_own_settings(h2, options->offers_connect);
    return h2;
}

void h2_free(struct h2 *h2)
{
    if (h2 == NULL)
        return;
    while (!LIST_EMPTY(&h2->streams))
        stream_free(LIST_FIRST(&h2->streams));
    nghttp2_session_del(h2->session);
    evbuffer_free(h2->early);
    mem_free(h2->fields.items);
    mem_free(h2->scheme);
    mem_free(h2);
}

/* Our GOAWAY is written. Streams end by its code: those that nghttp2 still has in mind are its alone. */
static void end_all(struct h2 *h2)
{
    h2->is_over = true;
    while (!LIST_EMPTY(&h2->streams))
        h2_stream_end(LIST_FIRST(&h2->streams), h2->over_code);
}

/* Lets nghttp2 make frames until out holds limit bytes. */
static void make_frames(struct h2 *h2, struct evbuffer *out, size_t limit)
{
    h2->out = out;
    h2->out_limit = limit;
    while (!h2->is_ending && evbuffer_get_length(out) < limit) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);
        if (len < 0) { /* header compression that went wrong: the other side can't follow any more */
            h2_break(h2, H2_INTERNAL_ERROR, ERR_PROTO, nghttp2_strerror((int)len));
            h2->is_ending = true;
        } else if (len == 0) { /* nothing more, or on_send_data has reached the limit */
            break;
        } else if (evbuffer_add(out, bytes, (size_t)len) != 0) {
            mem_die();
        }
    }
    h2->out = NULL;
    if (h2->is_ending)
        end_all(h2);
}

static void break_off(struct h2 *h2, int result)
{
    if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        h2_break(h2, H2_PROTOCOL_ERROR, ERR_PROTO, "not the preface of HTTP/2");
    else if (result == NGHTTP2_ERR_NOMEM)
        mem_die();
    else /* what it counts by itself; a callback's reason is there already */
        h2_break(h2, H2_ENHANCE_YOUR_CALM, ERR_LIMIT, nghttp2_strerror(result));
    must(nghttp2_session_terminate_session(h2->session, h2->over_code));
    make_frames(h2, h2->early, SIZE_MAX);
    if (!h2->is_over)
        end_all(h2);
}

bool h2_feed(struct h2 *h2, struct span bytes, struct err *err)
{
    if (!h2->is_over && bytes.len != 0) {
        ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
        if (used < 0)
            break_off(h2, (int)used);
        else if (nghttp2_session_get_outbound_queue_size(h2->session) != 0)
            make_frames(h2, h2->early, EARLY_BYTES);
    }
    if (h2->is_over)
        *err = h2->over;
    return !h2->is_over;
}

static void reset_due(struct h2 *h2)
{
    struct h2_stream *stream;

    h2->has_resets_due = false;
    LIST_FOREACH (stream, &h2->streams, entry) {
        if (stream->is_reset_due)
            h2_reset(h2, stream->id, stream->leave_code);
        stream->is_reset_due = false;
    }
}

bool h2_write(struct h2 *h2, struct evbuffer *out, size_t limit)
{
    size_t before = evbuffer_get_length(out);

    if (before >= limit)
        return false;
    if (evbuffer_add_buffer(out, h2->early) != 0)
        mem_die();
    if (!h2->is_over && h2->has_resets_due)
        reset_due(h2);
    if (!h2->is_over)
        make_frames(h2, out, limit);
    if (!h2->is_over && h2->has_resets_due && evbuffer_get_length(out) == before) {
        reset_due(h2);
        make_frames(h2, out, limit);
    }
    return evbuffer_get_length(out) != before;
}

bool h2_is_full(const struct h2 *h2)
{
    return h2->held_bytes >= H2_BUFFERED_BYTES;
}

void h2_shutdown(struct h2 *h2)
{
    if (h2->is_shut || h2->is_over)
        return;
    h2->is_shut = true;
    must(nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                               nghttp2_session_get_last_proc_stream_id(h2->session), H2_NO_ERROR, NULL, 0));
}

bool h2_is_idle(const struct h2 *h2)
{
    return h2->stream_count == 0 && evbuffer_get_length(h2->early) == 0 &&
           (h2->is_over || nghttp2_session_want_write(h2->session) == 0);
}

size_t h2_stream_count(const struct h2 *h2)
{
    return h2->stream_count;
}

bool h2_is_used_up(const struct h2 *h2)
{
    return h2->is_over || h2->is_shut || nghttp2_session_check_request_allowed(h2->session) == 0;
}

bool h2_has_room(const struct h2 *h2)
{
    return !h2_is_used_up(h2) && h2->stream_count < nghttp2_session_get_remote_settings(
                                                        h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void h2_offer_connect(struct h2 *h2)
{
    nghttp2_settings_entry entry = { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 };

    if (!h2->is_over)
        must(nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, &entry, 1));
}

uint32_t h2_stream_limit(const struct h2 *h2)
{
    return h2->has_seen_settings
               ? nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
               : 0;
}

bool h2_takes_connect(const struct h2 *h2)
{
    return nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

const struct h2_profile *h2_seen_profile(const struct h2 *h2)
{
    return h2->has_seen_request ? &h2->seen : NULL;
}

size_t h2_unsent(const struct h2_stream *stream)
{
    return stream->body != NULL ? evbuffer_get_length(stream->body) : 0;
}

uint64_t h2_wire_bytes(const struct h2_stream *stream)
{
    return stream->wire_bytes;
}

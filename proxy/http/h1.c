/* The reader is a table of states, each with a step that eats bytes or tells one event; h1_feed steps until
 * bytes are wanted, a message has ended, or a callback paused it. Because a step tells at most one event,
 * pausing needs no memory but the state.
 *
 *                      interim head, empty line
 *                          .----------.
 *                          v          |
 *      .----------------> IDLE --> FIELDS --+--> LENGTH ---------------------------.
 *      |                                    +--> CHUNK_LINE <--> CHUNK_DATA        |
 *      |                                    |        |  ^            |             |
 *      |                                    |        |  '- CHUNK_END <             |
 *      |                                    |        '--> TRAILERS ----------------+
 *      |                                    +--> UNTIL_CLOSE --(h1_finish)---------+
 *      |                                    +--> TUNNEL                            |
 *      |                                    '--(no body)---------------------------+
 *      '--------------------------------- END <------------------------------------'
 */
#include "proxy/http/h1.h"

#include "proxy/base/mem.h"
#include "proxy/base/plain.h"
#include "proxy/base/strbuf.h"
#include "proxy/http/h1_body.h"
#include "proxy/http/h1_line.h"
#include "proxy/http/url.h"

/* RFC 9112 §2.2: some clients send an empty line after a body; nobody needs more than a few. */
#define MAX_EMPTY_LINES 8

/* Of one chunk's line: extensions are for a hop to drop, nobody sends long ones in earnest. */
#define MAX_CHUNK_LINE_BYTES (4 * 1024)

/* A line that came in parts is put together in memory; more than this is not kept until the next one. */
#define KEPT_LINE_BYTES (4 * 1024)

enum state {
    H1_IDLE, /* before a start line */
    H1_FIELDS,
    H1_LENGTH,
    H1_CHUNK_LINE,
    H1_CHUNK_DATA,
    H1_CHUNK_END, /* the line ending behind a chunk's data */
    H1_TRAILERS,
    H1_UNTIL_CLOSE,
    H1_END, /* only on_end is still to be told */
    H1_TUNNEL,
    H1_FAILED,
};

enum step {
    STEP_ON,    /* go on */
    STEP_WANT,  /* more bytes are needed */
    STEP_ENDED, /* h1_feed returns, whatever bytes there are */
    STEP_FAILED,
};

struct h1 {
    enum http_role role;
    struct h1_limits limits;
    const struct http_events *events;
    void *self;
    enum state state;
    bool is_paused;
    bool has_interim;           /* the final response is still to come */
    struct span request_method; /* HEAD, CONNECT or none: others change nothing; static */
    unsigned empty_lines;       /* before the message */
    struct strbuf line;         /* what came of a line whose end has not come */
    size_t section_bytes;       /* of the head, the trailers or the chunk's line, whole lines only */
    struct http_head *head;     /* until it is told */
    struct headers trailers;
    struct h1_body *body;
};

static void set_state(struct h1 *h1, enum state state)
{
    h1->state = state;
    h1->section_bytes = 0;
}

/* The line that came in parts has been read. */
static void drop_line(struct h1 *h1)
{
    if (h1->line.cap > KEPT_LINE_BYTES)
        strbuf_clear(&h1->line);
    else
        strbuf_reset(&h1->line);
}

/* The host that the request is for (RFC 9112 §3.2): one field, valid; none only in HTTP/1.0. It may be empty,
 * as it is where the target has no host. */
static bool check_host(const struct http_head *head, struct err *err)
{
    size_t i = headers_next(&head->headers, SPAN("Host"), 0);
    struct authority ignored;
    struct span host;

    if (i == head->headers.count)
        return head->version == HTTP_1_0 || err_set(err, ERR_PROTO, "no Host");
    if (headers_next(&head->headers, SPAN("Host"), i + 1) < head->headers.count)
        return err_set(err, ERR_PROTO, "more than one Host");
    host = headers_value(&head->headers, i);
    if (host.len == 0 || url_parse_authority(host, &ignored, err))
        return true;
    err->code = ERR_PROTO;
    return err_add(err, "Host");
}

static bool begin_body(struct h1 *h1, const struct http_head *head, struct err *err)
{
    switch (head->framing.kind) {
    case BODY_NONE:
        set_state(h1, http_is_interim(head) ? H1_IDLE : H1_END);
        return true;
    case BODY_LENGTH:
        set_state(h1, H1_LENGTH);
        h1_body_begin_length(h1->body, head->framing.length);
        return true;
    case BODY_CHUNKED:
        set_state(h1, H1_CHUNK_LINE);
        return h1_body_begin_chunks(h1->body, err);
    case BODY_UNTIL_CLOSE:
        set_state(h1, H1_UNTIL_CLOSE);
        return true;
    case BODY_TUNNEL:
        set_state(h1, H1_TUNNEL);
        return true;
    }
    return true;
}

static bool finish_head(struct h1 *h1, struct err *err)
{
    struct http_head *head = h1->head;

    head->wire_bytes = h1->section_bytes;
    if (h1->role == HTTP_REQUEST ? !check_host(head, err) || !framing_request(head, err)
                                 : !framing_response(head, h1->request_method, err))
        return false;
    if (!begin_body(h1, head, err))
        return false;
    h1->has_interim = http_is_interim(head);
    if (!h1->has_interim)
        h1->request_method = SPAN_NONE;
    h1->empty_lines = 0;
    h1->head = NULL;
    h1->events->on_head(h1->self, head);
    return true;
}

static bool read_start_line(struct h1 *h1, struct span line, struct err *err)
{
    if (line.len == 0) {
        h1->section_bytes = 0;
        if (++h1->empty_lines > MAX_EMPTY_LINES)
            return err_set(err, ERR_PROTO, "more than %d empty lines before a message", MAX_EMPTY_LINES);
        return true;
    }
    h1->state = H1_FIELDS;
    h1->head = http_head_new(h1->role);
    /* Its bytes are counted as they come, endings and all. */
    headers_init(&h1->head->headers, h1->limits.max_headers, 0);
    return h1->role == HTTP_REQUEST ? h1_line_request(h1->head, line, err)
                                    : h1_line_status(h1->head, line, err);
}

static bool read_field_line(struct h1 *h1, struct span line, struct err *err)
{
    if (line.len == 0)
        return finish_head(h1, err);
    return h1_line_field(&h1->head->headers, h1->role, line, err);
}

static bool read_chunk_line(struct h1 *h1, struct span line, struct err *err)
{
    uint64_t size;

    if (!h1_line_chunk(h1->role, line, &size, err))
        return false;
    if (size != 0 && !h1_body_begin_chunk(h1->body, size, err))
        return false;
    set_state(h1, size != 0 ? H1_CHUNK_DATA : H1_TRAILERS);
    if (h1->events->on_chunk != NULL)
        h1->events->on_chunk(h1->self, size, line);
    return true;
}

/* Fields that say how to read or route a message come too late behind its body (RFC 9110 §6.5.1). */
static bool is_forbidden_trailer(struct span name)
{
    static const struct span forbidden[] = {
        SPAN("Transfer-Encoding"), SPAN("Content-Length"), SPAN("Host"),
        SPAN("Connection"),        SPAN("Keep-Alive"),     SPAN("Upgrade"),
        SPAN("Proxy-Connection"),  SPAN("Trailer"),        SPAN("TE")
    };

    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        if (span_ieq(name, forbidden[i]))
            return true;
    }
    return false;
}

static bool finish_trailers(struct h1 *h1, struct err *err)
{
    for (size_t i = 0; i < h1->trailers.count; i++) {
        struct span name = headers_name(&h1->trailers, i);
        if (!is_forbidden_trailer(name))
            continue;
        if (h1->role == HTTP_REQUEST)
            return err_set(err, ERR_PROTO, "%.*s in a trailer", SPAN_ARG(name));
        h1->trailers.items[i].is_hop = true;
    }
    if (!h1_body_end_chunks(h1->body, err))
        return false;
    set_state(h1, H1_END);
    return true;
}

static bool read_trailer_line(struct h1 *h1, struct span line, struct err *err)
{
    if (line.len == 0)
        return finish_trailers(h1, err);
    return h1_line_field(&h1->trailers, h1->role, line, err);
}

/* Takes the ending off a line that has one. */
static bool strip_ending(const struct h1 *h1, struct span *line, struct err *err)
{
    bool has_cr = line->len > 1 && line->ptr[line->len - 2] == '\r';

    if (!has_cr && h1->role == HTTP_REQUEST)
        return err_set(err, ERR_PROTO, "a line that ends in LF without CR");
    line->len -= has_cr ? 2 : 1;
    if (plain_is_all(*line))
        return true;
    if (span_find(*line, '\r') != line->len)
        return err_set(err, ERR_PROTO, "CR inside a line");
    if (span_find(*line, '\0') != line->len)
        return err_set(err, ERR_PROTO, "NUL inside a line");
    return true;
}

/* Takes the bytes up to the end of the line, or all. STEP_ON: *out_line is whole, and borrowed until
 * drop_line() or the next bytes. */
static enum step take_line(struct h1 *h1, struct span *rest, size_t max_bytes, struct span *out_line,
                           struct err *err)
{
    size_t at = span_find(*rest, '\n');
    bool is_whole = at < rest->len;
    struct span line = span_sub(*rest, 0, is_whole ? at + 1 : at);

    if (line.len > max_bytes - h1->section_bytes - h1->line.len) {
        err_set(err, ERR_LIMIT, "%s of more than %zu bytes",
                h1->state == H1_CHUNK_LINE ? "a chunk line" : "a header section", max_bytes);
        return STEP_FAILED;
    }
    *rest = span_from(*rest, line.len);
    if (!is_whole || h1->line.len != 0) {
        strbuf_add(&h1->line, line);
        line = strbuf_span(&h1->line);
    }
    *out_line = line;
    return is_whole ? STEP_ON : STEP_WANT;
}

static enum step step_line(struct h1 *h1, struct span *rest, size_t max_bytes,
                           bool (*read_line)(struct h1 *h1, struct span line, struct err *err),
                           struct err *err)
{
    struct span line = SPAN_NONE;
    enum step taken;

    if (rest->len == 0)
        return STEP_WANT;
    taken = take_line(h1, rest, max_bytes, &line, err);
    if (taken != STEP_ON)
        return taken;
    h1->section_bytes += line.len;
    if (!strip_ending(h1, &line, err) || !read_line(h1, line, err))
        return STEP_FAILED;
    drop_line(h1);
    return STEP_ON;
}

/* Body bytes of a length or a chunk; after them comes state next. */
static enum step step_body(struct h1 *h1, struct span *rest, enum state next, struct err *err)
{
    struct span data;

    if (rest->len == 0)
        return STEP_WANT;
    if (!h1_body_feed(h1->body, *rest, &data, err))
        return STEP_FAILED;
    *rest = span_from(*rest, data.len);
    if (h1_body_is_done(h1->body))
        set_state(h1, next);
    h1->events->on_body(h1->self, data);
    return STEP_ON;
}

static enum step step_chunk_end(struct h1 *h1, struct span *rest, struct err *err)
{
    bool has_cr = h1->line.len != 0;
    char c;

    if (rest->len == 0)
        return STEP_WANT;
    c = rest->ptr[0];
    *rest = span_from(*rest, 1);
    if (c == '\r' && !has_cr) {
        strbuf_add_char(&h1->line, c);
        return STEP_ON;
    }
    if (c != '\n' || (!has_cr && h1->role == HTTP_REQUEST)) {
        err_set(err, ERR_PROTO, "a chunk's data does not end in CRLF");
        return STEP_FAILED;
    }
    drop_line(h1);
    set_state(h1, H1_CHUNK_LINE);
    return h1_body_end_chunk(h1->body, err) ? STEP_ON : STEP_FAILED;
}

static enum step step_until_close(struct h1 *h1, struct span *rest)
{
    struct span data = *rest;

    if (data.len == 0)
        return STEP_WANT;
    *rest = span_from(*rest, data.len);
    h1->events->on_body(h1->self, data);
    return STEP_ON;
}

static enum step step_end(struct h1 *h1)
{
    set_state(h1, H1_IDLE);
    h1->events->on_end(h1->self, h1->trailers.count != 0 ? &h1->trailers : NULL);
    headers_clear(&h1->trailers);
    return STEP_ENDED;
}

static enum step step(struct h1 *h1, struct span *rest, struct err *err)
{
    switch (h1->state) {
    case H1_IDLE:
        return step_line(h1, rest, h1->limits.max_header_bytes, read_start_line, err);
    case H1_FIELDS:
        return step_line(h1, rest, h1->limits.max_header_bytes, read_field_line, err);
    case H1_LENGTH:
        return step_body(h1, rest, H1_END, err);
    case H1_CHUNK_LINE:
        return step_line(h1, rest, MAX_CHUNK_LINE_BYTES, read_chunk_line, err);
    case H1_CHUNK_DATA:
        return step_body(h1, rest, H1_CHUNK_END, err);
    case H1_CHUNK_END:
        return step_chunk_end(h1, rest, err);
    case H1_TRAILERS:
        return step_line(h1, rest, h1->limits.max_header_bytes, read_trailer_line, err);
    case H1_UNTIL_CLOSE:
        return step_until_close(h1, rest);
    case H1_END:
        return step_end(h1);
    case H1_TUNNEL:
        return STEP_ENDED;
    case H1_FAILED:
        break;
    }
    err_set(err, ERR_PROTO, "more bytes after what was refused");
    return STEP_FAILED;
}

struct h1 *h1_new(enum http_role role, struct h1_limits limits, const struct http_events *events, void *self)
{
    struct h1 *h1 = mem_new(struct h1);

    h1->role = role;
    h1->limits = limits;
    h1->events = events;
    h1->self = self;
    h1->body = h1_body_new();
    headers_init(&h1->trailers, limits.max_headers, 0);
    return h1;
}

void h1_free(struct h1 *h1)
{
    if (h1 == NULL)
        return;
    http_head_free(h1->head);
    headers_clear(&h1->trailers);
    strbuf_clear(&h1->line);
    h1_body_free(h1->body);
    mem_free(h1);
}

void h1_set_request_method(struct h1 *h1, struct span method)
{
    if (span_eq(method, SPAN("HEAD")))
        h1->request_method = SPAN("HEAD");
    else if (span_eq(method, SPAN("CONNECT")))
        h1->request_method = SPAN("CONNECT");
    else
        h1->request_method = SPAN_NONE;
}

bool h1_feed(struct h1 *h1, struct span bytes, size_t *out_used, struct err *err)
{
    struct span rest = bytes;
    enum step result;

    h1->is_paused = false;
    do
        result = step(h1, &rest, err);
    while (result == STEP_ON && !h1->is_paused);
    if (result == STEP_FAILED) {
        h1->state = H1_FAILED;
        return false;
    }
    *out_used = bytes.len - rest.len;
    return true;
}

void h1_pause(struct h1 *h1)
{
    h1->is_paused = true;
}

bool h1_finish(struct h1 *h1, struct err *err)
{
    if (h1->state == H1_UNTIL_CLOSE || h1->state == H1_END) {
        step_end(h1);
        return true;
    }
    if (h1_is_idle(h1) || h1->state == H1_TUNNEL)
        return true;
    if (h1->state == H1_FAILED)
        return err_set(err, ERR_PROTO, "the end after what was refused");
    if (h1_in_head(h1))
        return err_set(err, ERR_CLOSED, "closed inside a head");
    if (h1->state == H1_IDLE)
        return err_set(err, ERR_CLOSED, "closed between an interim response and the final one");
    return err_set(err, ERR_CLOSED, "closed inside a body");
}

bool h1_is_idle(const struct h1 *h1)
{
    return h1->state == H1_IDLE && h1->line.len == 0 && !h1->has_interim;
}

bool h1_in_head(const struct h1 *h1)
{
    return h1->state == H1_FIELDS || (h1->state == H1_IDLE && h1->line.len != 0);
}

bool h1_is_tunnel(const struct h1 *h1)
{
    return h1->state == H1_TUNNEL;
}

#include "proxy/http/h1_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

#define CRLF SPAN("\r\n")

/* A head leaves room behind it for a body up to this: most often it follows at once, and what lies together
 * is allocated, encrypted and sent as one. */
#define SMALL_BODY_BYTES (4 * 1024)

/* One region of an evbuffer, filled from the front. */
struct region {
    struct evbuffer *out;
    struct evbuffer_iovec space;
    char *at;
};

/* Of len bytes; room more may follow in the same block. */
static struct region region_begin(struct evbuffer *out, size_t len, size_t room)
{
    struct region region = { .out = out };

    /* Fails for want of memory only, which ends weir everywhere else, too. */
    if (evbuffer_reserve_space(out, (ev_ssize_t)(len + room), &region.space, 1) != 1)
        mem_die();
    region.space.iov_len = len;
    region.at = region.space.iov_base;
    return region;
}

static void region_add(struct region *region, struct span bytes)
{
    if (bytes.len != 0)
        memcpy(region->at, bytes.ptr, bytes.len);
    region->at += bytes.len;
}

static void region_end(struct region *region)
{
    assert(region->at == (char *)region->space.iov_base + region->space.iov_len);
    if (evbuffer_commit_space(region->out, &region->space, 1) != 0)
        mem_die();
}

/* The fields that go out and stand together in the block from field *i on, with their line endings; *i is
 * then behind them. False: no more. */
static bool next_run(const struct headers *headers, size_t *i, struct span *out_run)
{
    const struct header *items = headers->items;
    size_t end;

    while (*i < headers->count && items[*i].is_hop)
        (*i)++;
    if (*i == headers->count)
        return false;
    out_run->ptr = headers->block + items[*i].line_off;
    end = items[*i].line_off;
    for (; *i < headers->count && !items[*i].is_hop && items[*i].line_off == end; (*i)++)
        end += items[*i].line_len + CRLF.len;
    out_run->len = (size_t)(headers->block + end - out_run->ptr);
    return true;
}

static size_t fields_len(const struct headers *headers)
{
    struct span run;
    size_t len = 0;

    for (size_t i = 0; next_run(headers, &i, &run);)
        len += run.len;
    return len;
}

static void region_add_fields(struct region *region, const struct headers *headers)
{
    struct span run;

    for (size_t i = 0; next_run(headers, &i, &run);)
        region_add(region, run);
}

static void begin(struct h1_writer *writer, const struct http_head *head)
{
    *writer = (struct h1_writer){ .peer = writer->peer, .kind = head->framing.kind };
    if (head->version == HTTP_2 && head->role == HTTP_RESPONSE && writer->peer == HTTP_1_0 &&
        writer->kind == BODY_CHUNKED)
        writer->kind = BODY_UNTIL_CLOSE;
}

static struct span version_text(const struct http_head *head)
{
    return head->version == HTTP_1_0 ? SPAN("HTTP/1.0") : SPAN("HTTP/1.1");
}

/* The parts of a start line, then the fields, extra and the empty line. */
static void write_head(struct evbuffer *out, size_t room, const struct span *start, size_t parts,
                       const struct headers *fields, struct span extra)
{
    size_t len = fields_len(fields) + extra.len + CRLF.len;
    struct region region;

    for (size_t i = 0; i < parts; i++)
        len += start[i].len;
    region = region_begin(out, len, room);
    for (size_t i = 0; i < parts; i++)
        region_add(&region, start[i]);
    region_add_fields(&region, fields);
    region_add(&region, extra);
    region_add(&region, CRLF);
    region_end(&region);
}

static void add_line(struct strbuf *lines, struct span name, struct span value)
{
    strbuf_add(lines, name);
    strbuf_add_str(lines, ": ");
    strbuf_add(lines, value);
    strbuf_add_str(lines, "\r\n");
}

static bool is_sent(const struct headers *headers, struct span name)
{
    size_t i = headers_next(headers, name, 0);

    while (i < headers->count && headers->items[i].is_hop)
        i = headers_next(headers, name, i + 1);
    return i < headers->count;
}

static bool is_line_of(struct span line, struct span name)
{
    return span_istarts(line, name) && line.len > name.len && line.ptr[name.len] == ':';
}

/* Moves the first of left's lines that has this name to lines, and writes the name as it is given. */
static bool move_line(struct strbuf *left, struct span name, struct strbuf *lines)
{
    struct span rest = strbuf_span(left), line;
    struct strbuf without = STRBUF_EMPTY;
    bool is_found = false;

    while (span_split(&rest, '\n', &line)) {
        bool is_it = !is_found && is_line_of(line, name);
        struct strbuf *to = is_it ? lines : &without;
        if (is_it)
            memcpy(left->ptr + (line.ptr - left->ptr), name.ptr, name.len);
        strbuf_add(to, line);
        strbuf_add_char(to, '\n');
        is_found = is_found || is_it;
    }
    strbuf_clear(left);
    *left = without;
    return is_found;
}

/* HTTP/1 fields as they came; extra's take the places of those of their name that are left out. */
static void add_lines_of_http1(struct strbuf *lines, const struct headers *headers, struct span extra)
{
    struct strbuf left = STRBUF_EMPTY;

    strbuf_add(&left, extra);
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->items[i].is_hop) {
            move_line(&left, headers_name(headers, i), lines);
        } else {
            strbuf_add(lines, headers_line(headers, i));
            strbuf_add(lines, CRLF);
        }
    }
    strbuf_add(lines, strbuf_span(&left));
    strbuf_clear(&left);
}

/* The crumbs from the one at first on, as one field. */
static void add_cookies(struct strbuf *lines, const struct headers *headers, size_t first)
{
    strbuf_add(lines, headers_name(headers, first));
    for (size_t i = first; i < headers->count; i = headers_next(headers, SPAN("Cookie"), i + 1)) {
        if (headers->items[i].is_hop)
            continue;
        strbuf_add_str(lines, i == first ? ": " : "; ");
        strbuf_add(lines, headers_value(headers, i));
    }
    strbuf_add_str(lines, "\r\n");
}

static void add_fields(struct strbuf *lines, const struct headers *headers)
{
    bool has_cookies = false;

    for (size_t i = 0; i < headers->count; i++) {
        struct span name = headers_name(headers, i);
        if (headers->items[i].is_hop)
            continue;
        if (!span_ieq(name, SPAN("Cookie")))
            add_line(lines, name, headers_value(headers, i));
        else if (!has_cookies)
            add_cookies(lines, headers, i);
        has_cookies = has_cookies || span_ieq(name, SPAN("Cookie"));
    }
}

/* An HTTP/2 head's fields as HTTP/1.1 has them, extra included. */
static void add_lines_of_http2(struct strbuf *lines, const struct h1_writer *writer,
                               const struct http_head *head, struct span extra)
{
    struct strbuf left = STRBUF_EMPTY;

    strbuf_add(&left, extra);
    if (!move_line(&left, SPAN("Host"), lines) && head->role == HTTP_REQUEST && head->authority.ptr != NULL &&
        !is_sent(&head->headers, SPAN("Host")))
        add_line(lines, SPAN("Host"), head->authority);
    add_fields(lines, &head->headers);
    if (head->role == HTTP_REQUEST && is_sent(&head->headers, SPAN("TE")))
        add_line(lines, SPAN("Connection"), SPAN("TE"));
    if (writer->kind == BODY_CHUNKED)
        add_line(lines, SPAN("Transfer-Encoding"), SPAN("chunked"));
    else if (writer->kind == BODY_UNTIL_CLOSE)
        add_line(lines, SPAN("Connection"), SPAN("close"));
    strbuf_add(lines, strbuf_span(&left));
    strbuf_clear(&left);
}

static size_t room_for_body(const struct http_head *head)
{
    bool is_small = head->framing.kind == BODY_LENGTH && head->framing.length <= SMALL_BODY_BYTES;

    return is_small ? (size_t)head->framing.length : 0;
}

static void write_head_of(const struct h1_writer *writer, struct evbuffer *out, const struct span *start,
                          size_t parts, const struct http_head *head, struct span extra)
{
    static const struct headers none;
    size_t room = room_for_body(head);
    struct strbuf lines = STRBUF_EMPTY;

    if (head->version != HTTP_2 && extra.len == 0) {
        write_head(out, room, start, parts, &head->headers, SPAN_NONE);
        return;
    }
    if (head->version != HTTP_2)
        add_lines_of_http1(&lines, &head->headers, extra);
    else
        add_lines_of_http2(&lines, writer, head, extra);
    write_head(out, room, start, parts, &none, strbuf_span(&lines));
    strbuf_clear(&lines);
}

void h1_write_request(struct h1_writer *writer, struct evbuffer *out, const struct http_head *head,
                      struct span target, struct span extra)
{
    const struct span start[] = { head->method, SPAN(" "), target, SPAN(" "), version_text(head), CRLF };

    begin(writer, head);
    write_head_of(writer, out, start, sizeof start / sizeof start[0], head, extra);
}

void h1_write_response(struct h1_writer *writer, struct evbuffer *out, const struct http_head *head,
                       struct span extra)
{
    /* HTTP/1 may leave out the reason with the blank before it; RFC 9112 §4 wants the blank. What came goes.
     */
    bool has_reason = head->reason.ptr != NULL || head->version == HTTP_2;
    const char status[] = { ' ', (char)('0' + head->status / 100), (char)('0' + head->status / 10 % 10),
                            (char)('0' + head->status % 10) };
    struct span reason = head->version == HTTP_2 ? span_of(http_reason(head->status)) : head->reason;
    const struct span start[] = { version_text(head), span_make(status, sizeof status),
                                  has_reason ? SPAN(" ") : SPAN_NONE, reason, CRLF };

    begin(writer, head);
    write_head_of(writer, out, start, sizeof start / sizeof start[0], head, extra);
}

void h1_write_chunk(struct h1_writer *writer, struct evbuffer *out, uint64_t size, struct span line)
{
    struct region region;

    if (writer->kind != BODY_CHUNKED)
        return;
    assert(writer->chunk_left == 0 && !writer->has_last_chunk);
    writer->has_told_chunks = true;
    writer->has_last_chunk = size == 0;
    writer->chunk_left = size;
    region = region_begin(out, line.len + CRLF.len, 0);
    region_add(&region, line);
    region_add(&region, CRLF);
    region_end(&region);
}

static void write_told(struct h1_writer *writer, struct evbuffer *out, struct span bytes)
{
    bool is_end = bytes.len == writer->chunk_left;
    struct region region = region_begin(out, bytes.len + (is_end ? CRLF.len : 0), 0);

    assert(bytes.len <= writer->chunk_left);
    writer->chunk_left -= bytes.len;
    region_add(&region, bytes);
    if (is_end)
        region_add(&region, CRLF);
    region_end(&region);
}

static void write_own_chunk(struct evbuffer *out, struct span bytes)
{
    char line[24];
    int len = snprintf(line, sizeof line, "%zx\r\n", bytes.len);
    struct region region = region_begin(out, (size_t)len + bytes.len + CRLF.len, 0);

    region_add(&region, span_make(line, (size_t)len));
    region_add(&region, bytes);
    region_add(&region, CRLF);
    region_end(&region);
}

void h1_write_body(struct h1_writer *writer, struct evbuffer *out, struct span bytes)
{
    if (bytes.len == 0) /* would be the last chunk */
        return;
    if (writer->kind != BODY_CHUNKED) {
        if (evbuffer_add(out, bytes.ptr, bytes.len) != 0)
            mem_die();
    } else if (writer->has_told_chunks) {
        write_told(writer, out, bytes);
    } else {
        write_own_chunk(out, bytes);
    }
}

void h1_write_end(struct h1_writer *writer, struct evbuffer *out, const struct headers *trailers)
{
    struct span last = writer->has_last_chunk ? SPAN_NONE : SPAN("0\r\n");
    struct region region;

    if (writer->kind != BODY_CHUNKED)
        return;
    assert(writer->chunk_left == 0);
    region = region_begin(out, last.len + (trailers != NULL ? fields_len(trailers) : 0) + CRLF.len, 0);
    region_add(&region, last);
    if (trailers != NULL)
        region_add_fields(&region, trailers);
    region_add(&region, CRLF);
    region_end(&region);
}

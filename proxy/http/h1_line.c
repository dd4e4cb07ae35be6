#include "proxy/http/h1_line.h"

#include "proxy/base/mem.h"
#include "proxy/http/token.h"

/* Longer than any registered method (RFC 9112 §3 asks for no more than a limit that is told). */
#define MAX_METHOD_BYTES 64

/* "HTTP/1." and one digit. */
static bool parse_version(struct span text, enum http_version *out_version, struct err *err)
{
    if (text.len != 8 || !span_starts(text, SPAN("HTTP/1.")) || text.ptr[7] < '0' || text.ptr[7] > '9')
        return err_set(err, ERR_PROTO, "not a version of HTTP/1");
    *out_version = text.ptr[7] == '0' ? HTTP_1_0 : HTTP_1_1;
    return true;
}

static bool is_target(struct span target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c == 0x7f)
            return false;
    }
    return target.len != 0;
}

bool h1_line_request(struct http_head *head, struct span line, struct err *err)
{
    struct span rest;

    head->start_line = mem_spandup(line);
    rest = span_make(head->start_line, line.len);
    if (!span_split(&rest, ' ', &head->method) || !token_is_valid(head->method))
        return err_set(err, ERR_PROTO, "a request line does not begin with a method");
    if (head->method.len > MAX_METHOD_BYTES)
        return err_set(err, ERR_PROTO, "a method of more than %d bytes", MAX_METHOD_BYTES);
    if (!span_split(&rest, ' ', &head->target) || !is_target(head->target))
        return err_set(err, ERR_PROTO, "a request line without a proper target");
    return parse_version(rest, &head->version, err);
}

bool h1_line_status(struct http_head *head, struct span line, struct err *err)
{
    struct span rest, version, status;
    uint64_t number;

    head->start_line = mem_spandup(line);
    rest = span_make(head->start_line, line.len);
    if (!span_split(&rest, ' ', &version))
        version = SPAN_NONE;
    if (!parse_version(version, &head->version, err))
        return false;
    status = span_sub(rest, 0, span_find(rest, ' '));
    if (status.len != 3 || !span_u64(status, &number) || number < 100)
        return err_set(err, ERR_PROTO, "a status line without a status of three digits");
    head->status = (int)number;
    /* Without the blank before it there is no reason, not an empty one: h1_write writes what came. */
    if (rest.len > status.len)
        head->reason = span_from(rest, status.len + 1);
    return true;
}

static bool is_framing_field(struct span name)
{
    return span_ieq(name, SPAN("Content-Length")) || span_ieq(name, SPAN("Transfer-Encoding"));
}

/* A field whose name is name_len bytes long, at a colon. */
static bool add_field(struct headers *headers, struct span line, size_t name_len, struct err *err)
{
    struct span value = span_trim(span_from(line, name_len + 1));

    return headers_add_line(headers, line, name_len, (size_t)(value.ptr - line.ptr), value.len, err);
}

static bool refuse_field(struct span line, size_t name_len, struct err *err)
{
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return err_set(err, ERR_PROTO, "a folded header line");
    if (name_len == line.len)
        return err_set(err, ERR_PROTO, "a header line without a colon");
    if (name_len != 0 && (line.ptr[name_len - 1] == ' ' || line.ptr[name_len - 1] == '\t'))
        return err_set(err, ERR_PROTO, "white space before the colon of a header");
    return err_set(err, ERR_PROTO, "a header name that is no token");
}

static bool add_odd_field(struct headers *headers, struct span line, size_t name_len, struct err *err)
{
    struct span name = span_trim(span_sub(line, 0, name_len));

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        if (headers->count == 0)
            return err_set(err, ERR_PROTO, "white space before the first header");
        return headers_extend_last(headers, span_trim(line), err);
    }
    if (name_len < line.len && token_is_valid(name)) {
        if (is_framing_field(name))
            return refuse_field(line, name_len, err);
        return headers_add(headers, name, span_from(line, name_len + 1), err);
    }
    /* A line without a colon has no name, or folding could make a field of it. */
    if (!(name_len < line.len ? add_field(headers, line, name_len, err)
                              : headers_add_line(headers, line, 0, 0, line.len, err)))
        return false;
    headers->items[headers->count - 1].is_hop = true;
    return true;
}

bool h1_line_field(struct headers *headers, enum http_role role, struct span line, struct err *err)
{
    size_t name_len = token_len(line);

    if (name_len != 0 && name_len < line.len && line.ptr[name_len] == ':')
        return add_field(headers, line, name_len, err);
    name_len = span_find(line, ':');
    if (role == HTTP_REQUEST)
        return refuse_field(line, name_len, err);
    return add_odd_field(headers, line, name_len, err);
}

/* 16 for what is no hexadecimal digit. */
static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

bool h1_line_chunk(enum http_role role, struct span line, uint64_t *out_size, struct err *err)
{
    struct span rest;
    uint64_t size = 0;
    size_t digits;

    for (digits = 0; digits < line.len && hex_value(line.ptr[digits]) < 16; digits++) {
        if (size > (uint64_t)INT64_MAX >> 4)
            return err_set(err, ERR_PROTO, "a chunk size above 2^63-1");
        size = size << 4 | hex_value(line.ptr[digits]);
    }
    if (digits == 0)
        return err_set(err, ERR_PROTO, "a chunk without a size");
    rest = span_from(line, digits);
    /* RFC 9112 §7.1.1 has blanks only before an extension; origins that pad their sizes put them at the end.
     */
    if (rest.len != 0 && (role == HTTP_REQUEST || span_trim(rest).len != 0) &&
        !span_starts(span_trim(rest), SPAN(";")))
        return err_set(err, ERR_PROTO, "a malformed chunk size");
    *out_size = size;
    return true;
}

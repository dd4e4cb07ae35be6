#include "proxy/http/framing.h"

#include <inttypes.h>
#include <stdio.h>

#include "proxy/http/message.h"
#include "proxy/http/token.h"

/* Many readers count in signed 64 bits; a length that they would see as negative is refused. */
#define MAX_LENGTH ((uint64_t)INT64_MAX)

#define CONTENT_LENGTH    SPAN("Content-Length")
#define TRANSFER_ENCODING SPAN("Transfer-Encoding")

/* What the Transfer-Encoding fields say, all of them together in their order. */
struct codings {
    bool is_present; /* anything but "identity", which RFC 2616 had for none */
    bool ends_in_chunked;
};

static bool read_coding(struct span element, bool is_strict, struct codings *codings, struct err *err)
{
    struct span name = span_trim(span_sub(element, 0, span_find(element, ';')));
    bool is_chunked = span_ieq(name, SPAN("chunked"));

    if (element.len == 0 && !is_strict)
        return true;
    if (!token_is_valid(name))
        return err_set(err, ERR_PROTO, "malformed Transfer-Encoding");
    if (span_ieq(name, SPAN("identity"))) {
        if (is_strict)
            return err_set(err, ERR_PROTO, "Transfer-Encoding: identity");
        return true;
    }
    if (is_chunked && name.len != element.len)
        return err_set(err, ERR_PROTO, "Transfer-Encoding: chunked with parameters");
    if (is_chunked && codings->ends_in_chunked)
        return err_set(err, ERR_PROTO, "Transfer-Encoding is chunked twice");
    if (is_strict && codings->ends_in_chunked)
        return err_set(err, ERR_PROTO, "Transfer-Encoding does not end in chunked");
    codings->is_present = true;
    codings->ends_in_chunked = is_chunked;
    return true;
}

static bool read_codings(const struct headers *headers, bool is_strict, struct codings *codings,
                         struct err *err)
{
    size_t i = headers_next(headers, TRANSFER_ENCODING, 0);

    *codings = (struct codings){ false, false };
    for (; i < headers->count; i = headers_next(headers, TRANSFER_ENCODING, i + 1)) {
        struct span list = headers_value(headers, i);
        struct span element;
        if (list.len == 0 && is_strict)
            return err_set(err, ERR_PROTO, "empty Transfer-Encoding");
        while (token_next(&list, &element)) {
            if (!read_coding(element, is_strict, codings, err))
                return false;
        }
        /* token_next gives no element after a last comma. */
        if (is_strict && span_ends(headers_value(headers, i), SPAN(",")))
            return err_set(err, ERR_PROTO, "malformed Transfer-Encoding");
    }
    return true;
}

static bool read_length(struct span text, uint64_t *out_length, struct err *err)
{
    uint64_t length;

    if (!span_u64(text, &length) || length > MAX_LENGTH)
        return err_set(err, ERR_PROTO, "Content-Length '%.*s' is not a length", SPAN_ARG(text));
    *out_length = length;
    return true;
}

/* The one Content-Length of a request: RFC 9112 §6.3 allows equal repeats, but not all readers do the same
 * with them. *out_has_length says whether there is one. */
static bool request_length(const struct headers *headers, bool *out_has_length, uint64_t *out_length,
                           struct err *err)
{
    size_t i = headers_next(headers, CONTENT_LENGTH, 0);

    *out_has_length = i < headers->count;
    if (!*out_has_length)
        return true;
    if (headers_next(headers, CONTENT_LENGTH, i + 1) < headers->count)
        return err_set(err, ERR_PROTO, "more than one Content-Length");
    return read_length(headers_value(headers, i), out_length, err);
}

/* The lengths in one field of a response, which must all be that of the fields before it, if there were any.
 */
static bool read_lengths(struct span list, bool *has_length, uint64_t *length, size_t *out_count,
                         struct err *err)
{
    struct span element;

    *out_count = 0;
    if (list.len == 0)
        return err_set(err, ERR_PROTO, "empty Content-Length");
    while (token_next(&list, &element)) {
        uint64_t one = 0; /* gcc -O3 cannot see that a false answer sets nothing */
        if (!read_length(element, &one, err))
            return false;
        if (*has_length && one != *length)
            return err_set(err, ERR_PROTO, "Content-Lengths that differ");
        *has_length = true;
        *length = one;
        (*out_count)++;
    }
    return true;
}

/* An origin may repeat its length; the next hop gets it once (RFC 9110 §8.6): repeats are marked, and a list
 * is marked and followed by a field of its one value. */
static bool response_length(struct headers *headers, bool *out_has_length, uint64_t *out_length,
                            struct err *err)
{
    size_t i = headers_next(headers, CONTENT_LENGTH, 0);
    bool is_forwarded = false;
    size_t count;

    *out_has_length = false;
    for (; i < headers->count; i = headers_next(headers, CONTENT_LENGTH, i + 1)) {
        if (!read_lengths(headers_value(headers, i), out_has_length, out_length, &count, err))
            return false;
        headers->items[i].is_hop = is_forwarded || count > 1;
        is_forwarded = is_forwarded || count == 1;
    }
    if (*out_has_length && !is_forwarded) {
        char text[24];
        int len = snprintf(text, sizeof text, "%" PRIu64, *out_length);
        return headers_add(headers, CONTENT_LENGTH, span_make(text, (size_t)len), err);
    }
    return true;
}

static void mark_content_length(struct headers *headers)
{
    size_t i = headers_next(headers, CONTENT_LENGTH, 0);

    for (; i < headers->count; i = headers_next(headers, CONTENT_LENGTH, i + 1))
        headers->items[i].is_hop = true;
}

/* RFC 9112 §9.3. Of Proxy-Connection, which is no standard, only a client's "close" is heard: "keep-alive"
 * may be a field that a proxy before us did not know and passed on. */
static bool keeps_alive(const struct http_head *head)
{
    if (headers_has_token(&head->headers, SPAN("Connection"), SPAN("close")))
        return false;
    if (head->role == HTTP_REQUEST &&
        headers_has_token(&head->headers, SPAN("Proxy-Connection"), SPAN("close")))
        return false;
    if (head->version >= HTTP_1_1)
        return true;
    return headers_has_token(&head->headers, SPAN("Connection"), SPAN("keep-alive"));
}

bool framing_request(struct http_head *head, struct err *err)
{
    struct framing framing = { BODY_NONE, 0, keeps_alive(head) };
    bool has_coding = headers_next(&head->headers, TRANSFER_ENCODING, 0) < head->headers.count;
    struct codings codings;
    bool has_length;

    if (!request_length(&head->headers, &has_length, &framing.length, err) ||
        !read_codings(&head->headers, true, &codings, err))
        return false;
    if (has_coding && has_length)
        return err_set(err, ERR_PROTO, "both Content-Length and Transfer-Encoding");
    if (has_coding && head->version < HTTP_1_1)
        return err_set(err, ERR_PROTO, "Transfer-Encoding in HTTP/1.0");
    if (has_coding && !codings.ends_in_chunked)
        return err_set(err, ERR_PROTO, "Transfer-Encoding does not end in chunked");
    /* RFC 9110 §9.3.6: what follows a CONNECT is the tunnel's; a body would be read as such by one side only.
     */
    if (span_eq(head->method, SPAN("CONNECT")) && (has_coding || framing.length != 0))
        return err_set(err, ERR_PROTO, "CONNECT with a body");
    if (has_coding)
        framing.kind = BODY_CHUNKED;
    else if (framing.length != 0)
        framing.kind = BODY_LENGTH;
    head->framing = framing;
    return true;
}

/* RFC 9112 §6.3, its first two rules: the status and the method alone decide. */
static bool is_decided_by_status(const struct http_head *head, struct span request_method,
                                 enum body_kind *out_kind)
{
    bool is_tunnel =
        head->status == 101 || (span_eq(request_method, SPAN("CONNECT")) && head->status / 100 == 2);

    *out_kind = is_tunnel ? BODY_TUNNEL : BODY_NONE;
    return is_tunnel || head->status / 100 == 1 || head->status == 204 || head->status == 304 ||
           span_eq(request_method, SPAN("HEAD"));
}

bool framing_response(struct http_head *head, struct span request_method, struct err *err)
{
    struct framing framing = { BODY_NONE, 0, keeps_alive(head) };
    struct codings codings;
    bool has_length;

    if (!is_decided_by_status(head, request_method, &framing.kind)) {
        if (!read_codings(&head->headers, false, &codings, err))
            return false;
        if (codings.is_present) {
            framing.kind = codings.ends_in_chunked ? BODY_CHUNKED : BODY_UNTIL_CLOSE;
            mark_content_length(&head->headers);
            /* RFC 9112 §6.1: an HTTP/1.0 message with a coding has a faulty framing. */
            if (head->version < HTTP_1_1)
                framing.keeps_alive = false;
        } else {
            if (!response_length(&head->headers, &has_length, &framing.length, err))
                return false;
            framing.kind = !has_length ? BODY_UNTIL_CLOSE : framing.length != 0 ? BODY_LENGTH : BODY_NONE;
        }
    }
    if (framing.kind == BODY_UNTIL_CLOSE || framing.kind == BODY_TUNNEL)
        framing.keeps_alive = false;
    head->framing = framing;
    return true;
}

/* "Keep-Alive: timeout=5, max=100" (RFC 2068 §19.7.1.1), which servers kept on saying. */
uint64_t framing_idle_s(const struct http_head *head)
{
    struct span list, parameter;
    uint64_t seconds;

    if (!headers_find(&head->headers, SPAN("Keep-Alive"), &list))
        return 0;
    while (token_next(&list, &parameter))
        if (span_istarts(parameter, SPAN("timeout=")) &&
            span_u64(span_from(parameter, sizeof "timeout=" - 1), &seconds))
            return seconds;
    return 0;
}

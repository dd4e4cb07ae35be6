#include "proxy/http/message.h"

#include "proxy/base/mem.h"

struct http_head *http_head_new(enum http_role role)
{
    struct http_head *head = mem_new(struct http_head);

    head->role = role;
    head->version = HTTP_1_1;
    return head;
}

void http_head_free(struct http_head *head)
{
    if (head == NULL)
        return;
    headers_clear(&head->headers);
    mem_free(head->start_line);
    mem_free(head);
}

static const struct {
    int status;
    const char *phrase;
} reasons[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 102, "Processing" },  /* RFC 2518 */
    { 103, "Early Hints" }, /* RFC 8297 */
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 203, "Non-Authoritative Information" },
    { 204, "No Content" },
    { 205, "Reset Content" },
    { 206, "Partial Content" },
    { 207, "Multi-Status" },     /* RFC 4918 */
    { 208, "Already Reported" }, /* RFC 5842 */
    { 226, "IM Used" },          /* RFC 3229 */
    { 300, "Multiple Choices" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 305, "Use Proxy" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 423, "Locked" },            /* RFC 4918 */
    { 424, "Failed Dependency" }, /* RFC 4918 */
    { 425, "Too Early" },         /* RFC 8470 */
    { 426, "Upgrade Required" },
    { 428, "Precondition Required" }, /* RFC 6585, as the next two */
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 451, "Unavailable For Legal Reasons" }, /* RFC 7725 */
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 506, "Variant Also Negotiates" },         /* RFC 2295 */
    { 507, "Insufficient Storage" },            /* RFC 4918 */
    { 508, "Loop Detected" },                   /* RFC 5842 */
    { 511, "Network Authentication Required" }, /* RFC 6585 */
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].phrase;
    }
    return "";
}

struct http_head *http_head_response(int status)
{
    struct http_head *head = http_head_new(HTTP_RESPONSE);
    struct span line;

    head->status = status;
    head->start_line = mem_printf("HTTP/1.1 %03d %s", status, http_reason(status));
    line = span_of(head->start_line);
    head->reason = span_from(line, sizeof "HTTP/1.1 200 " - 1);
    return head;
}

static const struct {
    struct span name;
    bool is_safe, is_idempotent;
} methods[] = {
    { SPAN("GET"), true, true },      { SPAN("HEAD"), true, true },    { SPAN("OPTIONS"), true, true },
    { SPAN("TRACE"), true, true },    { SPAN("PUT"), false, true },    { SPAN("DELETE"), false, true },
    { SPAN("PROPFIND"), true, true }, { SPAN("REPORT"), true, true },  { SPAN("SEARCH"), true, true },
    { SPAN("QUERY"), true, true },    { SPAN("MKCOL"), false, true },  { SPAN("COPY"), false, true },
    { SPAN("MOVE"), false, true },    { SPAN("UNLOCK"), false, true }, { SPAN("PROPPATCH"), false, true },
};

bool http_method_is_safe(struct span method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (span_eq(method, methods[i].name))
            return methods[i].is_safe;
    }
    return false;
}

bool http_method_is_idempotent(struct span method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (span_eq(method, methods[i].name))
            return methods[i].is_idempotent;
    }
    return false;
}

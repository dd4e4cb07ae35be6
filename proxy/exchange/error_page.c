#include "proxy/exchange/error_page.h"

#include <stdio.h>

static bool wants_html(const struct http_head *request)
{
    struct span accept;

    return request != NULL && headers_find(&request->headers, SPAN("Accept"), &accept) &&
           memmem(accept.ptr, accept.len, "text/html", 9) != NULL;
}

static void add_escaped(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            strbuf_add_str(out, "&lt;");
            break;
        case '>':
            strbuf_add_str(out, "&gt;");
            break;
        case '&':
            strbuf_add_str(out, "&amp;");
            break;
        case '"':
            strbuf_add_str(out, "&quot;");
            break;
        default:
            strbuf_add_char(out, *text);
        }
    }
}

static void add_field(struct http_head *head, struct span name, const char *value)
{
    struct err err; /* heads that weir makes have no limits, and these bytes are its own */

    headers_add(&head->headers, name, span_of(value), &err);
}

void error_page(struct http_head *head, struct strbuf *out_page, const struct http_head *request, int status,
                const char *error)
{
    char length[32];
    bool is_html = wants_html(request);

    if (is_html) {
        strbuf_printf(out_page,
                      "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
                      "<title>%d %s</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;"
                      "margin:15vh auto;padding:0 1em}small{color:#777}</style><h1>%d %s</h1><p>",
                      status, http_reason(status), status, http_reason(status));
        add_escaped(out_page, error);
        strbuf_add_str(
            out_page,
            "</p><small>weir, the capturing proxy between you and the origin, says this.</small>\n");
    } else {
        strbuf_printf(out_page, "weir: %s\n", error);
    }
    snprintf(length, sizeof length, "%zu", out_page->len);
    add_field(head, SPAN("Content-Type"), is_html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
    add_field(head, SPAN("Content-Length"), length);
    head->framing =
        (struct framing){ BODY_LENGTH, out_page->len, request != NULL && request->framing.keeps_alive };
    if (!head->framing.keeps_alive)
        add_field(head, SPAN("Connection"), "close");
}

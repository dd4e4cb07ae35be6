#include "proxy/mode/forward.h"

#include <string.h>

static bool connect_target(struct span target, struct target *out_target, struct err *err)
{
    struct authority authority;

    if (!url_parse_authority(target, &authority, err))
        return err_add(err, "CONNECT");
    if (authority.port == 0)
        return err_set(err, ERR_URL, "CONNECT needs a port: '%.*s:443'", SPAN_ARG(target));
    memcpy(out_target->host, authority.host, sizeof out_target->host);
    out_target->port = authority.port;
    out_target->is_tls = false;
    return true;
}

static bool absolute_target(const struct http_head *head, struct strbuf *scratch, struct target *out_target,
                            struct span *out_path, struct err *err)
{
    struct url url;
    uint16_t default_port;

    if (!url_parse(head->target, &url, err))
        return false;
    default_port = url_default_port(url.scheme);
    if (default_port == 0)
        return err_set(err, ERR_URL, "scheme '%.*s' can't be forwarded: only http and https",
                       SPAN_ARG(url.scheme));
    memcpy(out_target->host, url.authority.host, sizeof out_target->host);
    out_target->port = url.authority.port != 0 ? url.authority.port : default_port;
    out_target->is_tls = span_ieq(url.scheme, SPAN("https"));
    /* A fragment has no business in a target, but it is the origin's to drop.
     * RFC 9112 §3.2.4: OPTIONS without a path asks about the server as a whole. */
    if (url.rest.len != 0 && url.rest.ptr[0] == '/') {
        *out_path = url.rest;
    } else if (url.rest.len == 0) {
        *out_path = span_eq(head->method, SPAN("OPTIONS")) ? SPAN("*") : SPAN("/");
    } else { /* "http://host?query", "http://host#fragment" */
        strbuf_reset(scratch);
        strbuf_add_char(scratch, '/');
        strbuf_add(scratch, url.rest);
        *out_path = strbuf_span(scratch);
    }
    return true;
}

/* HTTP/2 has no forms of the target: scheme and authority are fields of their own (RFC 9113 §8.3.1). */
static bool http2_target(const struct http_head *head, struct target *out_target, struct err *err)
{
    struct span authority = head->authority;
    struct authority parsed;
    uint16_t default_port = url_default_port(head->scheme);

    if (default_port == 0)
        return err_set(err, ERR_URL, "scheme '%.*s' can't be forwarded: only http and https",
                       SPAN_ARG(head->scheme));
    if (authority.len == 0 && !headers_find(&head->headers, SPAN("Host"), &authority))
        return err_set(err, ERR_PROTO, "a request without :authority and Host");
    if (!url_parse_authority(authority, &parsed, err))
        return false;
    memcpy(out_target->host, parsed.host, sizeof out_target->host);
    out_target->port = parsed.port != 0 ? parsed.port : default_port;
    out_target->is_tls = span_ieq(head->scheme, SPAN("https"));
    return true;
}

bool forward_target(const struct http_head *head, struct strbuf *scratch, enum forward_kind *out_kind,
                    struct target *out_target, struct span *out_path, struct err *err)
{
    if (span_eq(head->method, SPAN("CONNECT"))) {
        *out_kind = FORWARD_CONNECT;
        *out_path = SPAN("");
        return connect_target(head->version == HTTP_2 ? head->authority : head->target, out_target, err);
    }
    if (head->version == HTTP_2) {
        *out_kind = FORWARD_REQUEST;
        *out_path = head->target;
        return http2_target(head, out_target, err);
    }
    if (head->target.len != 0 && (head->target.ptr[0] == '/' || span_eq(head->target, SPAN("*")))) {
        *out_kind = FORWARD_SELF;
        *out_path = head->target;
        return true;
    }
    *out_kind = FORWARD_REQUEST;
    return absolute_target(head, scratch, out_target, out_path, err);
}

#include "proxy/http/url.h"

#include <arpa/inet.h>

#include "proxy/base/strbuf.h"

/* What a reg-name or an IPv4 address may hold (RFC 3986 §3.2.2); '%' is not looked behind. */
static const bool is_host_char[256] = {
    ['-'] = true, ['.'] = true,         ['_'] = true,         ['~'] = true,         ['!'] = true,
    ['$'] = true, ['&'] = true,         ['\''] = true,        ['('] = true,         [')'] = true,
    ['*'] = true, ['+'] = true,         [','] = true,         [';'] = true,         ['='] = true,
    ['%'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool parse_port(struct span text, uint16_t *out_port, struct err *err)
{
    uint64_t port;

    if (!span_u64(text, &port))
        return err_set(err, ERR_URL, "port '%.*s' is not a number", SPAN_ARG(text));
    if (port == 0 || port > UINT16_MAX)
        return err_set(err, ERR_URL, "port '%.*s' is not between 1 and 65535", SPAN_ARG(text));
    *out_port = (uint16_t)port;
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Into authority, which is zero. */
static bool parse_host(struct span host, struct authority *authority, struct err *err)
{
    if (host.len == 0)
        return err_set(err, ERR_URL, "no host");
    if (host.len >= URL_HOST_BYTES)
        return err_set(err, ERR_URL, "host is longer than %d bytes", URL_HOST_BYTES - 1);
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_char[(unsigned char)host.ptr[i]])
            return err_set(err, ERR_URL, "host has a byte 0x%02x", (unsigned char)host.ptr[i]);
        authority->host[i] = lower(host.ptr[i]);
    }
    return true;
}

static bool parse_ipv6(struct span host, struct authority *authority, struct err *err)
{
    struct in6_addr ignored;

    /* A name longer than INET6_ADDRSTRLEN cannot be one, and an embedded NUL would hide what follows it. */
    if (host.len >= INET6_ADDRSTRLEN || span_find(host, '\0') != host.len)
        return err_set(err, ERR_URL, "the part in brackets is not an IPv6 address");
    for (size_t i = 0; i < host.len; i++)
        authority->host[i] = lower(host.ptr[i]);
    authority->is_ipv6 = true;
    if (inet_pton(AF_INET6, authority->host, &ignored) != 1)
        return err_set(err, ERR_URL, "the part in brackets is not an IPv6 address");
    return true;
}

bool url_parse_authority(struct span text, struct authority *out_authority, struct err *err)
{
    struct authority authority = { .port = 0 };
    struct span port;
    size_t end;

    if (span_find(text, '@') != text.len)
        return err_set(err, ERR_URL, "a user name or password before the host");
    if (text.len != 0 && text.ptr[0] == '[') {
        end = span_find(text, ']');
        if (end == text.len)
            return err_set(err, ERR_URL, "'[' without ']'");
        if (!parse_ipv6(span_sub(text, 1, end - 1), &authority, err))
            return false;
        end++;
    } else {
        end = span_find(text, ':');
        if (!parse_host(span_sub(text, 0, end), &authority, err))
            return false;
    }
    port = span_from(text, end);
    if (port.len != 0 && port.ptr[0] != ':')
        return err_set(err, ERR_URL, "something between ']' and the port");
    /* RFC 3986 §3.2.3: the port may be empty, which is none. */
    if (port.len > 1 && !parse_port(span_from(port, 1), &authority.port, err))
        return false;
    *out_authority = authority;
    return true;
}

static bool is_scheme(struct span scheme)
{
    if (scheme.len == 0 || !is_alpha(scheme.ptr[0]))
        return false;
    for (size_t i = 1; i < scheme.len; i++) {
        char c = scheme.ptr[i];
        if (!is_alpha(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

bool url_parse(struct span text, struct url *out_url, struct err *err)
{
    struct url url;
    struct span rest;
    size_t end;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == 0x7f)
            return err_set(err, ERR_URL, "a blank or control character in a URL");
    }
    url.scheme = span_sub(text, 0, span_find(text, ':'));
    rest = span_from(text, url.scheme.len);
    if (!is_scheme(url.scheme) || !span_starts(rest, SPAN("://")))
        return err_set(err, ERR_URL, "a URL begins with a scheme and '://'");
    rest = span_from(rest, 3);
    for (end = 0; end < rest.len; end++) {
        if (rest.ptr[end] == '/' || rest.ptr[end] == '?' || rest.ptr[end] == '#')
            break;
    }
    if (!url_parse_authority(span_sub(rest, 0, end), &url.authority, err))
        return false;
    url.rest = span_from(rest, end);
    url.target = span_sub(url.rest, 0, span_find(url.rest, '#'));
    *out_url = url;
    return true;
}

void url_split_target(struct span target, struct span *out_path, struct span *out_query)
{
    size_t at = span_find(target, '?');

    *out_path = span_sub(target, 0, at);
    *out_query = at < target.len ? span_from(target, at + 1) : SPAN_NONE;
}

uint16_t url_default_port(struct span scheme)
{
    if (span_ieq(scheme, SPAN("http")) || span_ieq(scheme, SPAN("ws")))
        return 80;
    if (span_ieq(scheme, SPAN("https")) || span_ieq(scheme, SPAN("wss")))
        return 443;
    return 0;
}

void url_add_authority(struct strbuf *out, struct span scheme, const char *host, uint16_t port)
{
    bool is_ipv6 = strchr(host, ':') != NULL;

    if (is_ipv6)
        strbuf_add_char(out, '[');
    strbuf_add_str(out, host);
    if (is_ipv6)
        strbuf_add_char(out, ']');
    if (port != 0 && port != url_default_port(scheme)) {
        strbuf_add_char(out, ':');
        strbuf_add_u64(out, port);
    }
}

bool url_host_is_ip(const char *host)
{
    struct in6_addr ignored;

    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

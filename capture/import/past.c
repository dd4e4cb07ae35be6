/* What a file says of an exchange, put into the form in which it is captured. past_tell.c sends it on. */
#include "capture/import/past.h"

#include <stdio.h>

#include "proxy/base/mem.h"
#include "proxy/http/url.h"

void past_init(struct past *past)
{
    memset(past, 0, sizeof *past);
    for (int i = 0; i < TAP_T_COUNT; i++)
        past->times[i] = TAP_NEVER;
    past->request = http_head_new(HTTP_REQUEST);
    headers_init(&past->request->headers, PAST_FIELDS, PAST_TEXT_BYTES);
    for (int i = 0; i < 2; i++) {
        headers_init(&past->trailers[i], PAST_FIELDS, PAST_TEXT_BYTES);
        strbuf_init(&past->bodies[i].bytes, 0);
    }
    strbuf_init(&past->error, 1024);
}

void past_clear(struct past *past)
{
    http_head_free(past->request);
    http_head_free(past->response);
    for (int i = 0; i < 2; i++) {
        headers_clear(&past->trailers[i]);
        strbuf_clear(&past->bodies[i].bytes);
        tap_tls_unref(past->tls[i]);
    }
    strbuf_clear(&past->error);
}

/* --- the request's line -------------------------------------------------------------------------------- */

/* http for http and ws, https for https and wss; "" for others. */
static const char *scheme_of(struct span scheme)
{
    if (span_ieq(scheme, SPAN("http")) || span_ieq(scheme, SPAN("ws")))
        return "http";
    return span_ieq(scheme, SPAN("https")) || span_ieq(scheme, SPAN("wss")) ? "https" : "";
}

/* Bytes that end a word of a request line, or the line. */
static bool is_word(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool is_host(struct span host)
{
    return host.len != 0 && host.len < URL_HOST_BYTES && is_word(host) &&
           strcspn(host.ptr, "/?#@[]") >= host.len;
}

bool past_set_target(struct past *past, struct span method, struct span scheme, const char *host,
                     uint16_t port, struct span target, struct err *err)
{
    struct http_head *head = past->request;
    struct strbuf line = STRBUF_EMPTY;
    size_t len;

    if (scheme_of(scheme)[0] == '\0')
        return err_set(err, ERR_PROTO, "it is not HTTP");
    if (method.len == 0 || !is_word(method) || !is_host(span_of(host)) || !is_word(target))
        return err_set(err, ERR_URL, "no request line can hold its method, host or path");
    snprintf(past->scheme, sizeof past->scheme, "%s", scheme_of(scheme));
    snprintf(past->host, sizeof past->host, "%s", host);
    past->port = port != 0 ? port : url_default_port(scheme);
    strbuf_add(&line, method);
    if (target.len == 0 || target.ptr[0] == '?')
        strbuf_add_char(&line, '/');
    strbuf_add(&line, target);
    len = line.len;
    mem_free(head->start_line);
    head->start_line = strbuf_detach(&line);
    head->method = span_make(head->start_line, method.len);
    head->target = span_make(head->start_line + method.len, len - method.len);
    return true;
}

/* Blanks and control characters are no part of a URL, but of what some tools write as one. */
static void add_without_blanks(struct strbuf *out, struct span url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= ' ' || c == 0x7f)
            strbuf_printf(out, "%%%02X", c);
        else
            strbuf_add_char(out, (char)c);
    }
}

/* Whose scheme is followed by no authority, or by one that HTTP does not reach. */
static bool is_other_scheme(struct span url)
{
    struct span scheme = span_sub(url, 0, span_find(url, ':'));

    return scheme.len < url.len && scheme_of(scheme)[0] == '\0';
}

/* A password in a URL never came over the wire there: a client sends it as a field. */
static struct span without_userinfo(struct strbuf *url)
{
    struct span text = strbuf_span(url);
    const char *start = strstr(strbuf_text(url), "://"), *at;
    size_t authority, end;

    if (start == NULL)
        return text;
    authority = (size_t)(start - text.ptr) + 3;
    end = authority + strcspn(start + 3, "/?#");
    at = memrchr(text.ptr + authority, '@', end - authority);
    if (at == NULL)
        return text;
    memmove(url->ptr + authority, at + 1, text.len - (size_t)(at + 1 - text.ptr));
    return span_sub(text, 0, text.len - (size_t)(at + 1 - (text.ptr + authority)));
}

bool past_set_request(struct past *past, struct span method, struct span url, struct err *err)
{
    struct strbuf clean = STRBUF_EMPTY;
    struct url parts;
    bool ok;

    if (is_other_scheme(url))
        return err_set(err, ERR_PROTO, "it is not HTTP");
    add_without_blanks(&clean, url);
    ok = url_parse(without_userinfo(&clean), &parts, err) &&
         past_set_target(past, method, parts.scheme, parts.authority.host, parts.authority.port, parts.target,
                         err);
    strbuf_clear(&clean);
    return ok;
}

void past_prefer_named_host(struct past *past, struct span named)
{
    struct authority authority;
    struct err unused; /* what is no authority names no host */

    if (!url_host_is_ip(past->host) || !url_parse_authority(named, &authority, &unused) ||
        strcmp(authority.host, past->host) == 0)
        return;
    if (past->origin_addr[0] == '\0')
        snprintf(past->origin_addr, sizeof past->origin_addr,
                 strchr(past->host, ':') != NULL ? "[%s]:%u" : "%s:%u", past->host, past->port);
    snprintf(past->host, sizeof past->host, "%s", authority.host);
    if (authority.port != 0)
        past->port = authority.port;
    past->flags |= TAP_HOST_DIFFERS;
}

/* --- the rest ------------------------------------------------------------------------------------------ */

/* Up to the first byte that no status line can hold. */
static struct span line_of(struct span text)
{
    size_t len = 0;

    while (len < text.len && text.ptr[len] != '\0' && text.ptr[len] != '\r' && text.ptr[len] != '\n')
        len++;
    return span_sub(text, 0, len);
}

void past_set_response(struct past *past, int status, struct span reason)
{
    struct http_head *head = http_head_new(HTTP_RESPONSE);

    headers_init(&head->headers, PAST_FIELDS, PAST_TEXT_BYTES);
    head->status = status;
    head->start_line = mem_spandup(line_of(reason));
    head->reason = span_of(head->start_line);
    http_head_free(past->response);
    past->response = head;
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == ':' || name.ptr[i] == 0x7f)
            return false;
    return name.len != 0;
}

void past_add_field(struct import_job *job, struct headers *headers, struct span name, struct span value)
{
    struct span rest = value, line;
    struct err err;

    if (!is_name(name)) {
        import_count(job, IMPORT_BAD_FIELD, "'%.*s' is no name of one", (int)(name.len < 60 ? name.len : 60),
                     name.ptr != NULL ? name.ptr : "");
        return;
    }
    do {
        line = rest;
        if (!span_split(&rest, '\n', &line))
            line = SPAN("");
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!headers_add(headers, name, span_trim(line), &err))
            import_count(job, err.code == ERR_LIMIT ? IMPORT_LONG : IMPORT_BAD_FIELD, "%.*s: %s",
                         (int)(name.len < 60 ? name.len : 60), name.ptr, err.text);
    } while (rest.len != 0);
}

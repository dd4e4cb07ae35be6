#include "proxy/exchange/hop.h"

/* Fields that Connection may name without effect: without them a message would mean something else. */
static bool is_end_to_end(struct span name)
{
    static const char *const names[] = { "Host", "Content-Length", "Transfer-Encoding", "Trailer" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_ieq(name, span_of(names[i])))
            return true;
    return false;
}

static void mark_all(struct headers *headers, struct span name)
{
    for (size_t i = headers_next(headers, name, 0); i < headers->count;
         i = headers_next(headers, name, i + 1))
        headers->items[i].is_hop = true;
}

/* Only "h2c" asks for something that weir would have to understand; it is not passed on, and the
 * exchange stays HTTP/1.1 as RFC 9110 §7.8 allows. */
static bool upgrade_passes(const struct http_head *head)
{
    return headers_has_token(&head->headers, SPAN("Connection"), SPAN("upgrade")) &&
           headers_next(&head->headers, SPAN("Upgrade"), 0) < head->headers.count &&
           !headers_has_token(&head->headers, SPAN("Upgrade"), SPAN("h2c"));
}

static bool te_passes(const struct headers *headers)
{
    struct span value;

    return headers_find(headers, SPAN("TE"), &value) && span_ieq(value, SPAN("trailers"));
}

/* Marks what Connection names, and rewrites Connection itself when not all of it is passed on. */
static void handle_connection(struct hop *hop, struct headers *headers, bool passes_upgrade, bool passes_te)
{
    struct strbuf kept = STRBUF_EMPTY;
    bool is_whole = true;

    for (size_t i = headers_next(headers, SPAN("Connection"), 0); i < headers->count;
         i = headers_next(headers, SPAN("Connection"), i + 1)) {
        struct span rest = headers_value(headers, i), token;
        while (span_split(&rest, ',', &token)) {
            token = span_trim(token);
            if (token.len == 0)
                continue;
            if (span_ieq(token, SPAN("close")) || span_ieq(token, SPAN("keep-alive")) ||
                (passes_upgrade && span_ieq(token, SPAN("upgrade"))) ||
                (passes_te && span_ieq(token, SPAN("TE")))) {
                if (kept.len != 0)
                    strbuf_add_str(&kept, ", ");
                strbuf_add(&kept, token);
                continue;
            }
            is_whole = false;
            if (!is_end_to_end(token))
                mark_all(headers, token);
        }
    }
    if (!is_whole) {
        mark_all(headers, SPAN("Connection"));
        if (kept.len != 0)
            strbuf_printf(&hop->extra, "Connection: %s\r\n", strbuf_text(&kept));
    }
    strbuf_clear(&kept);
}

static void handle_common(struct hop *hop, struct http_head *head, bool passes_te)
{
    struct headers *headers = &head->headers;
    bool passes_upgrade = upgrade_passes(head);

    handle_connection(hop, headers, passes_upgrade, passes_te);
    mark_all(headers, SPAN("Proxy-Connection"));
    mark_all(headers, SPAN("Keep-Alive"));
    if (!passes_te)
        mark_all(headers, SPAN("TE"));
    hop->asks_upgrade = passes_upgrade;
    /* A response may name what it would upgrade to (RFC 9110 §7.8, 426); that is for the client to know. */
    if (!passes_upgrade && head->role == HTTP_REQUEST) {
        mark_all(headers, SPAN("Upgrade"));
        mark_all(headers, SPAN("HTTP2-Settings"));
    }
}

static void handle_max_forwards(struct hop *hop, struct http_head *head)
{
    struct span value;
    uint64_t left;

    if (!span_eq(head->method, SPAN("TRACE")) && !span_eq(head->method, SPAN("OPTIONS")))
        return;
    if (!headers_find(&head->headers, SPAN("Max-Forwards"), &value) || !span_u64(value, &left))
        return;
    if (left == 0) {
        hop->is_last = true;
        return;
    }
    mark_all(&head->headers, SPAN("Max-Forwards"));
    strbuf_printf(&hop->extra, "Max-Forwards: %llu\r\n", (unsigned long long)(left - 1));
}

void hop_init(struct hop *hop)
{
    *hop = (struct hop){ .extra = STRBUF_EMPTY };
}

void hop_clear(struct hop *hop)
{
    strbuf_clear(&hop->extra);
}

void hop_request(struct hop *hop, struct http_head *head, struct span host_line, bool is_proxied)
{
    handle_common(hop, head, te_passes(&head->headers));
    if (is_proxied)
        mark_all(&head->headers, SPAN("Proxy-Authorization"));
    handle_max_forwards(hop, head);
    if (host_line.ptr != NULL) {
        mark_all(&head->headers, SPAN("Host"));
        strbuf_add_str(&hop->extra, "Host: ");
        strbuf_add(&hop->extra, host_line);
        strbuf_add_str(&hop->extra, "\r\n");
    }
}

/* One of the alternatives in a list, up to a comma that is in no quotes. False: no more. */
static bool next_alternative(struct span *rest, struct span *out)
{
    bool is_quoted = false;
    size_t len = 0;

    if (rest->len == 0)
        return false;
    for (; len < rest->len && (is_quoted || rest->ptr[len] != ','); len++) {
        if (rest->ptr[len] == '"')
            is_quoted = !is_quoted;
        else if (rest->ptr[len] == '\\' && is_quoted && len + 1 < rest->len)
            len++;
    }
    *out = span_trim(span_make(rest->ptr, len));
    *rest = span_from(*rest, len < rest->len ? len + 1 : len);
    return true;
}

/* "h3", its drafts "h3-29", and what came before it. */
static bool is_over_udp(struct span alternative)
{
    size_t name = span_find(alternative, '=');
    struct span protocol = span_trim(span_make(alternative.ptr, name));

    return name < alternative.len && (span_ieq(protocol, SPAN("h3")) || span_istarts(protocol, SPAN("h3-")) ||
                                      span_ieq(protocol, SPAN("quic")));
}

static void handle_alt_svc(struct hop *hop, struct headers *headers)
{
    for (size_t i = headers_next(headers, SPAN("Alt-Svc"), 0); i < headers->count;
         i = headers_next(headers, SPAN("Alt-Svc"), i + 1)) {
        struct span rest = headers_value(headers, i), alternative;
        struct strbuf kept = STRBUF_EMPTY;
        bool is_whole = true;
        while (next_alternative(&rest, &alternative)) {
            if (is_over_udp(alternative)) {
                is_whole = false;
                continue;
            }
            if (kept.len != 0)
                strbuf_add_str(&kept, ", ");
            strbuf_add(&kept, alternative);
        }
        if (!is_whole) {
            hop->edits_alt_svc = true;
            headers->items[i].is_hop = true;
            if (kept.len != 0)
                strbuf_printf(&hop->extra, "%.*s: %s\r\n", SPAN_ARG(headers_name(headers, i)),
                              strbuf_text(&kept));
        }
        strbuf_clear(&kept);
    }
}

void hop_response(struct hop *hop, struct http_head *head)
{
    handle_common(hop, head, false);
    handle_alt_svc(hop, &head->headers);
}

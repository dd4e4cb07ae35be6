#include "capture/export/policy.h"

#include "capture/suffix.h"
#include "proxy/base/mem.h"
#include "proxy/http/message.h"
#include "proxy/http/url.h"

enum class {
    OWN,          /* the client's own for this connection or body */
    CONDITIONAL,  /* asks for less than the whole answer */
    NOISE,        /* what a browser says about itself, and traces */
    SIGNATURE,    /* the client's, over this one request: old ones are refused */
    ORIGIN_CHECK, /* noise, unless the server may check it */
    COOKIE,       /* the jar's */
    DECODABLE,    /* what the captured client could decode, and newman perhaps not */
    HOST,
    CODING,
    TYPE,
};

struct rule {
    const char *name; /* a '*' at its end: all names that begin so */
    enum class class;
};

static const struct rule rules[] = {
    { ":*", OWN },
    { "content-length", OWN },
    { "transfer-encoding", OWN },
    { "te", OWN },
    { "trailer", OWN },
    { "connection", OWN },
    { "keep-alive", OWN },
    { "proxy-*", OWN },
    { "upgrade", OWN },
    { "http2-settings", OWN },
    { "accept-encoding", DECODABLE },
    { "expect", OWN },
    { "cookie", COOKIE },
    { "host", HOST },
    { "content-encoding", CODING },
    { "content-type", TYPE },
    { "if-none-match", CONDITIONAL },
    { "if-modified-since", CONDITIONAL },
    { "if-unmodified-since", CONDITIONAL },
    { "if-match", CONDITIONAL },
    { "if-range", CONDITIONAL },
    { "range", CONDITIONAL },
    { "dpop", SIGNATURE },
    { "signature", SIGNATURE },
    { "signature-input", SIGNATURE },
    { "x-signature*", SIGNATURE },
    { "x-hmac*", SIGNATURE },
    { "x-hub-signature*", SIGNATURE },
    { "x-request-signature", SIGNATURE },
    { "x-shopify-hmac-sha256", SIGNATURE },
    { "x-slack-signature", SIGNATURE },
    { "stripe-signature", SIGNATURE },
    { "sec-*", NOISE },
    { "dnt", NOISE },
    { "priority", NOISE },
    { "pragma", NOISE },
    { "cache-control", NOISE },
    { "user-agent", NOISE },
    { "upgrade-insecure-requests", NOISE },
    { "traceparent", NOISE },
    { "tracestate", NOISE },
    { "b3", NOISE },
    { "x-b3-*", NOISE },
    { "x-datadog-*", NOISE },
    { "device-memory", NOISE },
    { "downlink", NOISE },
    { "dpr", NOISE },
    { "ect", NOISE },
    { "rtt", NOISE },
    { "save-data", NOISE },
    { "viewport-width", NOISE },
    { "origin", ORIGIN_CHECK },
    { "referer", ORIGIN_CHECK },
    { "x-requested-with", ORIGIN_CHECK },
};

static bool rule_takes(struct span rule, struct span name)
{
    if (span_ends(rule, SPAN("*")))
        return span_istarts(name, span_sub(rule, 0, rule.len - 1));
    return span_ieq(rule, name);
}

enum policy policy_request(const struct policy_facts *facts, struct span name)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!rule_takes(span_of(rules[i].name), name))
            continue;
        switch (rules[i].class) {
        case OWN:
            return POLICY_DROP;
        case HOST:
            return facts->is_host_elsewhere ? POLICY_SEND : POLICY_DROP;
        case CODING:
            return facts->is_decoded ? POLICY_DROP : POLICY_SEND;
        case TYPE:
            return facts->is_multipart_rebuilt && !facts->is_faithful ? POLICY_DROP : POLICY_SEND;
        case COOKIE:
            return facts->is_faithful || facts->sends_cookies ? POLICY_SEND : POLICY_DROP;
        case DECODABLE:
            return facts->is_faithful ? POLICY_SEND : POLICY_DROP;
        case CONDITIONAL:
        case SIGNATURE:
            return facts->is_faithful ? POLICY_SEND : POLICY_SHOW;
        case NOISE:
            return facts->is_faithful || facts->keep_browser_headers ? POLICY_SEND : POLICY_SHOW;
        case ORIGIN_CHECK:
            return facts->is_faithful || facts->keep_browser_headers || facts->is_same_site_change
                       ? POLICY_SEND
                       : POLICY_SHOW;
        }
    }
    return POLICY_SEND;
}

bool policy_is_signature(struct span name)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rule_takes(span_of(rules[i].name), name))
            return rules[i].class == SIGNATURE;
    return false;
}

enum policy policy_response(struct span name)
{
    /* The body is written decoded and without framing, and a mock is another server: it must not promise
     * these. */
    static const char *const dropped[] = {
        ":*",         "content-encoding", "transfer-encoding", "content-length",
        "connection", "keep-alive",       "proxy-*",           "te",
        "trailer",    "upgrade",          "alt-svc",           "strict-transport-security",
    };

    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        if (rule_takes(span_of(dropped[i]), name))
            return POLICY_DROP;
    return POLICY_SEND;
}

bool policy_is_sendable(const struct record_field *field)
{
    if (field->name.len == 0)
        return false;
    for (size_t i = 0; i < field->name.len; i++) {
        unsigned char c = (unsigned char)field->name.ptr[i];
        if (c <= 0x20 || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL)
            return false;
    }
    for (size_t i = 0; i < field->value.len; i++) {
        unsigned char c = (unsigned char)field->value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* The host of an Origin or a Referer; NULL when it has none. */
static char *host_of_url(struct span text)
{
    struct url url;
    struct err err; /* what is no URL has no host: that is the answer */

    return url_parse(text, &url, &err) ? mem_strdup(url.authority.host) : NULL;
}

static bool is_same_site(const struct record *record)
{
    struct span value;
    char *caller, *host;
    bool is_same;

    if (record_find(&record->request_headers, SPAN("Sec-Fetch-Site"), &value))
        return !span_ieq(value, SPAN("cross-site"));
    if (!record_find(&record->request_headers, SPAN("Origin"), &value) &&
        !record_find(&record->request_headers, SPAN("Referer"), &value))
        return true;
    caller = host_of_url(value);
    if (caller == NULL)
        return false;
    host = mem_spandup(record->host);
    is_same = suffix_same_site(caller, host);
    mem_free(caller);
    mem_free(host);
    return is_same;
}

/* An absolute target decides, whatever Host says; a Host that went to the origin is flagged. */
static void look_at_host(const struct record *record, struct policy_facts *facts)
{
    struct span value;
    struct authority authority;
    struct err err; /* what names no host is another one, and replaces nothing */
    uint16_t port;

    if (!record_find(&record->request_headers, SPAN("Host"), &value))
        return;
    if (!url_parse_authority(value, &authority, &err)) {
        facts->is_host_elsewhere = true;
        return;
    }
    port = authority.port != 0 ? authority.port : url_default_port(record->scheme);
    if (span_ieq(span_of(authority.host), record->host) && port == record->port)
        return;
    facts->is_host_elsewhere = (record->flags & TAP_HOST_DIFFERS) != 0;
    facts->is_host_replaced = !facts->is_host_elsewhere;
}

void policy_facts_init(struct policy_facts *out_facts, const struct record *record, bool keep_browser_headers)
{
    *out_facts = (struct policy_facts){
        .keep_browser_headers = keep_browser_headers,
        .is_same_site_change = !http_method_is_safe(record->method) && is_same_site(record),
    };
    look_at_host(record, out_facts);
}

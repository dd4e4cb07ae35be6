#include "capture/export/partition.h"

#include "capture/suffix.h"
#include "proxy/base/mem.h"
#include "proxy/http/url.h"

static struct span field_of(const struct record *record, struct span name)
{
    struct span value;

    return record_find(&record->request_headers, name, &value) ? value : SPAN_NONE;
}

static void add_site(struct strbuf *out, bool is_https, const char *host)
{
    bool is_ipv6 = strchr(host, ':') != NULL;

    strbuf_printf(out, "%s://%s%s%s", is_https ? "https" : "http", is_ipv6 ? "[" : "", suffix_site(host),
                  is_ipv6 ? "]" : "");
}

static void add_own_site(struct strbuf *out, const struct record *record)
{
    char *host = mem_spandup(record->host);

    add_site(out, span_ieq(record->scheme, SPAN("https")) || span_ieq(record->scheme, SPAN("wss")), host);
    mem_free(host);
}

/* The site that asked for it; false: it is not said. */
static bool find_caller(const struct record *record, struct url *out_url)
{
    struct err err; /* what is no URL, such as "null", names no site: that is the answer */

    return url_parse(field_of(record, SPAN("Referer")), out_url, &err) ||
           url_parse(field_of(record, SPAN("Origin")), out_url, &err);
}

static bool is_own_site(const struct record *record, const struct url *caller)
{
    char *host = mem_spandup(record->host);
    bool is_own = suffix_same_site(caller->authority.host, host);

    mem_free(host);
    return is_own;
}

void partition_init(struct partition *out_partition, const struct record *record)
{
    struct span from = field_of(record, SPAN("Sec-Fetch-Site"));
    bool is_document = span_ieq(field_of(record, SPAN("Sec-Fetch-Dest")), SPAN("document"));
    bool is_cross_site = span_ieq(from, SPAN("cross-site"));
    struct url caller;

    *out_partition = (struct partition){ .top_site = STRBUF_EMPTY };
    if (is_document || span_ieq(from, SPAN("none"))) {
        add_own_site(&out_partition->top_site, record);
    } else if (from.len != 0 && !is_cross_site) {
        /* That field comes only with what is embedded in another site. */
        if (field_of(record, SPAN("Sec-Fetch-Storage-Access")).ptr == NULL)
            add_own_site(&out_partition->top_site, record);
    } else if (find_caller(record, &caller)) {
        out_partition->has_cross_site_ancestor = is_cross_site || !is_own_site(record, &caller);
        add_site(&out_partition->top_site, span_ieq(caller.scheme, SPAN("https")), caller.authority.host);
    }
}

void partition_clear(struct partition *partition)
{
    strbuf_clear(&partition->top_site);
}

/* URLs and authorities: what is taken can be written and taken again, and is then the same. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/base/strbuf.h"
#include "proxy/http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

static void same_authority(const struct authority *authority, struct span scheme)
{
    struct strbuf text = STRBUF_EMPTY;
    struct authority again;
    struct err err;

    url_add_authority(&text, scheme, authority->host, authority->port);
    check(url_parse_authority(strbuf_span(&text), &again, &err));
    check(strcmp(again.host, authority->host) == 0 && again.is_ipv6 == authority->is_ipv6);
    check(again.port == authority->port || (again.port == 0 && authority->port == url_default_port(scheme)));
    strbuf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span text = span_make(data, len), path, query;
    struct authority authority;
    struct url url;
    struct err err;

    if (url_parse_authority(text, &authority, &err))
        same_authority(&authority, SPAN("http"));
    if (url_parse(text, &url, &err)) {
        same_authority(&url.authority, url.scheme);
        check(url.scheme.ptr == text.ptr && url.target.ptr + url.target.len <= text.ptr + text.len);
        url_split_target(url.target, &path, &query);
        check(path.len + (query.ptr != NULL ? query.len + 1 : 0) == url.target.len);
    }
    return 0;
}

#include "capture/export/location.h"

#include "proxy/base/mem.h"
#include "proxy/http/url.h"

/* "https://shop.test:8443" of where the redirect came from. */
static void add_origin(struct strbuf *out, const struct record *record)
{
    char *host = mem_spandup(record->host);

    strbuf_add(out, record->scheme);
    strbuf_add_str(out, "://");
    url_add_authority(out, record->scheme, host, record->port);
    mem_free(host);
}

/* A path without its "." and "..". Appended; begins with '/'. */
static void add_path(struct strbuf *out, struct span path)
{
    size_t begin = out->len;
    struct span segment;
    bool is_open = false; /* ends in a '/' */

    path = span_from(path, 1);
    do {
        size_t len = span_find(path, '/');
        bool is_last = len == path.len;

        segment = span_sub(path, 0, len);
        path = span_from(path, is_last ? len : len + 1);
        is_open = span_eq(segment, SPAN(".")) || span_eq(segment, SPAN(".."));
        if (span_eq(segment, SPAN("..")))
            while (out->len > begin && out->ptr[--out->len] != '/')
                ;
        if (!is_open) {
            strbuf_add_char(out, '/');
            strbuf_add(out, segment);
        }
        if (is_last)
            break;
    } while (true);
    if (is_open || out->len == begin)
        strbuf_add_char(out, '/');
}

/* path and query; path may be empty. */
static void add_target(struct strbuf *out, struct span target)
{
    struct span path, query;

    url_split_target(target, &path, &query);
    add_path(out, path.len != 0 ? path : SPAN("/"));
    if (query.ptr != NULL) {
        strbuf_add_char(out, '?');
        strbuf_add(out, query);
    }
}

static bool add_absolute(struct strbuf *out, struct span text)
{
    struct url url;
    struct err err; /* what it is not need not be said */

    if (!url_parse(text, &url, &err) || url_default_port(url.scheme) == 0)
        return false;
    for (size_t i = 0; i < url.scheme.len; i++)
        strbuf_add_char(out, (char)(url.scheme.ptr[i] | 0x20));
    strbuf_add_str(out, "://");
    url_add_authority(out, url.scheme, url.authority.host, url.authority.port);
    add_target(out, url.target);
    return true;
}

static void add_relative(struct strbuf *out, const struct record *record, struct span text)
{
    struct strbuf target = STRBUF_EMPTY;
    const char *slash = record->path.len != 0 ? memrchr(record->path.ptr, '/', record->path.len) : NULL;

    add_origin(out, record);
    if (text.len != 0 && text.ptr[0] != '/') {
        if (text.ptr[0] == '?')
            strbuf_add(&target, record->path);
        else if (slash != NULL)
            strbuf_add(&target, span_make(record->path.ptr, (size_t)(slash + 1 - record->path.ptr)));
    }
    strbuf_add(&target, text);
    add_target(out, strbuf_span(&target));
    strbuf_clear(&target);
}

/* A name before the first ':', "/" and "?" not before it. */
static bool has_scheme(struct span text)
{
    size_t colon = span_find(text, ':');

    return colon < text.len && colon < span_find(text, '/') && colon < span_find(text, '?');
}

bool location_add_target(const struct record *record, struct strbuf *out)
{
    struct strbuf whole = STRBUF_EMPTY;
    struct span text;
    bool ok = true;

    if (record->status < 300 || record->status > 399 || record->status == 304 ||
        !record_find(&record->response_headers, SPAN("Location"), &text))
        return false;
    text = span_sub(text, 0, span_find(text, '#'));
    if (text.len == 0 || record->path.len == 0 || record->path.ptr[0] != '/')
        return false;
    if (has_scheme(text)) {
        ok = add_absolute(out, text);
    } else if (span_starts(text, SPAN("//"))) {
        strbuf_add(&whole, record->scheme);
        strbuf_add_char(&whole, ':');
        strbuf_add(&whole, text);
        ok = add_absolute(out, strbuf_span(&whole));
    } else {
        add_relative(out, record, text);
    }
    strbuf_clear(&whole);
    return ok;
}

#include "capture/heads.h"

#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/http/url.h"

bool heads_ask_for_tunnel(const struct http_head *head)
{
    return span_eq(head->method, SPAN("CONNECT")) && head->protocol.len == 0;
}

void heads_path(const struct http_head *head, struct span *out_path, struct span *out_query)
{
    struct span target = head->target;
    struct err no_url; /* then the target is the path, whatever it is */
    struct url url;

    if (heads_ask_for_tunnel(head))
        target = SPAN("");
    else if (target.len != 0 && target.ptr[0] != '/' && url_parse(target, &url, &no_url))
        target = url.rest;
    url_split_target(target, out_path, out_query);
}

void heads_copy_fields(const struct headers *fields, struct headers *out)
{
    struct err unused; /* a copy without limits of what passed the limits */

    for (size_t i = 0; i < fields->count; i++) {
        const struct header *item = &fields->items[i];
        headers_add_line(out, headers_line(fields, i), item->name_len, item->value_off - item->line_off,
                         item->value_len, &unused);
    }
}

struct http_head *heads_copy(const struct http_head *head)
{
    struct http_head *copy = http_head_new(head->role);
    size_t line_len = 0;
    struct span *const spans[] = { &copy->method,    &copy->target,   &copy->scheme,
                                   &copy->authority, &copy->protocol, &copy->reason };
    const struct span from[] = { head->method,    head->target,   head->scheme,
                                 head->authority, head->protocol, head->reason };
    const size_t count = sizeof from / sizeof from[0];

    copy->version = head->version;
    copy->status = head->status;
    copy->framing = head->framing;
    copy->wire_bytes = head->wire_bytes;
    for (size_t i = 0; i < count; i++)
        line_len += from[i].len;
    copy->start_line = mem_alloc(line_len);
    line_len = 0;
    for (size_t i = 0; i < count; i++) {
        if (from[i].len != 0)
            memcpy(copy->start_line + line_len, from[i].ptr, from[i].len);
        *spans[i] = span_make(from[i].ptr != NULL ? copy->start_line + line_len : NULL, from[i].len);
        line_len += from[i].len;
    }
    heads_copy_fields(&head->headers, &copy->headers);
    return copy;
}

struct http_head *heads_none(void)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);

    head->version = 0;
    head->start_line = mem_strdup("");
    head->method = head->target = span_of(head->start_line);
    return head;
}

bool heads_are_media(const struct headers *headers)
{
    static const char *const kinds[] = { "image/", "audio/", "video/", "font/" };
    struct span type;

    if (!headers_find(headers, SPAN("Content-Type"), &type))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (span_istarts(type, span_of(kinds[i])))
            return true;
    return false;
}

#include "capture/export/multipart.h"

/* Takes a line up to CRLF off *rest; false when there is none. */
static bool take_line(struct span *rest, struct span *out_line)
{
    const char *end = rest->len != 0 ? memmem(rest->ptr, rest->len, "\r\n", 2) : NULL;

    if (end == NULL)
        return false;
    *out_line = span_make(rest->ptr, (size_t)(end - rest->ptr));
    *rest = span_from(*rest, out_line->len + 2);
    return true;
}

static bool take_prefix(struct span *rest, struct span prefix)
{
    if (!span_starts(*rest, prefix))
        return false;
    *rest = span_from(*rest, prefix.len);
    return true;
}

/* Up to the next quote, which is taken too. Clients write a quote in a name as %22 or \", and neither
 * survives being made again by another client: a backslash makes it a head that is not plain. */
static bool take_quoted(struct span *rest, struct span *out_text)
{
    size_t end = span_find(*rest, '"');

    if (end == rest->len || span_find(span_sub(*rest, 0, end), '\\') != end)
        return false;
    *out_text = span_sub(*rest, 0, end);
    *rest = span_from(*rest, end + 1);
    return true;
}

static bool read_disposition(struct span line, struct multipart_part *part)
{
    if (!take_prefix(&line, SPAN("Content-Disposition: form-data; name=\"")) ||
        !take_quoted(&line, &part->name))
        return false;
    if (line.len == 0)
        return true;
    return take_prefix(&line, SPAN("; filename=\"")) && take_quoted(&line, &part->file_name) && line.len == 0;
}

/* Lines up to the empty one. */
static bool read_head(struct span *rest, struct multipart_part *part)
{
    struct span line;
    size_t count = 0;

    *part = (struct multipart_part){ .is_plain = true };
    while (take_line(rest, &line)) {
        if (line.len == 0) {
            part->is_plain = part->is_plain && count != 0;
            return true;
        }
        if (count == 0)
            part->is_plain = read_disposition(line, part);
        else if (count == 1 && take_prefix(&line, SPAN("Content-Type: ")) && line.len != 0)
            part->type = line;
        else
            part->is_plain = false;
        count++;
    }
    return false;
}

/* The value ends where CRLF, "--" and the boundary stand together. */
static bool read_value(struct span *rest, struct span boundary, struct span *out_value)
{
    struct span look = *rest;
    const char *at;

    while (look.len != 0 && (at = memmem(look.ptr, look.len, "\r\n--", 4)) != NULL) {
        struct span after = span_from(look, (size_t)(at - look.ptr) + 4);

        if (span_starts(after, boundary)) {
            *out_value = span_make(rest->ptr, (size_t)(at - rest->ptr));
            *rest = span_from(after, boundary.len);
            return true;
        }
        look = after;
    }
    return false;
}

bool multipart_parse(struct span body, struct span boundary, struct multipart_part *out_parts, size_t max,
                     size_t *out_count)
{
    struct span rest = body;
    size_t count = 0;

    if (boundary.len == 0 || !take_prefix(&rest, SPAN("--")) || !take_prefix(&rest, boundary))
        return false;
    while (!span_starts(rest, SPAN("--"))) {
        if (count == max || !take_prefix(&rest, SPAN("\r\n")) || !read_head(&rest, &out_parts[count]) ||
            !read_value(&rest, boundary, &out_parts[count].value))
            return false;
        count++;
    }
    rest = span_from(rest, 2);
    if (count == 0 || (rest.len != 0 && !span_eq(rest, SPAN("\r\n"))))
        return false;
    *out_count = count;
    return true;
}

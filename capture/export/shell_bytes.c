#include "capture/export/shell_bytes.h"

#include "proxy/base/base64.h"

static void end_line(struct shell_bytes *bytes)
{
    char text[sizeof(bytes->line) / 3 * 4 + 1];
    size_t len = 0;

    for (size_t at = 0; at < bytes->len; at += 3, len += 4) {
        size_t left = bytes->len - at;
        base64_group(bytes->line + at, left < 3 ? (unsigned)left : 3, text + len);
    }
    text[len++] = '\n';
    fwrite(text, 1, len, bytes->out);
    bytes->len = 0;
}

void shell_bytes_put(struct shell_bytes *bytes, struct span more)
{
    if (!bytes->is_open && more.len != 0)
        fprintf(bytes->out, "base64 -d <<'%s'\n", bytes->word);
    bytes->is_open = bytes->is_open || more.len != 0;
    while (more.len != 0) {
        size_t room = sizeof(bytes->line) - bytes->len, len = more.len < room ? more.len : room;

        memcpy(bytes->line + bytes->len, more.ptr, len);
        bytes->len += len;
        more = span_from(more, len);
        if (bytes->len == sizeof(bytes->line))
            end_line(bytes);
    }
}

void shell_bytes_put_variable(struct shell_bytes *bytes, const char *name)
{
    shell_bytes_end(bytes);
    fprintf(bytes->out, "printf %%s \"$%s\"\n", name);
}

void shell_bytes_end(struct shell_bytes *bytes)
{
    if (bytes->len != 0)
        end_line(bytes);
    if (bytes->is_open)
        fprintf(bytes->out, "%s\n", bytes->word);
    bytes->is_open = false;
}

/* Plain words stand as they are, others in '...'. Only what that can't hold makes it $'...': quotes, and
 * bytes that are neither printable nor a line feed. */
#include "capture/export/shell.h"

#include <assert.h>

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

/* No shell gives these a meaning, wherever in a word they stand. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_./:%+,@", c) != NULL);
}

static bool all(struct span bytes, bool (*is)(char c))
{
    for (size_t i = 0; i < bytes.len; i++)
        if (!is(bytes.ptr[i]))
            return false;
    return true;
}

static bool fits_quotes(char c)
{
    return (is_printable(c) && c != '\'') || c == '\n';
}

static void add_hex(struct strbuf *out, char c)
{
    strbuf_printf(out, "\\x%02x", (unsigned char)c);
}

static void add_escaped(struct strbuf *out, char c)
{
    if (c == '\'' || c == '\\') {
        strbuf_add_char(out, '\\');
        strbuf_add_char(out, c);
    } else if (c == '\r') {
        strbuf_add_str(out, "\\r");
    } else if (c == '\t') {
        strbuf_add_str(out, "\\t");
    } else if (c == '!') {
        add_hex(out, c); /* after an escaped quote an interactive bash takes it for its history */
    } else if (is_printable(c) || c == '\n') {
        strbuf_add_char(out, c);
    } else {
        add_hex(out, c);
    }
}

void shell_add_word(struct strbuf *out, struct span bytes)
{
    assert(bytes.len == 0 || memchr(bytes.ptr, '\0', bytes.len) == NULL);
    if (bytes.len != 0 && all(bytes, is_plain)) {
        strbuf_add(out, bytes);
    } else if (all(bytes, fits_quotes)) {
        strbuf_add_char(out, '\'');
        strbuf_add(out, bytes);
        strbuf_add_char(out, '\'');
    } else {
        strbuf_add_str(out, "$'");
        for (size_t i = 0; i < bytes.len; i++)
            add_escaped(out, bytes.ptr[i]);
        strbuf_add_char(out, '\'');
    }
}

struct wording {
    struct strbuf *out;
    struct secrets *secrets;
    struct strbuf plain; /* what has come since the last variable */
};

static void end_plain(struct wording *wording)
{
    if (wording->plain.len != 0)
        shell_add_word(wording->out, strbuf_span(&wording->plain));
    strbuf_reset(&wording->plain);
}

static void add_piece(void *self, const struct secret_piece *piece)
{
    struct wording *wording = self;

    if (piece->secret == NULL) {
        strbuf_add(&wording->plain, piece->text);
        return;
    }
    end_plain(wording);
    strbuf_printf(wording->out, "\"$%s\"", secrets_variable(wording->secrets, piece));
}

void shell_add_secret_word(struct strbuf *out, struct secrets *secrets, const struct secret_text *parts,
                           size_t count)
{
    struct wording wording = { .out = out, .secrets = secrets };
    size_t begin = out->len;

    for (size_t i = 0; i < count; i++)
        if (parts[i].text.len != 0)
            secrets_split(secrets, &parts[i], add_piece, &wording);
    end_plain(&wording);
    if (out->len == begin)
        shell_add_word(out, SPAN(""));
    strbuf_clear(&wording.plain);
}

struct values {
    FILE *out;
    bool as_empty;
};

static void write_value(void *self, const char *name, struct span value, const struct secret *secret)
{
    struct values *values = self;
    struct strbuf line = STRBUF_EMPTY;

    (void)secret;
    strbuf_printf(&line, "%s=", name);
    shell_add_word(&line, values->as_empty ? SPAN("") : value);
    fprintf(values->out, "%s\n", strbuf_text(&line));
    strbuf_clear(&line);
}

void shell_write_values(FILE *out, const struct secrets *secrets, bool as_empty)
{
    struct values values = { out, as_empty };

    fputs("# The secrets of the script beside this file, which reads it. Keep it to yourself.\n", out);
    secrets_each_variable(secrets, true, write_value, &values);
}

void shell_add_comment(struct strbuf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_printable(text.ptr[i]))
            strbuf_add_char(out, text.ptr[i]);
        else
            add_hex(out, text.ptr[i]);
    }
}

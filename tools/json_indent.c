#include "tools/json_indent.h"

#define INDENT_COLUMNS 2
/* Deeper nesting is not indented further: a hostile text would make each byte a long line. */
#define MAX_DEPTH 40

static void add_break(const struct json_indent *indent, struct strbuf *out)
{
    size_t depth = indent->depth < MAX_DEPTH ? indent->depth : MAX_DEPTH;

    strbuf_printf(out, "\n%*s", (int)(depth * INDENT_COLUMNS), "");
}

static void before_token(struct json_indent *indent, struct strbuf *out)
{
    if (indent->is_fresh || indent->wants_break)
        add_break(indent, out);
    else if (indent->has_gap && indent->is_started && !indent->after_colon)
        strbuf_add_char(out, indent->depth == 0 ? '\n' : ' '); /* several texts in a row, or no JSON */
    indent->is_fresh = false;
    indent->wants_break = false;
    indent->has_gap = false;
    indent->after_colon = false;
    indent->is_started = true;
}

static void feed_byte(struct json_indent *indent, char c, struct strbuf *out)
{
    if (indent->in_string) {
        strbuf_add_char(out, c);
        if (indent->after_backslash)
            indent->after_backslash = false;
        else if (c == '\\')
            indent->after_backslash = true;
        else if (c == '"')
            indent->in_string = false;
        return;
    }
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        indent->has_gap = true;
        return;
    case '{':
    case '[':
        before_token(indent, out);
        strbuf_add_char(out, c);
        indent->depth++;
        indent->is_fresh = true;
        break;
    case '}':
    case ']':
        if (indent->depth != 0)
            indent->depth--;
        if (!indent->is_fresh)
            add_break(indent, out);
        indent->is_fresh = false;
        indent->wants_break = false;
        strbuf_add_char(out, c);
        break;
    case ',':
        strbuf_add_char(out, c);
        indent->is_fresh = false;
        indent->wants_break = true;
        break;
    case ':':
        strbuf_add_str(out, ": ");
        indent->after_colon = true;
        break;
    default:
        before_token(indent, out);
        strbuf_add_char(out, c);
        indent->in_string = c == '"';
        break;
    }
    indent->has_gap = false;
    indent->is_started = true;
}

void json_indent_feed(struct json_indent *indent, struct span text, struct strbuf *out)
{
    for (size_t i = 0; i < text.len; i++)
        feed_byte(indent, text.ptr[i], out);
}

bool json_indent_is_json(struct span media_type)
{
    return span_eq(media_type, SPAN("application/json")) || span_eq(media_type, SPAN("text/json")) ||
           span_ends(media_type, SPAN("+json"));
}

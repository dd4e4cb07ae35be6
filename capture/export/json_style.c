#include "capture/export/json_style.h"

/* --- what a document looks like ------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The blanks of the line on which at stands, up to it; ptr NULL: something else stands there. */
static struct span indent_before(struct span text, const char *at)
{
    const char *begin = at;

    while (begin > text.ptr && is_blank(begin[-1]))
        begin--;
    if (begin == text.ptr || begin[-1] != '\n')
        return SPAN_NONE;
    return span_make(begin, (size_t)(at - begin));
}

/* Where a member begins: at the quote before its key. */
static const char *begin_of(const struct json_node *node)
{
    return node->key.ptr != NULL ? node->key.ptr - 1 : node->bytes.ptr;
}

struct json_style json_style_of(const struct json_tree *tree)
{
    struct json_style style = { .unit = SPAN("\t"), .line_end = "\n", .colon = ": ", .comma = "," };
    struct span text = json_tree_text(tree), indent;
    const struct json_node *root = json_tree_node(tree, 0), *first;
    size_t line = span_find(text, '\n');

    if (root->first == JSON_TREE_NONE)
        return style;
    first = json_tree_node(tree, root->first);
    if (line > 0 && line < text.len && text.ptr[line - 1] == '\r')
        style.line_end = "\r\n";
    if (first->key.ptr != NULL && first->key.ptr[first->key.len + 1] == ':' &&
        first->bytes.ptr == first->key.ptr + first->key.len + 2)
        style.colon = ":";
    indent = indent_before(text, begin_of(first));
    if (indent.ptr != NULL) {
        style.unit = indent;
        return style;
    }
    style.is_line = true;
    style.unit = SPAN("");
    if (first->next != JSON_TREE_NONE && is_blank(begin_of(json_tree_node(tree, first->next))[-1]))
        style.comma = ", ";
    return style;
}

/* --- in its looks -------------------------------------------------------------------------------------- */

void json_style_add_break(const struct json_style *style, struct span indent, unsigned depth,
                          struct strbuf *out)
{
    if (style->is_line)
        return;
    strbuf_add_str(out, style->line_end);
    strbuf_add(out, indent);
    for (unsigned i = 0; i < depth; i++)
        strbuf_add(out, style->unit);
}

/* What must be escaped is, and nothing else. */
void json_style_add_string(struct span text, struct strbuf *out)
{
    static const char short_forms[] = "btn?fr"; /* 0x08 to 0x0d */

    strbuf_add_char(out, '"');
    for (size_t i = 0, begin = 0; i <= text.len; i++) {
        unsigned char c = i < text.len ? (unsigned char)text.ptr[i] : '"';

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        strbuf_add(out, span_sub(text, begin, i - begin));
        begin = i + 1;
        if (i == text.len)
            break;
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
            strbuf_printf(out, "\\%c", short_forms[c - 0x08]);
        else
            strbuf_printf(out, "\\u%04x", c);
    }
    strbuf_add_char(out, '"');
}

static void add_value(const struct json_style *style, const json_t *value, struct span indent, unsigned depth,
                      struct strbuf *out);

static void add_array(const struct json_style *style, const json_t *array, struct span indent, unsigned depth,
                      struct strbuf *out)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i != 0)
            strbuf_add_str(out, style->comma);
        json_style_add_break(style, indent, depth + 1, out);
        add_value(style, json_array_get(array, i), indent, depth + 1, out);
    }
    if (json_array_size(array) != 0)
        json_style_add_break(style, indent, depth, out);
    strbuf_add_char(out, ']');
}

static void add_object(const struct json_style *style, const json_t *object, struct span indent,
                       unsigned depth, struct strbuf *out)
{
    const char *key;
    json_t *value;
    size_t count = 0;

    strbuf_add_char(out, '{');
    json_object_foreach ((json_t *)object, key, value) {
        if (count++ != 0)
            strbuf_add_str(out, style->comma);
        json_style_add_break(style, indent, depth + 1, out);
        json_style_add_string(span_of(key), out);
        strbuf_add_str(out, style->colon);
        add_value(style, value, indent, depth + 1, out);
    }
    if (count != 0)
        json_style_add_break(style, indent, depth, out);
    strbuf_add_char(out, '}');
}

static void add_value(const struct json_style *style, const json_t *value, struct span indent, unsigned depth,
                      struct strbuf *out)
{
    char *number;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(style, value, indent, depth, out);
        break;
    case JSON_ARRAY:
        add_array(style, value, indent, depth, out);
        break;
    case JSON_STRING:
        json_style_add_string(span_make(json_string_value(value), json_string_length(value)), out);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        number = json_dumps(value, JSON_ENCODE_ANY);
        strbuf_add_str(out, number);
        free(number);
        break;
    case JSON_TRUE:
        strbuf_add_str(out, "true");
        break;
    case JSON_FALSE:
        strbuf_add_str(out, "false");
        break;
    case JSON_NULL:
        strbuf_add_str(out, "null");
        break;
    }
}

void json_style_add(const struct json_style *style, const json_t *value, struct span indent,
                    struct strbuf *out)
{
    add_value(style, value, indent, 0, out);
}

#include "capture/export/html_field.h"

static const struct html_field kinds[] = {
    { .tag = "input", .key = "name", .holds = "value" },
    { .tag = "meta", .key = "name", .holds = "content" },
    { .tag = "meta", .key = "property", .holds = "content" },
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static size_t skip_blanks(struct span text, size_t at)
{
    while (at < text.len && (is_blank(text.ptr[at]) || text.ptr[at] == '/'))
        at++;
    return at;
}

static size_t name_end(struct span text, size_t at)
{
    while (at < text.len && !is_blank(text.ptr[at]) && text.ptr[at] != '=' && text.ptr[at] != '>' &&
           text.ptr[at] != '/')
        at++;
    return at;
}

/* What follows '='; *at is left behind it. */
static struct span read_value(struct span text, size_t *at)
{
    size_t begin = skip_blanks(text, *at), end;
    char quote = begin < text.len ? text.ptr[begin] : '\0';

    if (quote == '"' || quote == '\'') {
        end = begin + 1 + span_find(span_from(text, begin + 1), quote);
        *at = end < text.len ? end + 1 : end;
        return span_sub(text, begin + 1, end - begin - 1);
    }
    for (end = begin; end < text.len && !is_blank(text.ptr[end]) && text.ptr[end] != '>';)
        end++;
    *at = end;
    return span_sub(text, begin, end - begin);
}

/* The next attribute of a tag; false at its end. value.ptr NULL: it has none. */
static bool next_attribute(struct span text, size_t *at, struct span *out_name, struct span *out_value)
{
    size_t begin = skip_blanks(text, *at), end, equals;

    if (begin >= text.len || text.ptr[begin] == '>')
        return false;
    end = name_end(text, begin);
    end += end == begin; /* a stray '=' */
    *out_name = span_sub(text, begin, end - begin);
    *out_value = SPAN_NONE;
    for (equals = end; equals < text.len && is_blank(text.ptr[equals]);)
        equals++;
    if (equals < text.len && text.ptr[equals] == '=') {
        *at = equals + 1;
        *out_value = read_value(text, at);
    } else {
        *at = end;
    }
    return true;
}

/* text: behind the name of the tag; *out_len: up to its end. */
static bool read_tag(struct span text, const struct html_field *kind, struct html_field *out_field,
                     size_t *out_len)
{
    struct span name, value;

    *out_field = *kind;
    *out_len = 0;
    while (next_attribute(text, out_len, &name, &value)) {
        if (span_ieq(name, span_of(kind->key)))
            out_field->name = value;
        else if (span_ieq(name, span_of(kind->holds)))
            out_field->value = value;
    }
    return out_field->name.len != 0 && out_field->value.len != 0;
}

/* rest: behind a '<'. *out_len: how much of it the tag takes, 0 where none of ours begins. */
static bool find_field(struct span rest, struct html_field *out_field, size_t *out_len)
{
    *out_len = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct span tag = span_of(kinds[i].tag);
        bool is_field;

        if (!span_istarts(rest, tag) || rest.len == tag.len || !is_blank(rest.ptr[tag.len]))
            continue;
        is_field = read_tag(span_from(rest, tag.len), &kinds[i], out_field, out_len);
        *out_len += tag.len;
        if (is_field)
            return true;
    }
    return false;
}

bool html_field_next(struct span *rest, struct html_field *out_field)
{
    bool is_found = false;
    size_t len;

    while (!is_found && rest->len != 0) {
        *rest = span_from(*rest, span_find(*rest, '<'));
        *rest = span_from(*rest, rest->len != 0);
        is_found = find_field(*rest, out_field, &len);
        *rest = span_from(*rest, len);
    }
    return is_found;
}

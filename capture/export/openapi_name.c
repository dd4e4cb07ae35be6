#include "capture/export/openapi_name.h"

#include "capture/export/naming.h"
#include "capture/export/segment.h"

/* More of a path is no name. */
#define MAX_NAME_BYTES 100

/* --- paths --------------------------------------------------------------------------------------------- */

/* What may not stand in a path as it is, or means something in a template. */
static void add_literal(struct strbuf *out, struct span segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.ptr[i];

        if (c <= 0x20 || c >= 0x7f || strchr("{}<>\"\\^`|#?", c) != NULL)
            strbuf_printf(out, "%%%02X", c);
        else
            strbuf_add_char(out, (char)c);
    }
}

bool openapi_name_path(const struct template_path *path, struct strbuf *out_text, struct strbuf *out_key)
{
    struct span rest = strbuf_span(&path->text);
    size_t variable = 0;

    if (rest.len == 0 || rest.ptr[0] != '/')
        return false;
    while (rest.len != 0) {
        struct span segment;
        size_t len;

        rest = span_from(rest, 1); /* the slash: each turn begins at one */
        len = span_find(rest, '/');
        segment = span_sub(rest, 0, len);
        rest = span_from(rest, len);
        strbuf_add_char(out_text, '/');
        strbuf_add_char(out_key, '/');
        if (variable < path->count && span_starts(segment, SPAN(":")) &&
            span_eq(span_from(segment, 1), span_of(path->variables[variable].name))) {
            strbuf_printf(out_text, "{%s}", path->variables[variable++].name);
            strbuf_add_str(out_key, "{}");
        } else {
            add_literal(out_text, segment);
            add_literal(out_key, segment);
        }
    }
    return true;
}

/* --- words --------------------------------------------------------------------------------------------- */

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_word_char(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_variable(struct span segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

/* What says where an API is, not what it has. */
static bool is_prefix(struct span segment, bool is_first)
{
    return segment_is_version(segment, is_first) || (is_first && span_ieq(segment, SPAN("api")));
}

static bool is_named(struct span segment, struct span text, bool is_first, bool is_whole)
{
    return segment.len != 0 && (is_whole || !is_prefix(segment, is_first) || text.len == 0);
}

static void add_words(struct strbuf *out, struct span segment)
{
    bool begins = true;

    for (size_t i = 0; i < segment.len && out->len < MAX_NAME_BYTES; i++) {
        char c = segment.ptr[i];

        if (c == '%' && segment.len - i > 2)
            i += 2;
        if (c == '%' || !is_word_char(c)) {
            begins = true;
            continue;
        }
        strbuf_add_char(out, begins && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        begins = false;
    }
}

void openapi_name_operation(struct strbuf *out, const char *method, struct span text, bool is_whole)
{
    size_t begin;
    bool is_first = true;
    struct span segment;

    strbuf_add_str(out, method);
    begin = out->len;
    while (span_split(&text, '/', &segment)) {
        if (is_named(segment, text, is_first, is_whole)) {
            if (is_variable(segment))
                strbuf_add_str(out, "By");
            add_words(out, segment);
        }
        is_first = is_first && segment.len == 0;
    }
    if (out->len == begin)
        strbuf_add_str(out, "Root");
}

void openapi_name_summary(struct strbuf *out, const char *method, struct span text)
{
    struct strbuf name = STRBUF_EMPTY;
    char last = ' ';

    openapi_name_operation(&name, method, text, false);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (i == 0) {
            strbuf_add_char(out, (char)(c - 'a' + 'A')); /* methods are lower case here */
        } else if (is_upper(c)) {
            if (!is_upper(last))
                strbuf_add_char(out, ' ');
            strbuf_add_char(out, (char)(c - 'A' + 'a'));
        } else {
            strbuf_add_char(out, c);
        }
        last = c;
    }
    strbuf_clear(&name);
}

void openapi_name_tag(struct strbuf *out, struct span text)
{
    struct strbuf literals = STRBUF_EMPTY;
    bool is_first = true;
    struct span segment;

    while (span_split(&text, '/', &segment)) {
        if (is_named(segment, text, is_first, false) && !is_variable(segment)) {
            strbuf_add_char(&literals, '/');
            strbuf_add(&literals, segment);
        }
        is_first = is_first && segment.len == 0;
    }
    if (naming_find_resource(strbuf_span(&literals), &segment))
        strbuf_add(out, segment);
    else
        strbuf_add_str(out, "root");
    strbuf_clear(&literals);
}

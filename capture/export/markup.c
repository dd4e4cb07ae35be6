#include "capture/export/markup.h"

/* What tells HTML from XML is within so many bytes of the beginning. */
#define HTML_FRONT_BYTES 512

struct walk {
    struct span text;
    bool is_html;
    struct span key; /* what the element before said that the next one is; ptr NULL: nothing */
    void (*each)(void *self, const struct markup_value *value);
    void *self;
};

struct tag {
    struct span name;
    struct span called, value; /* what its attributes say that it is, and has; ptr NULL: they don't */
    size_t end;                /* behind it */
    bool is_empty;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static struct span trim(struct span text)
{
    while (text.len != 0 && is_blank(text.ptr[0]))
        text = span_from(text, 1);
    while (text.len != 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

bool markup_is(struct span text)
{
    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    text = trim(text);
    return text.len > 1 && text.ptr[0] == '<' &&
           (is_letter(text.ptr[1]) || text.ptr[1] == '?' || text.ptr[1] == '!');
}

bool markup_is_html(struct span text)
{
    text.len = text.len < HTML_FRONT_BYTES ? text.len : HTML_FRONT_BYTES;
    for (size_t at; (at = span_find(text, '<')) < text.len; text = span_from(text, 1)) {
        text = span_from(text, at);
        if (span_istarts(text, SPAN("<html")) || span_istarts(text, SPAN("<!doctype html")))
            return true;
    }
    return false;
}

/* Behind mark, at or after at; the end of the text: it is not there. */
static size_t behind(struct span text, size_t at, struct span mark)
{
    const char *found = at < text.len ? memmem(text.ptr + at, text.len - at, mark.ptr, mark.len) : NULL;

    return found != NULL ? (size_t)(found - text.ptr) + mark.len : text.len;
}

static struct span local_name(struct span name)
{
    size_t colon = span_find(name, ':');

    return colon < name.len ? span_from(name, colon + 1) : name;
}

static void tell(const struct walk *walk, struct markup_value value)
{
    if (value.name.len != 0 && value.value.len != 0)
        walk->each(walk->self, &value);
}

/* --- tags ---------------------------------------------------------------------------------------------- */

static bool is_any(struct span name, const struct span *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_ieq(name, words[i]))
            return true;
    return false;
}

static void take_attribute(const struct walk *walk, struct tag *tag, struct span name, struct span value)
{
    static const struct span addresses[] = { SPAN("href"), SPAN("src"), SPAN("action"), SPAN("formaction") };

    if (span_starts(name, SPAN("xmlns")))
        return;
    name = local_name(name);
    if (is_any(name, addresses, sizeof(addresses) / sizeof(addresses[0]))) {
        tell(walk, (struct markup_value){ .name = name, .value = value, .is_address = true });
        return;
    }
    if (span_ieq(name, SPAN("name")) || span_ieq(name, SPAN("key")) ||
        (span_ieq(name, SPAN("id")) && tag->called.ptr == NULL))
        tag->called = value;
    else if (span_ieq(name, SPAN("value")) || span_ieq(name, SPAN("content")))
        tag->value = value;
    if (!walk->is_html)
        tell(walk, (struct markup_value){ .name = name, .value = value });
}

/* A value as HTML and XML may have it: quoted, or up to a blank. Returns what is behind it. */
static size_t take_value(struct span text, size_t at, struct span *out_value)
{
    size_t begin = at;

    if (at < text.len && (text.ptr[at] == '"' || text.ptr[at] == '\'')) {
        *out_value = span_sub(text, at + 1, span_find(span_from(text, at + 1), text.ptr[at]));
        at += out_value->len + 1;
        return at < text.len ? at + 1 : at;
    }
    while (at < text.len && !is_blank(text.ptr[at]) && text.ptr[at] != '>')
        at++;
    *out_value = span_sub(text, begin, at - begin);
    return at;
}

static size_t skip_blanks(struct span text, size_t at)
{
    while (at < text.len && is_blank(text.ptr[at]))
        at++;
    return at;
}

static size_t name_end(struct span text, size_t at)
{
    while (at < text.len && !is_blank(text.ptr[at]) && text.ptr[at] != '>' && text.ptr[at] != '/' &&
           text.ptr[at] != '=')
        at++;
    return at;
}

/* At its '<'. */
static struct tag take_tag(const struct walk *walk, size_t at)
{
    struct span text = walk->text;
    size_t end = name_end(text, at + 1);
    struct tag tag = { .name = local_name(span_sub(text, at + 1, end - at - 1)) };

    for (at = skip_blanks(text, end); at < text.len && text.ptr[at] != '>'; at = skip_blanks(text, at)) {
        struct span name, value;

        tag.is_empty = text.ptr[at] == '/';
        end = name_end(text, at);
        if (end == at) {
            at++;
            continue;
        }
        name = span_sub(text, at, end - at);
        at = skip_blanks(text, end);
        if (at == text.len || text.ptr[at] != '=')
            continue;
        at = take_value(text, skip_blanks(text, at + 1), &value);
        take_attribute(walk, &tag, name, value);
    }
    tag.end = at < text.len ? at + 1 : at;
    tell(walk, (struct markup_value){ .name = tag.called, .value = tag.value });
    return tag;
}

/* --- what is in elements ------------------------------------------------------------------------------- */

/* The text of an element that has nothing else in it, from at on. */
static bool find_text(struct span text, size_t at, struct markup_value *out_value)
{
    static const struct span begin = { "<![CDATA[", 9 };
    size_t first = skip_blanks(text, at), end;

    out_value->is_plain = span_starts(span_from(text, first), begin);
    if (out_value->is_plain) {
        end = behind(text, first, SPAN("]]>"));
        if (end == text.len)
            return false;
        out_value->value = trim(span_sub(text, first + begin.len, end - 3 - first - begin.len));
        end = skip_blanks(text, end);
    } else {
        end = at + span_find(span_from(text, at), '<');
        out_value->value = trim(span_sub(text, at, end - at));
    }
    return end + 1 < text.len && text.ptr[end] == '<' && text.ptr[end + 1] == '/';
}

static void take_text(struct walk *walk, const struct tag *tag)
{
    static const struct span keys[] = { SPAN("key"), SPAN("name") };
    struct markup_value value = { .name = tag->name };

    if (!find_text(walk->text, tag->end, &value))
        return;
    tell(walk, value);
    value.name = tag->called.ptr != NULL ? tag->called : walk->key;
    tell(walk, value);
    walk->key = is_any(tag->name, keys, 2) ? value.value : SPAN_NONE;
}

/* What follows is no markup up to the element's own end. Returns where that is. */
static size_t take_script(const struct walk *walk, const struct tag *tag)
{
    size_t end = tag->end;

    while (end < walk->text.len && !(span_starts(span_from(walk->text, end), SPAN("</")) &&
                                     span_istarts(span_from(walk->text, end + 2), tag->name)))
        end += 1 + span_find(span_from(walk->text, end + 1), '<');
    tell(walk, (struct markup_value){ .name = tag->name,
                                      .value = trim(span_sub(walk->text, tag->end, end - tag->end)),
                                      .is_plain = true });
    return end;
}

static size_t take_element(struct walk *walk, size_t at)
{
    static const struct span scripts[] = { SPAN("script"), SPAN("style") };
    struct tag tag = take_tag(walk, at);

    if (tag.is_empty)
        return tag.end;
    if (walk->is_html)
        return is_any(tag.name, scripts, 2) ? take_script(walk, &tag) : tag.end;
    take_text(walk, &tag);
    return tag.end;
}

void markup_each(struct span text, bool is_html, void (*each)(void *self, const struct markup_value *value),
                 void *self)
{
    struct walk walk = { .text = text, .is_html = is_html, .each = each, .self = self };
    size_t at = 0;

    while ((at += span_find(span_from(text, at), '<')) < text.len) {
        struct span rest = span_from(text, at);

        if (span_starts(rest, SPAN("<!--")))
            at = behind(text, at, SPAN("-->"));
        else if (span_starts(rest, SPAN("<![CDATA[")))
            at = behind(text, at, SPAN("]]>"));
        else if (rest.len > 1 && is_letter(rest.ptr[1]))
            at = take_element(&walk, at);
        else
            at++;
    }
}

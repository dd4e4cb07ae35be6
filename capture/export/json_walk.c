/* No recursion: the path itself is the stack. Before each value the walk is in one of the states below; a
 * value that is whole leads to after_value, which looks at the container it stands in. */
#include "capture/export/json_walk.h"

#include <string.h>

#include "proxy/base/utf8.h"

struct walk {
    const char *at, *end;
    const struct json_walk_events *events;
    void *self;
    enum json_walk_answer answer; /* of a step that returned false */
    size_t depth;
    struct json_walk_step path[JSON_WALK_MAX_DEPTH];
};

static bool fail(struct walk *walk, enum json_walk_answer answer)
{
    walk->answer = answer;
    return false;
}

/* What stands at the front is not what must be there: a text that ends here may only have been cut. */
static bool fail_here(struct walk *walk)
{
    return fail(walk, walk->at == walk->end ? JSON_WALK_CUT : JSON_WALK_WRONG);
}

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->end &&
           (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\r' || *walk->at == '\t'))
        walk->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* --- leaves -------------------------------------------------------------------------------------------- */

static bool take_escape(struct walk *walk)
{
    char c;

    walk->at++; /* the backslash */
    if (walk->at == walk->end)
        return fail(walk, JSON_WALK_CUT);
    c = *walk->at++;
    if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
        return fail(walk, JSON_WALK_WRONG);
    for (int i = 0; c == 'u' && i < 4; i++) {
        if (walk->at == walk->end || !is_hex(*walk->at))
            return fail_here(walk);
        walk->at++;
    }
    return true;
}

/* One code point above ASCII. */
static bool take_wide(struct walk *walk)
{
    struct span rest = span_make(walk->at, (size_t)(walk->end - walk->at));
    size_t len = utf8_front(rest);

    if (len == 0)
        return fail(walk, rest.len < 4 && utf8_whole(rest).len == 0 ? JSON_WALK_CUT : JSON_WALK_WRONG);
    walk->at += len;
    return true;
}

/* At the opening quote; leaves what is between the quotes. */
static bool take_string(struct walk *walk, struct span *out_raw)
{
    const char *begin = ++walk->at;

    for (;;) {
        unsigned char c;

        if (walk->at == walk->end)
            return fail(walk, JSON_WALK_CUT);
        c = (unsigned char)*walk->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return fail(walk, JSON_WALK_WRONG);
        if (c == '\\') {
            if (!take_escape(walk))
                return false;
        } else if (c < 0x80) {
            walk->at++;
        } else if (!take_wide(walk)) {
            return false;
        }
    }
    *out_raw = span_make(begin, (size_t)(walk->at - begin));
    walk->at++;
    return true;
}

static bool take_digits(struct walk *walk)
{
    if (walk->at == walk->end || !is_digit(*walk->at))
        return fail_here(walk);
    while (walk->at < walk->end && is_digit(*walk->at))
        walk->at++;
    return true;
}

static bool take_number(struct walk *walk, struct json_walk_value *value)
{
    const char *begin = walk->at;

    value->kind = JSON_WALK_INTEGER;
    if (*walk->at == '-')
        walk->at++;
    if (walk->at < walk->end && *walk->at == '0')
        walk->at++;
    else if (!take_digits(walk))
        return false;
    if (walk->at < walk->end && *walk->at == '.') {
        value->kind = JSON_WALK_NUMBER;
        walk->at++;
        if (!take_digits(walk))
            return false;
    }
    if (walk->at < walk->end && (*walk->at == 'e' || *walk->at == 'E')) {
        value->kind = JSON_WALK_NUMBER;
        walk->at++;
        if (walk->at < walk->end && (*walk->at == '+' || *walk->at == '-'))
            walk->at++;
        if (!take_digits(walk))
            return false;
    }
    /* A number that the text ends with may go on, unless it is all there is. */
    if (walk->at == walk->end && walk->depth != 0)
        return fail(walk, JSON_WALK_CUT);
    value->bytes = span_make(begin, (size_t)(walk->at - begin));
    return true;
}

static bool take_word(struct walk *walk, enum json_walk_kind kind, struct span word,
                      struct json_walk_value *value)
{
    size_t left = (size_t)(walk->end - walk->at), len = left < word.len ? left : word.len;

    if (memcmp(walk->at, word.ptr, len) != 0)
        return fail(walk, JSON_WALK_WRONG);
    if (len < word.len)
        return fail(walk, JSON_WALK_CUT);
    value->kind = kind;
    value->bytes = span_make(walk->at, len);
    walk->at += len;
    return true;
}

/* --- the walk ------------------------------------------------------------------------------------------ */

static bool show(struct walk *walk, struct json_walk_value *value)
{
    value->path = walk->path;
    value->depth = walk->depth;
    if (walk->events != NULL && !walk->events->on_value(walk->self, value))
        return fail(walk, JSON_WALK_STOPPED);
    return true;
}

static void close_container(struct walk *walk)
{
    walk->at++;
    walk->depth--;
    if (walk->events != NULL && walk->events->on_close != NULL)
        walk->events->on_close(walk->self, walk->depth);
}

/* The key of the next member, and its colon; what is above the key is its index. */
static bool take_key(struct walk *walk)
{
    skip_blanks(walk);
    if (walk->at == walk->end || *walk->at != '"')
        return fail_here(walk);
    if (!take_string(walk, &walk->path[walk->depth - 1].key))
        return false;
    skip_blanks(walk);
    if (walk->at == walk->end || *walk->at != ':')
        return fail_here(walk);
    walk->at++;
    return true;
}

/* *out_is_empty: it was closed at once, and is a whole value. */
static bool open_container(struct walk *walk, struct json_walk_value *value, bool *out_is_empty)
{
    bool is_object = *walk->at == '{';

    value->kind = is_object ? JSON_WALK_OBJECT : JSON_WALK_ARRAY;
    value->bytes = span_make(walk->at, 1);
    if (!show(walk, value))
        return false;
    if (walk->depth == JSON_WALK_MAX_DEPTH)
        return fail(walk, JSON_WALK_WRONG);
    walk->path[walk->depth++] = (struct json_walk_step){ .key = SPAN_NONE };
    walk->at++;
    skip_blanks(walk);
    *out_is_empty = walk->at < walk->end && *walk->at == (is_object ? '}' : ']');
    if (*out_is_empty)
        close_container(walk);
    else if (is_object)
        return take_key(walk);
    return true;
}

/* *out_is_whole: the value is behind us; else its first element is what comes next. */
static bool take_value(struct walk *walk, bool *out_is_whole)
{
    struct json_walk_value value = { .kind = JSON_WALK_STRING };
    bool ok;

    skip_blanks(walk);
    *out_is_whole = true;
    if (walk->at == walk->end)
        return fail(walk, JSON_WALK_CUT);
    switch (*walk->at) {
    case '{':
    case '[':
        return open_container(walk, &value, out_is_whole);
    case '"':
        ok = take_string(walk, &value.bytes);
        break;
    case 't':
        ok = take_word(walk, JSON_WALK_BOOL, SPAN("true"), &value);
        break;
    case 'f':
        ok = take_word(walk, JSON_WALK_BOOL, SPAN("false"), &value);
        break;
    case 'n':
        ok = take_word(walk, JSON_WALK_NULL, SPAN("null"), &value);
        break;
    default:
        if (*walk->at != '-' && !is_digit(*walk->at))
            return fail(walk, JSON_WALK_WRONG);
        ok = take_number(walk, &value);
    }
    return ok && show(walk, &value);
}

/* Behind a whole value: closes what ends here. False also at the end of it all, with JSON_WALK_DONE. */
static bool take_next(struct walk *walk)
{
    while (walk->depth != 0) {
        struct json_walk_step *step = &walk->path[walk->depth - 1];
        bool is_object = step->key.ptr != NULL;

        skip_blanks(walk);
        if (walk->at == walk->end)
            return fail(walk, JSON_WALK_CUT);
        if (*walk->at == ',') {
            walk->at++;
            step->index++;
            return !is_object || take_key(walk);
        }
        if (*walk->at != (is_object ? '}' : ']'))
            return fail(walk, JSON_WALK_WRONG);
        close_container(walk);
    }
    skip_blanks(walk);
    return fail(walk, walk->at == walk->end ? JSON_WALK_DONE : JSON_WALK_WRONG);
}

enum json_walk_answer json_walk(struct span text, const struct json_walk_events *events, void *self)
{
    struct walk walk;
    bool is_whole;

    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    if (text.ptr == NULL)
        text = SPAN("");
    walk.at = text.ptr;
    walk.end = text.ptr + text.len;
    walk.events = events;
    walk.self = self;
    walk.answer = JSON_WALK_DONE;
    walk.depth = 0;
    while (take_value(&walk, &is_whole) && (!is_whole || take_next(&walk)))
        ;
    return walk.answer;
}

/* --- text ---------------------------------------------------------------------------------------------- */

static unsigned hex4(const char *at)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++) {
        char c = at[i];

        value = value * 16 + (unsigned)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static void add_code_point(struct strbuf *out, unsigned code)
{
    char bytes[UTF8_MAX_BYTES];

    strbuf_add(out, span_make(bytes, utf8_put(bytes, code)));
}

/* What follows "\u"; returns how many bytes of it were taken. */
static size_t add_unicode_escape(struct strbuf *out, struct span rest)
{
    unsigned code = hex4(rest.ptr), low = 0;
    bool has_low = rest.len >= 10 && rest.ptr[4] == '\\' && rest.ptr[5] == 'u';

    if (has_low)
        low = hex4(rest.ptr + 6);
    if (code >= 0xd800 && code < 0xdc00 && has_low && low >= 0xdc00 && low < 0xe000) {
        add_code_point(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        return 10;
    }
    add_code_point(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return 4;
}

void json_walk_unescape(struct strbuf *out, struct span raw)
{
    size_t at;

    while ((at = span_find(raw, '\\')) < raw.len) {
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *known;

        strbuf_add(out, span_sub(raw, 0, at));
        raw = span_from(raw, at + 1);
        known = strchr(from, raw.ptr[0]);
        if (raw.ptr[0] == 'u') {
            raw = span_from(raw, 1);
            raw = span_from(raw, add_unicode_escape(out, raw));
        } else {
            strbuf_add_char(out, known != NULL ? to[known - from] : raw.ptr[0]);
            raw = span_from(raw, 1);
        }
    }
    strbuf_add(out, raw);
}

void json_walk_pointer(struct strbuf *out, const struct json_walk_step *path, size_t depth)
{
    struct strbuf key = STRBUF_EMPTY;

    for (size_t i = 0; i < depth; i++) {
        strbuf_add_char(out, '/');
        if (path[i].key.ptr == NULL) {
            strbuf_printf(out, "%llu", (unsigned long long)path[i].index);
            continue;
        }
        strbuf_reset(&key);
        json_walk_unescape(&key, path[i].key);
        for (size_t c = 0; c < key.len; c++) {
            if (key.ptr[c] == '~')
                strbuf_add_str(out, "~0");
            else if (key.ptr[c] == '/')
                strbuf_add_str(out, "~1");
            else
                strbuf_add_char(out, key.ptr[c]);
        }
    }
    strbuf_clear(&key);
}

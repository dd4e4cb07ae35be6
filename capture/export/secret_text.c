#include "capture/export/secret_text.h"

#include "capture/export/markup.h"
#include "capture/export/multipart.h"
#include "capture/export/secret_form.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"

/* JSON in a string in JSON is common, deeper is a riddle. */
#define MAX_INNER 2
/* Objects and arrays in each other; further in, a leaf has the name of the last one counted. */
#define MAX_DEPTH 64

struct walk {
    void (*each)(void *self, const struct secret_leaf *leaf);
    void *self;
    unsigned inner;  /* decoded text of how many leaves this is: nothing stands in the text as it is */
    bool is_shifted; /* spelled is not in the text */
};

static void walk_json(const struct walk *walk, struct span text);
static void walk_url(const struct walk *walk, struct span url);

static bool is_json(struct span text)
{
    text = span_trim(text);
    return text.len > 1 && (text.ptr[0] == '{' || text.ptr[0] == '[');
}

static bool is_url(struct span text)
{
    size_t colon;

    while ((colon = span_find(text, ':')) < text.len) {
        text = span_from(text, colon + 1);
        if (span_starts(text, SPAN("//")))
            return true;
    }
    return false;
}

/* A value that is text with names itself. */
static void walk_inner(const struct walk *walk, const struct secret_leaf *leaf)
{
    struct walk inner = { .each = walk->each, .self = walk->self, .inner = walk->inner + 1 };

    if (inner.inner > MAX_INNER || leaf->place == SECRET_PLACE_NUMBER)
        return;
    inner.is_shifted = walk->is_shifted || leaf->value.ptr != leaf->spelled.ptr;
    if (is_json(leaf->value))
        walk_json(&inner, leaf->value);
    else if (is_url(leaf->value))
        walk_url(&inner, leaf->value);
}

static void tell(const struct walk *walk, struct secret_leaf leaf)
{
    if (walk->is_shifted)
        leaf.spelled = SPAN_NONE;
    walk->each(walk->self, &leaf);
    walk_inner(walk, &leaf);
}

/* How much of text stands for itself. */
static size_t plain_front(enum secret_form form, struct span text)
{
    size_t len = 0;

    if (form == SECRET_ESCAPED)
        return span_find(text, '\\');
    while (len < text.len && (secret_form_specials[(unsigned char)text.ptr[len]] >> form & 1) == 0)
        len++;
    return len;
}

/* Decoded where that makes a difference: borrowed from text or from buf. */
static struct span decoded(enum secret_form form, struct span text, struct strbuf *buf)
{
    char unit[SECRET_FORM_UNIT];
    size_t plain = plain_front(form, text), len;

    if (plain == text.len)
        return text;
    strbuf_reset(buf);
    while (text.len != 0) {
        strbuf_add(buf, span_sub(text, 0, plain));
        text = span_from(text, plain);
        if (text.len != 0) {
            text = span_from(text, secret_form_read(form, text, unit, &len));
            strbuf_add(buf, span_make(unit, len));
        }
        plain = plain_front(form, text);
    }
    return strbuf_span(buf);
}

/* --- pairs --------------------------------------------------------------------------------------------- */

static void walk_pairs(const struct walk *walk, struct span text)
{
    struct strbuf name = STRBUF_EMPTY, value = STRBUF_EMPTY;
    struct span pair;

    while (span_split(&text, '&', &pair)) {
        size_t equals = span_find(pair, '=');
        struct span spelled;

        if (equals == pair.len)
            continue;
        spelled = span_from(pair, equals + 1);
        tell(walk, (struct secret_leaf){ .place = SECRET_PLACE_PAIR,
                                         .name = decoded(SECRET_FORM, span_sub(pair, 0, equals), &name),
                                         .value = decoded(SECRET_FORM, spelled, &value),
                                         .spelled = spelled });
    }
    strbuf_clear(&name);
    strbuf_clear(&value);
}

/* Its query and its fragment, where tokens of the implicit flow are, and the password before its host. */
static void walk_url(const struct walk *walk, struct span url)
{
    size_t hash = span_find(url, '#'), question = span_find(span_sub(url, 0, hash), '?');
    const char *scheme = memmem(url.ptr, question, "://", 3);

    if (scheme != NULL) {
        struct span authority = span_make(scheme + 3, question - (size_t)(scheme + 3 - url.ptr));
        size_t at, colon;

        authority.len = span_find(authority, '/');
        at = span_find(authority, '@');
        colon = span_find(span_sub(authority, 0, at), ':');
        if (at < authority.len && colon < at) {
            struct span password = span_sub(authority, colon + 1, at - colon - 1);
            struct strbuf buf = STRBUF_EMPTY;

            tell(walk, (struct secret_leaf){ .place = SECRET_PLACE_PAIR,
                                             .name = SPAN("password"),
                                             .value = decoded(SECRET_PERCENT, password, &buf),
                                             .spelled = password });
            strbuf_clear(&buf);
        }
    }
    if (question < hash)
        walk_pairs(walk, span_sub(url, question + 1, hash - question - 1));
    if (hash < url.len)
        walk_pairs(walk, span_from(url, hash + 1));
}

/* --- JSON ---------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(struct span text, size_t at)
{
    while (at < text.len && is_blank(text.ptr[at]))
        at++;
    return at;
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (unsigned char)(c))

/* Whether some of eight bytes is 0. */
static bool has_zero(uint64_t eight)
{
    return ((eight - EACH_BYTE(1)) & ~eight & EACH_BYTE(0x80)) != 0;
}

/* Where the quote is that ends the string whose first character is at. */
static size_t string_end(struct span text, size_t at)
{
    uint64_t eight;

    while (at < text.len && text.ptr[at] != '"') {
        if (text.ptr[at] == '\\') {
            at += 2;
            continue;
        }
        at++;
        for (; text.len - at >= sizeof eight; at += sizeof eight) {
            memcpy(&eight, text.ptr + at, sizeof eight);
            if (has_zero(eight ^ EACH_BYTE('"')) || has_zero(eight ^ EACH_BYTE('\\')))
                break;
        }
    }
    return at < text.len ? at : text.len;
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static void walk_json(const struct walk *walk, struct span text)
{
    struct strbuf name_buf = STRBUF_EMPTY, value_buf = STRBUF_EMPTY;
    struct span names[MAX_DEPTH] = { SPAN_NONE }, key = SPAN_NONE;
    size_t depth = 0, at = 0;

    while ((at = skip_blanks(text, at)) < text.len) {
        char c = text.ptr[at];
        size_t end = at + 1;
        struct span spelled = SPAN_NONE;

        if (c == '"') {
            end = string_end(text, at + 1);
            spelled = span_sub(text, at + 1, end - at - 1);
            end = skip_blanks(text, end < text.len ? end + 1 : end);
            if (end < text.len && text.ptr[end] == ':') {
                key = spelled;
                at = end + 1;
                continue;
            }
        } else if ((c >= '0' && c <= '9') || c == '-') {
            while (end < text.len && is_number_char(text.ptr[end]))
                end++;
            spelled = span_sub(text, at, end - at);
        } else if (c == '{' || c == '[') {
            depth++;
            if (depth < MAX_DEPTH)
                names[depth] = key;
        } else if (c == '}' || c == ']') {
            depth -= depth != 0;
            key = SPAN_NONE;
        } else if (c == ',') {
            key = SPAN_NONE;
        }
        if (spelled.ptr != NULL) {
            struct span name = key.ptr != NULL ? key : names[depth < MAX_DEPTH ? depth : MAX_DEPTH - 1];

            tell(walk, (struct secret_leaf){
                           .place = c == '"' ? SECRET_PLACE_LEAF : SECRET_PLACE_NUMBER,
                           .name = name.ptr != NULL ? decoded(SECRET_ESCAPED, name, &name_buf) : SPAN(""),
                           .value = decoded(SECRET_ESCAPED, spelled, &value_buf),
                           .spelled = spelled });
        }
        at = end;
    }
    strbuf_clear(&name_buf);
    strbuf_clear(&value_buf);
}

/* --- multipart ----------------------------------------------------------------------------------------- */

static void walk_multipart(const struct walk *walk, struct span type, struct span body)
{
    struct multipart_part *parts = mem_array(struct multipart_part, MULTIPART_MAX_PARTS);
    struct strbuf boundary = STRBUF_EMPTY;
    size_t count = 0;

    if (text_parameter(type, SPAN("boundary"), &boundary) &&
        multipart_parse(body, strbuf_span(&boundary), parts, MULTIPART_MAX_PARTS, &count))
        for (size_t i = 0; i < count; i++)
            tell(walk, (struct secret_leaf){ .place = SECRET_PLACE_PART,
                                             .name = parts[i].name,
                                             .value = parts[i].value,
                                             .spelled = parts[i].value });
    strbuf_clear(&boundary);
    mem_free(parts);
}

/* --- XML and HTML -------------------------------------------------------------------------------------- */

static void tell_markup(void *self, const struct markup_value *value)
{
    const struct walk *walk = self;
    struct strbuf buf = STRBUF_EMPTY;
    struct secret_leaf leaf = { .place = SECRET_PLACE_MARKUP,
                                .name = value->name,
                                .value =
                                    value->is_plain ? value->value : decoded(SECRET_HTML, value->value, &buf),
                                .spelled = value->value };
    struct walk inner = *walk;

    if (value->is_address) { /* most are relative */
        inner.is_shifted = walk->is_shifted || leaf.value.ptr != leaf.spelled.ptr;
        walk_url(&inner, leaf.value);
    } else {
        tell(walk, leaf);
    }
    strbuf_clear(&buf);
}

static void walk_markup(const struct walk *walk, struct span text, bool is_html)
{
    markup_each(text, is_html, tell_markup, (void *)walk);
}

/* --- header fields ------------------------------------------------------------------------------------- */

static void walk_authorization(const struct walk *walk, struct span value)
{
    size_t blank = span_find(value, ' '), colon;
    struct span scheme = span_sub(value, 0, blank), rest = span_trim(span_from(value, blank));
    struct strbuf credentials = STRBUF_EMPTY;

    if (blank == value.len) { /* an API's own way: all of it is the secret */
        scheme = SPAN("");
        rest = value;
    }
    tell(walk,
         (struct secret_leaf){ .place = SECRET_PLACE_AUTH, .name = scheme, .value = rest, .spelled = rest });
    if (span_ieq(scheme, SPAN("Basic")) && base64_read(&credentials, rest) &&
        (colon = span_find(strbuf_span(&credentials), ':')) < credentials.len)
        tell(walk, (struct secret_leaf){ .place = SECRET_PLACE_PAIR,
                                         .name = SPAN("password"),
                                         .value = span_from(strbuf_span(&credentials), colon + 1) });
    strbuf_clear(&credentials);
}

static void walk_cookie(const struct walk *walk, struct span rest)
{
    struct span name, value;

    while (cookie_next(&rest, &name, &value))
        tell(walk, (struct secret_leaf){
                       .place = SECRET_PLACE_COOKIE, .name = name, .value = value, .spelled = value });
}

static void walk_field(const struct walk *walk, struct span name, struct span value)
{
    static const char *const urls[] = {
        "Location", "Referer", "Content-Location", ":path", "Refresh", "Link"
    };

    if (span_ieq(name, SPAN("Authorization")) || span_ieq(name, SPAN("Proxy-Authorization"))) {
        walk_authorization(walk, value);
        return;
    }
    if (span_ieq(name, SPAN("Cookie")) || span_ieq(name, SPAN("Set-Cookie"))) {
        if (span_ieq(name, SPAN("Set-Cookie")))
            value.len = span_find(value, ';');
        walk_cookie(walk, value);
        return;
    }
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        if (span_ieq(name, span_of(urls[i]))) {
            walk_url(walk, value);
            return;
        }
    }
    tell(walk,
         (struct secret_leaf){ .place = SECRET_PLACE_FIELD, .name = name, .value = value, .spelled = value });
}

/* --- texts --------------------------------------------------------------------------------------------- */

/* By what it begins with. */
static enum secret_text_kind kind_of(struct span text)
{
    struct span front = span_sub(text, 0, text.len < 64 ? text.len : 64);

    return is_json(front)         ? SECRET_TEXT_JSON
           : !markup_is(front)    ? SECRET_TEXT_PLAIN
           : markup_is_html(text) ? SECRET_TEXT_HTML
                                  : SECRET_TEXT_XML;
}

struct secret_text secret_text_of_body(const struct record *record, enum http_role direction,
                                       struct span body)
{
    struct span type = direction == HTTP_REQUEST ? record->request_type : record->response_type;
    struct secret_text text = {
        .text = body, .record = record, .is_response = direction == HTTP_RESPONSE, .is_body = true
    };

    record_find(direction == HTTP_REQUEST ? &record->request_headers : &record->response_headers,
                SPAN("Content-Type"), &text.name);
    if (span_eq(type, SPAN("application/x-www-form-urlencoded")))
        text.kind = SECRET_TEXT_QUERY;
    else if (span_eq(type, SPAN("multipart/form-data")))
        text.kind = SECRET_TEXT_MULTIPART;
    else if (span_ends(type, SPAN("json")))
        text.kind = SECRET_TEXT_JSON;
    else
        text.kind = kind_of(body);
    if (text.kind == SECRET_TEXT_PLAIN && span_ends(type, SPAN("xml")))
        text.kind = SECRET_TEXT_XML;
    if ((text.kind == SECRET_TEXT_PLAIN || text.kind == SECRET_TEXT_XML) && span_eq(type, SPAN("text/html")))
        text.kind = SECRET_TEXT_HTML;
    return text;
}

struct secret_text secret_text_of_field(const struct record *record, enum http_role direction,
                                        const struct record_field *field)
{
    return (struct secret_text){ .kind = SECRET_TEXT_FIELD,
                                 .text = field->value,
                                 .name = field->name,
                                 .record = record,
                                 .is_response = direction == HTTP_RESPONSE };
}

struct secret_text secret_text_of_message(const struct record *record, enum http_role direction,
                                          struct span payload)
{
    return (struct secret_text){
        .kind = kind_of(payload), .text = payload, .record = record, .is_response = direction == HTTP_RESPONSE
    };
}

struct secret_text secret_text_of_query(const struct record *record)
{
    return (struct secret_text){ .kind = SECRET_TEXT_QUERY, .text = record->query, .record = record };
}

void secret_text_each(const struct secret_text *text,
                      void (*each)(void *self, const struct secret_leaf *leaf), void *self)
{
    struct walk walk = { .each = each, .self = self };

    switch (text->kind) {
    case SECRET_TEXT_PLAIN:
        break;
    case SECRET_TEXT_QUERY:
        walk_pairs(&walk, text->text);
        break;
    case SECRET_TEXT_URL:
        walk_url(&walk, text->text);
        break;
    case SECRET_TEXT_FIELD:
        walk_field(&walk, text->name, text->text);
        break;
    case SECRET_TEXT_JSON:
        walk_json(&walk, text->text);
        break;
    case SECRET_TEXT_MULTIPART:
        walk_multipart(&walk, text->name, text->text);
        break;
    case SECRET_TEXT_XML:
    case SECRET_TEXT_HTML:
        walk_markup(&walk, text->text, text->kind == SECRET_TEXT_HTML);
        break;
    }
}

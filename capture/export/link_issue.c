#include "capture/export/link_issue.h"

#include <string.h>

#include "capture/export/policy.h"
#include "capture/export/secret_form.h"
#include "capture/export/singular.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"

#define MIN_VALUE_BYTES 8
/* JavaScript has no more exact digits than these. */
#define MAX_INTEGER_DIGITS 15

struct walk {
    struct link_issue issue; /* what all have in common */
    void (*each)(void *self, const struct link_issue *issue);
    void *self;
    struct strbuf value;
};

static void tell(struct walk *walk, struct link_issue issue)
{
    issue.record = walk->issue.record;
    if (issue.value.len != 0 && issue.value.len <= LINK_MAX_VALUE)
        walk->each(walk->self, &issue);
}

static struct span decoded(enum secret_form form, struct span text, struct strbuf *buf)
{
    char unit[SECRET_FORM_UNIT];
    size_t len;

    strbuf_reset(buf);
    while (text.len != 0) {
        text = span_from(text, secret_form_read(form, text, unit, &len));
        strbuf_add(buf, span_make(unit, len));
    }
    return strbuf_span(buf);
}

/* --- the head ------------------------------------------------------------------------------------------ */

static void walk_cookie(struct walk *walk, struct span line)
{
    struct set_cookie cookie;
    struct err err; /* a line that no client takes issues nothing */
    struct span value;

    if (!set_cookie_parse(line, &cookie, &err))
        return;
    value = decoded(SECRET_PERCENT, cookie.value, &walk->value);
    tell(walk, (struct link_issue){ .kind = LINK_FROM_COOKIE, .name = cookie.name, .value = value });
    if (!span_eq(value, cookie.value))
        tell(walk, (struct link_issue){
                       .kind = LINK_FROM_COOKIE_ENCODED, .name = cookie.name, .value = cookie.value });
}

static void walk_pairs(struct walk *walk, enum link_issue_kind kind, struct span text)
{
    struct span pair;

    while (span_split(&text, '&', &pair)) {
        size_t equals = span_find(pair, '=');

        if (equals < pair.len)
            tell(walk, (struct link_issue){
                           .kind = kind,
                           .name = span_sub(pair, 0, equals),
                           .value = decoded(SECRET_FORM, span_from(pair, equals + 1), &walk->value) });
    }
}

static void walk_location(struct walk *walk, struct span location)
{
    size_t query = span_find(location, '?'), hash = span_find(location, '#');
    struct span path = span_sub(location, 0, query < hash ? query : hash);
    const char *authority = memmem(path.ptr, path.len, "://", 3), *slash;

    if (authority != NULL) {
        path = span_from(path, (size_t)(authority + 3 - path.ptr));
        path = span_from(path, span_find(path, '/'));
    }
    slash = path.len != 0 ? memrchr(path.ptr, '/', path.len) : NULL;
    if (slash != NULL && span_find(path, '%') == path.len)
        tell(walk, (struct link_issue){ .kind = LINK_FROM_LOCATION,
                                        .above = span_make(path.ptr, (size_t)(slash - path.ptr)),
                                        .value = span_from(path, (size_t)(slash + 1 - path.ptr)) });
    if (query < location.len)
        walk_pairs(walk, LINK_FROM_LOCATION_PAIR,
                   span_sub(location, query + 1, (hash > query ? hash : location.len) - query - 1));
    if (hash < location.len)
        walk_pairs(walk, LINK_FROM_LOCATION_PAIR, span_from(location, hash + 1));
}

static void walk_field(struct walk *walk, const struct record_field *field)
{
    const char *blank = field->value.len != 0 ? memrchr(field->value.ptr, ' ', field->value.len) : NULL;

    tell(walk, (struct link_issue){ .kind = LINK_FROM_FIELD, .name = field->name, .value = field->value });
    if (blank != NULL)
        tell(walk,
             (struct link_issue){ .kind = LINK_FROM_WORD,
                                  .name = field->name,
                                  .value = span_from(field->value, (size_t)(blank + 1 - field->value.ptr)) });
}

/* Of several fields of one name a script gets one. */
static bool is_only(const struct record_fields *fields, struct span name)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        count += span_ieq(fields->items[i].name, name);
    return count == 1;
}

void link_issues_of_head(const struct record *record, bool led_on,
                         void (*each)(void *self, const struct link_issue *issue), void *self)
{
    struct walk walk = { .issue = { .record = record }, .each = each, .self = self };

    for (size_t i = 0; i < record->response_headers.count; i++) {
        const struct record_field *field = &record->response_headers.items[i];

        if (span_ieq(field->name, SPAN("Set-Cookie")))
            walk_cookie(&walk, field->value);
        else if (led_on || policy_response(field->name) == POLICY_DROP ||
                 !is_only(&record->response_headers, field->name))
            continue;
        else if (span_ieq(field->name, SPAN("Location")))
            walk_location(&walk, field->value);
        else
            walk_field(&walk, field);
    }
    strbuf_clear(&walk.value);
}

/* --- the body ------------------------------------------------------------------------------------------ */

static bool take_leaf(void *self, const struct json_walk_value *leaf)
{
    struct walk *walk = self;
    struct span value = leaf->bytes;

    if (leaf->kind != JSON_WALK_STRING &&
        (leaf->kind != JSON_WALK_INTEGER || value.len > MAX_INTEGER_DIGITS || value.ptr[0] == '-'))
        return true;
    if (leaf->kind == JSON_WALK_STRING && span_find(value, '\\') < value.len) {
        strbuf_reset(&walk->value);
        json_walk_unescape(&walk->value, value);
        value = strbuf_span(&walk->value);
    }
    tell(walk, (struct link_issue){
                   .kind = LINK_FROM_JSON,
                   .value = value,
                   .name = leaf->depth != 0 ? leaf->path[leaf->depth - 1].key : SPAN_NONE,
                   .leaf = leaf,
               });
    return true;
}

static bool is_plain(struct span name, const char *others)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return name.len != 0;
}

/* Names that a selector can hold as they are. */
#define SELECTOR_MARKS "_-.:[]$"

static void walk_html(struct walk *walk, struct span page)
{
    struct span rest = page;
    struct html_field field;

    while (html_field_next(&rest, &field))
        if (is_plain(field.name, SELECTOR_MARKS))
            tell(walk, (struct link_issue){ .kind = LINK_FROM_HTML,
                                            .value = decoded(SECRET_HTML, field.value, &walk->value),
                                            .name = field.name,
                                            .field = &field,
                                            .page = page });
}

static struct span trimmed(struct span text)
{
    while (text.len != 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL)
        text.len--;
    while (text.len != 0 && strchr(" \t\r\n", text.ptr[0]) != NULL)
        text = span_from(text, 1);
    return text;
}

bool link_issues_of_body(const struct record *record, struct span body, bool is_cut,
                         void (*each)(void *self, const struct link_issue *issue), void *self)
{
    static const struct json_walk_events events = { .on_value = take_leaf };
    struct walk walk = { .issue = { .record = record }, .each = each, .self = self };
    struct span type = record->response_type, text = trimmed(body);
    enum json_walk_answer answer = JSON_WALK_DONE;

    if (span_eq(type, SPAN("text/html")) || span_eq(type, SPAN("application/xhtml+xml"))) {
        walk_html(&walk, body);
    } else if (span_eq(type, SPAN("application/x-www-form-urlencoded"))) {
        walk_pairs(&walk, LINK_FROM_FORM, body);
    } else if (span_ends(type, SPAN("json")) || (text.len != 0 && strchr("{[", text.ptr[0]) != NULL)) {
        answer = json_walk(body, &events, &walk);
    } else if (!is_cut) {
        tell(&walk, (struct link_issue){ .kind = LINK_FROM_TEXT, .value = text });
    }
    strbuf_clear(&walk.value);
    return answer == JSON_WALK_DONE || (answer == JSON_WALK_CUT && is_cut);
}

/* --- keys ---------------------------------------------------------------------------------------------- */

/* "orderid" for "orders". */
static size_t key_of_thing(const struct link_issue *issue, struct span things, uint64_t *out_key)
{
    struct link_name name = { .len = 0 };
    struct strbuf thing = STRBUF_EMPTY;

    singular_add(&thing, things);
    link_name_add(&name, strbuf_span(&thing));
    strbuf_clear(&thing);
    if (name.len == 0)
        return 0;
    link_name_add(&name, SPAN("id"));
    *out_key = link_key_named(issue->record, &name, issue->value);
    return 1;
}

/* The name of the "order" that an "id" is in, or of the "orders"; empty: there is none. */
static struct span parent_of(const struct json_walk_value *leaf)
{
    for (size_t i = leaf->depth; i > 1; i--)
        if (leaf->path[i - 2].key.ptr != NULL)
            return leaf->path[i - 2].key;
    return SPAN("");
}

static struct span last_segment(struct span path)
{
    const char *slash;

    while (path.len != 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    slash = path.len != 0 ? memrchr(path.ptr, '/', path.len) : NULL;
    return slash != NULL ? span_from(path, (size_t)(slash + 1 - path.ptr)) : path;
}

static size_t id_keys(const struct link_issue *issue, uint64_t *keys)
{
    struct span path = issue->kind == LINK_FROM_LOCATION ? issue->above : issue->record->path;
    struct link_name name = { .len = 0 };
    size_t count = 0;
    bool is_bare;

    link_name_add(&name, issue->name);
    is_bare = name.len == 2 || strcmp(name.text, "uuid") == 0 || strcmp(name.text, "guid") == 0;
    if (issue->kind == LINK_FROM_LOCATION ||
        (issue->kind == LINK_FROM_JSON && link_name_is_id(&name) && is_bare)) {
        keys[count++] = link_key_below(issue->record, path, issue->value);
        count += key_of_thing(issue, last_segment(path), &keys[count]);
        if (issue->kind == LINK_FROM_JSON)
            count += key_of_thing(issue, parent_of(issue->leaf), &keys[count]);
    } else if (link_name_is_id(&name)) {
        keys[count++] = link_key_named(issue->record, &name, issue->value);
    } else {
        return 0;
    }
    return count + link_key_of_id(issue->record, issue->value, &keys[count]);
}

size_t link_issue_keys(const struct link_issue *issue, uint64_t out_keys[LINK_MAX_ISSUE_KEYS])
{
    size_t count = 0;

    if (issue->value.len >= MIN_VALUE_BYTES && span_find(issue->value, ' ') == issue->value.len)
        out_keys[count++] = link_key_of_value(issue->value);
    if (link_is_id(issue->value))
        count += id_keys(issue, out_keys + count);
    return count;
}

/* --- reading it again ---------------------------------------------------------------------------------- */

/* A string of JavaScript, which is one of JSON. */
static void add_string(struct strbuf *out, struct span text)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_add_char(out, (char)c);
    }
    strbuf_add_char(out, '"');
}

static bool is_identifier(struct span key)
{
    return is_plain(key, "_$") && !(key.ptr[0] >= '0' && key.ptr[0] <= '9');
}

static void add_path(const struct json_walk_value *leaf, struct strbuf *out)
{
    for (size_t i = 0; i < leaf->depth; i++) {
        const struct json_walk_step *step = &leaf->path[i];
        struct strbuf key = STRBUF_EMPTY;

        if (step->key.ptr == NULL) {
            strbuf_printf(out, "[%llu]", (unsigned long long)step->index);
        } else if (is_identifier(step->key)) {
            strbuf_printf(out, ".%.*s", SPAN_ARG(step->key));
        } else {
            json_walk_unescape(&key, step->key);
            strbuf_add_char(out, '[');
            add_string(out, strbuf_span(&key));
            strbuf_add_char(out, ']');
            strbuf_clear(&key);
        }
    }
}

/* How many fields like it stand before it. */
static size_t count_before(struct span page, const struct html_field *field)
{
    struct html_field other;
    size_t count = 0;

    while (html_field_next(&page, &other) && other.value.ptr != field->value.ptr)
        count += other.tag == field->tag && other.key == field->key && span_eq(other.name, field->name);
    return count;
}

static void add_selector(const struct link_issue *issue, struct strbuf *out)
{
    strbuf_printf(out, "%s[%s=\"%.*s\"]", issue->field->tag, issue->field->key, SPAN_ARG(issue->field->name));
}

static void add_html(const struct link_issue *issue, struct strbuf *out)
{
    struct strbuf selector = STRBUF_EMPTY;
    size_t nth = count_before(issue->page, issue->field);

    add_selector(issue, &selector);
    strbuf_add_str(out, "require(\"cheerio\").load(pm.response.text())(");
    add_string(out, strbuf_span(&selector));
    strbuf_add_char(out, ')');
    if (nth != 0)
        strbuf_printf(out, ".eq(%zu)", nth);
    strbuf_printf(out, ".attr(\"%s\")", issue->field->holds);
    strbuf_clear(&selector);
}

static void add_call(struct strbuf *out, const char *before, struct span name, const char *after)
{
    strbuf_add_str(out, before);
    add_string(out, name);
    strbuf_add_str(out, after);
}

static void add_pair(struct strbuf *out, struct span name, const char *of)
{
    strbuf_printf(out, "decodeURIComponent(/(?:^|[?&#])%.*s=([^&#]*)/.exec(%s)[1].replace(/\\+/g, \" \"))",
                  SPAN_ARG(name), of);
}

bool link_issue_add_read(const struct link_issue *issue, struct strbuf *out)
{
    bool is_pair = issue->kind == LINK_FROM_LOCATION_PAIR || issue->kind == LINK_FROM_FORM;

    if ((is_pair && !is_plain(issue->name, "_-")) || !utf8_is_valid(issue->name))
        return false;
    switch (issue->kind) {
    case LINK_FROM_JSON:
        strbuf_add_str(out, "pm.response.json()");
        add_path(issue->leaf, out);
        break;
    case LINK_FROM_FIELD:
        add_call(out, "pm.response.headers.get(", issue->name, ")");
        break;
    case LINK_FROM_WORD:
        add_call(out, "pm.response.headers.get(", issue->name, ").split(\" \").pop()");
        break;
    case LINK_FROM_COOKIE:
        add_call(out, "pm.cookies.get(", issue->name, ")");
        break;
    case LINK_FROM_COOKIE_ENCODED:
        add_call(out, "encodeURIComponent(pm.cookies.get(", issue->name, "))");
        break;
    case LINK_FROM_LOCATION:
        strbuf_add_str(out, "pm.response.headers.get(\"Location\").split(/[?#]/)[0].split(\"/\").pop()");
        break;
    case LINK_FROM_LOCATION_PAIR:
        add_pair(out, issue->name, "pm.response.headers.get(\"Location\")");
        break;
    case LINK_FROM_FORM:
        add_pair(out, issue->name, "pm.response.text()");
        break;
    case LINK_FROM_HTML:
        add_html(issue, out);
        break;
    case LINK_FROM_TEXT:
        strbuf_add_str(out, "pm.response.text().trim()");
        break;
    }
    return true;
}

void link_issue_add_where(const struct link_issue *issue, struct strbuf *out)
{
    switch (issue->kind) {
    case LINK_FROM_JSON:
        strbuf_add_str(out, "JSON ");
        json_walk_pointer(out, issue->leaf->path, issue->leaf->depth);
        break;
    case LINK_FROM_FIELD:
    case LINK_FROM_WORD:
        strbuf_printf(out, "field %.*s", SPAN_ARG(issue->name));
        break;
    case LINK_FROM_COOKIE:
    case LINK_FROM_COOKIE_ENCODED:
        strbuf_printf(out, "cookie %.*s", SPAN_ARG(issue->name));
        break;
    case LINK_FROM_LOCATION:
        strbuf_add_str(out, "field Location");
        break;
    case LINK_FROM_LOCATION_PAIR:
        strbuf_printf(out, "field Location, %.*s", SPAN_ARG(issue->name));
        break;
    case LINK_FROM_FORM:
        strbuf_printf(out, "form, %.*s", SPAN_ARG(issue->name));
        break;
    case LINK_FROM_HTML:
        strbuf_add_str(out, "HTML ");
        add_selector(issue, out);
        break;
    case LINK_FROM_TEXT:
        strbuf_add_str(out, "text");
        break;
    }
}

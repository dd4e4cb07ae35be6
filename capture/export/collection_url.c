/* Parts of a URL are written as they were sent, still percent-encoded. A faithful collection switches
 * newman's own encoding off, and has one character a byte; in a runnable one bytes that need it are encoded
 * here. */
#include "capture/export/collection.h"

#include "capture/export/text.h"
#include "proxy/base/mem.h"

struct target {
    struct collection *collection;
    const struct request *request;
    struct strbuf raw; /* the whole URL, for people */
};

/* What newman reads in its own way: a '#' ends the URL, and in a path a backslash becomes a slash. */
#define PATH_ESCAPED  "#\\"
#define QUERY_ESCAPED "#"
/* What it encodes anyway, or takes for the beginning of a variable. */
#define ENCODED "\"<>{}"

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void add_bytes(struct strbuf *out, struct span bytes, const char *escaped)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (is_in(bytes.ptr[i], escaped))
            strbuf_printf(out, "%%%02X", (unsigned char)bytes.ptr[i]);
        else
            text_add_latin1(out, span_sub(bytes, i, 1));
    }
}

static void add_path_bytes(struct strbuf *out, struct span bytes)
{
    add_bytes(out, bytes, PATH_ESCAPED);
}

static void add_query_bytes(struct strbuf *out, struct span bytes)
{
    add_bytes(out, bytes, QUERY_ESCAPED);
}

static void add_encoded(struct strbuf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        if (c <= 0x20 || c >= 0x7f || is_in((char)c, PATH_ESCAPED ENCODED))
            strbuf_printf(out, "%%%02X", c);
        else
            strbuf_add_char(out, (char)c);
    }
}

/* A part as text, also at the end of the URL for people. */
static void write_part(struct target *target, struct hidden *hidden, struct span part, bool is_query)
{
    void (*add)(struct strbuf *, struct span) = is_query ? add_query_bytes : add_path_bytes;
    size_t begin = target->raw.len;

    if (!target->collection->is_faithful)
        add = add_encoded;
    /* A segment that begins so would be a variable. */
    if (!is_query && !target->collection->is_faithful && part.len > 1 && part.ptr[0] == ':') {
        strbuf_add_str(&target->raw, "%3A");
        part = span_from(part, 1);
    }
    hidden_add(hidden, part, add, &target->raw);
    jout_text(&target->collection->json, span_from(strbuf_span(&target->raw), begin));
}

/* --- the path ------------------------------------------------------------------------------------------ */

static void write_variable(struct target *target, struct hidden *hidden,
                           const struct template_variable *variable)
{
    struct json_out *json = &target->collection->json;
    struct strbuf text = STRBUF_EMPTY;

    jout_open_object(json);
    jout_member_str(json, "key", variable->name);
    hidden_add(hidden, variable->value, add_encoded, &text);
    jout_member_text(json, "value", strbuf_span(&text));
    if (variable->values > 1) {
        strbuf_reset(&text);
        strbuf_printf(&text, "%llu different values were seen", (unsigned long long)variable->values);
        jout_member_text(json, "description", strbuf_span(&text));
    }
    jout_close(json);
    strbuf_clear(&text);
}

static void write_path(struct target *target, struct hidden *hidden, const struct template_path *path)
{
    struct json_out *json = &target->collection->json;
    struct span rest = target->request->record->path;
    size_t variable = 0;

    jout_key(json, "path");
    jout_open_array(json);
    if (rest.len != 0 && rest.ptr[0] == '/')
        rest = span_from(rest, 1);
    while (true) {
        size_t slash = span_find(rest, '/');
        struct span segment = span_sub(rest, 0, slash);

        strbuf_add_char(&target->raw, '/');
        if (variable < path->count && path->variables[variable].value.ptr == segment.ptr) {
            size_t begin = target->raw.len;

            strbuf_printf(&target->raw, ":%s", path->variables[variable++].name);
            jout_text(json, span_from(strbuf_span(&target->raw), begin));
        } else {
            write_part(target, hidden, segment, false);
        }
        if (slash == rest.len)
            break;
        rest = span_from(rest, slash + 1);
    }
    jout_close(json);
}

/* --- the query ----------------------------------------------------------------------------------------- */

/* "k=v", "k=", "k", "=v" and nothing at all are five different pieces, and all of them come back. */
static void write_pair(struct target *target, struct hidden *hidden, struct span pair)
{
    struct json_out *json = &target->collection->json;
    size_t equals = span_find(pair, '=');

    jout_open_object(json);
    jout_key(json, "key");
    if (equals == 0)
        jout_null(json);
    else
        write_part(target, hidden, span_sub(pair, 0, equals), true);
    jout_key(json, "value");
    if (equals == pair.len) {
        jout_null(json);
    } else {
        strbuf_add_char(&target->raw, '=');
        write_part(target, hidden, span_from(pair, equals + 1), true);
    }
    jout_close(json);
}

/* ptr NULL: there are none but those that the credential stands for. */
static bool find_pair(const struct request *request, struct span *rest, struct span *out_pair)
{
    while (rest->ptr != NULL) {
        size_t end = span_find(*rest, '&');
        struct span pair = span_sub(*rest, 0, end);

        *rest = end == rest->len ? SPAN_NONE : span_from(*rest, end + 1);
        if (credential_takes_pair(&request->credential, span_sub(pair, 0, span_find(pair, '='))))
            continue;
        *out_pair = pair;
        return true;
    }
    return false;
}

static void write_query(struct target *target)
{
    const struct request *request = target->request;
    struct secret_text text = secret_text_of_query(request->record);
    struct json_out *json = &target->collection->json;
    struct span rest = request->record->query, pair;
    struct hidden hidden;
    bool has_pair = find_pair(request, &rest, &pair);

    if (!has_pair)
        return;
    hidden_init(&hidden, target->collection->job->secrets, &text);
    if (!request->is_example)
        links_mark(target->collection->links, &text, &hidden);
    jout_key(json, "query");
    jout_open_array(json);
    for (char sign = '?'; has_pair; sign = '&') {
        strbuf_add_char(&target->raw, sign);
        write_pair(target, &hidden, pair);
        has_pair = find_pair(request, &rest, &pair);
    }
    jout_close(json);
    hidden_clear(&hidden);
}

/* --- all of it ----------------------------------------------------------------------------------------- */

void url_write(struct collection *collection, const struct request *request)
{
    const struct record *record = request->record;
    struct target target = { .collection = collection, .request = request };
    struct json_out *json = &collection->json;
    struct template_path path = { .count = 0 };
    struct hidden hidden;

    if (collection->survey.template != NULL && !request->is_example)
        template_path_of(collection->survey.template, record->host, record->port, record->path, &path);
    hidden_init_plain(&hidden, collection->job->secrets, record->path);
    if (!request->is_example)
        links_mark_path(collection->links, record, &path, &hidden);
    strbuf_printf(&target.raw, "{{%s}}", survey_origin_of(&collection->survey, record)->variable);
    jout_key(json, "url");
    jout_open_object(json);
    jout_key(json, "host");
    jout_open_array(json);
    jout_text(json, strbuf_span(&target.raw));
    jout_close(json);
    write_path(&target, &hidden, &path);
    if (record->query.ptr != NULL)
        write_query(&target);
    if (path.count != 0) {
        jout_key(json, "variable");
        jout_open_array(json);
        for (size_t i = 0; i < path.count; i++)
            write_variable(&target, &hidden, &path.variables[i]);
        jout_close(json);
    }
    jout_member_text(json, "raw", strbuf_span(&target.raw));
    jout_close(json);
    template_path_clear(&path);
    hidden_clear(&hidden);
    strbuf_clear(&target.raw);
}

bool url_is_escaped(const struct record *record)
{
    for (size_t i = 0; i < record->path.len; i++)
        if (is_in(record->path.ptr[i], PATH_ESCAPED))
            return true;
    return span_find(record->query, '#') < record->query.len;
}

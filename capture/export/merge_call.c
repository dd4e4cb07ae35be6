/* The parts of a URL count where it has any, as for newman; else it is read from its text. */
#include "capture/export/merge_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "capture/export/json_shape.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Between the parts of a key: it is in no URL. */
#define APART '\x1f'

static const char *text_or_empty(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

static const char *member(const json_t *object, const char *key)
{
    return text_or_empty(json_object_get(object, key));
}

/* --- lists of names ------------------------------------------------------------------------------------ */

struct name_list {
    char **names;
    size_t count, cap;
};

static void take_name(struct name_list *list, char *name)
{
    if (list->count == list->cap) {
        list->cap = list->cap != 0 ? list->cap * 2 : 16;
        list->names = mem_realloc(list->names, list->cap * sizeof(*list->names));
    }
    list->names[list->count++] = name;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each once, in order; the list is empty afterwards. */
static void add_names(struct name_list *list, struct strbuf *out)
{
    if (list->count != 0)
        qsort(list->names, list->count, sizeof(*list->names), by_text);
    for (size_t i = 0; i < list->count; i++)
        if (i == 0 || strcmp(list->names[i], list->names[i - 1]) != 0)
            strbuf_printf(out, "%s&", list->names[i]);
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->names[i]);
    mem_free(list->names);
    *list = (struct name_list){ .names = NULL };
}

/* The keys of a list of {key, value}. */
static void add_keys(const json_t *pairs, struct strbuf *out)
{
    struct name_list list = { .names = NULL };
    const json_t *pair;
    size_t i;

    json_array_foreach (pairs, i, pair)
        take_name(&list, mem_strdup(member(pair, "key")));
    add_names(&list, out);
}

/* --- the URL ------------------------------------------------------------------------------------------- */

/* "{{baseUrl}}" or "https://host:port", then the target. */
static void split_url(struct span url, struct span *out_host, struct span *out_path, struct span *out_query)
{
    size_t end;

    if (span_starts(url, SPAN("{{"))) {
        end = span_find(url, '}');
        end = end + 1 < url.len && url.ptr[end + 1] == '}' ? end + 2 : end;
    } else {
        const char *slashes = url.len != 0 ? memmem(url.ptr, url.len, "://", 3) : NULL;
        size_t begin = slashes != NULL ? (size_t)(slashes - url.ptr) + 3 : 0;

        end = begin;
        while (end < url.len && strchr("/?#", url.ptr[end]) == NULL)
            end++;
    }
    *out_host = span_sub(url, 0, end);
    url = span_from(url, end);
    url = span_sub(url, 0, span_find(url, '#'));
    end = span_find(url, '?');
    *out_path = span_sub(url, 0, end);
    *out_query = span_from(url, end < url.len ? end + 1 : end);
}

/* Text that is all there is of a URL; ptr NULL: it has parts. */
static struct span whole_text(const json_t *url)
{
    if (json_is_string(url))
        return span_of(json_string_value(url));
    if (json_object_get(url, "host") == NULL && json_object_get(url, "path") == NULL)
        return span_of(member(url, "raw"));
    return SPAN_NONE;
}

static const json_t *url_of(const json_t *request)
{
    return json_is_string(request) ? request : json_object_get(request, "url");
}

static char *host_of(const json_t *request)
{
    const json_t *url = url_of(request), *host = json_object_get(url, "host"), *label;
    struct span whole = whole_text(url), path, query;
    struct strbuf out = STRBUF_EMPTY;
    size_t i;

    if (whole.ptr != NULL) {
        split_url(whole, &whole, &path, &query);
        return mem_spandup(whole);
    }
    if (json_is_string(host))
        strbuf_add_str(&out, json_string_value(host));
    json_array_foreach (host, i, label)
        strbuf_printf(&out, "%s%s", i != 0 ? "." : "", text_or_empty(label));
    if (out.len != 0 && !span_starts(strbuf_span(&out), SPAN("{{")) &&
        memmem(out.ptr, out.len, "://", 3) == NULL) {
        char *authority = strbuf_detach(&out);

        strbuf_printf(&out, "%s://%s", *member(url, "protocol") != '\0' ? member(url, "protocol") : "http",
                      authority);
        mem_free(authority);
    }
    if (*member(url, "port") != '\0')
        strbuf_printf(&out, ":%s", member(url, "port"));
    return out.ptr != NULL ? strbuf_detach(&out) : mem_strdup("");
}

/* Whatever a variable is called, and wherever it is kept, it is one. */
static void add_segment(struct span segment, struct strbuf *out)
{
    bool is_variable = (segment.len > 1 && segment.ptr[0] == ':') ||
                       (span_starts(segment, SPAN("{{")) && span_ends(segment, SPAN("}}")));

    strbuf_add_char(out, '/');
    strbuf_add(out, is_variable ? SPAN(":") : segment);
}

static void add_path_text(struct span path, struct strbuf *out)
{
    if (path.len != 0 && path.ptr[0] == '/')
        path = span_from(path, 1);
    for (;;) {
        size_t slash = span_find(path, '/');

        add_segment(span_sub(path, 0, slash), out);
        if (slash == path.len)
            return;
        path = span_from(path, slash + 1);
    }
}

static void add_path(const json_t *path, struct strbuf *out)
{
    const json_t *segment;
    size_t i;

    if (json_is_array(path) && json_array_size(path) != 0) {
        json_array_foreach (path, i, segment)
            add_segment(span_of(json_is_object(segment) ? member(segment, "value") : text_or_empty(segment)),
                        out);
    } else {
        add_path_text(span_of(text_or_empty(path)), out);
    }
}

static void add_query_text(struct span query, struct strbuf *out)
{
    struct name_list list = { .names = NULL };
    struct span pair;

    while (span_split(&query, '&', &pair))
        take_name(&list, mem_spandup(span_sub(pair, 0, span_find(pair, '='))));
    add_names(&list, out);
}

static void add_url(const json_t *url, struct strbuf *out)
{
    struct span whole = whole_text(url), host, path, query;

    if (whole.ptr != NULL) {
        split_url(whole, &host, &path, &query);
        add_path_text(path, out);
        strbuf_add_char(out, APART);
        add_query_text(query, out);
        return;
    }
    add_path(json_object_get(url, "path"), out);
    strbuf_add_char(out, APART);
    add_keys(json_object_get(url, "query"), out);
}

/* "k=v", "k", "=v", and nothing at all. */
static void add_pair(const json_t *pair, char sign, struct strbuf *out)
{
    const json_t *value = json_object_get(pair, "value");

    strbuf_printf(out, "%c%s", sign, member(pair, "key"));
    if (json_is_string(value))
        strbuf_printf(out, "=%s", json_string_value(value));
}

char *merge_call_url(const json_t *request)
{
    const json_t *url = url_of(request), *path = json_object_get(url, "path"), *part;
    struct span whole = whole_text(url);
    struct strbuf out = STRBUF_EMPTY;
    char *host;
    size_t i;

    if (whole.ptr != NULL)
        return mem_spandup(whole);
    host = host_of(request);
    strbuf_add_str(&out, host);
    mem_free(host);
    if (json_is_string(path))
        strbuf_add_str(&out, json_string_value(path));
    json_array_foreach (path, i, part)
        strbuf_printf(&out, "/%s", json_is_object(part) ? member(part, "value") : text_or_empty(part));
    json_array_foreach (json_object_get(url, "query"), i, part)
        add_pair(part, i == 0 ? '?' : '&', &out);
    return out.ptr != NULL ? strbuf_detach(&out) : mem_strdup("");
}

/* --- the body ------------------------------------------------------------------------------------------ */

static const char *header(const json_t *request, const char *name)
{
    const json_t *field;
    size_t i;

    json_array_foreach (json_object_get(request, "header"), i, field)
        if (strcasecmp(member(field, "key"), name) == 0)
            return member(field, "value");
    return "";
}

static void add_media_type(const json_t *request, struct strbuf *out)
{
    struct span type = span_of(header(request, "Content-Type"));

    type = span_trim(span_sub(type, 0, span_find(type, ';')));
    for (size_t i = 0; i < type.len; i++)
        strbuf_add_char(out,
                        type.ptr[i] >= 'A' && type.ptr[i] <= 'Z' ? (char)(type.ptr[i] | 0x20) : type.ptr[i]);
}

/* A person may have put variables into JSON where no quotes are: it is still meant to be some. */
static void add_type_of_raw(const json_t *request, struct strbuf *out)
{
    const json_t *options =
        json_object_get(json_object_get(json_object_get(request, "body"), "options"), "raw");
    struct strbuf type = STRBUF_EMPTY;

    add_media_type(request, &type);
    if (strcmp(member(options, "language"), "json") == 0 || span_ends(strbuf_span(&type), SPAN("json")))
        strbuf_add_str(out, "json");
    else
        strbuf_add(out, strbuf_span(&type));
    strbuf_clear(&type);
}

static void add_graphql(const json_t *graphql, struct strbuf *kind)
{
    const char *name = member(graphql, "operationName"), *query = member(graphql, "query");

    if (*name != '\0')
        strbuf_add_str(kind, name);
    else
        strbuf_printf(kind, "#%016" PRIx64, (uint64_t)XXH3_64bits(query, strlen(query)));
}

static void add_raw(const json_t *request, struct span raw, struct strbuf *kind, struct strbuf *shape)
{
    struct json_shape of_raw;
    json_t *document;

    strbuf_add_str(kind, header(request, "SOAPAction"));
    strbuf_add_char(kind, APART);
    if (!json_shape_of(raw, false, &of_raw)) {
        add_type_of_raw(request, kind);
        return;
    }
    strbuf_printf(shape, "%016" PRIx64, of_raw.hash);
    document = json_loadb(raw.ptr, raw.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    strbuf_add_str(kind, "json");
    if (json_object_get(document, "jsonrpc") != NULL)
        strbuf_printf(kind, ":%s", member(document, "method"));
    if (json_is_string(json_object_get(document, "query")))
        add_graphql(document, kind);
    json_decref(document);
}

static void add_body(const json_t *request, struct strbuf *kind, struct strbuf *shape)
{
    const json_t *body = json_object_get(request, "body"), *raw = json_object_get(body, "raw");
    const char *mode = json_is_true(json_object_get(body, "disabled")) ? "" : member(body, "mode");

    strbuf_printf(kind, "%s:", mode);
    if (strcmp(mode, "raw") == 0)
        add_raw(request, span_make(json_string_value(raw), json_string_length(raw)), kind, shape);
    else if (strcmp(mode, "graphql") == 0)
        add_graphql(json_object_get(body, "graphql"), kind);
    else if (strcmp(mode, "file") == 0)
        add_media_type(request, kind);
    else if (*mode != '\0')
        add_keys(json_object_get(body, mode), shape);
}

/* --- all of it ----------------------------------------------------------------------------------------- */

void merge_call_init(struct merge_call *out_call, const json_t *request, const json_t *auth)
{
    const char *method = json_is_object(request) ? member(request, "method") : "";
    struct strbuf key = STRBUF_EMPTY, shape = STRBUF_EMPTY;

    strbuf_printf(&key, "%s%c", *method != '\0' ? method : "GET", APART);
    add_url(url_of(request), &key);
    strbuf_add_char(&key, APART);
    add_body(request, &key, &shape);
    out_call->host = host_of(request);
    out_call->loose = mem_strdup(strbuf_text(&key));
    strbuf_printf(&key, "%c%s%c%s", APART, strbuf_text(&shape), APART, member(auth, "type"));
    out_call->exact = strbuf_detach(&key);
    strbuf_clear(&shape);
}

void merge_call_clear(struct merge_call *call)
{
    mem_free(call->host);
    mem_free(call->loose);
    mem_free(call->exact);
    *call = (struct merge_call){ .host = NULL };
}

#include "capture/export/identity.h"

#include <stdlib.h>
#include <xxhash.h>

#include "capture/export/json_shape.h"
#include "capture/export/json_walk.h"
#include "capture/export/multipart.h"
#include "capture/export/naming.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"
#include "proxy/http/url.h"

/* Names of a query or form that count: more are data. */
#define MAX_NAMES 256
/* Of an operation's name: a name is for people. */
#define MAX_OPERATION_BYTES 200

/* --- sets of names ------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_plain(unsigned char c)
{
    return c > 0x20 && c < 0x7f && strchr("&?=#%+", c) == NULL;
}

/* One spelling for each name: "a%5B%5D" and "a[]" are the same. */
static char *canonical(struct span raw)
{
    struct strbuf out = STRBUF_EMPTY;

    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];

        if (c == '%' && i + 2 < raw.len && hex_value(raw.ptr[i + 1]) >= 0 && hex_value(raw.ptr[i + 2]) >= 0) {
            c = (unsigned char)(hex_value(raw.ptr[i + 1]) * 16 + hex_value(raw.ptr[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (is_plain(c))
            strbuf_add_char(&out, (char)c);
        else
            strbuf_printf(&out, "%%%02X", c);
    }
    return out.ptr != NULL ? strbuf_detach(&out) : mem_strdup("");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each name once, in order, with a '&' between them. */
static void add_names(struct strbuf *out, struct span pairs)
{
    char **names = mem_array(char *, MAX_NAMES);
    size_t count = 0;
    struct span pair;

    while (count < MAX_NAMES && span_split(&pairs, '&', &pair))
        if (pair.len != 0)
            names[count++] = canonical(span_sub(pair, 0, span_find(pair, '=')));
    qsort(names, count, sizeof(*names), by_text);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) {
            if (i != 0)
                strbuf_add_char(out, '&');
            strbuf_add_str(out, names[i]);
        }
    }
    for (size_t i = 0; i < count; i++)
        mem_free(names[i]);
    mem_free(names);
}

static bool find_pair(struct span query, struct span name, struct span *out_value)
{
    struct span pair;

    while (span_split(&query, '&', &pair)) {
        size_t at = span_find(pair, '=');

        if (!span_eq(span_sub(pair, 0, at), name))
            continue;
        *out_value = span_from(pair, at < pair.len ? at + 1 : at);
        return true;
    }
    return false;
}

/* --- what a body is ------------------------------------------------------------------------------------ */

/* The members of a JSON object that tell of a GraphQL or JSON-RPC call; spans without their quotes. */
struct top {
    struct span query, operation, rpc, method, hash;
};

static struct span *member_of(struct top *top, const struct json_walk_value *value)
{
    struct span key = value->depth != 0 ? value->path[value->depth - 1].key : SPAN_NONE;

    if (value->depth == 3 && span_eq(key, SPAN("sha256Hash")))
        return &top->hash;
    if (value->depth != 1)
        return NULL;
    if (span_eq(key, SPAN("query")))
        return &top->query;
    if (span_eq(key, SPAN("operationName")))
        return &top->operation;
    if (span_eq(key, SPAN("jsonrpc")))
        return &top->rpc;
    return span_eq(key, SPAN("method")) ? &top->method : NULL;
}

static bool on_top_value(void *self, const struct json_walk_value *value)
{
    struct span *member = member_of(self, value);

    if (member != NULL && value->kind == JSON_WALK_STRING)
        *member = value->bytes;
    return value->depth != 0 || value->kind == JSON_WALK_OBJECT;
}

static void add_raw(struct strbuf *out, struct span raw)
{
    struct strbuf text = STRBUF_EMPTY;

    json_walk_unescape(&text, raw);
    strbuf_add(out, utf8_whole(span_sub(strbuf_span(&text), 0,
                                        text.len < MAX_OPERATION_BYTES ? text.len : MAX_OPERATION_BYTES)));
    strbuf_clear(&text);
}

/* Blanks between words are how a document was laid out, nothing else. */
static uint64_t document_hash(struct span raw)
{
    struct strbuf text = STRBUF_EMPTY, words = STRBUF_EMPTY;
    uint64_t hash;
    bool was_blank = true;

    json_walk_unescape(&text, raw);
    for (size_t i = 0; i < text.len; i++) {
        bool is_blank = strchr(" \t\r\n,", text.ptr[i]) != NULL;

        if (is_blank && was_blank)
            continue;
        strbuf_add_char(&words, is_blank ? ' ' : text.ptr[i]);
        was_blank = is_blank;
    }
    hash = XXH3_64bits(strbuf_text(&words), words.len);
    strbuf_clear(&text);
    strbuf_clear(&words);
    return hash;
}

/* What naming.h calls it, without the dot before it. */
static void add_operation(struct strbuf *out, const struct record *record, struct span body)
{
    static const struct span dot = { " · ", sizeof(" · ") - 1 };
    struct strbuf name = STRBUF_EMPTY;
    struct span text;

    naming_add_operation(&name, record, body);
    text = strbuf_span(&name);
    strbuf_add(out, span_starts(text, dot) ? span_from(text, dot.len) : text);
    strbuf_clear(&name);
}

/* A GraphQL call whose document has no name is known by the document, or by its hash where it was sent
 * before. */
static void set_graphql(struct identity_request *request, const struct record *record, const struct top *top,
                        struct span body)
{
    request->body = IDENTITY_GRAPHQL;
    add_operation(&request->operation, record, body);
    if (top->operation.ptr != NULL) {
        if (request->operation.len == 0)
            add_raw(&request->operation, top->operation);
    } else if (top->query.ptr != NULL) {
        if (span_find(strbuf_span(&request->operation), ' ') == request->operation.len)
            strbuf_printf(&request->operation, "%s#%016llx", request->operation.len != 0 ? " " : "",
                          (unsigned long long)document_hash(top->query));
    } else {
        strbuf_add_char(&request->operation, '#');
        add_raw(&request->operation, top->hash);
    }
}

static bool is_graphql(const struct top *top)
{
    struct span query = top->query;

    while (query.len > 1 && query.ptr[0] == '\\' && strchr("nrt", query.ptr[1]) != NULL)
        query = span_from(query, 2);
    query = span_trim(query);
    if (top->query.ptr != NULL)
        return query.len != 0 &&
               (query.ptr[0] == '{' || query.ptr[0] == '#' || span_starts(query, SPAN("query")) ||
                span_starts(query, SPAN("mutation")) || span_starts(query, SPAN("subscription")) ||
                span_starts(query, SPAN("fragment")));
    return top->hash.ptr != NULL;
}

static void look_at_json(struct identity_request *request, const struct record *record, struct span body,
                         bool is_front)
{
    static const struct json_walk_events events = { .on_value = on_top_value };
    struct json_shape shape;
    struct top top = { .query = SPAN_NONE };

    if (!json_shape_of(body, is_front, &shape))
        return;
    request->body = IDENTITY_JSON;
    request->shape = shape.hash;
    json_walk(body, &events, &top);
    if (is_graphql(&top)) {
        set_graphql(request, record, &top, body);
    } else if (top.rpc.ptr != NULL && top.method.ptr != NULL) {
        request->body = IDENTITY_RPC;
        add_raw(&request->operation, top.method);
    }
}

static uint64_t names_hash(struct span pairs)
{
    struct strbuf names = STRBUF_EMPTY;
    uint64_t hash;

    add_names(&names, pairs);
    hash = XXH3_64bits(strbuf_text(&names), names.len) | 1;
    strbuf_clear(&names);
    return hash;
}

/* The names of the fields, as if they were a query's. */
static uint64_t parts_hash(const struct record *record, struct span body)
{
    struct multipart_part *parts = mem_array(struct multipart_part, MAX_NAMES);
    struct strbuf boundary = STRBUF_EMPTY, pairs = STRBUF_EMPTY;
    uint64_t hash = 0;
    struct span field;
    size_t count = 0;

    if (record_find(&record->request_headers, SPAN("Content-Type"), &field) &&
        text_parameter(field, SPAN("boundary"), &boundary) &&
        multipart_parse(body, strbuf_span(&boundary), parts, MAX_NAMES, &count)) {
        for (size_t i = 0; i < count; i++) {
            char *name = canonical(parts[i].name);

            strbuf_printf(&pairs, "&%s%s", name, parts[i].file_name.ptr != NULL ? "@" : "");
            mem_free(name);
        }
        hash = names_hash(strbuf_span(&pairs));
    }
    mem_free(parts);
    strbuf_clear(&boundary);
    strbuf_clear(&pairs);
    return hash;
}

static bool is_json_type(struct span type)
{
    return span_eq(type, SPAN("application/json")) || span_ends(type, SPAN("+json")) ||
           span_eq(type, SPAN("application/graphql-response")) || span_eq(type, SPAN("text/json"));
}

/* Clients that mind no types send JSON as text, or as nothing at all. */
static bool may_be_json(struct span type, struct span body)
{
    while (body.len != 0 && strchr(" \t\r\n", body.ptr[0]) != NULL && body.ptr[0] != '\0')
        body = span_from(body, 1);
    return is_json_type(type) || ((type.len == 0 || span_eq(type, SPAN("text/plain"))) && body.len != 0 &&
                                  (body.ptr[0] == '{' || body.ptr[0] == '['));
}

static void look_at_body(struct identity_request *request, const struct record *record, struct span body,
                         bool is_front)
{
    struct span type = record->request_type, ignored;

    request->body = IDENTITY_OTHER;
    if (span_eq(type, SPAN("application/x-www-form-urlencoded"))) {
        request->body = IDENTITY_FORM;
        request->shape = names_hash(body);
    } else if (span_eq(type, SPAN("multipart/form-data"))) {
        request->body = IDENTITY_MULTIPART;
        request->shape = is_front ? 0 : parts_hash(record, body);
    } else if (may_be_json(type, body)) {
        look_at_json(request, record, body, is_front);
    } else if (record_find(&record->request_headers, SPAN("SOAPAction"), &ignored)) {
        request->body = IDENTITY_RPC;
        add_operation(&request->operation, record, SPAN_NONE);
    }
    if (request->body == IDENTITY_OTHER)
        strbuf_add(&request->operation, type);
}

/* A GraphQL call by GET has its operation in the query. */
static void look_at_query(struct identity_request *request, struct span query)
{
    struct span name, ignored;
    char *text;

    if (!find_pair(query, SPAN("operationName"), &name) || name.len == 0 ||
        (!find_pair(query, SPAN("query"), &ignored) && !find_pair(query, SPAN("extensions"), &ignored)))
        return;
    text = canonical(span_sub(name, 0, name.len < MAX_OPERATION_BYTES ? name.len : MAX_OPERATION_BYTES));
    request->body = IDENTITY_GRAPHQL;
    strbuf_add_str(&request->operation, text);
    mem_free(text);
}

void identity_request_init(struct identity_request *out_request, const struct record *record,
                           struct span body, bool is_front)
{
    *out_request = (struct identity_request){ .body = IDENTITY_NONE, .is_partial = is_front };
    if (record->request_body.bytes != 0)
        look_at_body(out_request, record, body, is_front);
    else
        look_at_query(out_request, record->query);
}

void identity_request_clear(struct identity_request *request)
{
    strbuf_clear(&request->operation);
}

/* --- who is calling ------------------------------------------------------------------------------------ */

static void add_lower(struct strbuf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        strbuf_add_char(out, (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                     (c != 0 && strchr("-._", c) != NULL)
                                 ? c
                                 : '_');
    }
}

void identity_add_auth(struct strbuf *out, const struct record *record)
{
    static const char *const headers[] = { "x-api-key",
                                           "api-key",
                                           "apikey",
                                           "x-apikey",
                                           "x-auth-token",
                                           "x-access-token",
                                           "ocp-apim-subscription-key",
                                           "private-token",
                                           "x-goog-api-key" };
    static const char *const names[] = { "api_key", "apikey", "key", "access_token", "token" };
    struct span value;

    if (record_find(&record->request_headers, SPAN("Authorization"), &value) && value.len != 0) {
        size_t len = span_find(value, ' ');

        if (len < value.len)
            add_lower(out, span_sub(value, 0, len < 40 ? len : 40));
        else
            strbuf_add_str(out, "token"); /* no scheme: all of it is the secret */
        return;
    }
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
        if (!record_find(&record->request_headers, span_of(headers[i]), &value))
            continue;
        strbuf_printf(out, "apikey:%s", headers[i]);
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!find_pair(record->query, span_of(names[i]), &value))
            continue;
        strbuf_printf(out, "apikey:?%s", names[i]);
        return;
    }
    strbuf_add_str(out, "none");
}

/* --- identity ------------------------------------------------------------------------------------------ */

/* Bodies of other methods are rare, and what they look like changes nothing. */
static bool counts_shape(struct span method)
{
    return span_eq(method, SPAN("POST")) || span_eq(method, SPAN("PUT")) || span_eq(method, SPAN("PATCH"));
}

static void add_body(struct strbuf *out, const struct record *record, const struct identity_request *request)
{
    static const char *const kinds[] = { "none", "json", "form", "multipart", "graphql", "rpc", "other" };

    strbuf_printf(out, " body=%s", kinds[request->body]);
    if (request->shape != 0 && counts_shape(record->method))
        strbuf_printf(out, "#%016llx", (unsigned long long)request->shape);
    /* It stands at the end, since nobody knows what is in it. */
    if (request->operation.len != 0) {
        strbuf_add_char(out, ':');
        strbuf_add(out, strbuf_span(&request->operation));
    }
}

void identity_text(struct strbuf *out, const struct record *record, struct span templated_path,
                   const struct identity_request *request)
{
    char *host = mem_spandup(record->host);

    strbuf_add(out, record->method);
    strbuf_add_char(out, ' ');
    url_add_authority(out, SPAN_NONE, host, record->port);
    mem_free(host);
    strbuf_add_char(out, ' ');
    strbuf_add(out, templated_path);
    strbuf_add_str(out, " ?");
    add_names(out, record->query);
    strbuf_add_str(out, " auth=");
    identity_add_auth(out, record);
    add_body(out, record, request);
}

struct identity identity_of(struct span text)
{
    XXH128_hash_t hash = XXH3_128bits(text.ptr, text.len);

    return (struct identity){ .high = hash.high64, .low = hash.low64 };
}

void identity_uuid(struct span text, char out[DIGEST_UUID_BYTES])
{
    digest_uuid("endpoint", text, out);
}

void identity_example_uuid(const char *item_uuid, uint64_t class, char out[DIGEST_UUID_BYTES])
{
    char *key = mem_printf("%s %016llx", item_uuid, (unsigned long long)class);

    digest_uuid("example", span_of(key), out);
    mem_free(key);
}

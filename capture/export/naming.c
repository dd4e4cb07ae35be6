#include "capture/export/naming.h"

#include <jansson.h>
#include <xxhash.h>

#include "capture/export/text.h"
#include "proxy/base/mem.h"
#include "proxy/http/url.h"

#define MAX_ITEM_NAME_BYTES 100
#define MAX_SUFFIX_BYTES    60

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void naming_add_host(struct strbuf *out, const struct record *record)
{
    char *host = mem_spandup(record->host);

    url_add_authority(out, record->scheme, host, record->port);
    mem_free(host);
}

void naming_add_variable(struct strbuf *out, const struct record *record)
{
    struct span rest = record->host, label;
    size_t begin = out->len;
    bool is_upper = false;
    char *host = mem_spandup(record->host);
    size_t labels = url_host_is_ip(host) ? SIZE_MAX : 0;

    mem_free(host);
    if (labels == 0) {
        for (size_t i = 0; i < rest.len; i++)
            labels += rest.ptr[i] == '.';
        labels += labels == 0; /* all but the top level domain, of more than one */
    } else {
        strbuf_add_str(out, "host");
    }
    for (size_t n = 0; n < labels && span_split(&rest, '.', &label); n++) {
        is_upper = out->len > begin;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];

            if (!is_letter(c) && !is_digit(c)) {
                is_upper = true;
                continue;
            }
            if (out->len == begin && is_digit(c))
                strbuf_add_str(out, "host");
            strbuf_add_char(out, is_upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
            is_upper = false;
        }
        if (labels == SIZE_MAX && rest.len != 0)
            strbuf_add_char(out, '_');
    }
    if (record->port != url_default_port(record->scheme))
        strbuf_printf(out, "Port%u", record->port);
    strbuf_add_str(out, "BaseUrl");
}

/* --- what a path is about ------------------------------------------------------------------------------ */

/* "v1", "v2.3", "2024-10", "2024-10-01". */
static bool is_version(struct span segment)
{
    size_t i = segment.ptr[0] == 'v' || segment.ptr[0] == 'V';
    bool is_date = i == 0 && segment.len >= 7 && segment.ptr[4] == '-';

    if (i == 0 && !is_date)
        return false;
    for (; i < segment.len; i++)
        if (!is_digit(segment.ptr[i]) && segment.ptr[i] != (is_date ? '-' : '.'))
            return false;
    return segment.len > 1;
}

/* Numbers, UUIDs, long hexadecimal and anything that nobody would type: a folder of one. */
static bool is_value(struct span segment)
{
    size_t digits = 0, hex = 0, letters = 0;

    for (size_t i = 0; i < segment.len; i++) {
        digits += is_digit(segment.ptr[i]);
        hex += is_hex(segment.ptr[i]) || segment.ptr[i] == '-';
        letters += is_letter(segment.ptr[i]);
    }
    return letters == 0 || segment.len > 40 ||
           (segment.len >= 12 && (hex == segment.len || digits * 3 > segment.len));
}

/* A name of something: no version, nobody's id. */
static bool is_word(struct span segment)
{
    return segment.len != 0 && segment.ptr[0] != ':' && !is_version(segment) && !is_value(segment);
}

/* The next word, unless it is a file at the end. */
static bool find_word(struct span *path, struct span *out_segment)
{
    while (span_split(path, '/', out_segment))
        if (is_word(*out_segment))
            return path->len != 0 || span_find(*out_segment, '.') == out_segment->len;
    return false;
}

bool naming_find_resource(struct span path, struct span *out_segment)
{
    struct span segment;

    if (!find_word(&path, &segment))
        return false;
    *out_segment = segment;
    return true;
}

bool naming_find_part(struct span path, struct span *out_part)
{
    struct span resource, segment;

    if (!find_word(&path, &resource))
        return false;
    do {
        if (!span_split(&path, '/', &segment))
            return false;
    } while (segment.len == 0 || segment.ptr[0] != ':');
    if (!find_word(&path, &segment))
        return false;
    *out_part = span_make(resource.ptr, (size_t)(segment.ptr + segment.len - resource.ptr));
    return true;
}

/* --- items --------------------------------------------------------------------------------------------- */

static void add_cut(struct strbuf *out, struct span bytes, size_t max)
{
    struct strbuf text = STRBUF_EMPTY;
    struct span whole;

    text_add_bytes(&text, span_sub(bytes, 0, bytes.len < max ? bytes.len : max));
    whole = utf8_whole(span_sub(strbuf_span(&text), 0, text.len < max ? text.len : max));
    strbuf_add(out, whole);
    if (bytes.len > max)
        strbuf_add_str(out, "…");
    strbuf_clear(&text);
}

void naming_add_item(struct strbuf *out, struct span method, struct span path)
{
    if (path.len > 1 && path.ptr[0] == '/')
        path = span_from(path, 1);
    add_cut(out, method, 20);
    strbuf_add_char(out, ' ');
    add_cut(out, path.len != 0 ? path : SPAN("/"), MAX_ITEM_NAME_BYTES - 24);
}

/* "query Product" of a GraphQL document; its first keyword and name are enough. */
static void add_graphql_operation(struct strbuf *out, const char *query, const char *name)
{
    const char *kind = "query";
    size_t skip = strspn(query, " \t\r\n"), len;

    query += skip;
    if (strncmp(query, "mutation", 8) == 0)
        kind = "mutation";
    else if (strncmp(query, "subscription", 12) == 0)
        kind = "subscription";
    if (name == NULL && strncmp(query, kind, strlen(kind)) == 0)
        name = query + strlen(kind) + strspn(query + strlen(kind), " \t\r\n");
    strbuf_printf(out, " · %s", kind);
    if (name == NULL)
        return;
    len = strcspn(name, " \t\r\n({@");
    if (len != 0) {
        strbuf_add_char(out, ' ');
        add_cut(out, span_make(name, len), MAX_SUFFIX_BYTES);
    }
}

void naming_add_operation(struct strbuf *out, const struct record *record, struct span body)
{
    struct span soap_action;
    json_t *document;

    if (record_find(&record->request_headers, SPAN("SOAPAction"), &soap_action)) {
        while (soap_action.len != 0 && soap_action.ptr[0] == '"')
            soap_action = span_from(soap_action, 1);
        while (soap_action.len != 0 && soap_action.ptr[soap_action.len - 1] == '"')
            soap_action.len--;
        if (soap_action.len != 0) {
            strbuf_add_str(out, " · ");
            add_cut(out, soap_action, MAX_SUFFIX_BYTES);
        }
        return;
    }
    if (body.len == 0 || body.ptr[0] != '{')
        return;
    document = json_loadb(body.ptr, body.len, 0, NULL);
    if (json_is_string(json_object_get(document, "query"))) {
        add_graphql_operation(out, json_string_value(json_object_get(document, "query")),
                              json_string_value(json_object_get(document, "operationName")));
    } else if (json_is_string(json_object_get(document, "jsonrpc")) &&
               json_is_string(json_object_get(document, "method"))) {
        strbuf_add_str(out, " · ");
        add_cut(out, span_of(json_string_value(json_object_get(document, "method"))), MAX_SUFFIX_BYTES);
    }
    json_decref(document);
}

/* --- unique names -------------------------------------------------------------------------------------- */

/* Open addressing over 64-bit hashes: a folder may hold a million items. Two names of one hash cost a number
 * that was not needed, nothing else. */
struct slot {
    uint64_t hash;     /* 0: free */
    uint64_t numbered; /* how many of that name got a number instead */
};

struct names {
    struct slot *slots;
    size_t cap, used;
};

struct names *names_new(void)
{
    return mem_new(struct names);
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    mem_free(names->slots);
    mem_free(names);
}

void names_reset(struct names *names)
{
    mem_free(names->slots);
    *names = (struct names){ .slots = NULL };
}

static struct slot *slot_of(struct slot *slots, size_t cap, uint64_t hash)
{
    size_t at = (size_t)hash & (cap - 1);

    while (slots[at].hash != 0 && slots[at].hash != hash)
        at = (at + 1) & (cap - 1);
    return &slots[at];
}

static uint64_t hash_of(struct span name)
{
    return XXH3_64bits(name.ptr, name.len) | 1; /* never 0 */
}

static void names_grow(struct names *names)
{
    size_t cap = names->cap != 0 ? names->cap * 2 : 64;
    struct slot *grown = mem_array(struct slot, cap);

    for (size_t i = 0; i < names->cap; i++)
        if (names->slots[i].hash != 0)
            *slot_of(grown, cap, names->slots[i].hash) = names->slots[i];
    mem_free(names->slots);
    names->slots = grown;
    names->cap = cap;
}

/* False: it is taken already. */
static bool take(struct names *names, struct span name)
{
    struct slot *slot;

    if (names->used * 3 >= names->cap * 2)
        names_grow(names);
    slot = slot_of(names->slots, names->cap, hash_of(name));
    if (slot->hash != 0)
        return false;
    slot->hash = hash_of(name);
    names->used++;
    return true;
}

/* 2 and up; base is taken. */
static uint64_t next_number(struct names *names, struct span base)
{
    return ++slot_of(names->slots, names->cap, hash_of(base))->numbered + 1;
}

static void add_query_keys(struct strbuf *out, struct span query)
{
    struct strbuf keys = STRBUF_EMPTY;
    struct span pair;

    while (span_split(&query, '&', &pair)) {
        strbuf_add_char(&keys, keys.len != 0 ? '&' : '?');
        strbuf_add(&keys, span_sub(pair, 0, span_find(pair, '=')));
    }
    if (keys.len > 1)
        add_cut(out, strbuf_span(&keys), 16);
    strbuf_clear(&keys);
}

void names_claim(struct names *names, struct strbuf *name, struct span query)
{
    size_t base_len = name->len;

    if (take(names, strbuf_span(name)))
        return;
    if (query.len != 0)
        add_query_keys(name, query);
    if (name->len != base_len && take(names, strbuf_span(name)))
        return;
    base_len = name->len;
    do {
        name->len = base_len;
        strbuf_printf(name, " (%llu)",
                      (unsigned long long)next_number(names, span_sub(strbuf_span(name), 0, base_len)));
    } while (!take(names, strbuf_span(name)));
}

#include "capture/export/merge_example.h"

#include <string.h>

#include "capture/export/dedup.h"
#include "capture/export/identity.h"
#include "capture/export/json_shape.h"
#include "capture/export/merge_call.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* --- names --------------------------------------------------------------------------------------------- */

size_t merge_example_stem(const char *name)
{
    static const char mark[] = " · #";
    const char *at = NULL, *next = name;
    size_t digits;

    while ((next = strstr(next, mark)) != NULL)
        at = next++;
    if (at == NULL)
        return 0;
    at += sizeof mark - 1;
    digits = strspn(at, "0123456789");
    if (digits == 0 || (at[digits] != '\0' && strncmp(at + digits, " (", 2) != 0))
        return 0;
    return (size_t)(at - name) + digits;
}

/* --- ids ----------------------------------------------------------------------------------------------- */

static void add_media_type(const json_t *example, struct strbuf *out)
{
    const json_t *field;
    struct span type = SPAN("");
    size_t i;

    json_array_foreach (json_object_get(example, "header"), i, field)
        if (strcasecmp(member(field, "key"), "Content-Type") == 0)
            type = span_of(member(field, "value"));
    type = span_trim(span_sub(type, 0, span_find(type, ';')));
    for (size_t at = 0; at < type.len; at++)
        strbuf_add_char(out, type.ptr[at] >= 'A' && type.ptr[at] <= 'Z' ? (char)(type.ptr[at] | 0x20)
                                                                        : type.ptr[at]);
}

bool merge_example_id(const json_t *example, const char *item_id, char out[DIGEST_UUID_BYTES])
{
    const json_t *body = json_object_get(example, "body");
    struct span text = span_make(json_string_value(body), json_string_length(body));
    struct strbuf type = STRBUF_EMPTY;
    struct json_shape shape;
    bool has_shape;

    if (merge_example_stem(member(example, "name")) == 0)
        return false;
    add_media_type(example, &type);
    has_shape = text.len != 0 && json_shape_of(text, false, &shape);
    identity_example_uuid(item_id,
                          dedup_class((int)json_integer_value(json_object_get(example, "code")),
                                      strbuf_span(&type), has_shape ? &shape : NULL),
                          out);
    strbuf_clear(&type);
    return true;
}

/* --- what is the same ---------------------------------------------------------------------------------- */

static bool is_volatile(struct span name)
{
    static const char *const names[] = {
        "date",
        "age",
        "expires",
        "last-modified",
        "etag",
        "request-id",
        "x-request-id",
        "x-correlation-id",
        "x-trace-id",
        "traceparent",
        "tracestate",
        "server-timing",
        "x-runtime",
        "x-timer",
        "x-response-time",
        "cf-ray",
        "x-amz-cf-id",
        "x-amz-cf-pop",
        "x-cache",
        "x-cache-hits",
        "x-served-by",
        "x-amzn-requestid",
        "x-amzn-trace-id",
        "report-to",
        "nel",
        "ratelimit",
        "retry-after",
    };
    static const char *const beginnings[] = { "ratelimit-", "x-ratelimit-", "x-b3-", "x-datadog-" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_ieq(name, span_of(names[i])))
            return true;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (span_istarts(name, span_of(beginnings[i])))
            return true;
    return false;
}

/* The next field that says something, from *at on; NULL: there is none. */
static const json_t *next_field(const json_t *fields, size_t *at)
{
    while (*at < json_array_size(fields)) {
        const json_t *field = json_array_get(fields, (*at)++);

        if (!json_is_true(json_object_get(field, "disabled")) && !is_volatile(span_of(member(field, "key"))))
            return field;
    }
    return NULL;
}

/* Without the date on which a cookie ends. */
static void add_value(const json_t *field, struct strbuf *out)
{
    struct span rest = span_of(member(field, "value")), part;

    if (strcasecmp(member(field, "key"), "Set-Cookie") != 0) {
        strbuf_add(out, rest);
        return;
    }
    while (span_split(&rest, ';', &part))
        if (!span_istarts(span_trim(part), SPAN("expires=")))
            strbuf_printf(out, "%.*s;", SPAN_ARG(part));
}

static bool is_same_field(const json_t *one, const json_t *other)
{
    struct strbuf one_value = STRBUF_EMPTY, other_value = STRBUF_EMPTY;
    bool is_same;

    add_value(one, &one_value);
    add_value(other, &other_value);
    is_same = strcasecmp(member(one, "key"), member(other, "key")) == 0 &&
              span_eq(strbuf_span(&one_value), strbuf_span(&other_value));
    strbuf_clear(&one_value);
    strbuf_clear(&other_value);
    return is_same;
}

static bool are_same_fields(const json_t *one, const json_t *other)
{
    size_t at_one = 0, at_other = 0;
    const json_t *field, *of_other;

    do {
        field = next_field(one, &at_one);
        of_other = next_field(other, &at_other);
        if ((field == NULL) != (of_other == NULL) || (field != NULL && !is_same_field(field, of_other)))
            return false;
    } while (field != NULL);
    return true;
}

/* Either both say the same, or neither says anything. */
static bool is_same_value(const json_t *one, const json_t *other)
{
    if (one == NULL || json_is_null(one))
        return other == NULL || json_is_null(other);
    return other != NULL && json_equal(one, other) != 0;
}

static bool is_same_url(const json_t *one, const json_t *other)
{
    char *of_one = merge_call_url(one), *of_other = merge_call_url(other);
    bool is_same = strcmp(of_one, of_other) == 0;

    mem_free(of_one);
    mem_free(of_other);
    return is_same;
}

static bool is_same_request(const json_t *one, const json_t *other)
{
    return is_same_value(json_object_get(one, "method"), json_object_get(other, "method")) &&
           is_same_value(json_object_get(one, "auth"), json_object_get(other, "auth")) &&
           is_same_value(json_object_get(one, "body"), json_object_get(other, "body")) &&
           is_same_url(one, other) &&
           are_same_fields(json_object_get(one, "header"), json_object_get(other, "header"));
}

bool merge_example_is_same(const json_t *one, const json_t *other, const char *key)
{
    /* Of these, cookies stand in the header too, and the rest hangs on the code or on the moment. */
    static const char *const unsaid[] = { "id",     "name",         "status", "_postman_previewlanguage",
                                          "cookie", "responseTime", "timings" };
    const json_t *of_one = json_object_get(one, key), *of_other = json_object_get(other, key);

    for (size_t i = 0; i < sizeof unsaid / sizeof unsaid[0]; i++)
        if (strcmp(key, unsaid[i]) == 0)
            return true;
    if (strcmp(key, "header") == 0)
        return are_same_fields(of_one, of_other);
    if (strcmp(key, "originalRequest") == 0)
        return is_same_request(of_one, of_other);
    return is_same_value(of_one, of_other);
}

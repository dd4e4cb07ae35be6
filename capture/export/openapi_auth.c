#include "capture/export/openapi_auth.h"

#include "capture/export/identity.h"
#include "capture/export/text.h"
#include "capture/set_cookie.h"
#include "proxy/base/mem.h"

#define MAX_NAME_BYTES 100

void openapi_schemes_clear(struct openapi_schemes *schemes)
{
    for (size_t i = 0; i < schemes->count; i++) {
        mem_free(schemes->list[i].id);
        mem_free(schemes->list[i].name);
    }
    schemes->count = 0;
}

/* --- names --------------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "xApiKey" for "x-api-key". */
static void add_camel(struct strbuf *out, struct span name)
{
    bool is_upper = false;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!is_letter(c) && (c < '0' || c > '9')) {
            is_upper = out->len != 0;
            continue;
        }
        strbuf_add_char(out, is_upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        is_upper = false;
    }
}

static bool is_id_taken(const struct openapi_schemes *schemes, const char *id)
{
    for (size_t i = 0; i < schemes->count; i++)
        if (strcmp(schemes->list[i].id, id) == 0)
            return true;
    return false;
}

static char *make_id(const struct openapi_schemes *schemes, enum openapi_auth_place place, struct span name)
{
    static const char *const endings[] = { "Auth", "Header", "Query", "Cookie" };
    struct strbuf id = STRBUF_EMPTY;
    size_t len;

    add_camel(&id, name);
    strbuf_add_str(&id, endings[place]);
    len = id.len;
    for (unsigned n = 2; is_id_taken(schemes, strbuf_text(&id)); n++) {
        id.len = len;
        strbuf_printf(&id, "%u", n);
    }
    return strbuf_detach(&id);
}

static uint32_t take(struct openapi_schemes *schemes, enum openapi_auth_place place, struct span name)
{
    struct openapi_scheme *scheme;

    for (size_t i = 0; i < schemes->count; i++)
        if (schemes->list[i].place == place && span_eq(span_of(schemes->list[i].name), name))
            return UINT32_C(1) << i;
    if (schemes->count == OPENAPI_MAX_SCHEMES || name.len > MAX_NAME_BYTES)
        return 0;
    scheme = &schemes->list[schemes->count];
    *scheme = (struct openapi_scheme){
        .id = make_id(schemes, place, name),
        .place = place,
        .name = mem_spandup(name),
    };
    return UINT32_C(1) << schemes->count++;
}

/* --- what a request uses ------------------------------------------------------------------------------- */

static bool contains(struct span text, struct span word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (span_istarts(span_from(text, i), word))
            return true;
    return false;
}

/* Those that log in; a cookie against forged requests only confirms. */
static bool is_login_cookie(struct span name)
{
    static const struct span words[] = { { "sess", 4 }, { "auth", 4 }, { "token", 5 }, { "jwt", 3 } };

    if (contains(name, SPAN("csrf")) || contains(name, SPAN("xsrf")) || !utf8_is_valid(name))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (contains(name, words[i]))
            return true;
    return span_ieq(name, SPAN("sid")) || span_ends(name, SPAN(".sid")) || span_ends(name, SPAN("_sid"));
}

static uint32_t cookies_of(struct openapi_schemes *schemes, const struct record *record)
{
    const struct record_fields *fields = &record->request_headers;
    uint32_t used = 0;

    for (size_t i = 0; i < fields->count; i++) {
        struct span rest = fields->items[i].value, name, value;

        if (!span_ieq(fields->items[i].name, SPAN("Cookie")))
            continue;
        while (cookie_next(&rest, &name, &value))
            if (is_login_cookie(name))
                used |= take(schemes, OPENAPI_AUTH_COOKIE, name);
    }
    return used;
}

uint32_t openapi_auth_of(struct openapi_schemes *schemes, const struct record *record)
{
    uint32_t used = cookies_of(schemes, record);
    struct strbuf text = STRBUF_EMPTY;
    struct span way;

    identity_add_auth(&text, record);
    way = strbuf_span(&text);
    if (span_starts(way, SPAN("apikey:?")))
        used |= take(schemes, OPENAPI_AUTH_QUERY, span_from(way, SPAN("apikey:?").len));
    else if (span_starts(way, SPAN("apikey:")))
        used |= take(schemes, OPENAPI_AUTH_HEADER, span_from(way, SPAN("apikey:").len));
    else if (span_eq(way, SPAN("token")))
        used |= take(schemes, OPENAPI_AUTH_HEADER, SPAN("Authorization"));
    else if (!span_eq(way, SPAN("none")))
        used |= take(schemes, OPENAPI_AUTH_HTTP, way);
    strbuf_clear(&text);
    return used;
}

struct span openapi_auth_find(const struct openapi_schemes *schemes, uint32_t used,
                              enum openapi_auth_place place)
{
    for (size_t i = 0; i < schemes->count; i++)
        if ((used >> i & 1) != 0 && schemes->list[i].place == place)
            return span_of(schemes->list[i].name);
    return SPAN_NONE;
}

/* --- writing ------------------------------------------------------------------------------------------- */

void openapi_schemes_write(const struct openapi_schemes *schemes, struct json_out *json)
{
    static const char *const places[] = { NULL, "header", "query", "cookie" };

    jout_open_object(json);
    for (size_t i = 0; i < schemes->count; i++) {
        const struct openapi_scheme *scheme = &schemes->list[i];

        jout_key(json, scheme->id);
        jout_open_object(json);
        if (scheme->place == OPENAPI_AUTH_HTTP) {
            jout_member_str(json, "type", "http");
            jout_member_str(json, "scheme", scheme->name);
        } else {
            jout_member_str(json, "type", "apiKey");
            jout_member_str(json, "in", places[scheme->place]);
            jout_member_str(json, "name", scheme->name);
        }
        jout_close(json);
    }
    jout_close(json);
}

void openapi_auth_write(const struct openapi_schemes *schemes, uint32_t used, struct json_out *json)
{
    jout_open_object(json);
    for (size_t i = 0; i < schemes->count; i++) {
        if ((used >> i & 1) == 0)
            continue;
        jout_key(json, schemes->list[i].id);
        jout_open_array(json);
        jout_close(json);
    }
    jout_close(json);
}

/* Reading an entry. What it means is in har_meaning.c. */
#include "capture/import/har_entry.h"

#include "capture/import/cookie_line.h"
#include "capture/import/har_text.h"
#include "capture/import/json_value.h"

/* --- life ---------------------------------------------------------------------------------------------- */

#define TEXT_COUNT 11
static void texts_of(struct har_entry *entry, struct strbuf *out_texts[TEXT_COUNT])
{
    struct strbuf *texts[TEXT_COUNT] = { &entry->started,       &entry->method,      &entry->url,
                                         &entry->address,       &entry->status_text, &entry->error,
                                         &entry->pseudo_method, &entry->authority,   &entry->first,
                                         &entry->second,        &entry->third };

    memcpy(out_texts, texts, sizeof texts);
}

static void reset_values(struct har_entry *entry)
{
    entry->status = entry->close_code = 0;
    entry->time = -1;
    for (int i = 0; i < HAR_TIMING_COUNT; i++)
        entry->timings[i] = -1;
    entry->params_at = entry->messages_at = 0;
    for (int role = 0; role < 2; role++) {
        struct har_side *side = &entry->sides[role];
        side->is_there = side->has_pseudo = false;
        side->text_at = 0;
        side->size = -1;
        headers_clear(&side->headers);
        headers_init(&side->headers, PAST_FIELDS, PAST_TEXT_BYTES);
        headers_clear(&side->set_cookies);
        headers_init(&side->set_cookies, PAST_FIELDS, PAST_TEXT_BYTES);
    }
}

void har_entry_init(struct har_entry *entry, struct import_job *job)
{
    struct strbuf *texts[TEXT_COUNT];

    memset(entry, 0, sizeof *entry);
    entry->job = job;
    texts_of(entry, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        strbuf_init(texts[i], PAST_TEXT_BYTES);
    for (int role = 0; role < 2; role++) {
        struct har_side *side = &entry->sides[role];
        strbuf_init(&side->version, 64);
        strbuf_init(&side->type, 4096);
        strbuf_init(&side->body_encoding, 64);
        strbuf_init(&side->cookies, PAST_TEXT_BYTES);
    }
    reset_values(entry);
}

void har_entry_reset(struct har_entry *entry)
{
    struct strbuf *texts[TEXT_COUNT];

    texts_of(entry, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        strbuf_reset(texts[i]);
    for (int role = 0; role < 2; role++) {
        struct har_side *side = &entry->sides[role];
        strbuf_reset(&side->version);
        strbuf_reset(&side->type);
        strbuf_reset(&side->body_encoding);
        strbuf_reset(&side->cookies);
    }
    reset_values(entry);
}

void har_entry_clear(struct har_entry *entry)
{
    struct strbuf *texts[TEXT_COUNT];

    texts_of(entry, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        strbuf_clear(texts[i]);
    for (int role = 0; role < 2; role++) {
        struct har_side *side = &entry->sides[role];
        strbuf_clear(&side->version);
        strbuf_clear(&side->type);
        strbuf_clear(&side->body_encoding);
        strbuf_clear(&side->cookies);
        headers_clear(&side->headers);
        headers_clear(&side->set_cookies);
    }
}

/* --- header fields ------------------------------------------------------------------------------------- */

static bool read_pair(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;

    if (span_eq(key, SPAN("name")))
        return json_value_text(json, token, &entry->first);
    if (span_eq(key, SPAN("value")))
        return json_value_text(json, token, &entry->second);
    return json_in_skip(json, token);
}

/* HTTP/2's pseudo-header fields are no fields of the message. */
static void note_pseudo(struct har_entry *entry, struct span name, struct span value)
{
    entry->sides[entry->role].has_pseudo = true;
    if (span_ieq(name, SPAN(":method"))) {
        strbuf_reset(&entry->pseudo_method);
        strbuf_add(&entry->pseudo_method, value);
    } else if (span_ieq(name, SPAN(":authority"))) {
        strbuf_reset(&entry->authority);
        strbuf_add(&entry->authority, value);
    }
}

static bool read_header(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;
    struct span name, value;

    (void)key;
    strbuf_reset(&entry->first);
    strbuf_reset(&entry->second);
    if (!json_value_object(json, token, read_pair, entry))
        return false;
    if (entry->first.is_full || entry->second.is_full)
        import_count(entry->job, IMPORT_LONG, "entry %llu", (unsigned long long)entry->number);
    entry->first.is_full = entry->second.is_full = false;
    name = strbuf_span(&entry->first);
    value = strbuf_span(&entry->second);
    if (name.len != 0 && name.ptr[0] == ':')
        note_pseudo(entry, name, value);
    else if (token == JSON_IN_OBJECT)
        past_add_field(entry->job, &entry->sides[entry->role].headers, name, value);
    return true;
}

/* --- cookies ------------------------------------------------------------------------------------------- */

struct har_cookie {
    struct har_entry *entry;
    struct strbuf path, domain, expires, same_site;
    bool is_http_only, is_secure;
};

static bool read_cookie_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_cookie *cookie = self;

    if (span_eq(key, SPAN("path")))
        return json_value_text(json, token, &cookie->path);
    if (span_eq(key, SPAN("domain")))
        return json_value_text(json, token, &cookie->domain);
    if (span_eq(key, SPAN("expires")))
        return json_value_text(json, token, &cookie->expires);
    if (span_eq(key, SPAN("sameSite")))
        return json_value_text(json, token, &cookie->same_site);
    if (span_eq(key, SPAN("httpOnly")))
        return json_value_bool(json, token, &cookie->is_http_only);
    if (span_eq(key, SPAN("secure")))
        return json_value_bool(json, token, &cookie->is_secure);
    return read_pair(cookie->entry, json, key, token);
}

static void add_set_cookie(struct har_entry *entry, const struct har_cookie *cookie)
{
    uint64_t expires_us = 0;
    const struct cookie_line parts = {
        .name = strbuf_span(&entry->first),
        .value = strbuf_span(&entry->second),
        .domain = strbuf_span(&cookie->domain),
        .path = strbuf_span(&cookie->path),
        .is_persistent = har_time(strbuf_span(&cookie->expires), &expires_us),
        .expires_s = (int64_t)(expires_us / 1000000),
        .is_secure = cookie->is_secure,
        .is_http_only = cookie->is_http_only,
        .same_site = strbuf_span(&cookie->same_site),
    };

    cookie_line_write(&parts, &entry->third);
    past_add_field(entry->job, &entry->sides[HTTP_RESPONSE].set_cookies, SPAN("Set-Cookie"),
                   strbuf_span(&entry->third));
}

static bool read_cookie(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;
    struct har_cookie cookie = { .entry = entry };
    struct strbuf *sent = &entry->sides[HTTP_REQUEST].cookies;
    struct strbuf *texts[] = { &cookie.path, &cookie.domain, &cookie.expires, &cookie.same_site };
    bool ok;

    (void)key;
    strbuf_reset(&entry->first);
    strbuf_reset(&entry->second);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        strbuf_init(texts[i], 4096);
    ok = json_value_object(json, token, read_cookie_member, &cookie);
    if (ok && entry->first.len != 0 && entry->role == HTTP_REQUEST) {
        strbuf_add_str(sent, sent->len != 0 ? "; " : "");
        strbuf_add(sent, strbuf_span(&entry->first));
        strbuf_add_char(sent, '=');
        strbuf_add(sent, strbuf_span(&entry->second));
    } else if (ok && entry->first.len != 0) {
        add_set_cookie(entry, &cookie);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        strbuf_clear(texts[i]);
    return ok;
}

/* --- bodies -------------------------------------------------------------------------------------------- */

static bool remember(struct json_in *json, enum json_in_token token, enum json_in_token wanted,
                     uint64_t *out_at)
{
    if (token == wanted)
        *out_at = json_in_token_at(json);
    return json_in_skip(json, token);
}

/* postData and content. */
static bool read_body(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;
    struct har_side *side = &entry->sides[entry->role];

    if (span_eq(key, SPAN("mimeType")))
        return json_value_text(json, token, &side->type);
    if (span_eq(key, SPAN("text")))
        return remember(json, token, JSON_IN_STRING, &side->text_at);
    if (span_eq(key, SPAN("params")))
        return remember(json, token, JSON_IN_ARRAY, &entry->params_at);
    if (span_eq(key, SPAN("encoding")) || span_eq(key, SPAN("_encoding")))
        return json_value_text(json, token, &side->body_encoding);
    if (span_eq(key, SPAN("size")) && entry->role == HTTP_RESPONSE)
        return json_value_number(json, token, &side->size);
    return json_in_skip(json, token);
}

/* --- request, response, timings ------------------------------------------------------------------------ */

static bool read_either(struct har_entry *entry, struct json_in *json, struct span key,
                        enum json_in_token token)
{
    struct har_side *side = &entry->sides[entry->role];

    if (span_eq(key, SPAN("httpVersion")))
        return json_value_text(json, token, &side->version);
    if (span_eq(key, SPAN("headers")))
        return json_value_array(json, token, read_header, entry);
    if (span_eq(key, SPAN("cookies")))
        return json_value_array(json, token, read_cookie, entry);
    return json_in_skip(json, token);
}

static bool read_request(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;

    entry->role = HTTP_REQUEST;
    if (span_eq(key, SPAN("method")))
        return json_value_text(json, token, &entry->method);
    if (span_eq(key, SPAN("url")))
        return json_value_text(json, token, &entry->url);
    if (span_eq(key, SPAN("postData")))
        return json_value_object(json, token, read_body, entry);
    if (span_eq(key, SPAN("bodySize")))
        return json_value_number(json, token, &entry->sides[HTTP_REQUEST].size);
    return read_either(entry, json, key, token);
}

static bool read_response(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;

    entry->role = HTTP_RESPONSE;
    if (span_eq(key, SPAN("status")))
        return json_value_number(json, token, &entry->status);
    if (span_eq(key, SPAN("statusText")))
        return json_value_text(json, token, &entry->status_text);
    if (span_eq(key, SPAN("content")))
        return json_value_object(json, token, read_body, entry);
    if (span_eq(key, SPAN("_error")))
        return json_value_text(json, token, &entry->error);
    return read_either(entry, json, key, token);
}

static bool read_timing(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    static const struct span names[HAR_TIMING_COUNT] = {
        [HAR_BLOCKED] = SPAN("blocked"), [HAR_DNS] = SPAN("dns"),   [HAR_CONNECT] = SPAN("connect"),
        [HAR_SSL] = SPAN("ssl"),         [HAR_SEND] = SPAN("send"), [HAR_WAIT] = SPAN("wait"),
        [HAR_RECEIVE] = SPAN("receive"),
    };
    struct har_entry *entry = self;

    for (int i = 0; i < HAR_TIMING_COUNT; i++)
        if (span_eq(key, names[i]))
            return json_value_number(json, token, &entry->timings[i]);
    return json_in_skip(json, token);
}

static bool read_close(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;

    if (span_eq(key, SPAN("code")))
        return json_value_number(json, token, &entry->close_code);
    return json_in_skip(json, token);
}

static bool read_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct har_entry *entry = self;

    if (span_eq(key, SPAN("startedDateTime")))
        return json_value_text(json, token, &entry->started);
    if (span_eq(key, SPAN("time")))
        return json_value_number(json, token, &entry->time);
    if (span_eq(key, SPAN("serverIPAddress")))
        return json_value_text(json, token, &entry->address);
    if (span_eq(key, SPAN("timings")))
        return json_value_object(json, token, read_timing, entry);
    if (span_eq(key, SPAN("_webSocketMessages")))
        return remember(json, token, JSON_IN_ARRAY, &entry->messages_at);
    if (span_eq(key, SPAN("_webSocketClose")))
        return json_value_object(json, token, read_close, entry);
    if (span_eq(key, SPAN("_error")))
        return json_value_text(json, token, &entry->error);
    if (span_eq(key, SPAN("request"))) {
        entry->sides[HTTP_REQUEST].is_there = token == JSON_IN_OBJECT;
        return json_value_object(json, token, read_request, entry);
    }
    if (span_eq(key, SPAN("response"))) {
        entry->sides[HTTP_RESPONSE].is_there = token == JSON_IN_OBJECT;
        return json_value_object(json, token, read_response, entry);
    }
    return json_in_skip(json, token);
}

bool har_entry_read(struct har_entry *entry, struct json_in *json, enum json_in_token token)
{
    return json_value_object(json, token, read_member, entry);
}

/* Cookie files: each cookie becomes the Set-Cookie field that sets it, seen where it belongs, so that a jar
 * made of the session holds what the file did. A cookie that no field can set is left out. */
#include <math.h>

#include "capture/import/cookie_line.h"
#include "capture/import/har_text.h"
#include "capture/import/import_job.h"
#include "capture/import/json_value.h"
#include "capture/jar.h"
#include "capture/set_cookie.h"
#include "proxy/http/url.h"

/* Browsers take 4096 bytes of name and value, and as much of other attributes. */
#define TEXT_BYTES 8192
#define LINE_BYTES ((size_t)32 * 1024)

/* As a file tells it. */
struct cookie_in {
    struct import_job *job;
    uint64_t number; /* in the file, from 1 */
    struct strbuf name, value, domain, path, same_site, priority, expires, creation, last_accessed;
    struct strbuf line;
    double expires_s, max_age_s; /* NAN: none */
    bool is_secure, is_http_only, is_partitioned;
    bool says_host_only, is_host_only; /* else the domain says it with a dot */
    bool is_tough;                     /* its name is called "key": text is one character a byte */
};

#define TEXT_COUNT 9
static void texts_of(struct cookie_in *cookie, struct strbuf *out_texts[TEXT_COUNT])
{
    struct strbuf *texts[TEXT_COUNT] = { &cookie->name,    &cookie->value,     &cookie->domain,
                                         &cookie->path,    &cookie->same_site, &cookie->priority,
                                         &cookie->expires, &cookie->creation,  &cookie->last_accessed };

    memcpy(out_texts, texts, sizeof texts);
}

static void cookie_reset(struct cookie_in *cookie)
{
    struct strbuf *texts[TEXT_COUNT];

    texts_of(cookie, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        strbuf_reset(texts[i]);
        texts[i]->is_full = false;
    }
    cookie->expires_s = cookie->max_age_s = NAN;
    cookie->is_secure = cookie->is_http_only = cookie->is_partitioned = false;
    cookie->says_host_only = cookie->is_host_only = cookie->is_tough = false;
}

static void cookie_init(struct cookie_in *cookie, struct import_job *job)
{
    struct strbuf *texts[TEXT_COUNT];

    memset(cookie, 0, sizeof *cookie);
    cookie->job = job;
    texts_of(cookie, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        strbuf_init(texts[i], TEXT_BYTES);
    cookie_reset(cookie);
}

static void cookie_clear(struct cookie_in *cookie)
{
    struct strbuf *texts[TEXT_COUNT];

    texts_of(cookie, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        strbuf_clear(texts[i]);
    strbuf_clear(&cookie->line);
}

/* --- telling ------------------------------------------------------------------------------------------- */

static void left_out(struct cookie_in *cookie, const char *why)
{
    import_count(cookie->job, IMPORT_BAD_COOKIE, "cookie %llu: %s", (unsigned long long)cookie->number, why);
}

/* "192.0.2.1", "shop.test", "::1" of ".shop.test", "[::1]". */
static struct span host_of(const struct cookie_in *cookie)
{
    struct span host = strbuf_span(&cookie->domain);

    if (host.len != 0 && host.ptr[0] == '.')
        return span_from(host, 1);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return span_sub(host, 1, host.len - 2);
    return host;
}

static bool is_host_only(const struct cookie_in *cookie)
{
    bool has_dot = cookie->domain.len != 0 && cookie->domain.ptr[0] == '.';

    if (cookie->says_host_only)
        return cookie->is_host_only;
    return !cookie->is_tough && !has_dot;
}

/* "lax" -> "Lax"; what browsers' own interfaces call None has another name. */
static struct span same_site_of(const struct cookie_in *cookie)
{
    static const struct {
        struct span name, value;
    } rows[] = { { SPAN("none"), SPAN("None") },
                 { SPAN("no_restriction"), SPAN("None") },
                 { SPAN("lax"), SPAN("Lax") },
                 { SPAN("strict"), SPAN("Strict") } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (span_ieq(strbuf_span(&cookie->same_site), rows[i].name))
            return rows[i].value;
    return SPAN_NONE;
}

static double expires_of(const struct cookie_in *cookie, uint64_t created_us)
{
    uint64_t us;

    if (!isnan(cookie->max_age_s))
        return (double)(created_us / 1000000) + cookie->max_age_s;
    if (har_time(strbuf_span(&cookie->expires), &us))
        return (double)(us / 1000000 + (us % 1000000 != 0));
    return cookie->expires_s;
}

/* Whether a browser that is sent the line holds this cookie afterwards. */
static bool check(const struct cookie_in *cookie, const struct cookie_line *parts,
                  const struct jar_request *request, uint64_t time_us, struct err *err)
{
    struct set_cookie parsed;
    struct jar *jar;
    bool ok;

    if (!set_cookie_parse(strbuf_span(&cookie->line), &parsed, err))
        return false;
    if (!span_eq(parsed.name, parts->name) || !span_eq(parsed.value, parts->value) ||
        !span_eq(parsed.path, parts->path))
        return err_set(err, ERR_PROTO, "no Set-Cookie field can hold its name, value or path");
    jar = jar_new();
    ok = jar_add_set(jar, request, time_us, strbuf_span(&cookie->line), err);
    jar_free(jar);
    return ok;
}

static void tell(struct cookie_in *cookie, const struct cookie_line *parts, const struct jar_request *request,
                 uint64_t time_us)
{
    struct import_job *job = cookie->job;
    struct exchange_piece *piece = piece_new(job->session, NULL);

    piece->scheme = piece_add_text(piece, request->scheme);
    piece->host = piece_add_text(piece, request->host);
    piece->path = piece_add_text(piece, request->path);
    piece->port = url_default_port(request->scheme);
    piece_add_cookie(piece, COOKIE_SET, time_us, parts->name, parts->value, strbuf_span(&cookie->line));
    piece_weigh(piece);
    capture_push(job->capture, &piece->base);
}

/* Set when it was made, and once more when it was last changed or used: so it keeps its age, and what a
 * session saw in between is older than the file. */
static void tell_cookie(struct cookie_in *cookie)
{
    const struct jar_request request = { .scheme = cookie->is_secure ? SPAN("https") : SPAN("http"),
                                         .host = host_of(cookie),
                                         .path = strbuf_span(&cookie->path) };
    uint64_t now_us = cookie->job->now_us, created_us, accessed_us;
    double expires_s;
    struct cookie_line parts;
    struct err err;

    if (!har_time(strbuf_span(&cookie->creation), &created_us))
        created_us = now_us + cookie->number; /* the order of the file is that of their age */
    expires_s = expires_of(cookie, created_us);
    parts = (struct cookie_line){
        .name = strbuf_span(&cookie->name),
        .value = strbuf_span(&cookie->value),
        .domain = is_host_only(cookie) ? SPAN_NONE : request.host,
        .path = request.path,
        .is_persistent = !isnan(expires_s),
        .expires_s = isnan(expires_s)                         ? 0
                     : expires_s < (double)COOKIE_LAST_SECOND ? (int64_t)ceil(fmax(expires_s, 0))
                                                              : COOKIE_LAST_SECOND,
        .is_secure = cookie->is_secure,
        .is_http_only = cookie->is_http_only,
        .is_partitioned = cookie->is_partitioned,
        .same_site = same_site_of(cookie),
        .priority = strbuf_span(&cookie->priority),
    };
    cookie_line_write(&parts, &cookie->line);
    if (request.host.len == 0) {
        left_out(cookie, "it has no domain");
    } else if (parts.is_persistent && parts.expires_s <= (int64_t)(now_us / 1000000)) {
        left_out(cookie, "it has expired");
    } else if (!check(cookie, &parts, &request, created_us, &err)) {
        left_out(cookie, err.text);
    } else {
        tell(cookie, &parts, &request, created_us);
        if (har_time(strbuf_span(&cookie->last_accessed), &accessed_us) && accessed_us > created_us)
            tell(cookie, &parts, &request, accessed_us);
        cookie->job->report->cookies++;
    }
}

/* --- JSON ---------------------------------------------------------------------------------------------- */

static bool read_extension(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct cookie_in *cookie = self;
    struct strbuf text = STRBUF_EMPTY;
    struct span span;
    bool ok;

    (void)key;
    strbuf_init(&text, 256);
    ok = json_value_text(json, token, &text);
    span = strbuf_span(&text);
    if (span_ieq(span, SPAN("Partitioned")))
        cookie->is_partitioned = true;
    if (span_istarts(span, SPAN("Priority="))) {
        strbuf_reset(&cookie->priority);
        strbuf_add(&cookie->priority, span_from(span, strlen("Priority=")));
    }
    strbuf_clear(&text);
    return ok;
}

static bool read_expires(struct cookie_in *cookie, struct json_in *json, enum json_in_token token)
{
    if (token == JSON_IN_STRING)
        return json_value_text(json, token, &cookie->expires);
    if (!json_value_number(json, token, &cookie->expires_s))
        return false;
    if (cookie->expires_s < 0) /* Playwright's session */
        cookie->expires_s = NAN;
    return true;
}

static bool read_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct cookie_in *cookie = self;
    const struct {
        struct span key;
        struct strbuf *text;
    } texts[] = {
        { SPAN("key"), &cookie->name },
        { SPAN("name"), &cookie->name },
        { SPAN("value"), &cookie->value },
        { SPAN("domain"), &cookie->domain },
        { SPAN("path"), &cookie->path },
        { SPAN("sameSite"), &cookie->same_site },
        { SPAN("priority"), &cookie->priority },
        { SPAN("creation"), &cookie->creation },
        { SPAN("lastAccessed"), &cookie->last_accessed },
    };
    const struct {
        struct span key;
        bool *value;
    } flags[] = { { SPAN("secure"), &cookie->is_secure },
                  { SPAN("httpOnly"), &cookie->is_http_only },
                  { SPAN("partitioned"), &cookie->is_partitioned },
                  { SPAN("hostOnly"), &cookie->is_host_only } };

    cookie->is_tough = cookie->is_tough || span_eq(key, SPAN("key"));
    cookie->says_host_only = cookie->says_host_only || span_eq(key, SPAN("hostOnly"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (span_eq(key, texts[i].key))
            return json_value_text(json, token, texts[i].text);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (span_eq(key, flags[i].key))
            return json_value_bool(json, token, flags[i].value);
    if (span_eq(key, SPAN("expires")) || span_eq(key, SPAN("expirationDate")))
        return read_expires(cookie, json, token);
    if (span_eq(key, SPAN("maxAge")))
        return json_value_number(json, token, &cookie->max_age_s);
    if (span_eq(key, SPAN("extensions")))
        return json_value_array(json, token, read_extension, cookie);
    if (span_eq(key, SPAN("partitionKey")))
        cookie->is_partitioned = token == JSON_IN_STRING || token == JSON_IN_OBJECT;
    return json_in_skip(json, token);
}

/* What the wire had: tough-cookie's strings are one character a byte. */
static void to_bytes(struct strbuf *text)
{
    struct strbuf bytes = STRBUF_EMPTY;

    if (record_bytes_add(&bytes, strbuf_span(text))) {
        strbuf_reset(text);
        strbuf_add(text, strbuf_span(&bytes));
    }
    strbuf_clear(&bytes);
}

static bool read_cookie(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct cookie_in *cookie = self;

    (void)key;
    cookie->number++;
    cookie_reset(cookie);
    if (!json_value_object(json, token, read_member, cookie))
        return false;
    if (cookie->is_tough) {
        to_bytes(&cookie->name);
        to_bytes(&cookie->value);
        to_bytes(&cookie->path);
    }
    if (cookie->name.is_full || cookie->value.is_full || cookie->path.is_full)
        left_out(cookie, "it is longer than a browser takes");
    else
        tell_cookie(cookie);
    return true;
}

static bool count_item(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    (void)key;
    ++*(uint64_t *)self;
    return json_in_skip(json, token);
}

struct stored_origin {
    uint64_t items;
    struct strbuf origin;
};

static bool read_origin_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct stored_origin *stored = self;

    if (span_eq(key, SPAN("localStorage")))
        return json_value_array(json, token, count_item, &stored->items);
    if (span_eq(key, SPAN("origin")))
        return json_value_text(json, token, &stored->origin);
    return json_in_skip(json, token);
}

static bool read_origin(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    struct cookie_in *cookie = self;
    struct stored_origin stored = { 0 };
    bool ok;

    (void)key;
    strbuf_init(&stored.origin, 100);
    ok = json_value_object(json, token, read_origin_member, &stored);
    if (ok && stored.items != 0)
        import_count(cookie->job, IMPORT_LOCAL_STORAGE, "%s", strbuf_text(&stored.origin));
    strbuf_clear(&stored.origin);
    return ok;
}

static bool read_top_member(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    if (span_eq(key, SPAN("cookies")))
        return json_value_array(json, token, read_cookie, self);
    if (span_eq(key, SPAN("origins")))
        return json_value_array(json, token, read_origin, self);
    return json_in_skip(json, token);
}

static void read_json(struct cookie_in *cookie)
{
    struct json_in *json = json_in_new(cookie->job->input);
    enum json_in_token token = json_in_next(json);
    bool ok = token == JSON_IN_ARRAY ? json_value_array(json, token, read_cookie, cookie)
                                     : json_value_object(json, token, read_top_member, cookie);

    if (!ok || json_in_next(json) != JSON_IN_END)
        import_damage(cookie->job, "damaged at byte %llu, line %llu, at cookie %llu: %s",
                      (unsigned long long)json_in_offset(json), (unsigned long long)json_in_line(json),
                      (unsigned long long)cookie->number, json_in_why(json));
    json_in_free(json);
}

/* --- cookies.txt --------------------------------------------------------------------------------------- */

enum { DOMAIN, SUBDOMAINS, PATH, SECURE, EXPIRY, NAME, VALUE, FIELD_COUNT };

/* domain, subdomains too, path, secure, expiry, name, value; an empty value may be missing with its tab. */
static bool split_line(struct span line, struct span fields[FIELD_COUNT])
{
    size_t count = 0;

    for (; count < FIELD_COUNT; count++) {
        size_t tab = count + 1 < FIELD_COUNT ? span_find(line, '\t') : line.len;
        fields[count] = span_sub(line, 0, tab);
        if (tab == line.len) {
            count++;
            break;
        }
        line = span_from(line, tab + 1);
    }
    if (count == VALUE)
        fields[VALUE] = SPAN("");
    return count >= VALUE;
}

static bool is_boolean(struct span text)
{
    return span_ieq(text, SPAN("TRUE")) || span_ieq(text, SPAN("FALSE"));
}

static bool parse_line(struct span line, struct span fields[FIELD_COUNT], uint64_t *out_expiry)
{
    struct span seconds;

    if (!split_line(line, fields) || !is_boolean(fields[SUBDOMAINS]) || !is_boolean(fields[SECURE]))
        return false;
    seconds = span_sub(fields[EXPIRY], 0, span_find(fields[EXPIRY], '.'));
    *out_expiry = 0;
    return seconds.len == 0 || span_eq(seconds, SPAN("-1")) || span_u64(seconds, out_expiry);
}

static void read_fields(struct cookie_in *cookie, const struct span fields[FIELD_COUNT], uint64_t expiry)
{
    cookie_reset(cookie);
    strbuf_add(&cookie->domain, fields[DOMAIN]);
    strbuf_add(&cookie->path, fields[PATH]);
    strbuf_add(&cookie->name, fields[NAME]);
    strbuf_add(&cookie->value, fields[VALUE]);
    cookie->says_host_only = true;
    cookie->is_host_only = !span_ieq(fields[SUBDOMAINS], SPAN("TRUE"));
    cookie->is_secure = span_ieq(fields[SECURE], SPAN("TRUE"));
    if (expiry != 0)
        cookie->expires_s = (double)expiry;
}

/* An HttpOnly cookie looks like a comment to who does not know them. False: the line holds no cookie. */
static bool strip_comment(struct span *line, bool *out_is_http_only)
{
    static const char PREFIX[] = "#HttpOnly_";

    while (line->len != 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    *out_is_http_only = span_starts(*line, span_of(PREFIX));
    if (*out_is_http_only)
        *line = span_from(*line, strlen(PREFIX));
    return line->len != 0 && line->ptr[0] != '#' && span_trim(*line).len != 0;
}

static void read_line(struct cookie_in *cookie, struct span line, uint64_t at, uint64_t number)
{
    struct span fields[FIELD_COUNT];
    bool is_http_only;
    uint64_t expiry;

    if (!strip_comment(&line, &is_http_only))
        return;
    cookie->number++;
    if (!parse_line(line, fields, &expiry)) {
        import_damage(cookie->job, "damaged at byte %llu, line %llu: not the seven fields of a cookie",
                      (unsigned long long)at, (unsigned long long)number);
        return;
    }
    read_fields(cookie, fields, expiry);
    cookie->is_http_only = is_http_only;
    tell_cookie(cookie);
}

/* The line at offset, without its line feed, as far as a line may be long. *out_next: that of the next. */
static bool next_line(struct input *input, struct strbuf *line, uint64_t offset, uint64_t *out_next)
{
    char *bytes;
    size_t got, end;

    strbuf_reset(line);
    bytes = strbuf_reserve(line, LINE_BYTES);
    got = input_read(input, offset, bytes, LINE_BYTES);
    end = span_find(span_make(bytes, got), '\n');
    line->len = end;
    *out_next = offset + (end < got ? end + 1 : end);
    return got != 0;
}

static void read_lines(struct cookie_in *cookie)
{
    static const char MARK[] = "\xef\xbb\xbf";
    struct strbuf line = STRBUF_EMPTY;
    uint64_t at = 0, next, number = 0;

    while (next_line(cookie->job->input, &line, at, &next)) {
        struct span text = strbuf_span(&line);
        if (at == 0 && span_starts(text, span_of(MARK)))
            text = span_from(text, strlen(MARK));
        read_line(cookie, text, at, ++number);
        at = next;
    }
    strbuf_clear(&line);
}

/* --- which of them ------------------------------------------------------------------------------------- */

static bool begins_json(struct input *input)
{
    char front[256];
    struct span text = span_make(front, input_read(input, 0, front, sizeof front));

    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    while (text.len != 0 && strchr(" \t\r\n", text.ptr[0]) != NULL)
        text = span_from(text, 1);
    return text.len != 0 && (text.ptr[0] == '{' || text.ptr[0] == '[');
}

static bool find_cookies(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    bool *found = self;

    *found = span_eq(key, SPAN("cookies")) && token == JSON_IN_ARRAY;
    return !*found && json_in_skip(json, token);
}

static bool find_domain(void *self, struct json_in *json, struct span key, enum json_in_token token)
{
    bool *found = self;

    *found = *found || span_eq(key, SPAN("domain"));
    return json_in_skip(json, token);
}

static bool is_json_jar(struct input *input)
{
    struct json_in *json = json_in_new(input);
    enum json_in_token token = json_in_next(json);
    bool found = false;

    if (token == JSON_IN_OBJECT)
        json_value_object(json, token, find_cookies, &found);
    else if (token == JSON_IN_ARRAY && json_in_next(json) == JSON_IN_OBJECT)
        json_value_object(json, JSON_IN_OBJECT, find_domain, &found);
    json_in_free(json);
    return found;
}

static bool is_text_jar(struct input *input)
{
    struct strbuf line = STRBUF_EMPTY;
    struct span fields[FIELD_COUNT], text;
    uint64_t at = 0, expiry;
    bool found = false, is_http_only, is_over = false;

    while (!is_over && next_line(input, &line, at, &at)) {
        text = strbuf_span(&line);
        found = span_starts(text, SPAN("# Netscape HTTP Cookie File")) ||
                span_starts(text, SPAN("# HTTP Cookie File"));
        is_over = found;
        if (!is_over && strip_comment(&text, &is_http_only)) {
            found = parse_line(text, fields, &expiry);
            is_over = true;
        }
    }
    strbuf_clear(&line);
    return found;
}

bool cookies_are_mine(struct input *input)
{
    return begins_json(input) ? is_json_jar(input) : is_text_jar(input);
}

void cookies_read(struct import_job *job)
{
    struct cookie_in cookie;

    cookie_init(&cookie, job);
    if (begins_json(job->input))
        read_json(&cookie);
    else
        read_lines(&cookie);
    cookie_clear(&cookie);
}

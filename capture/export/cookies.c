/* The three cookie files. They differ in what they can hold; what one can't is counted, never bent. */
#include "capture/export/cookies.h"

#include <inttypes.h>

#include "capture/export/job.h"
#include "capture/export/json_out.h"
#include "capture/export/partition.h"
#include "capture/export/text.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"

#define DAY_S 86400

/* --- loading ------------------------------------------------------------------------------------------- */

struct loading {
    struct jar *jar;
    uint64_t last_us;
    void (*ignored)(void *self, const struct cookie_row *row, const struct err *why);
    void *self;
};

static bool load_row(void *self, const struct cookie_row *row)
{
    struct loading *loading = self;
    struct err why;

    if (row->time_us > loading->last_us)
        loading->last_us = row->time_us;
    if (!jar_add_row(loading->jar, row, &why) && loading->ignored != NULL)
        loading->ignored(loading->self, row, &why);
    return true;
}

bool cookies_load(const struct export_source *source,
                  void (*ignored)(void *self, const struct cookie_row *row, const struct err *why),
                  void *self, struct jar **out_jar, uint64_t *out_now_us, struct err *err)
{
    struct loading loading = { .jar = jar_new(), .ignored = ignored, .self = self };

    if (!source->cookies(source->self, load_row, &loading, err)) {
        jar_free(loading.jar);
        return false;
    }
    *out_jar = loading.jar;
    *out_now_us = source->session->ended_us > loading.last_us ? source->session->ended_us : loading.last_us;
    return true;
}

/* --- what the formats share ---------------------------------------------------------------------------- */

/* Cookies that a format takes for one. */
struct seen {
    char *key;
    UT_hash_handle hh;
};

struct writing {
    struct export_job *job;
    struct json_out json;
    struct jar_scope scope;
    struct seen *seen;
    int64_t last_creation_ms;
    struct err *err; /* of the store */
    bool is_failed;
    bool (*write)(struct writing *writing, const struct jar_cookie *cookie); /* false: left out */
};

/* Whether it is the first of that name, domain and path. Curl takes names that differ in case only for one;
 * tough-cookie a host-only and a domain cookie. */
enum identity { CURL_IDENTITY, TOUGH_IDENTITY };
static bool is_first(struct writing *writing, const struct jar_cookie *cookie, enum identity identity)
{
    struct strbuf key = STRBUF_EMPTY;
    struct seen *seen;

    strbuf_printf(&key, "%s%s %s ", identity == CURL_IDENTITY && !cookie->is_host_only ? "." : "",
                  cookie->domain, cookie->path);
    strbuf_add(&key, cookie->name);
    if (identity == CURL_IDENTITY)
        for (size_t i = key.len - cookie->name.len; i < key.len; i++)
            if (key.ptr[i] >= 'A' && key.ptr[i] <= 'Z')
                key.ptr[i] = (char)(key.ptr[i] - 'A' + 'a');
    HASH_FIND(hh, writing->seen, key.ptr, key.len, seen);
    if (seen != NULL) {
        strbuf_clear(&key);
        return false;
    }
    seen = mem_new(struct seen);
    size_t len = key.len;
    seen->key = strbuf_detach(&key);
    HASH_ADD_KEYPTR(hh, writing->seen, seen->key, len, seen);
    return true;
}

static void count_cookie(struct writing *writing, enum export_reason reason, const struct jar_cookie *cookie)
{
    job_count(writing->job, reason, "cookie %.*s of %s", SPAN_ARG(cookie->name), cookie->domain);
}

static void count_ignored(void *self, const struct cookie_row *row, const struct err *why)
{
    job_count(self, EXPORT_COOKIE_IGNORED, "%.*s: %s", SPAN_ARG(row->host), why->text);
}

static bool write_cookie(void *self, const struct jar_cookie *cookie)
{
    struct writing *writing = self;

    if (!jar_scope_takes(&writing->scope, cookie))
        return true;
    writing->job->report->considered++;
    if (!writing->write(writing, cookie))
        return !writing->is_failed;
    writing->job->report->written++;
    if (cookie->is_inferred)
        count_cookie(writing, EXPORT_COOKIE_INFERRED, cookie);
    return true;
}

static bool write_cookies(struct writing *writing, struct err *err)
{
    const struct export_source *source = writing->job->source;
    struct jar *jar = NULL;
    struct seen *seen, *tmp;
    uint64_t now_us = source->jar_us;

    if (source->jar == NULL && !cookies_load(source, count_ignored, writing->job, &jar, &now_us, err))
        return false;
    writing->err = err;
    jar_each(jar != NULL ? jar : source->jar, now_us, write_cookie, writing);
    jar_free(jar);
    HASH_ITER (hh, writing->seen, seen, tmp) {
        HASH_DEL(writing->seen, seen);
        mem_free(seen->key);
        mem_free(seen);
    }
    return !writing->is_failed;
}

/* Whether it has a date to be written. Rounded up: a cookie must not end before its time; and a session
 * cookie that is given a date gets the end of a day, so that one day's exports are alike. */
static bool has_expiry(const struct writing *writing, const struct jar_cookie *cookie, int64_t *out_seconds)
{
    const struct export_options *options = writing->job->options;
    int64_t seconds = cookie->expires_us / 1000000 + (cookie->expires_us % 1000000 > 0);

    if (!cookie->is_persistent && options->session_days == 0)
        return false;
    if (!cookie->is_persistent)
        seconds = ((int64_t)(options->now_us / 1000000 / DAY_S) + 1 + options->session_days) * DAY_S;
    *out_seconds = seconds < COOKIE_LAST_SECOND ? seconds : COOKIE_LAST_SECOND;
    return true;
}

/* --- cookies.txt --------------------------------------------------------------------------------------- */

static bool fits_in_line(struct span text)
{
    return span_find(text, '\t') == text.len && utf8_is_valid(text);
}

static bool write_netscape(struct writing *writing, const struct jar_cookie *cookie)
{
    bool has_prefix = cookie->is_http_only && !writing->job->options->no_httponly_prefix;
    size_t path_len = strlen(cookie->path);
    int64_t expires_s = 0; /* with the client */

    /* One line that is no UTF-8 makes Python refuse the whole file. */
    if (cookie->name.len == 0 || !fits_in_line(cookie->name) || !fits_in_line(cookie->value) ||
        !fits_in_line(span_of(cookie->path))) {
        count_cookie(writing, EXPORT_COOKIE_UNFIT, cookie);
        return false;
    }
    if (path_len > 1 && cookie->path[path_len - 1] == '/')
        count_cookie(writing, EXPORT_COOKIE_PATH, cookie);
    if (!is_first(writing, cookie, CURL_IDENTITY))
        count_cookie(writing, EXPORT_COOKIE_CASE, cookie);
    has_expiry(writing, cookie, &expires_s);
    fprintf(writing->job->out, "%s%s%s\t%s\t%s\t%s\t%" PRId64 "\t%.*s\t%.*s\n",
            has_prefix ? "#HttpOnly_" : "", cookie->is_host_only ? "" : ".", cookie->domain,
            cookie->is_host_only ? "FALSE" : "TRUE", cookie->path, cookie->is_secure ? "TRUE" : "FALSE",
            expires_s, SPAN_ARG(cookie->name), SPAN_ARG(cookie->value));
    return true;
}

bool export_cookies_netscape(struct export_job *job, struct err *err)
{
    struct writing writing = { .job = job, .write = write_netscape };

    if (!jar_scope_parse(job->options->domain, &writing.scope, err))
        return false;
    /* Python takes a file only with exactly this first line. */
    fputs("# Netscape HTTP Cookie File\n# Written by weir " WEIR_VERSION
          ". It holds secrets: whoever has it is logged in.\n\n",
          job->out);
    return write_cookies(&writing, err);
}

/* --- tough-cookie -------------------------------------------------------------------------------------- */

static void write_time(struct json_out *json, const char *key, int64_t unix_ms)
{
    char text[TEXT_TIME_BYTES];

    text_time_ms(text, unix_ms);
    jout_member_str(json, key, text);
}

static void write_true(struct json_out *json, const char *key, bool value)
{
    if (value)
        jout_member_bool(json, key, true);
}

static void write_extensions(struct json_out *json, const struct jar_cookie *cookie, bool is_partitioned)
{
    if (cookie->priority[0] == '\0' && !is_partitioned)
        return;
    jout_key(json, "extensions");
    jout_open_array(json);
    if (cookie->priority[0] != '\0') {
        char *text = mem_printf("Priority=%s", cookie->priority);
        jout_bytes(json, span_of(text));
        mem_free(text);
    }
    if (is_partitioned)
        jout_str(json, "Partitioned");
    jout_close(json);
}

static bool write_tough(struct writing *writing, const struct jar_cookie *cookie)
{
    static const char *const same_sites[] = {
        [SAME_SITE_NONE] = "none", [SAME_SITE_LAX] = "lax", [SAME_SITE_STRICT] = "strict"
    };
    struct json_out *json = &writing->json;
    int64_t creation_ms = (int64_t)(cookie->created_us / 1000), expires_s;

    if (!is_first(writing, cookie, TOUGH_IDENTITY)) {
        count_cookie(writing, EXPORT_COOKIE_TWINS, cookie);
        return false;
    }
    /* Cookies of equal paths are sent by creation, and equal times are in no order. */
    if (creation_ms <= writing->last_creation_ms)
        creation_ms = writing->last_creation_ms + 1;
    writing->last_creation_ms = creation_ms;

    jout_open_object(json);
    jout_key(json, "key");
    jout_latin1(json, cookie->name);
    jout_key(json, "value");
    jout_latin1(json, cookie->value);
    if (has_expiry(writing, cookie, &expires_s))
        write_time(json, "expires", expires_s * 1000);
    jout_member_str(json, "domain", cookie->domain);
    jout_key(json, "path");
    jout_latin1(json, span_of(cookie->path));
    write_true(json, "secure", cookie->is_secure);
    write_true(json, "httpOnly", cookie->is_http_only);
    write_extensions(json, cookie, cookie->is_partitioned && !writing->job->options->strip_partitioned);
    jout_member_bool(json, "hostOnly", cookie->is_host_only); /* absent it means subdomains too */
    write_time(json, "creation", creation_ms);
    write_time(json, "lastAccessed", creation_ms);
    if (cookie->same_site != SAME_SITE_DEFAULT)
        jout_member_str(json, "sameSite", same_sites[cookie->same_site]);
    jout_close(json);
    return true;
}

bool export_cookies_tough(struct export_job *job, struct err *err)
{
    struct writing writing = { .job = job, .write = write_tough };
    struct json_out *json = &writing.json;

    if (!jar_scope_parse(job->options->domain, &writing.scope, err))
        return false;
    jout_init(json, job->out);
    jout_open_object(json);
    jout_member_str(json, "version", "tough-cookie@4.1.3-postman.1");
    jout_member_str(json, "storeType", "MemoryCookieStore");
    jout_member_bool(json, "rejectPublicSuffixes", false); /* the jar has refused them with a newer list */
    jout_member_bool(json, "enableLooseMode", true);       /* as newman's own jar: takes nameless cookies */
    jout_member_bool(json, "allowSpecialUseDomain", true);
    jout_member_str(json, "prefixSecurity", "silent");
    jout_key(json, "cookies");
    jout_open_array(json);
    if (!write_cookies(&writing, err))
        return false;
    jout_close(json);
    jout_close(json);
    jout_end_document(json);
    return true;
}

/* --- what browsers take -----------------------------------------------------------------------------------
 */

/* As Chromium's own interfaces spell it. */
static void write_browser_domain(struct json_out *json, const struct jar_cookie *cookie)
{
    bool is_ipv6 = strchr(cookie->domain, ':') != NULL;
    char *domain = mem_printf("%s%s%s",
                              is_ipv6                ? "["
                              : cookie->is_host_only ? ""
                                                     : ".",
                              cookie->domain, is_ipv6 ? "]" : "");

    jout_member_str(json, "domain", domain);
    mem_free(domain);
}

/* Where a partitioned cookie lives; a plain one lives nowhere. False: the store failed. */
static bool find_partition(struct writing *writing, const struct jar_cookie *cookie,
                           struct partition *out_partition)
{
    const struct export_source *source = writing->job->source;
    const struct record *record = NULL;

    *out_partition = (struct partition){ .top_site = STRBUF_EMPTY };
    if (!cookie->is_partitioned)
        return true;
    if (writing->job->options->strip_partitioned) {
        count_cookie(writing, EXPORT_COOKIE_PARTITIONED, cookie);
        return true;
    }
    if (cookie->exchange != 0 && !source->at(source->self, cookie->exchange, &record, writing->err)) {
        writing->is_failed = true;
        return false;
    }
    if (record != NULL)
        partition_init(out_partition, record);
    if (out_partition->top_site.len == 0)
        count_cookie(writing, EXPORT_COOKIE_TOP_SITE, cookie);
    return true;
}

/* The fields of the cookies that Chrome gives to extensions, which is what cookie editors take and give. */
static bool write_chrome(struct writing *writing, const struct jar_cookie *cookie)
{
    static const char *const same_sites[] = { [SAME_SITE_DEFAULT] = "unspecified",
                                              [SAME_SITE_NONE] = "no_restriction",
                                              [SAME_SITE_LAX] = "lax",
                                              [SAME_SITE_STRICT] = "strict" };
    struct json_out *json = &writing->json;
    struct partition partition;
    bool has_date;
    int64_t expires_s;

    if (!fits_in_line(cookie->name) || !fits_in_line(cookie->value)) {
        count_cookie(writing, EXPORT_COOKIE_UNFIT, cookie);
        return false;
    }
    if (!find_partition(writing, cookie, &partition))
        return false;
    has_date = has_expiry(writing, cookie, &expires_s);
    jout_open_object(json);
    write_browser_domain(json, cookie);
    if (has_date)
        jout_member_int(json, "expirationDate", expires_s);
    jout_member_bool(json, "hostOnly", cookie->is_host_only);
    jout_member_bool(json, "httpOnly", cookie->is_http_only);
    jout_member_text(json, "name", cookie->name);
    if (partition.top_site.len != 0) {
        jout_key(json, "partitionKey");
        jout_open_object(json);
        jout_member_str(json, "topLevelSite", strbuf_text(&partition.top_site));
        jout_member_bool(json, "hasCrossSiteAncestor", partition.has_cross_site_ancestor);
        jout_close(json);
    }
    jout_member_bytes(json, "path", span_of(cookie->path));
    jout_member_str(json, "sameSite", same_sites[cookie->same_site]);
    jout_member_bool(json, "secure", cookie->is_secure);
    jout_member_bool(json, "session", !has_date);
    jout_member_str(json, "storeId", "0");
    jout_member_text(json, "value", cookie->value);
    jout_close(json);
    partition_clear(&partition);
    return true;
}

bool export_cookies_json(struct export_job *job, struct err *err)
{
    struct writing writing = { .job = job, .write = write_chrome };
    struct json_out *json = &writing.json;

    if (!jar_scope_parse(job->options->domain, &writing.scope, err))
        return false;
    jout_init(json, job->out);
    jout_open_array(json);
    if (!write_cookies(&writing, err))
        return false;
    jout_close(json);
    jout_end_document(json);
    return true;
}

static bool write_playwright(struct writing *writing, const struct jar_cookie *cookie)
{
    static const char *const same_sites[] = { [SAME_SITE_DEFAULT] = "Lax",
                                              [SAME_SITE_NONE] = "None",
                                              [SAME_SITE_LAX] = "Lax",
                                              [SAME_SITE_STRICT] = "Strict" };
    struct json_out *json = &writing->json;
    int64_t expires_s = -1; /* with the client */
    struct partition partition;

    /* Chromium takes no tab, and of a list with one such cookie it takes none at all. */
    if (!fits_in_line(cookie->name) || !fits_in_line(cookie->value)) {
        count_cookie(writing, EXPORT_COOKIE_UNFIT, cookie);
        return false;
    }
    if (!find_partition(writing, cookie, &partition))
        return false;
    has_expiry(writing, cookie, &expires_s);
    jout_open_object(json);
    jout_member_text(json, "name", cookie->name);
    jout_member_text(json, "value", cookie->value);
    write_browser_domain(json, cookie);
    jout_member_bytes(json, "path", span_of(cookie->path));
    jout_member_int(json, "expires", expires_s);
    jout_member_bool(json, "httpOnly", cookie->is_http_only);
    jout_member_bool(json, "secure", cookie->is_secure);
    jout_member_str(json, "sameSite", same_sites[cookie->same_site]);
    if (partition.top_site.len != 0) {
        jout_member_str(json, "partitionKey", strbuf_text(&partition.top_site));
        /* Left out, Playwright takes it for true. */
        jout_member_bool(json, "_crHasCrossSiteAncestor", partition.has_cross_site_ancestor);
    }
    jout_close(json);
    partition_clear(&partition);
    return true;
}

bool export_cookies_playwright(struct export_job *job, struct err *err)
{
    struct writing writing = { .job = job, .write = write_playwright };
    struct json_out *json = &writing.json;

    if (!jar_scope_parse(job->options->domain, &writing.scope, err))
        return false;
    jout_init(json, job->out);
    jout_open_object(json);
    jout_key(json, "cookies");
    jout_open_array(json);
    if (!write_cookies(&writing, err))
        return false;
    jout_close(json);
    jout_key(json, "origins");
    jout_open_array(json);
    jout_close(json);
    jout_close(json);
    jout_end_document(json);
    job->report->reasons[EXPORT_LOCAL_STORAGE].count++; /* of no cookie: there is no first one */
    return true;
}

/* --- one line ------------------------------------------------------------------------------------------ */

static bool write_pair(struct writing *writing, const struct jar_cookie *cookie)
{
    fputs(writing->job->report->written == 0 ? "Cookie: " : "; ", writing->job->out);
    fwrite(cookie->name.ptr, 1, cookie->name.len, writing->job->out);
    if (cookie->name.len != 0)
        fputc('=', writing->job->out);
    fwrite(cookie->value.ptr, 1, cookie->value.len, writing->job->out);
    return true;
}

/* A line of a request's head; no line when there is no cookie, for then a client sends none. */
bool export_cookies_header(struct export_job *job, struct err *err)
{
    struct writing writing = { .job = job, .write = write_pair };

    if (!jar_scope_parse(job->options->domain, &writing.scope, err) || !write_cookies(&writing, err))
        return false;
    if (job->report->written != 0)
        fputc('\n', job->out);
    return true;
}

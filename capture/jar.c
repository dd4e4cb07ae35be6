/* Cookies hang in one list in order of creation and in a hash by name: rules that compare cookies only ever
 * compare those of one name. */
#include "capture/jar.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "capture/suffix.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"
#include "proxy/http/url.h"

struct entry {
    struct jar_cookie cookie;
    struct entry *next_same_name;
    struct entry *prev, *next; /* all of the jar, by creation */
    uint64_t order;            /* grows with each new cookie: creation times may be equal */
};

struct name_row {
    char *name;
    struct entry *first, *last; /* by creation */
    UT_hash_handle hh;
};

struct jar {
    struct name_row *names;
    struct entry *first, *last;
    uint64_t next_order;
    enum jar_change change; /* of the last observation */
    struct entry *changed;  /* what it was about; NULL: nothing that is there */
    struct entry *gone;     /* the deletion that it was; NULL: it was none */
};

struct jar *jar_new(void)
{
    return mem_new(struct jar);
}

static void entry_free(struct entry *entry)
{
    mem_free((char *)entry->cookie.name.ptr);
    mem_free((char *)entry->cookie.value.ptr);
    mem_free((char *)entry->cookie.domain);
    mem_free((char *)entry->cookie.path);
    mem_free((char *)entry->cookie.priority);
    mem_free(entry);
}

static void name_row_free(struct jar *jar, struct name_row *row)
{
    HASH_DEL(jar->names, row);
    mem_free(row->name);
    mem_free(row);
}

void jar_free(struct jar *jar)
{
    struct name_row *row, *tmp;

    if (jar == NULL)
        return;
    for (struct entry *entry = jar->first, *next; entry != NULL; entry = next) {
        next = entry->next;
        entry_free(entry);
    }
    HASH_ITER (hh, jar->names, row, tmp)
        name_row_free(jar, row);
    if (jar->gone != NULL)
        entry_free(jar->gone);
    mem_free(jar);
}

static struct entry *first_of_name(const struct jar *jar, struct span name)
{
    struct name_row *row;

    HASH_FIND(hh, jar->names, name.ptr != NULL ? name.ptr : "", name.len, row);
    return row != NULL ? row->first : NULL;
}

static struct name_row *name_row_of(struct jar *jar, struct span name)
{
    struct name_row *row;

    HASH_FIND(hh, jar->names, name.ptr != NULL ? name.ptr : "", name.len, row);
    if (row == NULL) {
        row = mem_new(struct name_row);
        row->name = mem_spandup(name);
        HASH_ADD_KEYPTR(hh, jar->names, row->name, name.len, row);
    }
    return row;
}

static void entry_add(struct jar *jar, struct entry *entry)
{
    struct name_row *row = name_row_of(jar, entry->cookie.name);

    if (row->last != NULL)
        row->last->next_same_name = entry;
    else
        row->first = entry;
    row->last = entry;
    entry->order = jar->next_order++;
    entry->prev = jar->last;
    if (jar->last != NULL)
        jar->last->next = entry;
    else
        jar->first = entry;
    jar->last = entry;
}

static void entry_remove(struct jar *jar, struct entry *entry)
{
    struct name_row *row = name_row_of(jar, entry->cookie.name);
    struct entry **link = &row->first, *before = NULL;

    while (*link != entry) {
        before = *link;
        link = &before->next_same_name;
    }
    *link = entry->next_same_name;
    if (row->last == entry)
        row->last = before;
    if (entry->prev != NULL)
        entry->prev->next = entry->next;
    else
        jar->first = entry->next;
    if (entry->next != NULL)
        entry->next->prev = entry->prev;
    else
        jar->last = entry->prev;
    if (row->first == NULL)
        name_row_free(jar, row);
    entry_free(entry);
}

static void add_twin(struct jar *jar, const struct jar_cookie *cookie)
{
    struct entry *twin = mem_new(struct entry);

    twin->cookie = *cookie;
    twin->cookie.name.ptr = mem_spandup(cookie->name);
    twin->cookie.value.ptr = mem_spandup(cookie->value);
    twin->cookie.domain = mem_strdup(cookie->domain);
    twin->cookie.path = mem_strdup(cookie->path);
    twin->cookie.priority = mem_strdup(cookie->priority);
    entry_add(jar, twin);
}

struct jar *jar_copy(const struct jar *jar)
{
    struct jar *copy = jar_new();

    for (const struct entry *entry = jar->first; entry != NULL; entry = entry->next)
        add_twin(copy, &entry->cookie);
    return copy;
}

struct jar *jar_copy_named(const struct jar *jar, struct span name)
{
    struct jar *copy = jar_new();

    for (const struct entry *entry = first_of_name(jar, name); entry != NULL; entry = entry->next_same_name)
        add_twin(copy, &entry->cookie);
    return copy;
}

/* --- the standard's predicates ------------------------------------------------------------------------- */

/* §5.1.3. Both canonical. */
static bool domain_matches(const char *host, const char *domain)
{
    size_t host_len = strlen(host), domain_len = strlen(domain);

    if (strcmp(host, domain) == 0)
        return true;
    return domain_len != 0 && host_len > domain_len && host[host_len - domain_len - 1] == '.' &&
           strcmp(host + host_len - domain_len, domain) == 0 && !url_host_is_ip(host);
}

/* §5.1.4. */
static bool path_matches(struct span path, const char *cookie_path)
{
    struct span prefix = span_of(cookie_path);

    if (!span_starts(path, prefix))
        return false;
    return path.len == prefix.len || span_ends(prefix, SPAN("/")) || path.ptr[prefix.len] == '/';
}

/* §5.1.4: up to the last slash, without it. */
static struct span default_path(struct span path)
{
    size_t end = path.len;

    if (path.len == 0 || path.ptr[0] != '/')
        return SPAN("/");
    while (path.ptr[end - 1] != '/')
        end--;
    return end <= 1 ? SPAN("/") : span_sub(path, 0, end - 1);
}

static bool is_loopback(const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;
    struct span name = span_of(host);

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    if (span_ends(name, SPAN(".")))
        name.len--;
    return span_eq(name, SPAN("localhost")) || span_ends(name, SPAN(".localhost"));
}

static bool is_secure_origin(struct span scheme, const char *host)
{
    return span_ieq(scheme, SPAN("https")) || span_ieq(scheme, SPAN("wss")) || is_loopback(host);
}

/* The path that an empty one stands for. */
static struct span request_path(const struct jar_request *request)
{
    return request->path.len != 0 && request->path.ptr[0] == '/' ? request->path : SPAN("/");
}

static bool is_expired(const struct jar_cookie *cookie, uint64_t now_us)
{
    return cookie->is_persistent && cookie->expires_us <= (int64_t)now_us;
}

static bool is_for_host(const struct jar_cookie *cookie, const char *host)
{
    return cookie->is_host_only ? strcmp(host, cookie->domain) == 0 : domain_matches(host, cookie->domain);
}

/* §5.8.3, without what depends on the site that asks. */
static bool is_sent(const struct jar_cookie *cookie, const char *host, struct span path, bool is_secure,
                    uint64_t now_us)
{
    return is_for_host(cookie, host) && path_matches(path, cookie->path) &&
           (is_secure || !cookie->is_secure) && !is_expired(cookie, now_us);
}

/* --- Set-Cookie ---------------------------------------------------------------------------------------- */

/* The domain the cookie is for, or an empty one for a host-only cookie. False: it may not have that domain.
 */
static bool choose_domain(struct span attribute, const char *host, char **out_domain, struct err *err)
{
    char *domain;

    *out_domain = NULL;
    if (attribute.len == 0)
        return true;
    for (size_t i = 0; i < attribute.len; i++)
        if ((unsigned char)attribute.ptr[i] >= 0x80)
            return err_set(err, ERR_PROTO, "the cookie's domain is not in ASCII");
    domain = suffix_canonical_host(attribute);
    if (strcmp(domain, host) == 0 && (url_host_is_ip(host) || suffix_is_public(domain))) {
        mem_free(domain);
        return true;
    }
    if (suffix_is_public(domain)) {
        err_set(err, ERR_PROTO, "the cookie is for '%.200s', a public suffix", domain);
    } else if (!domain_matches(host, domain)) {
        err_set(err, ERR_PROTO, "the cookie is for '%.200s', and '%.200s' may not set it", domain, host);
    } else {
        *out_domain = domain;
        return true;
    }
    mem_free(domain);
    return false;
}

static bool keeps_prefix(const struct set_cookie *set, bool is_host_only, struct span path)
{
    bool is_host = span_istarts(set->name, SPAN("__Host-"));
    bool is_http = span_istarts(set->name, SPAN("__Http-")) || span_istarts(set->name, SPAN("__Host-Http-"));

    if (is_host && !(set->secure && is_host_only && span_eq(path, SPAN("/"))))
        return false;
    if (is_http && !(set->secure && set->http_only))
        return false;
    return set->secure || !span_istarts(set->name, SPAN("__Secure-"));
}

/* §5.7 step 16: a cookie from plain http may not stand in front of a secure one. */
static bool would_shadow_secure(const struct jar *jar, const struct set_cookie *set, const char *domain,
                                struct span path, uint64_t now_us)
{
    for (struct entry *entry = first_of_name(jar, set->name); entry != NULL; entry = entry->next_same_name) {
        const struct jar_cookie *old = &entry->cookie;

        if (old->is_secure && !is_expired(old, now_us) &&
            (domain_matches(domain, old->domain) || domain_matches(old->domain, domain)) &&
            path_matches(path, old->path))
            return true;
    }
    return false;
}

static int64_t expiry_us(const struct set_cookie *set, uint64_t time_us)
{
    int64_t seconds = set->expires_s;

    if (set->has_max_age) {
        if (set->max_age_s <= 0)
            return INT64_MIN;
        if (set->max_age_s >= COOKIE_LAST_SECOND - (int64_t)(time_us / 1000000))
            return (int64_t)COOKIE_LAST_SECOND * 1000000;
        return (int64_t)time_us + set->max_age_s * 1000000;
    }
    return seconds * 1000000;
}

/* What was inferred for a host that this Set-Cookie speaks about is known better now. */
static void forget_inferred(struct jar *jar, const struct jar_cookie *cookie)
{
    struct entry *entry = first_of_name(jar, cookie->name);

    while (entry != NULL) {
        struct entry *next = entry->next_same_name;

        if (entry->cookie.is_inferred && is_for_host(cookie, entry->cookie.domain))
            entry_remove(jar, entry);
        entry = next;
    }
}

static struct entry *find_same(const struct jar *jar, const struct jar_cookie *cookie)
{
    for (struct entry *entry = first_of_name(jar, cookie->name); entry != NULL;
         entry = entry->next_same_name) {
        const struct jar_cookie *old = &entry->cookie;

        if (old->is_host_only == cookie->is_host_only && old->is_partitioned == cookie->is_partitioned &&
            strcmp(old->domain, cookie->domain) == 0 && strcmp(old->path, cookie->path) == 0)
            return entry;
    }
    return NULL;
}

static void swap_cookies(struct jar_cookie *a, struct jar_cookie *b)
{
    struct jar_cookie kept = *a;
    *a = *b;
    *b = kept;
}

static void note_change(struct jar *jar, enum jar_change change, struct entry *changed, struct entry *gone)
{
    if (jar->gone != NULL)
        entry_free(jar->gone);
    jar->change = change;
    jar->changed = changed;
    jar->gone = gone;
}

/* Replaces, deletes or adds. Takes entry. */
static void store_entry(struct jar *jar, struct entry *entry, uint64_t time_us)
{
    struct entry *old = find_same(jar, &entry->cookie);

    if (old != NULL && is_expired(&old->cookie, time_us)) { /* §5.7: it should be gone by now */
        entry_remove(jar, old);
        old = NULL;
    }
    if (is_expired(&entry->cookie, time_us)) {
        if (old != NULL)
            entry_remove(jar, old);
        note_change(jar, JAR_DELETED, NULL, entry);
    } else if (old != NULL) {
        entry->cookie.created_us = old->cookie.created_us;
        swap_cookies(&old->cookie, &entry->cookie);
        entry_free(entry);
        note_change(jar, JAR_REPLACED, old, NULL);
    } else {
        entry_add(jar, entry);
        note_change(jar, entry->cookie.is_inferred ? JAR_INFERRED : JAR_ADDED, entry, NULL);
    }
}

static bool is_allowed(const struct jar *jar, const struct set_cookie *set, const char *domain,
                       const char *host, struct span path, bool is_secure, uint64_t time_us, struct err *err)
{
    if (set->secure && !is_secure)
        return err_set(err, ERR_PROTO, "a secure cookie may not be set over plain http");
    if (set->same_site == SAME_SITE_NONE && !set->secure)
        return err_set(err, ERR_PROTO, "a cookie with SameSite=None must be Secure");
    if (set->partitioned && !set->secure)
        return err_set(err, ERR_PROTO, "a partitioned cookie must be Secure");
    if (!keeps_prefix(set, domain == NULL, path))
        return err_set(err, ERR_PROTO, "the cookie breaks the rules of its name's prefix");
    if (!is_secure && would_shadow_secure(jar, set, domain != NULL ? domain : host, path, time_us))
        return err_set(err, ERR_PROTO, "a secure cookie of that name is already there");
    return true;
}

bool jar_add_set(struct jar *jar, const struct jar_request *request, uint64_t time_us, struct span line,
                 struct err *err)
{
    bool ok = false;
    struct set_cookie set;
    char *domain = NULL, *host = suffix_canonical_host(request->host);
    struct span path;
    struct entry *entry;

    note_change(jar, JAR_IGNORED, NULL, NULL);
    if (host == NULL)
        return err_set(err, ERR_PROTO, "the cookie comes from a host without a usable name");
    if (!set_cookie_parse(line, &set, err) || !choose_domain(set.domain, host, &domain, err))
        goto out;
    path = set.path.len != 0 ? set.path : default_path(request->path);
    if (!is_allowed(jar, &set, domain, host, path, is_secure_origin(request->scheme, host), time_us, err))
        goto out;

    entry = mem_new(struct entry);
    entry->cookie = (struct jar_cookie){
        .name = { mem_spandup(set.name), set.name.len },
        .value = { mem_spandup(set.value), set.value.len },
        .domain = mem_strdup(domain != NULL ? domain : host),
        .path = mem_spandup(path),
        .is_host_only = domain == NULL,
        .is_secure = set.secure,
        .is_http_only = set.http_only,
        .is_partitioned = set.partitioned,
        .is_persistent = set.has_max_age || set.has_expires,
        .same_site = set.same_site,
        .priority = mem_spandup(set.priority),
        .created_us = time_us,
        .set_us = time_us,
        .exchange = request->exchange,
    };
    if (entry->cookie.is_persistent)
        entry->cookie.expires_us = expiry_us(&set, time_us);
    forget_inferred(jar, &entry->cookie);
    store_entry(jar, entry, time_us);
    ok = true;
out:
    mem_free(domain);
    mem_free(host);
    return ok;
}

/* --- Cookie -------------------------------------------------------------------------------------------- */

static void set_value(struct jar *jar, struct entry *entry, struct span value, uint64_t time_us)
{
    struct jar_cookie *cookie = &entry->cookie;

    if (cookie->is_http_only || span_eq(cookie->value, value)) {
        note_change(jar, JAR_SENT, entry, NULL);
        return;
    }
    mem_free((char *)cookie->value.ptr);
    cookie->value = (struct span){ mem_spandup(value), value.len };
    cookie->set_us = time_us;
    note_change(jar, JAR_SCRIPTED, entry, NULL);
}

/* Whether the jar knows where that pair came from. Where only one cookie can be meant its value is brought up
 * to date: a page's script may have changed it, though not one that is HttpOnly. */
static bool is_explained(struct jar *jar, const char *host, const struct jar_request *request,
                         uint64_t time_us, struct span name, struct span value)
{
    bool is_secure = is_secure_origin(request->scheme, host);
    struct entry *only = NULL;
    size_t matching = 0;

    for (struct entry *entry = first_of_name(jar, name); entry != NULL; entry = entry->next_same_name) {
        if (is_sent(&entry->cookie, host, request_path(request), is_secure, time_us)) {
            only = entry;
            matching++;
        }
    }
    if (matching == 1)
        set_value(jar, only, value, time_us);
    else if (matching > 1)
        note_change(jar, JAR_SENT, NULL, NULL);
    return matching != 0;
}

void jar_add_sent(struct jar *jar, const struct jar_request *request, uint64_t time_us, struct span name,
                  struct span value)
{
    char *host = suffix_canonical_host(request->host);
    struct entry *entry;

    note_change(jar, JAR_IGNORED, NULL, NULL);
    if (host == NULL || name.len + value.len == 0 || is_explained(jar, host, request, time_us, name, value))
        goto out;
    entry = mem_new(struct entry);
    entry->cookie = (struct jar_cookie){
        .name = { mem_spandup(name), name.len },
        .value = { mem_spandup(value), value.len },
        .domain = mem_strdup(host),
        .path = mem_strdup("/"),
        .is_host_only = true,
        .is_secure = span_ieq(request->scheme, SPAN("https")) || span_ieq(request->scheme, SPAN("wss")),
        .is_inferred = true,
        .priority = mem_strdup(""),
        .created_us = time_us,
        .set_us = time_us,
        .exchange = request->exchange,
    };
    store_entry(jar, entry, time_us);
out:
    mem_free(host);
}

/* --- reading ------------------------------------------------------------------------------------------- */

enum jar_change jar_last_change(const struct jar *jar, const struct jar_cookie **out_cookie)
{
    const struct entry *entry = jar->changed != NULL ? jar->changed : jar->gone;

    *out_cookie = entry != NULL ? &entry->cookie : NULL;
    return jar->change;
}

void jar_each(const struct jar *jar, uint64_t now_us,
              bool (*each)(void *self, const struct jar_cookie *cookie), void *self)
{
    for (const struct entry *entry = jar->first; entry != NULL; entry = entry->next)
        if (!is_expired(&entry->cookie, now_us) && !each(self, &entry->cookie))
            return;
}

void jar_each_named(const struct jar *jar, struct span name, uint64_t now_us,
                    bool (*each)(void *self, const struct jar_cookie *cookie), void *self)
{
    for (const struct entry *entry = first_of_name(jar, name); entry != NULL; entry = entry->next_same_name)
        if (!is_expired(&entry->cookie, now_us) && !each(self, &entry->cookie))
            return;
}

uint64_t jar_next_expiry_us(const struct jar *jar, uint64_t now_us)
{
    uint64_t next_us = UINT64_MAX;

    for (const struct entry *entry = jar->first; entry != NULL; entry = entry->next) {
        const struct jar_cookie *cookie = &entry->cookie;
        if (cookie->is_persistent && !is_expired(cookie, now_us) && (uint64_t)cookie->expires_us < next_us)
            next_us = (uint64_t)cookie->expires_us;
    }
    return next_us;
}

static int by_path_then_age(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
    size_t x_len = strlen(x->cookie.path), y_len = strlen(y->cookie.path);

    if (x_len != y_len)
        return x_len > y_len ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

void jar_for_url(const struct jar *jar, const struct jar_request *request, uint64_t now_us,
                 struct strbuf *out)
{
    char *host = suffix_canonical_host(request->host);
    const struct entry **sent = NULL;
    size_t count = 0, cap = 0;
    bool is_secure;

    if (host == NULL)
        return;
    is_secure = is_secure_origin(request->scheme, host);
    for (const struct entry *entry = jar->first; entry != NULL; entry = entry->next) {
        if (!is_sent(&entry->cookie, host, request_path(request), is_secure, now_us))
            continue;
        if (count == cap) {
            cap = cap != 0 ? cap * 2 : 16;
            sent = mem_realloc(sent, cap * sizeof(*sent));
        }
        sent[count++] = entry;
    }
    if (count != 0)
        qsort(sent, count, sizeof(*sent), by_path_then_age);
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            strbuf_add_str(out, "; ");
        strbuf_add(out, sent[i]->cookie.name);
        if (sent[i]->cookie.name.len != 0)
            strbuf_add_char(out, '=');
        strbuf_add(out, sent[i]->cookie.value);
    }
    mem_free(sent);
    mem_free(host);
}

/* --- --domain ------------------------------------------------------------------------------------------ */

static bool parse_domain(struct span text, struct jar_domain *out_domain, struct err *err)
{
    struct jar_domain domain = { .host = "" };
    struct span host = text, slashes = SPAN("://");
    struct url url;
    char *canonical;

    if (span_eq(text, SPAN("*"))) {
        *out_domain = domain;
        return true;
    }
    if (memmem(text.ptr, text.len, slashes.ptr, slashes.len) != NULL) {
        if (!url_parse(text, &url, err))
            return err_add(err, "cookies of '%.*s'", SPAN_ARG(text));
        if (!span_ieq(url.scheme, SPAN("https")) && !span_ieq(url.scheme, SPAN("http")))
            return err_set(err, ERR_USAGE, "cookies of '%.*s': only http and https have cookies",
                           SPAN_ARG(text));
        host = span_of(url.authority.host);
        domain.is_host = true;
    } else if (host.len != 0 && host.ptr[0] == '.') {
        host = span_from(host, 1);
    }
    canonical = host.len != 0 ? suffix_canonical_host(host) : NULL;
    if (canonical == NULL || strlen(canonical) >= sizeof domain.host ||
        strpbrk(canonical, "/ \t;,") != NULL) {
        mem_free(canonical);
        return err_set(err, ERR_USAGE, "cookies of '%.*s': not a domain, nor https://HOST", SPAN_ARG(text));
    }
    strcpy(domain.host, canonical);
    mem_free(canonical);
    domain.is_secure = domain.is_host && is_secure_origin(url.scheme, domain.host);
    *out_domain = domain;
    return true;
}

bool jar_scope_parse(const char *text, struct jar_scope *out_scope, struct err *err)
{
    struct span rest = span_of(text), part;
    struct jar_scope scope;

    scope.count = 0;
    if (rest.len == 0)
        rest = SPAN("*");
    while (span_split(&rest, ',', &part)) {
        if (scope.count == JAR_SCOPE_DOMAINS)
            return err_set(err, ERR_USAGE, "cookies of more than %d domains at once", JAR_SCOPE_DOMAINS);
        if (!parse_domain(span_trim(part), &scope.domains[scope.count], err))
            return false;
        scope.count++;
    }
    *out_scope = scope;
    return true;
}

static bool domain_takes(const struct jar_domain *domain, const struct jar_cookie *cookie)
{
    if (domain->host[0] == '\0')
        return true;
    if (domain->is_host)
        return is_for_host(cookie, domain->host) && (domain->is_secure || !cookie->is_secure);
    return domain_matches(cookie->domain, domain->host);
}

bool jar_scope_takes(const struct jar_scope *scope, const struct jar_cookie *cookie)
{
    for (size_t i = 0; i < scope->count; i++)
        if (domain_takes(&scope->domains[i], cookie))
            return true;
    return false;
}

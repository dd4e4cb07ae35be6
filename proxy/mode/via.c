/* Errors are read by people who paste them elsewhere: whatever may hold a password is cut off the text before
 * a function that quotes its input sees it. */
#include "proxy/mode/via.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/pattern.h"
#include "proxy/base/strbuf.h"
#include "proxy/mode/no_proxy.h"

/* SOCKS counts the bytes of a user name and of a password in one byte (RFC 1929 §2). */
#define SOCKS_CREDENTIAL_BYTES 255
/* More than a URL with credentials has: a file with such a line is another file than was meant. */
#define WAY_BYTES 4096

struct scheme {
    struct span name;
    uint16_t port;
};

static const struct scheme schemes[] = {
    [VIA_HTTP] = { { "http", 4 }, 80 },       [VIA_HTTPS] = { { "https", 5 }, 443 },
    [VIA_SOCKS4] = { { "socks4", 6 }, 1080 }, [VIA_SOCKS4A] = { { "socks4a", 7 }, 1080 },
    [VIA_SOCKS5] = { { "socks5", 6 }, 1080 }, [VIA_SOCKS5H] = { { "socks5h", 7 }, 1080 },
};
#define SCHEME_COUNT (sizeof schemes / sizeof schemes[0])

enum way { WAY_DIRECT, WAY_HOP, WAY_ENVIRONMENT };

struct rule {
    struct pattern **hosts;
    size_t host_count; /* 0: every host */
    enum way way;
    const struct via_hop *hop; /* of WAY_HOP */
};

struct via {
    struct rule *rules;
    size_t rule_count;
    struct via_hop **hops;
    size_t hop_count;
    /* The environment, NULL where it says nothing. */
    const struct via_hop *http, *https;
    struct no_proxy *exempt;
};

/* --- one proxy ------------------------------------------------------------------------------------------ */

static void hop_free(struct via_hop *hop)
{
    if (hop == NULL)
        return;
    mem_free(hop->user);
    mem_free(hop->password);
    mem_free(hop->name);
    mem_free(hop->from);
    mem_free(hop);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct span text, char **out_text, struct err *err)
{
    struct strbuf decoded = STRBUF_EMPTY;

    for (size_t i = 0; i < text.len; i++) {
        int c = (unsigned char)text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            c = high < 0 || low < 0 ? -1 : high * 16 + low;
            i += 2;
        }
        if (c < ' ' || c == 0x7f) { /* RFC 7617 §2: no control characters */
            strbuf_clear(&decoded);
            return err_set(err, ERR_USAGE,
                           "the credentials have a '%%' without two hex digits, or a control character");
        }
        strbuf_add_char(&decoded, (char)c);
    }
    *out_text = decoded.ptr != NULL ? strbuf_detach(&decoded) : mem_strdup("");
    return true;
}

static bool check_credentials(const struct via_hop *hop, struct err *err)
{
    if (hop->user == NULL)
        return true;
    if (via_is_http(hop)) /* RFC 7617 §2 */
        return strchr(hop->user, ':') == NULL ||
               err_set(err, ERR_USAGE, "an HTTP user name can't have a colon");
    if ((hop->kind == VIA_SOCKS4 || hop->kind == VIA_SOCKS4A) && hop->password != NULL)
        return err_set(err, ERR_USAGE, "SOCKS4 knows no password, only a user name");
    if (strlen(hop->user) > SOCKS_CREDENTIAL_BYTES ||
        (hop->password != NULL && strlen(hop->password) > SOCKS_CREDENTIAL_BYTES))
        return err_set(err, ERR_USAGE, "a SOCKS user name or password has %d bytes at most",
                       SOCKS_CREDENTIAL_BYTES);
    return true;
}

static bool set_credentials(struct via_hop *hop, struct span text, struct err *err)
{
    size_t colon = span_find(text, ':');

    if (text.len == 0)
        return true;
    if (!decode(span_sub(text, 0, colon), &hop->user, err))
        return false;
    if (colon < text.len && !decode(span_from(text, colon + 1), &hop->password, err))
        return false;
    return check_credentials(hop, err);
}

static bool set_scheme(struct via_hop *hop, struct span scheme, struct err *err)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        if (span_ieq(scheme, schemes[i].name)) {
            hop->kind = (enum via_kind)i;
            hop->port = schemes[i].port;
            return true;
        }
    }
    return err_set(err, ERR_USAGE,
                   "no upstream proxy can be reached so: write http://, https://, socks4://, socks4a://, "
                   "socks5:// or socks5h:// and its host");
}

static bool set_place(struct via_hop *hop, struct span text, struct err *err)
{
    struct authority authority;
    struct strbuf name = STRBUF_EMPTY;

    if (!url_parse_authority(text, &authority, err)) {
        err->code = ERR_USAGE;
        return false;
    }
    memcpy(hop->host, authority.host, sizeof hop->host);
    if (authority.port != 0)
        hop->port = authority.port;
    strbuf_add(&name, schemes[hop->kind].name);
    strbuf_add_str(&name, "://");
    url_add_authority(&name, SPAN_NONE, hop->host, hop->port);
    hop->name = strbuf_detach(&name);
    return true;
}

static size_t find_last(struct span text, char c)
{
    size_t at = text.len;

    while (at != 0 && text.ptr[at - 1] != c)
        at--;
    return at != 0 ? at - 1 : text.len;
}

/* Where the "://" begins; text.len when there is none. */
static size_t find_scheme_end(struct span text)
{
    size_t at = span_find(text, ':');

    return at < text.len && span_starts(span_from(text, at), SPAN("://")) ? at : text.len;
}

static bool fill_hop(struct via_hop *hop, struct span text, struct err *err)
{
    size_t scheme_end = find_scheme_end(text), end, at;
    struct span rest;

    if (!set_scheme(hop, scheme_end < text.len ? span_sub(text, 0, scheme_end) : SPAN_NONE, err))
        return false;
    rest = span_from(text, scheme_end + strlen("://"));
    for (end = 0; end < rest.len && strchr("/?#", rest.ptr[end]) == NULL; end++)
        ;
    if (span_find(span_from(rest, end), '@') != rest.len - end)
        return err_set(err, ERR_USAGE, "in credentials '/', '?' and '#' are written %%2F, %%3F and %%23");
    if (rest.len - end > 1 || (rest.len > end && rest.ptr[end] != '/'))
        return err_set(err, ERR_USAGE, "an upstream proxy has no path");
    rest = span_sub(rest, 0, end);
    at = find_last(rest, '@');
    if (at == rest.len)
        return set_place(hop, rest, err);
    return set_credentials(hop, span_sub(rest, 0, at), err) && set_place(hop, span_from(rest, at + 1), err);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The table's hop for a URL, which is made when it is the first of its kind. */
static bool add_hop(struct via *via, struct span text, const char *from, const struct via_hop **out_hop,
                    struct err *err)
{
    struct via_hop *hop = mem_new(struct via_hop);

    if (!fill_hop(hop, text, err)) {
        hop_free(hop);
        return false;
    }
    for (size_t i = 0; i < via->hop_count; i++) {
        const struct via_hop *other = via->hops[i];
        if (strcmp(hop->name, other->name) == 0 && same_text(hop->user, other->user) &&
            same_text(hop->password, other->password)) {
            hop_free(hop);
            *out_hop = other;
            return true;
        }
    }
    hop->from = mem_strdup(from);
    via->hops = mem_realloc(via->hops, (via->hop_count + 1) * sizeof(struct via_hop *));
    via->hops[via->hop_count++] = hop;
    hop->id = (unsigned)via->hop_count;
    *out_hop = hop;
    return true;
}

/* --- the environment ------------------------------------------------------------------------------------ */

/* The first of two variables that is set; NULL is no name. */
static const char *variable(const char *first, const char *second, const char **out_name)
{
    const char *names[] = { first, second };

    for (int i = 0; i < 2; i++) {
        const char *value = names[i] != NULL ? getenv(names[i]) : NULL;
        if (value != NULL && value[0] != '\0') {
            *out_name = names[i];
            return value;
        }
    }
    return NULL;
}

static bool add_variable(struct via *via, const char *first, const char *second,
                         const struct via_hop **out_hop, struct err *err)
{
    const char *name, *value = variable(first, second, &name);
    struct strbuf url = STRBUF_EMPTY;
    char *from;
    bool ok;

    if (value == NULL)
        value = variable("all_proxy", "ALL_PROXY", &name);
    if (value == NULL)
        return true;
    if (find_scheme_end(span_of(value)) == strlen(value))
        strbuf_add_str(&url, "http://");
    strbuf_add_str(&url, value);
    from = mem_printf("variable %s", name);
    ok = add_hop(via, strbuf_span(&url), from, out_hop, err) || err_add(err, "%s", from);
    mem_free(from);
    strbuf_clear(&url);
    return ok;
}

static bool read_environment(struct via *via, struct err *err)
{
    const char *name, *exempt;

    if (via->exempt != NULL)
        return true;
    exempt = variable("no_proxy", "NO_PROXY", &name);
    via->exempt = no_proxy_new(span_of(exempt));
    return add_variable(via, "http_proxy", NULL, &via->http, err) &&
           add_variable(via, "https_proxy", "HTTPS_PROXY", &via->https, err);
}

/* --- rules ---------------------------------------------------------------------------------------------- */

static bool read_file(struct span path, char **out_line, struct err *err)
{
    char line[WAY_BYTES];
    char *name = mem_spandup(path);
    FILE *file = fopen(name, "re");
    bool ok = file != NULL && fgets(line, sizeof line, file) != NULL;

    if (file == NULL)
        err_sys(err, errno, "'%s'", name);
    else if (!ok)
        err_set(err, ERR_USAGE, "'%s' has no line that says a proxy", name);
    if (ok && strlen(line) == sizeof line - 1)
        ok = err_set(err, ERR_USAGE, "the first line of '%s' is longer than any proxy's URL", name);
    if (ok) {
        line[strcspn(line, "\r\n")] = '\0';
        *out_line = mem_strdup(line);
    }
    if (file != NULL)
        fclose(file);
    mem_free(name);
    return ok;
}

static bool add_pattern(struct rule *rule, struct span text, struct err *err)
{
    struct pattern *pattern;
    size_t colon = span_find(text, ':');

    if (span_find(text, '/') < text.len)
        return err_set(err, ERR_USAGE, "'%.*s' is no pattern for hosts", SPAN_ARG(text));
    if (colon < text.len && span_find(span_from(text, colon + 1), ':') == text.len - colon - 1)
        return err_set(err, ERR_USAGE, "'%.*s': a rule is about hosts, not ports", SPAN_ARG(text));
    if (!pattern_new(text, PATTERN_GLOB | PATTERN_ANY_CASE, &pattern, err))
        return false;
    rule->hosts = mem_realloc(rule->hosts, (rule->host_count + 1) * sizeof(struct pattern *));
    rule->hosts[rule->host_count++] = pattern;
    return true;
}

static bool add_hosts(struct rule *rule, struct span list, struct err *err)
{
    struct span part;

    while (span_split(&list, ',', &part)) {
        part = span_trim(part);
        if (part.len != 0 && !add_pattern(rule, part, err))
            return false;
    }
    return rule->host_count != 0 || err_set(err, ERR_USAGE, "no host before the '='");
}

static bool set_way(struct via *via, struct rule *rule, struct span text, const char *from, struct err *err)
{
    rule->way = WAY_HOP;
    if (span_eq(text, SPAN("direct"))) {
        rule->way = WAY_DIRECT;
        return true;
    }
    if (span_eq(text, SPAN("env"))) {
        rule->way = WAY_ENVIRONMENT;
        return read_environment(via, err);
    }
    return add_hop(via, text, from, &rule->hop, err);
}

static bool set_named_way(struct via *via, struct rule *rule, struct span text, struct err *err)
{
    const char *shown = NULL; /* what clients may read of from: not the path of a file */
    char *line = NULL, *from, *name;
    const char *value;
    bool ok;

    if (span_starts(text, SPAN("file:"))) {
        if (!read_file(span_from(text, 5), &line, err))
            return false;
        from = mem_printf("file '%.*s'", SPAN_ARG(span_from(text, 5)));
        shown = "a file that --via names";
    } else if (span_starts(text, SPAN("env:"))) {
        name = mem_spandup(span_from(text, 4));
        value = getenv(name);
        line = value != NULL ? mem_strdup(value) : NULL;
        from = mem_printf("variable %s", name);
        mem_free(name);
        if (line == NULL) {
            err_set(err, ERR_USAGE, "%s is not set", from);
            mem_free(from);
            return false;
        }
    } else {
        return set_way(via, rule, text, "--via", err);
    }
    ok = set_way(via, rule, span_trim(span_of(line)), shown != NULL ? shown : from, err) ||
         err_add(err, "%s", from);
    mem_free(line);
    mem_free(from);
    return ok;
}

/* A '=' belongs to the way when that has begun before it. */
static bool has_hosts(struct span text, size_t equals)
{
    struct span before = span_sub(text, 0, equals);

    return equals < text.len && find_scheme_end(before) == equals && !span_starts(before, SPAN("file:")) &&
           !span_starts(before, SPAN("env:"));
}

static bool add_rule(struct via *via, struct span text, struct err *err)
{
    size_t equals = span_find(text, '=');
    struct rule *rule;

    via->rules = mem_realloc(via->rules, (via->rule_count + 1) * sizeof *via->rules);
    rule = &via->rules[via->rule_count++];
    *rule = (struct rule){ 0 };
    if (has_hosts(text, equals)) {
        if (!add_hosts(rule, span_sub(text, 0, equals), err))
            return false;
        text = span_from(text, equals + 1);
    }
    return set_named_way(via, rule, text, err);
}

bool via_new(const char *const *items, size_t count, struct via **out_via, struct err *err)
{
    struct via *via = mem_new(struct via);

    for (size_t i = 0; i < count; i++) {
        if (!add_rule(via, span_of(items[i]), err)) {
            via_free(via);
            return count == 1 ? err_add(err, "--via") : err_add(err, "the %zu. --via", i + 1);
        }
    }
    *out_via = via;
    return true;
}

void via_free(struct via *via)
{
    if (via == NULL)
        return;
    for (size_t i = 0; i < via->rule_count; i++) {
        for (size_t k = 0; k < via->rules[i].host_count; k++)
            pattern_free(via->rules[i].hosts[k]);
        mem_free(via->rules[i].hosts);
    }
    for (size_t i = 0; i < via->hop_count; i++)
        hop_free(via->hops[i]);
    no_proxy_free(via->exempt);
    mem_free(via->rules);
    mem_free(via->hops);
    mem_free(via);
}

/* --- finding -------------------------------------------------------------------------------------------- */

static bool is_about(const struct rule *rule, struct span host)
{
    for (size_t i = 0; i < rule->host_count; i++) {
        if (pattern_match(rule->hosts[i], host))
            return true;
    }
    return rule->host_count == 0;
}

const struct via_hop *via_find(const struct via *via, const struct target *target)
{
    struct span host = span_of(target->host);

    if (host.len > 1 && host.ptr[host.len - 1] == '.') /* the root's dot: the same host */
        host.len--;
    for (size_t i = 0; i < via->rule_count; i++) {
        const struct rule *rule = &via->rules[i];
        const struct via_hop *hop;
        if (!is_about(rule, host))
            continue;
        if (rule->way != WAY_ENVIRONMENT)
            return rule->hop;
        if (no_proxy_has(via->exempt, target->host, target->port))
            return NULL;
        hop = target->is_tls ? via->https : via->http;
        if (hop != NULL)
            return hop;
    }
    return NULL;
}

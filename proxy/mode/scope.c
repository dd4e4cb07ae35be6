#include "proxy/mode/scope.h"

#include "proxy/base/mem.h"
#include "proxy/base/pattern.h"

#define EXAMPLES "write api.test, *.api.test, .api.test or api.test:8443"

struct rule {
    char *text; /* as it was given */
    struct pattern *host;
    struct pattern *or_host; /* of ".api.test": what is below it; NULL: none */
    uint16_t port;           /* 0: any */
};

struct rules {
    struct rule *items;
    size_t count;
};

struct scope {
    struct rules open, seal;
    bool no_auto_seal;
};

/* --- reading rules ------------------------------------------------------------------------------------- */

static struct pattern *glob_of(struct span text)
{
    struct pattern *pattern = NULL;
    struct err never; /* a glob is never wrong */

    pattern_new(text, PATTERN_GLOB | PATTERN_ANY_CASE, &pattern, &never);
    return pattern;
}

static struct span without_last_dot(struct span host)
{
    return host.len > 1 && host.ptr[host.len - 1] == '.' ? span_sub(host, 0, host.len - 1) : host;
}

/* "host", "host:port", "[ipv6]", "[ipv6]:port" or a bare IPv6 address; the port of *out_port 0: none. */
static bool split_port(struct span text, struct span *out_host, uint16_t *out_port)
{
    struct span rest = SPAN_NONE;
    uint64_t port = 0;

    *out_host = text;
    if (text.ptr[0] == '[') {
        size_t end = span_find(text, ']');
        if (end == text.len)
            return false;
        *out_host = span_sub(text, 1, end - 1);
        rest = span_from(text, end + 1);
    } else {
        size_t colon = span_find(text, ':');
        if (colon != text.len && memchr(text.ptr + colon + 1, ':', text.len - colon - 1) == NULL) {
            *out_host = span_sub(text, 0, colon);
            rest = span_from(text, colon);
        }
    }
    if (rest.len != 0 &&
        (rest.ptr[0] != ':' || !span_u64(span_from(rest, 1), &port) || port == 0 || port > UINT16_MAX))
        return false;
    *out_port = (uint16_t)port;
    return true;
}

/* What is wrong with the bytes of a rule; NULL: nothing. */
static const char *fault_of(struct span text)
{
    if (text.len == 0)
        return "nothing between the commas; " EXAMPLES;
    if (span_find(text, '/') != text.len)
        return "hosts are meant, not URLs; " EXAMPLES;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80)
            return "a name stands in TLS as its A-label: write xn--bcher-kva.test, not b\xc3\xbc"
                   "cher.test";
        if (c <= ' ' || c == 0x7f || c == '\\')
            return "that is in no name of a host; " EXAMPLES;
    }
    return NULL;
}

static void add_rule(struct rules *rules, struct span text, struct span host, uint16_t port)
{
    struct rule *rule;

    rules->items = mem_realloc(rules->items, (rules->count + 1) * sizeof *rules->items);
    rule = &rules->items[rules->count++];
    *rule = (struct rule){ .text = mem_spandup(text), .port = port };
    host = without_last_dot(host);
    if (host.len == 0)
        host = SPAN("*");
    if (host.ptr[0] == '.' && host.len > 1) {
        char *below = mem_printf("*%.*s", SPAN_ARG(host));
        rule->or_host = glob_of(span_of(below));
        mem_free(below);
        host = span_from(host, 1);
    }
    rule->host = glob_of(host);
}

static bool read_rules(struct rules *rules, const char *option, const char *const *texts, size_t count,
                       struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct span rest = span_of(texts[i]);
        bool is_more;
        do {
            size_t comma = span_find(rest, ',');
            struct span text = span_trim(span_sub(rest, 0, comma)), host;
            const char *fault = fault_of(text);
            uint16_t port;
            if (fault != NULL)
                return err_set(err, ERR_USAGE, "%s '%.*s': %s", option, SPAN_ARG(text), fault);
            if (!split_port(text, &host, &port))
                return err_set(err, ERR_USAGE, "%s '%.*s': a port is a number from 1 to 65535; " EXAMPLES,
                               option, SPAN_ARG(text));
            add_rule(rules, text, host, port);
            is_more = comma < rest.len;
            rest = span_from(rest, is_more ? comma + 1 : comma);
        } while (is_more);
    }
    return true;
}

static void clear_rules(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        mem_free(rules->items[i].text);
        pattern_free(rules->items[i].host);
        pattern_free(rules->items[i].or_host);
    }
    mem_free(rules->items);
}

bool scope_new(const struct scope_options *options, struct scope **out_scope, struct err *err)
{
    struct scope *scope = mem_new(struct scope);

    scope->no_auto_seal = options->no_auto_seal;
    if (!read_rules(&scope->open, "--open", options->open, options->open_count, err) ||
        !read_rules(&scope->seal, "--seal", options->seal, options->seal_count, err)) {
        scope_free(scope);
        return false;
    }
    *out_scope = scope;
    return true;
}

void scope_free(struct scope *scope)
{
    if (scope == NULL)
        return;
    clear_rules(&scope->open);
    clear_rules(&scope->seal);
    mem_free(scope);
}

/* --- asking -------------------------------------------------------------------------------------------- */

static bool rule_fits(const struct rule *rule, struct span name)
{
    return name.len != 0 &&
           (pattern_match(rule->host, name) || (rule->or_host != NULL && pattern_match(rule->or_host, name)));
}

static const struct rule *find_rule(const struct rules *rules, struct span host, struct span sni,
                                    uint16_t port)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->items[i];
        if ((rule->port == 0 || rule->port == port) && (rule_fits(rule, host) || rule_fits(rule, sni)))
            return rule;
    }
    return NULL;
}

enum scope_answer scope_of(const struct scope *scope, struct span host, struct span sni, uint16_t port,
                           const char **out_rule)
{
    const struct rule *rule;
    enum scope_answer answer = SCOPE_OPEN;

    host = without_last_dot(host);
    sni = without_last_dot(sni);
    rule = find_rule(&scope->open, host, sni, port);
    if (rule == NULL) {
        answer = SCOPE_SEALED;
        rule = find_rule(&scope->seal, host, sni, port);
    }
    *out_rule = rule != NULL ? rule->text : NULL;
    if (rule == NULL)
        answer = scope->no_auto_seal ? SCOPE_OPEN : SCOPE_AUTO;
    return answer;
}
